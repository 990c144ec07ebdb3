//! Commits of changes, on disk and in a store in memory: all or none, and never over another's.

use std::collections::BTreeMap;

use object_store::memory::InMemory;
use object_store::path::Path;
use object_store::{ObjectStoreExt, PutPayload};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::*;

fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change {
        path: path.to_owned(),
        before: before.map(str::to_owned),
        after: after.map(str::to_owned),
    }
}

async fn texts(folder: &Folder) -> BTreeMap<String, String> {
    let files = folder.read(".sql", &Files::default()).await.unwrap();
    let texts = files.iter();
    texts
        .map(|(path, file)| (path.to_owned(), file.text.clone().unwrap().to_string()))
        .collect()
}

fn of(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    let pairs = pairs.iter();
    pairs
        .map(|(path, text)| ((*path).to_owned(), (*text).to_owned()))
        .collect()
}

/// Each kind of folder, empty.
fn folders() -> (tempfile::TempDir, [Folder; 2]) {
    let disk = tempfile::tempdir().unwrap();
    let local = Folder::local(disk.path().join("views"));
    let remote = Folder::remote(Arc::new(InMemory::new()), "memory".to_owned());
    (disk, [local, remote])
}

#[tokio::test]
async fn a_commit_makes_all_its_changes_or_none() {
    let (_disk, folders) = folders();
    for folder in folders {
        assert_eq!(texts(&folder).await, of(&[]));
        let both = vec![
            change("s/a.sql", None, Some("1")),
            change("b.sql", None, Some("2")),
        ];
        folder.commit(both).await.unwrap();
        assert_eq!(
            texts(&folder).await,
            of(&[("b.sql", "2"), ("s/a.sql", "1")])
        );
        let lost = vec![
            change("b.sql", Some("2"), None),
            change("s/a.sql", Some("0"), Some("3")),
        ];
        let error = folder.commit(lost).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SerializationFailure, "{error}");
        assert_eq!(
            texts(&folder).await,
            of(&[("b.sql", "2"), ("s/a.sql", "1")])
        );
        let gone = vec![
            change("b.sql", Some("2"), None),
            change("s/a.sql", Some("1"), None),
        ];
        folder.commit(gone).await.unwrap();
        assert_eq!(texts(&folder).await, of(&[]));
    }
}

/// A gateway that dies between two files of a commit leaves its journal: readers see the commit as
/// made, and the next writer makes it.
#[tokio::test]
async fn a_commit_whose_writer_died_is_finished() {
    let journal = journal::Journal::new(vec![
        change("a.sql", Some("1"), Some("2")),
        change("b.sql", None, Some("2")),
    ]);
    let journal = journal.decided().text().unwrap();
    let disk = tempfile::tempdir().unwrap();
    let local = Folder::local(disk.path().to_owned());
    std::fs::write(disk.path().join("a.sql"), "2").unwrap();
    std::fs::write(disk.path().join(JOURNAL), &journal).unwrap();
    assert_eq!(texts(&local).await, of(&[("a.sql", "2"), ("b.sql", "2")]));
    local.recover().await.unwrap();
    assert_eq!(
        std::fs::read_to_string(disk.path().join("b.sql")).unwrap(),
        "2"
    );
    assert!(!disk.path().join(JOURNAL).exists());

    let store = Arc::new(InMemory::new());
    let put = async |path: &str, text: &str| {
        let payload = PutPayload::from(text.to_owned());
        store.put(&Path::from(path), payload).await.unwrap();
    };
    put("a.sql", "1").await;
    put(JOURNAL, &journal).await;
    let store: Arc<dyn ObjectStore> = store;
    let remote = Folder::remote(Arc::clone(&store), "memory".to_owned());
    assert_eq!(texts(&remote).await, of(&[("a.sql", "2"), ("b.sql", "2")]));
    let patience = std::time::Duration::from_millis(300);
    let next = vec![change("c.sql", None, Some("3"))];
    remote::commit(&store, next, patience).await.unwrap();
    let expected = of(&[("a.sql", "2"), ("b.sql", "2"), ("c.sql", "3")]);
    assert_eq!(texts(&remote).await, expected);
}

/// Several writers at once, each adding one to two files that must stay equal: readers never see
/// them differ, and the number is that of the commits that were said to be done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_commits_lose_nothing() {
    let seed: u64 = rand::random();
    println!("seed {seed}");
    let (_disk, folders) = folders();
    for folder in folders {
        let start = ["a.sql", "b.sql"].map(|path| change(path, None, Some("0")));
        folder.commit(start.into()).await.unwrap();
        let mut writers = tokio::task::JoinSet::new();
        for number in 0..4 {
            let folder = folder.clone();
            let mut random = StdRng::seed_from_u64(seed ^ number);
            writers.spawn(async move {
                let mut n_done = 0;
                for _ in 0..10 {
                    let now = texts(&folder).await;
                    assert_eq!(now["a.sql"], now["b.sql"]);
                    let count: u64 = now["a.sql"].parse().unwrap();
                    let next = (count + 1).to_string();
                    let changes =
                        ["a.sql", "b.sql"].map(|path| change(path, Some(&now[path]), Some(&next)));
                    if random.random_bool(0.5) {
                        tokio::task::yield_now().await;
                    }
                    match folder.commit(changes.into()).await {
                        Ok(()) => n_done += 1,
                        Err(error) => assert_eq!(error.kind(), ErrorKind::SerializationFailure),
                    }
                }
                n_done
            });
        }
        let n_done: u64 = writers.join_all().await.into_iter().sum();
        let now = texts(&folder).await;
        assert_eq!(now["a.sql"], n_done.to_string());
        assert_eq!(now["a.sql"], now["b.sql"]);
    }
}
