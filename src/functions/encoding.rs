//! Texts of bytes and bytes of texts: `convert_from` and `convert_to`, for UTF-8 and Latin-1.
//! <https://www.postgresql.org/docs/16/functions-binarystring.html>

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::ScalarUDF;

use super::scalar::{Argument, Scalar, text};
use crate::error::{Error, ErrorKind, Result};
use crate::types::oid;

/// The functions of this file.
pub(super) fn functions() -> Vec<Arc<ScalarUDF>> {
    let name = Argument::Of(oid::TEXT);
    vec![
        Scalar::new("convert_from", &[Argument::Any, name], oid::TEXT, |row| {
            let encoding = Encoding::of(text(&row[1]), "source")?;
            let bytes = bytes(&row[0]).ok_or_else(|| {
                Error::unsupported("convert_from() of anything but a value of type bytea")
            })?;
            decoded(bytes, encoding).map(ScalarValue::from)
        })
        .udf(),
        Scalar::new(
            "convert_to",
            &[Argument::Of(oid::TEXT), name],
            oid::BYTEA,
            |row| {
                let encoding = Encoding::of(text(&row[1]), "destination")?;
                encoded(text(&row[0]), encoding).map(|bytes| ScalarValue::Binary(Some(bytes)))
            },
        )
        .udf(),
    ]
}

#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Latin1,
}

/// How the names of PostgreSQL's other encodings begin (`encnames.c`).
const OTHERS: [&str; 18] = [
    "abc", "alt", "big5", "euc", "gb", "iso8859", "johab", "koi8", "latin", "mskanji", "mule",
    "shiftjis", "sjis", "sqlascii", "tcvn", "uhc", "vscii", "win",
];

impl Encoding {
    /// The encoding of a name, of which only letters and digits count.
    fn of(name: &str, role: &str) -> Result<Self> {
        let letters = name.chars().filter(char::is_ascii_alphanumeric);
        let plain: String = letters.map(|letter| letter.to_ascii_lowercase()).collect();
        match plain.as_str() {
            "utf8" | "unicode" => Ok(Self::Utf8),
            "latin1" | "iso88591" => Ok(Self::Latin1),
            other if OTHERS.iter().any(|start| other.starts_with(start)) => {
                Err(Error::unsupported(format!("encoding \"{name}\"")))
            }
            _ => {
                let message = format!("invalid {role} encoding name \"{name}\"");
                Err(Error::new(ErrorKind::InvalidParameterValue, message))
            }
        }
    }
}

fn bytes(value: &ScalarValue) -> Option<&[u8]> {
    match value {
        ScalarValue::Binary(bytes)
        | ScalarValue::LargeBinary(bytes)
        | ScalarValue::BinaryView(bytes)
        | ScalarValue::FixedSizeBinary(_, bytes) => bytes.as_deref(),
        _ => None,
    }
}

fn decoded(bytes: &[u8], encoding: Encoding) -> Result<String> {
    // No text holds a zero byte.
    let zero = bytes.iter().position(|byte| *byte == 0);
    match encoding {
        Encoding::Latin1 => match zero {
            Some(_) => Err(invalid(&[0], "LATIN1")),
            None => Ok(bytes.iter().copied().map(char::from).collect()),
        },
        Encoding::Utf8 => {
            let wrong = match std::str::from_utf8(bytes) {
                Ok(_) => None,
                Err(error) => Some(error.valid_up_to()),
            };
            match (wrong, zero) {
                (Some(wrong), Some(zero)) if zero < wrong => Err(invalid(&[0], "UTF8")),
                (Some(wrong), _) => {
                    let rest = &bytes[wrong..];
                    let length = letter_length(rest[0]).min(rest.len());
                    Err(invalid(&rest[..length], "UTF8"))
                }
                (None, Some(_)) => Err(invalid(&[0], "UTF8")),
                (None, None) => Ok(String::from_utf8_lossy(bytes).into_owned()),
            }
        }
    }
}

/// How long a letter is that begins with this byte (`pg_utf_mblen` in wchar.c).
fn letter_length(first: u8) -> usize {
    match first {
        0xc0..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf7 => 4,
        _ => 1,
    }
}

fn shown(bytes: &[u8]) -> String {
    let shown: Vec<String> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    shown.join(" ")
}

fn invalid(bytes: &[u8], encoding: &str) -> Error {
    let message = format!(
        "invalid byte sequence for encoding \"{encoding}\": {}",
        shown(bytes)
    );
    Error::new(ErrorKind::CharacterNotInRepertoire, message)
}

fn encoded(text: &str, encoding: Encoding) -> Result<Vec<u8>> {
    match encoding {
        Encoding::Utf8 => Ok(text.as_bytes().to_vec()),
        Encoding::Latin1 => text
            .chars()
            .map(|letter| {
                u8::try_from(u32::from(letter)).map_err(|_| {
                    let bytes = shown(letter.to_string().as_bytes());
                    let message = format!(
                        "character with byte sequence {bytes} in encoding \"UTF8\" \
                         has no equivalent in encoding \"LATIN1\""
                    );
                    Error::new(ErrorKind::UntranslatableCharacter, message)
                })
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Result<&str, &str>) {
        let found = decoded(bytes, Encoding::Utf8).map_err(|error| error.message().to_owned());
        let expected = expected
            .map_err(|bytes| format!("invalid byte sequence for encoding \"UTF8\": {bytes}"));
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn reads_utf8() {
        check("é".as_bytes(), Ok("é"));
        check(b"a\xff", Err("0xff"));
        check(b"\xe2\x82", Err("0xe2 0x82"));
        check(b"A\0B", Err("0x00"));
    }
}
