//! A digest of values, written so that no two different values are the same bytes.

use std::hash::Hasher;

/// Collects what is told apart.
///
/// As a [`Hasher`] it takes whatever derives `Hash`: a derived one writes the lengths of lists, ends
/// texts by a byte that no text holds, and writes which variant an enum is. What it is given is kept
/// as it is, and digested once, so that nothing is lost as in a hash of 64 bits.
#[derive(Debug, Default)]
pub(super) struct Digest {
    bytes: Vec<u8>,
}

impl Digest {
    /// A text, or bytes, with their length, so that two in a row do not run into each other.
    pub(super) fn part(&mut self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref();
        self.number(bytes.len());
        self.bytes.extend_from_slice(bytes);
    }

    /// A count or a place.
    pub(super) fn number(&mut self, number: usize) {
        self.bytes.extend_from_slice(&(number as u64).to_le_bytes());
    }

    /// The digest of all that it was given.
    pub(super) fn done(&self) -> [u8; 32] {
        *blake3::hash(&self.bytes).as_bytes()
    }
}

impl Hasher for Digest {
    fn write(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Nobody asks for the short hash: [`Digest::done`] gives the digest.
    fn finish(&self) -> u64 {
        0
    }
}

#[cfg(test)]
mod tests {
    use std::hash::Hash;

    use super::*;

    #[test]
    fn parts_do_not_run_into_each_other() {
        let of = |parts: &[&str]| {
            let mut digest = Digest::default();
            for part in parts {
                digest.part(part);
            }
            digest.done()
        };
        assert_ne!(of(&["ab", "c"]), of(&["a", "bc"]));
        assert_eq!(of(&["ab", "c"]), of(&["ab", "c"]));
    }

    #[test]
    fn what_derives_hash_is_told_apart() {
        let of = |value: &dyn Fn(&mut Digest)| {
            let mut digest = Digest::default();
            value(&mut digest);
            digest.done()
        };
        let left = of(&|digest| (vec!["a"], vec!["b", "c"]).hash(digest));
        let right = of(&|digest| (vec!["a", "b"], vec!["c"]).hash(digest));
        assert_ne!(left, right);
        let none: Option<u8> = None;
        assert_ne!(
            of(&|digest| Some(0_u8).hash(digest)),
            of(&|digest| none.hash(digest))
        );
    }
}
