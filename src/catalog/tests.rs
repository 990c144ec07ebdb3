//! Discovers lakes in temporary folders.

use std::sync::Arc;

use datafusion::prelude::SessionContext;

use super::*;
use crate::config::Secrets;
use crate::sources::warehouse::{KeptValues, Surroundings};

async fn catalog(folder: &std::path::Path) -> Catalog {
    let lake = crate::storage::open(folder.to_str().unwrap(), &BTreeMap::new())
        .await
        .unwrap();
    let source = LakeSource::new(lake, SessionContext::new().state());
    let folder = |name: &str| {
        let path = folder.join(name);
        crate::storage::folder(path.to_str().unwrap(), &BTreeMap::new()).unwrap()
    };
    let folders = Folders {
        views: folder("_views"),
        state: folder("_state"),
    };
    let warehouse = Warehouse::new(Surroundings {
        secrets: Secrets::default(),
        folder: None,
        store_options: BTreeMap::new(),
        kept: KeptValues {
            receive: |_, _| Ok(Vec::new()),
            numeric: |_| Ok(Vec::new()),
        },
    });
    let sources = (Arc::new(source), Arc::new(warehouse));
    Catalog::new(sources, folders, |_| Ok(Vec::new()), Vec::new())
}

fn write(folder: &std::path::Path, path: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, "a\n1\n").unwrap();
}

/// The relations as `schema.name path`; `!` marks a name that is taken twice.
async fn check(paths: &[&str], expected: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    for path in paths {
        write(folder.path(), path);
    }
    let catalog = catalog(folder.path()).await;
    let snapshot = catalog.refresh().await.unwrap();
    let relations = snapshot
        .schemas
        .values()
        .flat_map(|schema| schema.relations.values());
    let found: Vec<_> = relations
        .map(
            |relation| match &relation.kind.as_ref().map(|_| relation.table()) {
                Ok(Some(table)) => format!("{}.{} {}", relation.schema, relation.name, table.path),
                _ => format!("{}.{} !", relation.schema, relation.name),
            },
        )
        .collect();
    assert_eq!(found, expected);
}

#[tokio::test]
async fn folders_are_schemas_and_tables() {
    check(
        &["root.csv", "s/one.csv", "s/two.tar", "s/_x/a.csv"],
        &["public.root root.csv", "s.one s/one.csv"],
    )
    .await;
    check(&["s/t/_delta_log/0.json", "s/t/p.parquet"], &["s.t s/t"]).await;
    check(&["t/_delta_log/0.json"], &["public.t t"]).await;
    check(&["t/k=1/a.csv"], &["public.t t"]).await;
    check(&["s/t/a.csv", "s/t/b.csv"], &["s.t s/t"]).await;
    check(&["s/t/k=1/a.csv", "s/t/k=2/b.csv"], &["s.t s/t"]).await;
    check(&["s/t/2026/11/01/a.csv"], &["s.t s/t"]).await;
    check(&["s/f/t/a.csv"], &["s_f.t s/f/t"]).await;
    check(&["s/t/a.csv", "s/t/more/b.csv"], &["s.t s/t"]).await;
    check(
        &["s/mixed/a.csv", "s/mixed/b.parquet"],
        &["s_mixed.a s/mixed/a.csv", "s_mixed.b s/mixed/b.parquet"],
    )
    .await;
    check(&["s/x.csv", "s/x.jsonl"], &["s.x !"]).await;
}

#[tokio::test]
async fn equal_lakes_keep_their_epoch_and_their_oids() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s/Orders.csv");
    let catalog = catalog(folder.path()).await;
    let first = catalog.refresh().await.unwrap();
    assert_eq!(catalog.refresh().await.unwrap().epoch, first.epoch);
    write(folder.path(), "s/users.csv");
    let second = catalog.refresh().await.unwrap();
    assert!(second.epoch > first.epoch);
    let oid = |snapshot: &Snapshot| snapshot.find("s", "Orders", |_| true).unwrap().unwrap().oid;
    assert_eq!(oid(&first), oid(&second));
    assert!(second.find("S", "orders", |_| true).unwrap().is_some());
    assert!(second.find("s", "nothing", |_| true).unwrap().is_none());
    write(folder.path(), "s/ORDERS.csv");
    let third = catalog.refresh().await.unwrap();
    assert!(third.find("s", "Orders", |_| true).unwrap().is_some());
    let ambiguous = third.find("s", "orders", |_| true).unwrap_err();
    assert!(ambiguous.detail().unwrap().contains("ORDERS"));
    // Who may not know of one of the two is not told of either.
    let hidden = |relation: &Relation| relation.name != "ORDERS";
    let ambiguous = third.find("s", "orders", hidden).unwrap_err();
    assert_eq!(ambiguous.detail(), None);
}

