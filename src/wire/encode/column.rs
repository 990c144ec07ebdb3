//! A column of a batch on its way into rows: whether its values go through runs, are sent as they
//! lie in the batch, or are written one at a time.

use std::ops::Range;

use arrow::array::{Array, ArrayRef, BooleanArray};
use arrow::buffer::NullBuffer;
use bytes::{BufMut, BytesMut};

use super::run::Run;
use super::value::{binary_value, with_length};
use super::{Format, binary_runs, copy, datetime_runs, padded, text_runs};
use crate::error::Result;
use crate::functions::output::{
    DateNotation, Offsets, Style, Values, date_binary, float4, float8, text_value, timestamp_binary,
};
use crate::types::{PgType, oid};

/// A column and its way.
#[derive(Debug)]
pub(super) struct EncodedColumn {
    values: Values,
    format: Format,
    oid: u32,
    way: Way,
    /// How its decimals are written in binary.
    decimals: Option<Box<binary_runs::Decimals>>,
    /// Where there are any.
    nulls: Option<NullBuffer>,
}

/// How a column's values get into rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Short values: through runs.
    Runs,
    /// Bytes of any length, sent as they lie in the batch.
    Unchanged,
    /// Everything else.
    OneByOne,
}

impl Way {
    fn of(values: &Values, format: Format, pg_oid: u32, dates: DateNotation) -> Self {
        match (values, format) {
            // Runs know dates in ISO alone.
            (Values::Date(_) | Values::Timestamp(_) | Values::Timestamptz(_), Format::Text)
                if dates != DateNotation::Iso =>
            {
                Self::OneByOne
            }
            (
                Values::Null
                | Values::Bool(_)
                | Values::Int2(_)
                | Values::Int4(_)
                | Values::Int8(_)
                | Values::Oid(_)
                | Values::Float4(_)
                | Values::Float8(_)
                | Values::Decimal128(..)
                | Values::Date(_)
                | Values::Time(_)
                | Values::Timestamp(_)
                | Values::Timestamptz(_),
                _,
            ) => Self::Runs,
            (Values::Text(_) | Values::LargeText(_) | Values::TextView(_), Format::Text) => {
                Self::Unchanged
            }
            (Values::Text(_) | Values::LargeText(_) | Values::TextView(_), Format::Binary) => {
                match pg_oid {
                    // Their binary form is another than their text.
                    oid::JSONB | oid::CHAR | oid::UUID => Self::OneByOne,
                    _ => Self::Unchanged,
                }
            }
            (
                Values::Bytes(_)
                | Values::LargeBytes(_)
                | Values::BytesView(_)
                | Values::FixedBytes(_),
                Format::Binary,
            ) => Self::Unchanged,
            _ => Self::OneByOne,
        }
    }
}

impl EncodedColumn {
    /// A column that is sent as this type.
    ///
    /// # Errors
    /// A value that PostgreSQL's type cannot hold.
    pub(super) fn of(
        array: &ArrayRef,
        pg_type: PgType,
        format: Format,
        style: &Style,
    ) -> Result<Self> {
        let pg_oid = pg_type.oid;
        let values = match padded::length(pg_type) {
            Some(length) => Values::of(&padded::padded(array, length)?, pg_oid)?,
            None => Values::of(array, pg_oid)?,
        };
        let way = Way::of(&values, format, pg_oid, style.notation.dates);
        Ok(Self {
            format,
            oid: pg_oid,
            way,
            decimals: match (&values, format) {
                (Values::Decimal128(_, scale), Format::Binary) => {
                    binary_runs::Decimals::of_scale(*scale).map(Box::new)
                }
                _ => None,
            },
            nulls: values.nulls(),
            values,
        })
    }

    /// Whether its values go through runs.
    pub(super) fn is_in_run(&self) -> bool {
        self.way == Way::Runs
    }

    /// Whether its values are written one at a time.
    pub(super) fn is_slow(&self) -> bool {
        self.way == Way::OneByOne
    }

    /// Appends the values of these rows to a run.
    pub(super) fn append_to(
        &self,
        run: &mut Run,
        rows: Range<usize>,
        style: &Style,
        offsets: &mut Offsets,
    ) {
        match self.format {
            Format::Text => append_texts(run, &self.values, rows, style, offsets),
            Format::Binary => append_binary(run, &self.values, self.decimals.as_deref(), rows),
        }
    }

