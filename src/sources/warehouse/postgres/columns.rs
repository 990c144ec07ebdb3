//! Columns of Arrow that are being made of values as PostgreSQL sends them.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, BooleanBufferBuilder, ListArray, PrimitiveArray,
    StringArray,
};
use arrow::buffer::{BooleanBuffer, Buffer, NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{ArrowPrimitiveType, DataType, Field};
use bytes::Buf;

use super::decode::{Values, damaged};
use super::fields::{Fields, Sent};
use crate::error::{Error, ErrorKind, Result};

/// A value of a fixed length.
///
/// # Errors
/// It has another one.
#[inline(always)]
pub(super) fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N]> {
    match bytes.first_chunk() {
        Some(value) if bytes.len() == N => Ok(*value),
        _ => Err(damaged()),
    }
}

/// Which rows are NULL: mostly none.
#[derive(Default)]
struct Nulls {
    rows: Vec<usize>,
}

impl Nulls {
    fn finish(&mut self, n_rows: usize) -> Option<NullBuffer> {
        if self.rows.is_empty() {
            return None;
        }
        let mut valid = BooleanBufferBuilder::new(n_rows);
        valid.append_n(n_rows, true);
        for row in self.rows.drain(..) {
            valid.set_bit(row, false);
        }
        Some(NullBuffer::new(valid.finish()))
    }
}

/// Values of one width.
pub(super) struct Fixed<T: ArrowPrimitiveType> {
    values: Vec<T::Native>,
    nulls: Nulls,
}

impl<T: ArrowPrimitiveType> Fixed<T> {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            nulls: Nulls::default(),
        }
    }

    /// Takes values that are sent in one width.
    ///
    /// # Errors
    /// One is not, or as `value` says.
    pub(super) fn take<const N: usize>(
        &mut self,
        sent: Sent<'_>,
        value: impl Fn([u8; N]) -> Result<T::Native>,
    ) -> Result<()> {
        self.take_all(sent, |bytes| value(fixed(bytes)?))
    }

    /// Takes values, however they are sent.
    ///
    /// # Errors
    /// As `value` says.
    pub(super) fn take_all(
        &mut self,
        sent: Sent<'_>,
        value: impl Fn(&[u8]) -> Result<T::Native>,
    ) -> Result<()> {
        self.values.reserve(sent.len());
        for bytes in sent {
            let value = match bytes {
                Some(bytes) => value(bytes)?,
                None => {
                    self.nulls.rows.push(self.values.len());
                    T::Native::default()
                }
            };
            self.values.push(value);
        }
        Ok(())
    }

    /// The values so far, under a type of their width.
    pub(super) fn finish(&mut self, data_type: &DataType) -> ArrayRef {
        let nulls = self.nulls.finish(self.values.len());
        // The next batch is about as large.
        let next = Vec::with_capacity(self.values.len());
        let values = std::mem::replace(&mut self.values, next);
        let array = PrimitiveArray::<T>::new(ScalarBuffer::from(values), nulls);
        Arc::new(array.with_data_type(data_type.clone()))
    }
}

/// Booleans.
#[derive(Default)]
pub(super) struct Booleans {
    values: Vec<bool>,
    nulls: Nulls,
}

impl Booleans {
    /// Takes values.
    ///
    /// # Errors
    /// One is none.
    pub(super) fn take(&mut self, sent: Sent<'_>) -> Result<()> {
        for bytes in sent {
            let value = match bytes {
                Some(bytes) => fixed::<1>(bytes)? != [0],
                None => {
                    self.nulls.rows.push(self.values.len());
                    false
                }
            };
            self.values.push(value);
        }
        Ok(())
    }

    /// The values so far.
    pub(super) fn finish(&mut self) -> ArrayRef {
        let nulls = self.nulls.finish(self.values.len());
        let values = BooleanBuffer::from(std::mem::take(&mut self.values));
        Arc::new(BooleanArray::new(values, nulls))
    }
}

/// Texts, or bytes.
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Where each ends, behind where the first begins.
    offsets: Vec<i32>,
    nulls: Nulls,
}

impl Texts {
    pub(super) fn new() -> Self {
        Self {
            bytes: Vec::new(),
            offsets: vec![0],
            nulls: Nulls::default(),
        }
    }

    /// Takes values as they are sent.
    ///
    /// # Errors
    /// They are too many bytes.
    pub(super) fn take(&mut self, sent: Sent<'_>) -> Result<()> {
        self.take_as(sent, Ok)
    }

    /// Takes what `value` makes of values.
    ///
    /// # Errors
    /// As it says; or they are too many bytes.
    pub(super) fn take_as<'a, V: AsRef<[u8]>>(
        &mut self,
        sent: Sent<'a>,
        value: impl Fn(&'a [u8]) -> Result<V>,
    ) -> Result<()> {
        self.offsets.reserve(sent.len());
        for bytes in sent {
            match bytes {
                Some(bytes) => self.bytes.extend_from_slice(value(bytes)?.as_ref()),
                None => self.nulls.rows.push(self.offsets.len() - 1),
            }
            let end = i32::try_from(self.bytes.len()).map_err(|_| too_long())?;
            self.offsets.push(end);
        }
        Ok(())
    }

    fn parts(&mut self) -> (OffsetBuffer<i32>, Buffer, Option<NullBuffer>) {
        let n_rows = self.offsets.len() - 1;
        // The next batch is about as large.
        let mut next = Vec::with_capacity(n_rows + 1);
        next.push(0);
        let offsets = std::mem::replace(&mut self.offsets, next);
        let room = Vec::with_capacity(self.bytes.len());
        let bytes = std::mem::replace(&mut self.bytes, room);
        let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
        (offsets, Buffer::from(bytes), self.nulls.finish(n_rows))
    }