#[tokio::test]
async fn the_inventory_has_columns_or_errors() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s/good.csv");
    write(folder.path(), "s/bad.parquet");
    let catalog = catalog(folder.path()).await;
    let snapshot = catalog.snapshot().await.unwrap();
    let oid = |name| snapshot.find("s", name, |_| true).unwrap().unwrap().oid;
    // Whoever does not wait learns what is known, which is nothing.
    let nothing = catalog.inventory(&snapshot, None, Patience::None).await;
    assert_eq!((nothing.n_unknown(), nothing.size(oid("good"))), (2, None));
    let inventory = catalog.inventory(&snapshot, None, Patience::Whole).await;
    let columns = inventory.columns(oid("good")).unwrap();
    assert_eq!(columns.field(0).name(), "a");
    let bytes = inventory.size(oid("good")).map(|size| size.bytes);
    assert_eq!((bytes, inventory.n_unknown()), (Some(4), 0));
    assert!(inventory.columns(oid("bad")).is_none() && inventory.error(oid("bad")).is_some());
    // Another session is told the same, and that nothing has changed.
    let again = catalog.inventory(&snapshot, None, Patience::Brief).await;
    assert_eq!(again.generation(), inventory.generation());
}

#[tokio::test]
async fn a_gateway_begins_with_what_the_one_before_it_learned() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "s/t.csv");
    let columns = async |catalog: &Catalog, patience| {
        let snapshot = catalog.refresh().await.unwrap();
        let oid = snapshot.schemas["s"].relations["t"].oid;
        let inventory = catalog.inventory(&snapshot, None, patience).await;
        let columns = inventory.columns(oid);
        columns.map(|columns| columns.field(0).name().clone())
    };
    let first = catalog(folder.path()).await;
    assert_eq!(columns(&first, Patience::None).await, None);
    assert_eq!(columns(&first, Patience::Whole).await.as_deref(), Some("a"));
    first.keep_inventory().await.unwrap();
    std::fs::write(folder.path().join("s/t.csv"), "b\n1\n").unwrap();
    let second = catalog(folder.path()).await;
    assert_eq!(columns(&second, Patience::None).await.as_deref(), Some("a"));
    assert_eq!(
        columns(&second, Patience::Whole).await.as_deref(),
        Some("b")
    );
    // What is damaged is as if there were none.
    std::fs::write(folder.path().join("_state/inventory.json"), "{").unwrap();
    let third = catalog(folder.path()).await;
    assert_eq!(columns(&third, Patience::None).await, None);
}

#[tokio::test]
async fn a_capture_tree_is_one_table() {
    check(
        &[
            "s/t/ns/hub/0/2026/10/03/04/05/00.avro",
            "s/t/ns/hub/1/2026/10/03/04/05/00.avro",
            "s/t/ns/other/0/2026/10/03/04/05/00.avro",
            "s/t/two/hub/0/2026/10/03/04/05/00.avro",
        ],
        &["s.t s/t"],
    )
    .await;
}

#[tokio::test]
async fn what_only_begins_as_a_capture_tree_is_none() {
    // A namespace beside a folder of something else. Its hubs' partitions lie too deep for tables.
    check(
        &["s/t/ns/hub/0/2026/10/03/04/05/00.avro", "s/t/orders/a.csv"],
        &["s_t.orders s/t/orders"],
    )
    .await;
    // The levels in another order.
    check(&["s/t/ns/2026/10/03/04/hub_0.avro"], &["s_t.ns s/t/ns"]).await;
    check(&["s/t/ns/hub/0/2026/10/03/04/05/00.csv"], &[]).await;
    check(&["s/t/ns/hub/0/2026/10/03/04/05/0.avro"], &[]).await;
}
