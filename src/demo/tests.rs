//! Holds that equal scales give equal lakes, and that nobody else's files are touched.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::{DemoLake, Progress};
use crate::error::{ErrorKind, Result};

const SCALE: f64 = 0.005;

fn make(folder: &Path, scale: f64, n_threads: usize) -> Result<bool> {
    let lake = DemoLake {
        folder: folder.to_owned(),
        scale,
    };
    lake.make_on(n_threads, &mut Progress::new(&mut Vec::new(), false))
}

/// Every file below a folder with its bytes and its time.
fn files_below(folder: &Path) -> BTreeMap<String, (Vec<u8>, SystemTime)> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap();
            let modified = path.metadata().unwrap().modified().unwrap();
            files.insert(name.to_owned(), (fs::read(&path).unwrap(), modified));
        }
    }
    files
}

#[test]
fn equal_scales_give_equal_lakes() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    assert!(make(one.path(), SCALE, 1).unwrap());
    assert!(make(other.path(), SCALE, 4).unwrap());
    let (mut first, mut second) = (files_below(one.path()), files_below(other.path()));
    assert!(first.len() > 1_000, "{} files", first.len());
    // The marker alone has the time at which it was written.
    let (marker, _) = first.remove("_demo.json").unwrap();
    assert_eq!(marker, second.remove("_demo.json").unwrap().0);
    assert!(first.keys().eq(second.keys()), "not the same files");
    for (name, file) in &first {
        assert!(*file == second[name], "{name} differs");
    }
}

#[test]
fn a_lake_is_made_once_and_half_a_lake_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (marker, unfinished) = (
        folder.path().join("_demo.json"),
        folder.path().join("_demo.json.part"),
    );
    let ours = folder.path().join("bronze/left-over.json");
    let theirs = folder.path().join("notes.txt");
    fs::write(&theirs, "mine").unwrap();
    assert!(make(folder.path(), 0.001, 2).unwrap());
    assert!(!make(folder.path(), 0.001, 2).unwrap());
    let error = make(folder.path(), 0.002, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameterValue);
    assert!(
        error.message().ends_with("has scale 0.001, not 0.002"),
        "{error}"
    );
    fs::write(&ours, "{}").unwrap();
    fs::rename(&marker, &unfinished).unwrap();
    assert!(make(folder.path(), 0.002, 2).unwrap());
    assert!(!ours.exists() && !unfinished.exists());
    assert_eq!(fs::read_to_string(&theirs).unwrap(), "mine");
}

#[test]
fn a_lake_of_others_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let theirs = folder.path().join("silver/precious.parquet");
    fs::create_dir(folder.path().join("silver")).unwrap();
    fs::write(&theirs, "mine").unwrap();
    let error = make(folder.path(), SCALE, 2).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameterValue);
    assert!(theirs.exists());
    assert!(make(folder.path(), f64::NAN, 2).is_err());
}
