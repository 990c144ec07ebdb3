//! Refuses tables that we may not or cannot read exactly: files outside the table, features
//! unknown to the reader.

use deltalake_core::DeltaTable;
use deltalake_core::kernel::StorageType;
use deltalake_core::kernel::transaction::{PROTOCOL, TransactionError};
use percent_encoding::percent_decode_str;

use super::{refused, vectors};
use crate::error::{Error, ErrorKind, Result};

/// # Errors
/// `FeatureNotSupported` naming the features, `InsufficientPrivilege` naming the file.
pub(super) fn check(path: &str, table: &DeltaTable) -> Result<()> {
    let state = table.snapshot().map_err(|cause| refused(path, cause))?;
    features(path, state.protocol())?;
    for file in state.log_data() {
        let name = file.path();
        if leads_outside(&name) {
            return Err(outside(path, &name));
        }
        let Some(vector) = file.deletion_vector_descriptor() else {
            continue;
        };
        let is_inside = match vector.storage_type {
            StorageType::AbsolutePath => false,
            // Behind the folder there are digits of any kind, and no name.
            StorageType::UuidRelativePath => vectors::folder(&vector.path_or_inline_dv)
                .is_some_and(|folder| !leads_outside(folder)),
            StorageType::Inline => true,
        };
        if !is_inside {
            return Err(outside(path, &vector.path_or_inline_dv));
        }
    }
    Ok(())
}

fn features(path: &str, protocol: &deltalake_core::kernel::Protocol) -> Result<()> {
    // deltalake would serve a variant as the bytes of its encoding.
    let variants = protocol
        .reader_features()
        .into_iter()
        .flatten()
        .map(ToString::to_string)
        .find(|feature| feature.starts_with("variant"));
    if let Some(feature) = variants {
        return Err(Error::unsupported(format!(
            "the Delta feature {feature} of table \"{path}\""
        )));
    }
    match PROTOCOL.can_read_from_protocol(protocol) {
        Ok(()) => Ok(()),
        Err(TransactionError::UnsupportedTableFeatures(features)) => {
            let names: Vec<_> = features.iter().map(ToString::to_string).collect();
            Err(Error::unsupported(format!(
                "the Delta feature {} of table \"{path}\"",
                names.join(", ")
            )))
        }
        Err(cause) => Err(
            Error::unsupported(format!("the Delta protocol of table \"{path}\"")).with_cause(cause),
        ),
    }
}

fn outside(path: &str, file: &str) -> Error {
    Error::new(
        ErrorKind::InsufficientPrivilege,
        format!("the log of table \"{path}\" names a file outside of the table: \"{file}\""),
    )
}

/// Whether a file's name is a URL, an absolute path, or climbs. Names in a log are
/// percent-encoded, and some writers encode twice, so each level of encoding is looked through.
pub(super) fn leads_outside(name: &str) -> bool {
    let mut name = name.to_owned();
    loop {
        let has_scheme = name.split_once(':').is_some_and(|(scheme, _)| {
            scheme.starts_with(|first: char| first.is_ascii_alphabetic())
                && scheme
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
        });
        let climbs = name.split(['/', '\\']).any(|segment| segment == "..");
        if has_scheme || climbs || name.starts_with(['/', '\\']) {
            return true;
        }
        let decoded = percent_decode_str(&name).decode_utf8_lossy().into_owned();
        if decoded == name {
            return false;
        }
        name = decoded;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_outside_of_a_table_are_seen() {
        fn check(name: &str, expected: bool) {
            assert_eq!(leads_outside(name), expected, "{name}");
        }
        check("part-0.parquet", false);
        check("day=2026-11-01/at=10:00/part-0.parquet", false);
        check("day=10%3A00/part..0.parquet", false);
        check("../other/part-0.parquet", true);
        check("a/%2e%2e/%2E%2E/part-0.parquet", true);
        check("a/%252e%252e/part-0.parquet", true);
        check("/etc/passwd", true);
        check("%2Fetc/passwd", true);
        check("file:///etc/passwd", true);
        check("s3://other/part-0.parquet", true);
        check("C:\\part-0.parquet", true);
    }
}