    /// The values so far, as texts.
    ///
    /// # Errors
    /// One is not in UTF-8.
    pub(super) fn texts(&mut self) -> Result<ArrayRef> {
        let (offsets, bytes, nulls) = self.parts();
        let texts = StringArray::try_new(offsets, bytes, nulls).map_err(|_| {
            let message = "text was sent that is not UTF-8";
            Error::new(ErrorKind::CharacterNotInRepertoire, message)
        })?;
        Ok(Arc::new(texts))
    }

    /// The values so far, as bytes.
    ///
    /// # Errors
    /// A fault of ours.
    pub(super) fn binaries(&mut self) -> Result<ArrayRef> {
        let (offsets, bytes, nulls) = self.parts();
        let made = BinaryArray::try_new(offsets, bytes, nulls).map_err(Error::internal)?;
        Ok(Arc::new(made))
    }
}

fn too_long() -> Error {
    Error::unsupported("a column of more than 2 GiB in a few thousand rows")
}

/// Arrays.
pub(super) struct Lists {
    element: Arc<Field>,
    values: Values,
    /// Elements that are not taken yet, and where they lie.
    bytes: Vec<u8>,
    fields: Fields,
    lengths: Vec<usize>,
    nulls: Nulls,
}

impl Lists {
    /// None, of elements for which `values` is.
    pub(super) fn new(element: Arc<Field>, values: Values) -> Self {
        Self {
            element,
            values,
            bytes: Vec::new(),
            fields: Fields::new(1),
            lengths: Vec::new(),
            nulls: Nulls::default(),
        }
    }

    /// Takes arrays.
    ///
    /// # Errors
    /// One of several dimensions; an element that the column cannot hold.
    pub(super) fn take(&mut self, sent: Sent<'_>) -> Result<()> {
        for bytes in sent {
            let length = match bytes {
                Some(bytes) => self.elements(bytes)?,
                None => {
                    self.nulls.rows.push(self.lengths.len());
                    0
                }
            };
            self.lengths.push(length);
        }
        self.values.take(self.fields.of_column(0, &self.bytes))?;
        self.bytes.clear();
        self.fields.clear();
        Ok(())
    }

    /// Keeps the elements of an array, to be taken; how many they are. As `array_send`: dimensions,
    /// whether there are nulls, the type of the elements; of each dimension its length and its
    /// first subscript.
    fn elements(&mut self, bytes: &[u8]) -> Result<usize> {
        let (mut head, mut left) = bytes.split_at_checked(12).ok_or_else(damaged)?;
        let n_dimensions = head.get_i32();
        if n_dimensions == 0 {
            return Ok(0);
        }
        let (mut dimension, rest) = left.split_at_checked(8).ok_or_else(damaged)?;
        let (length, first) = (dimension.get_i32(), dimension.get_i32());
        if n_dimensions != 1 || first != 1 {
            let what = "an array of several dimensions, or whose subscripts do not begin with 1,";
            return Err(Error::unsupported(what));
        }
        left = rest;
        let n_elements = usize::try_from(length).map_err(|_| damaged())?;
        for _ in 0..n_elements {
            if left.len() < 4 {
                return Err(damaged());
            }
            let length = left.get_i32();
            self.fields.push(self.bytes.len(), length)?;
            if let Ok(n_bytes) = usize::try_from(length) {
                let (element, rest) = left.split_at_checked(n_bytes).ok_or_else(damaged)?;
                self.bytes.extend_from_slice(element);
                left = rest;
            }
        }
        Ok(n_elements)
    }

    /// The arrays so far.
    ///
    /// # Errors
    /// As their elements.
    pub(super) fn finish(&mut self) -> Result<ArrayRef> {
        let nulls = self.nulls.finish(self.lengths.len());
        let offsets = OffsetBuffer::from_lengths(std::mem::take(&mut self.lengths));
        let elements = self.values.finish(self.element.data_type())?;
        let list = ListArray::try_new(Arc::clone(&self.element), offsets, elements, nulls);
        Ok(Arc::new(list.map_err(Error::internal)?))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::Array;

    use super::*;

    /// A column of values, each in a row of its own.
    fn taken(values: &[Option<&[u8]>], take: impl FnOnce(Sent<'_>)) {
        let (mut bytes, mut fields) = (Vec::new(), Fields::new(1));
        for value in values {
            let length = value.map_or(-1, |value| i32::try_from(value.len()).expect("it is short"));
            fields.push(bytes.len(), length).expect("it is near");
            bytes.extend_from_slice(value.unwrap_or_default());
        }
        take(fields.of_column(0, &bytes));
    }

    #[test]
    fn texts_are_told_from_bytes_value_by_value() {
        let mut texts = Texts::new();
        taken(&[Some("é".as_bytes()), None, Some(b"")], |sent| {
            texts.take(sent).expect("it is short");
        });
        let made = texts.texts().expect("it is UTF-8");
        assert_eq!((made.len(), made.null_count()), (3, 1));
        // Two halves of a letter are none, though together they would be one.
        taken(&[Some(&[0xc3]), Some(&[0xa9])], |sent| {
            texts.take(sent).expect("it is short");
        });
        assert!(texts.texts().is_err());
    }

    #[test]
    fn numbers_have_their_width() {
        let mut values = Fixed::<arrow::datatypes::Int32Type>::new();
        let number = |bytes| Ok(i32::from_be_bytes(bytes));
        taken(&[Some(&[0, 0, 1, 0]), None], |sent| {
            values.take(sent, number).expect("it is a number");
        });
        taken(&[Some(&[0, 0])], |sent| {
            assert!(values.take(sent, number).is_err());
        });
        let made = values.finish(&DataType::Int32);
        assert_eq!((made.len(), made.null_count()), (2, 1));
    }
}
