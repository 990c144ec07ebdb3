//! Tables to which files are added while they are read.

use super::*;

fn table() -> LakeTable {
    LakeTable {
        path: "s/t".to_owned(),
        layout: Layout::Delta,
    }
}

/// Commits a file with these values of `k`.
fn append(lake: &TestLake, version: u64, values: &[i64]) {
    let name = format!("part-{version}.parquet");
    lake.write_parquet(&format!("s/t/{name}"), &batch(vec![("k", ints(values))]));
    let path = lake.folder.path().join("s/t").join(&name);
    let size = std::fs::metadata(path).unwrap().len();
    let n_rows = values.len();
    let log = format!(
        "{{\"commitInfo\":{{\"operation\":\"WRITE\"}}}}\n\
         {{\"add\":{{\"path\":\"{name}\",\"size\":{size},\"partitionValues\":{{}},\"modificationTime\":0,\
         \"dataChange\":true,\"stats\":\"{{\\\"numRecords\\\":{n_rows}}}\"}}}}\n"
    );
    lake.write(&format!("s/t/_delta_log/{version:020}.json"), log);
}

fn made() -> RecordBatch {
    batch(vec![("k", ints(&[1]))])
}

const ONE: &str = r#"{\"numRecords\":1}"#;

#[tokio::test]
async fn what_came_is_known_once_and_read_with_the_rest() {
    let lake = TestLake::new().await;
    write_delta(&lake, "s/t", &made(), K, ONE);
    let first = lake.source.pin(&table(), None).await.unwrap();
    for version in 1..4 {
        append(&lake, version, &[10, 20]);
        let pinned = lake.source.pin(&table(), None).await.unwrap();
        assert_eq!(pinned.version, Version::Delta(version));
        assert_eq!(pinned.size.rows, Some(1 + 2 * version));
        // As long as nothing comes, it is the same.
        let again = lake.source.pin(&table(), None).await.unwrap();
        assert!(Arc::ptr_eq(&pinned.provider, &again.provider));
        assert_eq!(pinned.digest, again.digest);
        let at = lake.source.pin(&table(), Some(At::Version(version))).await;
        assert!(Arc::ptr_eq(&pinned.provider, &at.unwrap().provider));
        let change = lake.source.change(&table(), (0, version), None).await;
        let change = change.unwrap().unwrap();
        assert_eq!(change.added.n_files as u64, version);
        assert_eq!((change.removed.n_files, change.n_files), (0, 1 + version));
        assert_eq!(change.bytes, pinned.size.bytes);
        assert_eq!(change.identity_from, first.identity);
        assert_eq!(change.identity_to, pinned.identity);
        if version == 2 {
            lake.check("s/t", "SELECT count(*), sum(k) FROM t", "5,61")
                .await;
        }
    }
    lake.check("s/t", "SELECT count(*), sum(k) FROM t", "7,91")
        .await;
    // A file that is told of anew is no other.
    append(&lake, 4, &[10, 20]);
    let log = |version: u64| {
        let name = format!("s/t/_delta_log/{version:020}.json");
        lake.folder.path().join(name)
    };
    std::fs::copy(log(4), log(5)).unwrap();
    lake.check("s/t", "SELECT count(*), sum(k) FROM t", "9,121")
        .await;
    assert_eq!(lake.pin("s/t").await.unwrap().size.rows, Some(9));
}

#[tokio::test]
async fn a_table_made_anew_before_it_is_scanned_is_noticed() {
    let lake = TestLake::new().await;
    write_delta(&lake, "s/t", &made(), K, ONE);
    lake.source.pin(&table(), None).await.unwrap();
    append(&lake, 1, &[10, 20]);
    let pinned = lake.source.pin(&table(), None).await.unwrap();
    let log = lake.folder.path().join("s/t/_delta_log");
    std::fs::remove_file(log.join(format!("{:020}.json", 1))).unwrap();
    append(&lake, 1, &[10, 20, 30]);
    lake.context.register_table("t", pinned.provider).unwrap();
    let frame = lake.context.sql("SELECT sum(k) FROM t").await.unwrap();
    let error = ours(frame.collect().await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::IoError, "{error:?}");
}
