//! The root of a lake on local disk.

use std::path::PathBuf;

use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// The canonical folder of a local path or `file://` URL.
///
/// # Errors
/// There is no such folder, or it cannot be read.
pub(super) fn root(url: &str) -> Result<PathBuf> {
    let path = path(url)?;
    let unreadable = |cause: std::io::Error| {
        let kind = match cause.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::UndefinedFile,
            std::io::ErrorKind::PermissionDenied => ErrorKind::InsufficientPrivilege,
            _ => ErrorKind::IoError,
        };
        Error::new(
            kind,
            format!("could not open the lake at \"{}\": {cause}", path.display()),
        )
    };
    let root = path.canonicalize().map_err(unreadable)?;
    if !root.metadata().map_err(unreadable)?.is_dir() {
        return Err(Error::new(
            ErrorKind::InvalidParameterValue,
            format!("the lake \"{}\" is not a folder", path.display()),
        ));
    }
    root.read_dir().map_err(unreadable)?;
    Ok(root)
}

/// The path that a local path or `file://` URL says.
///
/// # Errors
/// The URL names another machine, or nothing.
pub(super) fn path(url: &str) -> Result<PathBuf> {
    if !url.starts_with("file://") {
        return Ok(PathBuf::from(url));
    }
    let path = Url::parse(url).ok().and_then(|url| url.to_file_path().ok());
    path.ok_or_else(|| {
        Error::new(
            ErrorKind::InvalidParameterValue,
            format!("\"{url}\" is not the URL of a local folder"),
        )
    })
}
