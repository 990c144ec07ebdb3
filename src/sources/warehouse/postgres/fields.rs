//! Where the values of rows lie among the bytes that were sent.

use std::slice::ChunksExact;

use crate::error::Result;

use super::decode::damaged;

/// The end of all tuples, in the place of a tuple's number of fields.
const END: i16 = -1;

/// The values of some rows in one block of bytes, row by row.
pub(super) struct Fields {
    /// Of each row as many as it has columns.
    all: Vec<Field>,
    n_columns: usize,
    /// The fields that the server sends of each row: where no column is wanted, one that is NULL.
    n_sent: usize,
}

/// One value: where it begins, and its bytes, or -1 for NULL.
#[derive(Clone, Copy, Debug)]
struct Field {
    start: u32,
    length: i32,
}

/// What was found in a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// The bytes of whole tuples, and of the end.
    pub(super) n_bytes: usize,
    /// Tuples.
    pub(super) n_rows: usize,
    /// Whether the last of them was followed by the end.
    pub(super) is_end: bool,
}

impl Fields {
    /// Of rows of so many columns.
    pub(super) fn new(n_columns: usize) -> Self {
        Self {
            all: Vec::new(),
            n_columns,
            n_sent: n_columns.max(1),
        }
    }

    /// Looks up the first tuples of a block, `n_rows_max` at most, as far as all of each is there.
    ///
    /// # Errors
    /// It holds no such tuples.
    pub(super) fn find(&mut self, block: &[u8], n_rows_max: usize) -> Result<Found> {
        self.all.clear();
        // A place in it is told in four bytes.
        u32::try_from(block.len()).map_err(|_| damaged())?;
        let mut found = Found::default();
        while found.n_rows < n_rows_max {
            let Some(head) = chunk::<2>(block, found.n_bytes) else {
                break;
            };
            let n_fields = i16::from_be_bytes(head);
            if n_fields == END {
                found.is_end = true;
                found.n_bytes += 2;
                break;
            }
            if usize::try_from(n_fields) != Ok(self.n_sent) {
                return Err(damaged());
            }
            let Some(end) = self.find_row(block, found.n_bytes + 2) else {
                break;
            };
            found.n_bytes = end;
            found.n_rows += 1;
        }
        self.all.truncate(found.n_rows * self.n_sent);
        Ok(found)
    }

    /// Looks up the fields of a tuple; where it ends, if all of it is there.
    fn find_row(&mut self, block: &[u8], start: usize) -> Option<usize> {
        let mut at = start;
        for _ in 0..self.n_sent {
            let length = i32::from_be_bytes(chunk(block, at)?);
            at += 4;
            // What lies behind the block does not count as found.
            let start = u32::try_from(at).ok()?;
            self.all.push(Field { start, length });
            at += usize::try_from(length).unwrap_or(0);
        }
        (at <= block.len()).then_some(at)
    }

    /// Those of one column, in the block that they were found in.
    pub(super) fn of_column<'a>(&'a self, column: usize, block: &'a [u8]) -> Sent<'a> {
        Sent {
            block,
            rows: self.all.chunks_exact(self.n_sent.max(1)),
            column: column.min(self.n_columns.saturating_sub(1)),
        }
    }

    /// Adds a value of a single column, which begins there and has so many bytes, or is NULL.
    ///
    /// # Errors
    /// It lies too far away.
    pub(super) fn push(&mut self, start: usize, length: i32) -> Result<()> {
        let start = u32::try_from(start).map_err(|_| damaged())?;
        self.all.push(Field { start, length });
        Ok(())
    }

    /// Forgets all.
    pub(super) fn clear(&mut self) {
        self.all.clear();
    }
}

/// Bytes at a place, if all of them are there.
#[inline(always)]
pub(super) fn chunk<const N: usize>(block: &[u8], at: usize) -> Option<[u8; N]> {
    block.get(at..)?.first_chunk().copied()
}

/// The values of one column, from the first on; NULL is `None`.
#[derive(Clone)]
pub(super) struct Sent<'a> {
    block: &'a [u8],
    rows: ChunksExact<'a, Field>,
    column: usize,
}

impl Sent<'_> {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }
}

impl<'a> Iterator for Sent<'a> {
    type Item = Option<&'a [u8]>;

    #[inline(always)]
    fn next(&mut self) -> Option<Self::Item> {
        let field = self.rows.next()?[self.column];
        let start = field.start as usize;
        Some(match usize::try_from(field.length) {
            Err(_) => None,
            // It was found to be there.
            Ok(length) => Some(&self.block[start..start + length]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tuple as COPY sends it.
    fn tuple(fields: &[Option<&[u8]>]) -> Vec<u8> {
        let mut bytes = i16::try_from(fields.len())
            .expect("they are few")
            .to_be_bytes()
            .to_vec();
        for field in fields {
            let length = field.map_or(-1, |field| i32::try_from(field.len()).expect("it is short"));
            bytes.extend(length.to_be_bytes());
            bytes.extend_from_slice(field.unwrap_or_default());
        }
        bytes
    }

    #[test]
    fn whole_tuples_are_found_wherever_the_block_ends() {
        let rows = [
            tuple(&[Some(b"one"), None]),
            tuple(&[Some(b""), Some(b"two")]),
        ]
        .concat();
        let block = [rows.as_slice(), &[0xff, 0xff]].concat();
        let first = tuple(&[Some(b"one"), None]).len();
        for n_bytes in 0..=block.len() {
            let mut fields = Fields::new(2);
            let found = fields.find(&block[..n_bytes], 9).expect("they are tuples");
            let expected = match n_bytes {
                _ if n_bytes < first => (0, 0, false),
                _ if n_bytes < rows.len() => (first, 1, false),
                _ if n_bytes < block.len() => (rows.len(), 2, false),
                _ => (block.len(), 2, true),
            };
            assert_eq!((found.n_bytes, found.n_rows, found.is_end), expected);
            let one: Vec<_> = fields.of_column(0, &block).collect();
            let both = [Some(b"one".as_slice()), Some(b"".as_slice())];
            assert_eq!(one, both[..found.n_rows]);
        }
    }

    #[test]
    fn no_more_rows_are_found_than_are_wanted() {
        let rows = tuple(&[Some(b"a")]).repeat(3);
        let mut fields = Fields::new(1);
        let found = fields.find(&rows, 2).expect("they are tuples");
        assert_eq!((found.n_bytes, found.n_rows), (rows.len() / 3 * 2, 2));
        assert!(Fields::new(2).find(&rows, 2).is_err());
    }

    #[test]
    fn rows_without_columns_are_counted() {
        let rows = tuple(&[None]).repeat(3);
        let found = Fields::new(0).find(&rows, 9).expect("they are tuples");
        assert_eq!(found.n_rows, 3);
    }
}
