//! Takes values off the bytes of a block of Avro data, never past their end.

use super::Damage;

/// How deep values may nest, so that a value that holds itself cannot eat the stack.
pub(super) const DEPTH_MAX: usize = 64;

/// How many values that take no bytes a block may hold beside those that do.
const FREE_VALUES_MAX: usize = 1 << 20;

/// How many values inside of arrays and maps one batch may hold: memory grows with them, and a block
/// that unpacks to 64 MiB can be some kilobytes in its file.
const VALUES_MAX: usize = 16 << 20;

/// How many bytes of names from the schema weigh as much as one value.
const NAME_BYTES: usize = 8;

/// What is left of a block.
#[derive(Debug)]
pub(super) struct Input<'a> {
    bytes: &'a [u8],
    /// How many more values may come: a few bytes can say that billions of them follow, each of
    /// none.
    n_values_max: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            n_values_max: (2 * bytes.len()).min(VALUES_MAX) + FREE_VALUES_MAX,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Accounts for values that are to come.
    pub(super) fn expect(&mut self, n_values: usize) -> Result<(), Damage> {
        let left = self.n_values_max.checked_sub(n_values);
        self.n_values_max =
            left.ok_or_else(|| Damage::new("a block holds more values than its bytes can"))?;
        Ok(())
    }

    /// Accounts for a name that the schema says once, and the values many times.
    pub(super) fn expect_name(&mut self, name: &str) -> Result<(), Damage> {
        self.expect(name.len() / NAME_BYTES)
    }

    /// The symbol of an enum.
    pub(super) fn symbol<'b>(&mut self, symbols: &'b [String]) -> Result<&'b str, Damage> {
        let symbol = &symbols[self.index(symbols.len())?];
        self.expect_name(symbol)?;
        Ok(symbol)
    }

    pub(super) fn take(&mut self, n_bytes: usize) -> Result<&'a [u8], Damage> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(n_bytes)
            .ok_or_else(|| Damage::new("a value ends after its block"))?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    /// An `int` or `long`: seven bits a byte, the sign in the lowest bit.
    pub(super) fn long(&mut self) -> Result<i64, Damage> {
        match long(self.bytes) {
            Some(Ok((value, n_bytes))) => {
                self.bytes = &self.bytes[n_bytes..];
                Ok(value)
            }
            Some(Err(damage)) => Err(damage),
            None => Err(Damage::new("a value ends after its block")),
        }
    }

    pub(super) fn int(&mut self) -> Result<i32, Damage> {
        i32::try_from(self.long()?).map_err(|_| Damage::new("an int has more than 32 bits"))
    }

    pub(super) fn boolean(&mut self) -> Result<bool, Damage> {
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            [other] => Err(Damage::new(format!("a boolean is {other}"))),
        }
    }

    pub(super) fn bytes(&mut self) -> Result<&'a [u8], Damage> {
        let length = self.long()?;
        let length =
            usize::try_from(length).map_err(|_| Damage::new("a value has a negative length"))?;
        self.take(length)
    }

    pub(super) fn text(&mut self) -> Result<&'a str, Damage> {
        str::from_utf8(self.bytes()?).map_err(|_| Damage::new("a string is not UTF-8"))
    }

    /// The index of a union's branch or an enum's symbol.
    pub(super) fn index(&mut self, n_choices: usize) -> Result<usize, Damage> {
        let index = self.long()?;
        let found = usize::try_from(index).ok().filter(|at| *at < n_choices);
        found.ok_or_else(|| Damage::new(format!("choice {index} of {n_choices} does not exist")))
    }

    /// How many items the next part of an array or a map has; 0 at its end.
    pub(super) fn n_items(&mut self) -> Result<usize, Damage> {
        let mut count = self.long()?;
        if count < 0 {
            // The length of the part in bytes, for those who skip it.
            self.long()?;
            count = count.checked_neg().unwrap_or(i64::MAX);
        }
        usize::try_from(count).map_err(|_| Damage::new("an array is too long"))
    }
}

/// Reads a `long` at the start; `None` if more bytes are needed.
pub(super) fn long(bytes: &[u8]) -> Option<Result<(i64, usize), Damage>> {
    let mut bits = 0_u64;
    for (at, byte) in bytes.iter().enumerate() {
        // The tenth byte has room for one bit.
        if at > 9 || (at == 9 && *byte > 1) {
            return Some(Err(Damage::new("a long has more than 64 bits")));
        }
        bits |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            let value = (bits >> 1).cast_signed() ^ -(bits & 1).cast_signed();
            return Some(Ok((value, at + 1)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longs_are_read_to_their_ends() {
        fn check(bytes: &[u8], expected: Option<i64>) {
            assert_eq!(Input::new(bytes).long().ok(), expected, "{bytes:?}");
        }
        check(&[0], Some(0));
        check(&[1], Some(-1));
        check(&[0x80, 1], Some(64));
        let greatest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        check(&greatest, Some(i64::MAX));
        check(&[0xff; 10], None);
        check(&[0x80], None);
        check(&[], None);
        let mut least = greatest;
        least[0] = 0xff;
        check(&least, Some(i64::MIN));
    }

    #[test]
    fn nothing_is_taken_past_the_end() {
        assert!(Input::new(&[4, b'a']).bytes().is_err());
        assert!(Input::new(&[1]).bytes().is_err());
        assert!(Input::new(&[2]).boolean().is_err());
        assert!(Input::new(&[2]).index(1).is_err());
        assert!(Input::new(&[0]).expect(FREE_VALUES_MAX + 3).is_err());
    }
}
