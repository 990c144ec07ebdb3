//! Where deletion vectors lie that have files of their own.
//! Delta protocol, "Deletion Vector Descriptor Schema", "Derived Fields".

use object_store::path::Path;

/// The digits of Z85 (<https://rfc.zeromq.org/spec/32/>), from 0 to 84.
const DIGITS: &[u8; 85] =
    b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#";

/// As many of them are a UUID.
const UUID_DIGITS: usize = 20;

/// The folder, below its table's, of the file of a deletion vector, and the digits of the file's UUID; `None` if it is not told by
/// this.
fn parts(path_or_inline: &str) -> Option<(&str, &str)> {
    let at = path_or_inline.len().checked_sub(UUID_DIGITS)?;
    path_or_inline.split_at_checked(at)
}

/// The folder, below its table's, of the file of a deletion vector; `None` if it is not told by this.
pub(super) fn folder(path_or_inline: &str) -> Option<&str> {
    parts(path_or_inline).map(|(folder, _)| folder)
}

/// The file of a deletion vector below its table's folder; `None` if it is not told by this.
pub(super) fn location(path_or_inline: &str) -> Option<Path> {
    let (prefix, digits) = parts(path_or_inline)?;
    let mut hex = String::with_capacity(32);
    for block in digits.as_bytes().chunks(5) {
        let mut number: u32 = 0;
        for digit in block {
            let value = DIGITS.iter().position(|known| known == digit)?;
            number = number
                .checked_mul(85)?
                .checked_add(u32::try_from(value).ok()?)?;
        }
        hex.push_str(&format!("{number:08x}"));
    }
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    let name = format!("deletion_vector_{}.bin", parts.join("-"));
    let folders = prefix.split('/').filter(|folder| !folder.is_empty());
    Some(Path::from_iter(folders.chain([name.as_str()])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_a_prefix_and_a_uuid() {
        // The example of the protocol.
        let found = location("ab^-aqEH.-t@S}K{vb[*k^");
        let expected = "ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";
        assert_eq!(found, Some(Path::from(expected)));
        assert_eq!(folder("ab^-aqEH.-t@S}K{vb[*k^"), Some("ab"));
        // Digits may look like a URL, or like the root.
        assert_eq!(folder("b+B9:iHY2Wla(AJRemWg"), Some(""));
        assert_eq!(folder("/../:iHY2Wla(AJRemWg"), Some(""));
        assert_eq!(location("short"), None);
        assert_eq!(location("~~~~~~~~~~~~~~~~~~~~"), None);
    }
}
