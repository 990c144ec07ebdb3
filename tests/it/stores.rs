//! Lakes in the clouds: opened, discovered and read from emulators of S3 and Azure Blob storage.
//!
//! `make test` starts the emulators and says where they listen; without them a test that is run by
//! hand has nothing to say, and under `make` or in CI it fails.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use arrow::array::AsArray;
use arrow::datatypes::Int64Type;
use datafusion::prelude::SessionContext;
use lakegate::catalog::{Catalog, Folders};
use lakegate::config::Secrets;
use lakegate::error::ErrorKind;
use lakegate::sources::lake::LakeSource;
use lakegate::sources::warehouse::{KeptValues, Surroundings, Warehouse};
use lakegate::storage::{self, Change, Files};
use object_store::aws::AmazonS3Builder;
use object_store::azure::MicrosoftAzureBuilder;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

/// Makes containers in an Azurite of any port until 2099. It is signed with the key of the
/// development account, which Microsoft publishes, and opens nothing else.
const AZURITE_SIGNATURE: &str = "sv=2019-12-12&ss=b&srt=sco&sp=rwdlc&se=2099-01-01T00%3A00%3A00Z&spr=https%2Chttp&sig=Lr14DjjJzk1kW3fijYKhu0PqaVJ2dQTg6ZyBQc3SJvY%3D";

/// The account and key of the development account, as published.
const AZURITE_ACCOUNT: &str = "devstoreaccount1";
const AZURITE_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

#[tokio::test]
async fn a_lake_in_s3_is_served() {
    let Some(endpoint) = endpoint("LAKEGATE_TEST_S3_ENDPOINT") else {
        return;
    };
    create(&endpoint, "/lakegate-test");
    let store = AmazonS3Builder::new()
        .with_bucket_name("lakegate-test")
        .with_endpoint(&endpoint)
        .with_allow_http(true)
        .with_access_key_id("test")
        .with_secret_access_key("test")
        .build()
        .unwrap();
    let options = BTreeMap::from([
        ("AWS_ENDPOINT_URL".to_owned(), endpoint),
        ("AWS_ALLOW_HTTP".to_owned(), "true".to_owned()),
        ("AWS_ACCESS_KEY_ID".to_owned(), "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY".to_owned(), "test".to_owned()),
        ("AWS_PAGER".to_owned(), "less".to_owned()),
    ]);
    check(&store, "s3://lakegate-test/lake", &options).await;
    let missing = storage::open("s3://lakegate-missing", &options).await;
    assert!(missing.unwrap_err().message().contains("lakegate-missing"));
}

#[tokio::test]
async fn a_lake_in_azure_is_served() {
    let Some(endpoint) = endpoint("LAKEGATE_TEST_AZURE_ENDPOINT") else {
        return;
    };
    let account = format!("{}/{AZURITE_ACCOUNT}", endpoint.trim_end_matches('/'));
    let container =
        format!("/{AZURITE_ACCOUNT}/lakegate-test?restype=container&{AZURITE_SIGNATURE}");
    create(&endpoint, &container);
    let store = MicrosoftAzureBuilder::new()
        .with_container_name("lakegate-test")
        .with_account(AZURITE_ACCOUNT)
        .with_access_key(AZURITE_KEY)
        .with_endpoint(account.clone())
        .with_allow_http(true)
        .build()
        .unwrap();
    let options = BTreeMap::from([
        ("AZURE_STORAGE_ENDPOINT".to_owned(), account),
        ("AZURE_ALLOW_HTTP".to_owned(), "true".to_owned()),
        (
            "AZURE_STORAGE_ACCOUNT_NAME".to_owned(),
            AZURITE_ACCOUNT.to_owned(),
        ),
        (
            "AZURE_STORAGE_ACCOUNT_KEY".to_owned(),
            AZURITE_KEY.to_owned(),
        ),
    ]);
    check(&store, "az://lakegate-test/lake", &options).await;
    let wrong = BTreeMap::from([(
        "AZURE_STORAGE_ACCOUNT_KEY".to_owned(),
        "bm90IHRoZSBrZXk=".to_owned(),
    )]);
    let options = options.into_iter().chain(wrong).collect();
    let refused = storage::open("az://lakegate-test/lake", &options).await;
    let shown = format!("{:?}", refused.unwrap_err());
    assert!(!shown.contains("bm90IHRoZSBrZXk"), "{shown}");
}

