//! Which files hold rows, by their names.

use datafusion::datasource::file_format::file_compression_type::FileCompressionType;

/// How rows are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Apache Parquet.
    Parquet,
    /// Values separated by a delimiter, under a header.
    Csv,
    /// JSON objects: one a line, or one document.
    Json,
    /// Avro object container files.
    Avro,
}

impl Format {
    /// The format's name, for messages.
    pub fn name(self) -> &'static str {
        match self {
            Format::Parquet => "Parquet",
            Format::Csv => "CSV",
            Format::Json => "JSON",
            Format::Avro => "Avro",
        }
    }

    /// The format of a file with rows, by its name; `None` for other files.
    pub fn of_file(name: &str) -> Option<Self> {
        split(name).map(|(_, format, _)| format)
    }
}

/// A data file's name without the endings that say its format; `None` for other files.
pub fn stem(name: &str) -> Option<&str> {
    split(name).map(|(stem, ..)| stem)
}

/// Whether a file of JSON can only be lines of it, by its name.
pub(super) fn is_lines(name: &str) -> bool {
    let name = match compression(name).is_compressed() {
        true => name.rsplit_once('.').map_or(name, |(name, _)| name),
        false => name,
    };
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    ["jsonl", "ndjson"]
        .iter()
        .any(|lines| ending.eq_ignore_ascii_case(lines))
}

/// How a data file is compressed as a whole, by its name.
pub(super) fn compression(name: &str) -> FileCompressionType {
    split(name).map_or(FileCompressionType::UNCOMPRESSED, |(.., compression)| {
        compression
    })
}

/// Whether discovery and scans pass over a file or folder of this name.
pub fn is_hidden(name: &str) -> bool {
    name.starts_with(['_', '.'])
}

fn split(name: &str) -> Option<(&str, Format, FileCompressionType)> {
    let (stem, ending) = name.rsplit_once('.')?;
    let compression = match ending.to_ascii_lowercase().as_str() {
        "parquet" => {
            return named(stem, Format::Parquet, FileCompressionType::UNCOMPRESSED);
        }
        "avro" => return named(stem, Format::Avro, FileCompressionType::UNCOMPRESSED),
        "gz" => FileCompressionType::GZIP,
        "zst" => FileCompressionType::ZSTD,
        "bz2" => FileCompressionType::BZIP2,
        "xz" => FileCompressionType::XZ,
        _ => FileCompressionType::UNCOMPRESSED,
    };
    let (stem, ending) = if compression.is_compressed() {
        stem.rsplit_once('.')?
    } else {
        (stem, ending)
    };
    let format = match ending.to_ascii_lowercase().as_str() {
        "csv" | "tsv" => Format::Csv,
        "json" | "jsonl" | "ndjson" => Format::Json,
        // Parquet and Avro compress inside; what is compressed around Parquet cannot be read from
        // its end.
        _ => return None,
    };
    named(stem, format, compression)
}

fn named(
    stem: &str,
    format: Format,
    compression: FileCompressionType,
) -> Option<(&str, Format, FileCompressionType)> {
    // Writers of partitions put the compression before the format: part-0.snappy.parquet.
    let stem = match stem.rsplit_once('.') {
        Some((stem, "snappy" | "zstd" | "gz" | "gzip" | "lz4" | "brotli" | "c000"))
            if format == Format::Parquet =>
        {
            stem
        }
        _ => stem,
    };
    (!stem.is_empty()).then_some((stem, format, compression))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_known_by_name() {
        for name in ["a.jsonl", "a.NDJSON", "a.json.jsonl.gz"] {
            assert!(is_lines(name), "{name}");
        }
        for name in ["a.json", "a.jsonl.json", "jsonl"] {
            assert!(!is_lines(name), "{name}");
        }
    }

    #[test]
    fn formats_are_known_by_name() {
        fn check(name: &str, expected: Option<(&str, Format, bool)>) {
            let found = split(name)
                .map(|(stem, format, compression)| (stem, format, compression.is_compressed()));
            assert_eq!(found, expected, "{name}");
        }
        check("orders.parquet", Some(("orders", Format::Parquet, false)));
        check("p-0.snappy.parquet", Some(("p-0", Format::Parquet, false)));
        check("a.b.CSV", Some(("a.b", Format::Csv, false)));
        check("users.jsonl.gz", Some(("users", Format::Json, true)));
        check("users.tsv.zst", Some(("users", Format::Csv, true)));
        check("capture/00.avro", Some(("capture/00", Format::Avro, false)));
        check("users.avro.gz", None);
        check("users.parquet.gz", None);
        check("notes.txt", None);
        check(".parquet", None);
        check("README", None);
    }
}