    /// Copies a value with its length to the start of `out`; how many bytes they are. `None` if
    /// there is no room, or the value must be appended by [`Self::append`].
    #[inline(always)]
    pub(super) fn copy_to(&self, row: usize, out: &mut [u8]) -> Option<usize> {
        if self.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            *out.first_chunk_mut()? = (-1_i32).to_be_bytes();
            return Some(4);
        }
        match &self.values {
            Values::Text(array) => {
                let offsets = array.value_offsets();
                let start = usize::try_from(*offsets.get(row)?).ok()?;
                let end = usize::try_from(*offsets.get(row + 1)?).ok()?;
                copy::bytes(array.value_data(), start, end - start, out)
            }
            Values::TextView(array) => {
                copy::view(*array.views().get(row)?, array.data_buffers(), out)
            }
            values => {
                let bytes = unchanged(values, row)?;
                copy::bytes(bytes, 0, bytes.len(), out)
            }
        }
    }

    /// Appends a value with its length.
    ///
    /// # Errors
    /// PostgreSQL's type cannot hold it, or it is too long for a message.
    pub(super) fn append(&self, row: usize, style: &Style, out: &mut BytesMut) -> Result<()> {
        if self.values.is_null(row) {
            out.put_i32(-1);
            return Ok(());
        }
        with_length(out, |out| match self.format {
            Format::Text => text_value(out, &self.values, row, style),
            Format::Binary => binary_value(out, &self.values, row, self.oid),
        })
    }
}

/// The bytes of a value that is sent as it is.
fn unchanged(values: &Values, row: usize) -> Option<&[u8]> {
    match values {
        Values::LargeText(array) => Some(array.value(row).as_bytes()),
        Values::Bytes(array) => Some(array.value(row)),
        Values::LargeBytes(array) => Some(array.value(row)),
        Values::BytesView(array) => Some(array.value(row)),
        Values::FixedBytes(array) => Some(array.value(row)),
        _ => None,
    }
}

fn append_texts(
    run: &mut Run,
    values: &Values,
    rows: Range<usize>,
    style: &Style,
    offsets: &mut Offsets,
) {
    use text_runs::{integer, written};
    let extra = style.notation.extra_float_digits;
    match values {
        Values::Bool(array) => append_bools(run, array, rows, [b'f', b't']),
        Values::Int2(array) => run.append(array, rows, |room, value| integer(room, value.into())),
        Values::Int4(array) => run.append(array, rows, |room, value| integer(room, value.into())),
        Values::Int8(array) => run.append(array, rows, integer),
        Values::Oid(array) => run.append(array, rows, |room, value| integer(room, value.into())),
        Values::Float4(array) => run.append(array, rows, |room, value| {
            written(room, |mut out| float4(&mut out, value, extra))
        }),
        Values::Float8(array) => run.append(array, rows, |room, value| {
            written(room, |mut out| float8(&mut out, value, extra))
        }),
        Values::Decimal128(array, scale) => match text_runs::Decimals::of_scale(*scale) {
            Some(decimals) => run.append(array, rows, |room, value| decimals.write(room, value)),
            None => run.append(array, rows, |room, value| {
                text_runs::any_decimal(room, value, *scale)
            }),
        },
        Values::Date(array) => run.append(array, rows, |room, days| {
            datetime_runs::date(room, days.into())
        }),
        Values::Time(array) => run.append(array, rows, datetime_runs::time),
        Values::Timestamp(array) => run.append(array, rows, datetime_runs::timestamp),
        Values::Timestamptz(array) => run.append(array, rows, |room, micros| {
            datetime_runs::timestamptz(room, micros, offsets)
        }),
        _ => run.append_nulls(),
    }
}

fn append_binary(
    run: &mut Run,
    values: &Values,
    decimals: Option<&binary_runs::Decimals>,
    rows: Range<usize>,
) {
    use binary_runs::fixed;
    match values {
        Values::Bool(array) => append_bools(run, array, rows, [0, 1]),
        Values::Int2(array) => {
            run.append(array, rows, |room, value| fixed(room, value.to_be_bytes()))
        }
        Values::Int4(array) => {
            run.append(array, rows, |room, value| fixed(room, value.to_be_bytes()))
        }
        Values::Int8(array) | Values::Time(array) => {
            run.append(array, rows, |room, value| fixed(room, value.to_be_bytes()))
        }
        Values::Oid(array) => {
            run.append(array, rows, |room, value| fixed(room, value.to_be_bytes()))
        }
        Values::Float4(array) => {
            run.append(array, rows, |room, value| fixed(room, value.to_be_bytes()))
        }
        Values::Float8(array) => {
            run.append(array, rows, |room, value| fixed(room, value.to_be_bytes()))
        }
        Values::Decimal128(array, _) => match decimals {
            Some(decimals) => run.append(array, rows, |room, value| decimals.write(room, value)),
            None => run.append(array, rows, |_, _| None),
        },
        Values::Date(array) => run.append(array, rows, |room, days| {
            fixed(room, date_binary(days)?.to_be_bytes())
        }),
        Values::Timestamp(array) | Values::Timestamptz(array) => {
            run.append(array, rows, |room, micros| {
                fixed(room, timestamp_binary(micros)?.to_be_bytes())
            });
        }
        _ => run.append_nulls(),
    }
}

fn append_bools(run: &mut Run, array: &BooleanArray, rows: Range<usize>, words: [u8; 2]) {
    run.append_by_row(array.nulls(), rows, |room, row| {
        binary_runs::fixed(room, [words[usize::from(array.value(row))]])
    });
}