/// Puts a lake into the store and reads it through ours.
async fn check(store: &dyn ObjectStore, url: &str, options: &BTreeMap<String, String>) {
    let put = async |path: &str, content: &str| {
        let path = Path::from(format!("lake/{path}"));
        store.put(&path, content.to_owned().into()).await.unwrap();
    };
    put("bronze/users.jsonl", "{\"v\":1}\n{\"v\":2}\n").await;
    put("bronze/days/day=2026-11-01/a.csv", "v\n10\n").await;
    put("bronze/days/day=2026-11-02/b.csv", "v\n20\n").await;
    put(
        "silver/empty/_delta_log/00000000000000000000.json",
        concat!(
            r#"{"protocol":{"minReaderVersion":1,"minWriterVersion":2}}"#,
            "\n",
            r#"{"metaData":{"id":"0","format":{"provider":"parquet","options":{}},"schemaString":"{\"type\":\"struct\",\"fields\":[{\"name\":\"v\",\"type\":\"long\",\"nullable\":true,\"metadata\":{}}]}","partitionColumns":[],"configuration":{}}}"#,
            "\n"
        ),
    )
    .await;

    let context = SessionContext::new();
    let lake = storage::open(url, options).await.unwrap();
    let source = Arc::new(LakeSource::new(lake, context.state()));
    let folder = || storage::folder("/nowhere", &BTreeMap::new()).unwrap();
    let folders = Folders {
        views: folder(),
        state: folder(),
    };
    let warehouse = Warehouse::new(Surroundings {
        store_options: BTreeMap::new(),
        secrets: Secrets::default(),
        folder: None,
        kept: KeptValues {
            receive: |_, _| Ok(Vec::new()),
            numeric: |_| Ok(Vec::new()),
        },
    });
    let sources = (Arc::clone(&source), Arc::new(warehouse));
    let catalog = Catalog::new(sources, folders, |_| Ok(Vec::new()), Vec::new());
    let snapshot = catalog.refresh().await.unwrap();
    for (schema, name, sum) in [
        ("bronze", "users", Some(3)),
        ("bronze", "days", Some(30)),
        ("silver", "empty", None),
    ] {
        let relation = snapshot.find(schema, name, |_| true).unwrap().unwrap();
        let table = relation.table().unwrap().clone();
        let pinned = source.pin(&table, None).await.unwrap();
        assert_eq!(
            source.pin(&table, None).await.unwrap().version,
            pinned.version
        );
        context.register_table(name, pinned.provider).unwrap();
        let sql = format!("SELECT sum(v) FROM {name}");
        let batches = context.sql(&sql).await.unwrap().collect().await.unwrap();
        let sums = batches[0].column(0).as_primitive::<Int64Type>();
        assert_eq!(sums.iter().next().unwrap(), sum, "{schema}.{name}");
    }
    let written = source.lake().store.put(&Path::from("x"), "x".into()).await;
    assert!(written.is_err(), "the lake is read-only");
    check_views_folder(&format!("{url}/_lakegate/views"), options).await;
}

/// Changes a views folder in the store: all or none, and never over what somebody else wrote.
async fn check_views_folder(url: &str, options: &BTreeMap<String, String>) {
    let change = |path: &str, before: Option<&str>, after: Option<&str>| Change {
        path: path.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    };
    let folder = storage::folder(url, options).unwrap();
    let nothing = folder.read(".sql", &Files::default()).await.unwrap();
    assert_eq!(nothing.iter().count(), 0, "{url}");
    let made = vec![
        change("s/a.sql", None, Some("1")),
        change("b.sql", None, Some("1")),
    ];
    folder.commit(made).await.unwrap();
    let files = folder.read(".sql", &nothing).await.unwrap();
    assert_eq!(files.text("s/a.sql").map(AsRef::as_ref), Some("1"));
    let changed = vec![change("b.sql", Some("1"), Some("2"))];
    folder.commit(changed.clone()).await.unwrap();
    let lost = folder.commit(changed).await.unwrap_err();
    assert_eq!(lost.kind(), ErrorKind::SerializationFailure, "{url}");
    let half = vec![
        change("s/a.sql", Some("1"), None),
        change("b.sql", Some("1"), None),
    ];
    folder.commit(half).await.unwrap_err();
    let files = folder.read(".sql", &files).await.unwrap();
    let texts: Vec<_> = ["b.sql", "s/a.sql"]
        .map(|path| files.text(path).map(AsRef::as_ref))
        .into();
    assert_eq!(texts, [Some("2"), Some("1")], "{url}");
    let gone = vec![
        change("s/a.sql", Some("1"), None),
        change("b.sql", Some("2"), None),
    ];
    folder.commit(gone).await.unwrap();
    let files = folder.read(".sql", &files).await.unwrap();
    assert_eq!(files.iter().count(), 0, "{url}");
}

/// Where an emulator listens.
#[expect(
    clippy::disallowed_methods,
    reason = "the emulators' addresses come from the Makefile"
)]
pub(crate) fn endpoint(name: &str) -> Option<String> {
    let is_required = std::env::var("CI").is_ok() || std::env::var("MAKELEVEL").is_ok();
    match std::env::var(name) {
        Ok(endpoint) => Some(endpoint),
        Err(_) if is_required => panic!("{name} is not set: no emulator was started"),
        Err(_) => None,
    }
}

/// A bucket with the files of a folder.
pub(crate) fn bucket(endpoint: &str, name: &str, folder: &std::path::Path) {
    create(endpoint, &format!("/{name}"));
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let key = path.strip_prefix(folder).unwrap().display().to_string();
            put(
                endpoint,
                &format!("/{name}/{key}"),
                &std::fs::read(&path).unwrap(),
            );
        }
    }
}

/// Makes a bucket or container, if there is none yet: `object_store` has no call for it.
fn create(endpoint: &str, path: &str) {
    put(endpoint, path, b"");
}

fn put(endpoint: &str, path: &str, content: &[u8]) {
    let host = endpoint.trim_start_matches("http://").trim_end_matches('/');
    let mut stream = TcpStream::connect(host).unwrap();
    let request = format!(
        "PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        content.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream.write_all(content).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.lines().next().unwrap_or_default();
    assert!(
        ["200", "201", "409"]
            .iter()
            .any(|code| status.contains(code)),
        "{answer}"
    );
}
