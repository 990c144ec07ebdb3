//! Rows of every type, as PostgreSQL sends them.

mod random;

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BinaryArray, BooleanArray, DictionaryArray, DurationSecondArray,
    FixedSizeBinaryArray, Float32Array, Int32Array, Int64Array, IntervalDayTimeArray,
    IntervalYearMonthArray, ListArray, ListBuilder, NullArray, RecordBatch, RecordBatchOptions,
    RunArray, StringArray, StringViewArray, StructArray, Time32SecondArray,
    TimestampNanosecondArray, TimestampSecondArray, UInt8Array, UInt32Array, UInt64Array,
};
use arrow::array::{Int32Builder, StringBuilder};
use arrow::datatypes::{Field, Int32Type, IntervalDayTime, Schema};
use bytes::{Buf, BytesMut};

use super::*;
use crate::functions::output::Zone;
use crate::types::{PgType, of_field, oid};

/// The fields of the first row, or the error's message.
fn row(
    array: ArrayRef,
    pg_type: PgType,
    format: Format,
) -> std::result::Result<Option<Vec<u8>>, String> {
    let schema = Schema::new(vec![Field::new("a", array.data_type().clone(), true)]);
    let batch = RecordBatch::try_new(Arc::new(schema), vec![array]).unwrap();
    let columns = [Column {
        name: "a".into(),
        pg_type,
    }];
    let style = Style {
        zone: Zone::of("Asia/Kolkata"),
        ..Style::default()
    };
    let mut encoder = RowEncoder::new(&batch, &columns, &[format], style, Encoding::Utf8)
        .map_err(|error| error.message().to_owned())?;
    let mut out = BytesMut::new();
    let limit = Limit {
        n_rows_max: 1,
        n_bytes: usize::MAX,
    };
    if let Err(error) = encoder.encode(limit, &mut out) {
        assert!(out.is_empty(), "a failed row left bytes behind");
        return Err(error.message().to_owned());
    }
    assert_eq!(out.get_u8(), b'D');
    assert_eq!(out.get_i32(), i32::try_from(out.len()).unwrap() + 4);
    assert_eq!(out.get_i16(), 1);
    let length = out.get_i32();
    if length < 0 {
        return Ok(None);
    }
    assert_eq!(usize::try_from(length).unwrap(), out.len());
    Ok(Some(out.to_vec()))
}

fn check(array: impl Into<ArrayRef>, expected: &str) {
    let array = array.into();
    let pg_type = of_field(&Field::new("a", array.data_type().clone(), true));
    let got = match row(array, pg_type, Format::Text) {
        Ok(Some(text)) => String::from_utf8(text).unwrap(),
        Ok(None) => "(null)".to_owned(),
        Err(message) => format!("error: {message}"),
    };
    assert_eq!(got, expected);
}

fn check_binary(array: impl Into<ArrayRef>, pg_oid: u32, expected: &[u8]) {
    let got = row(array.into(), PgType::of(pg_oid), Format::Binary).unwrap();
    assert_eq!(got.as_deref(), Some(expected));
}

fn any<T: arrow::array::Array + 'static>(array: T) -> ArrayRef {
    Arc::new(array)
}

#[test]
fn plain_values_as_text() {
    check(any(BooleanArray::from(vec![true])), "t");
    check(any(UInt8Array::from(vec![200])), "200");
    check(
        any(Int64Array::from(vec![i64::MIN])),
        "-9223372036854775808",
    );
    check(any(UInt64Array::from(vec![7])), "7");
    check(
        any(UInt64Array::from(vec![u64::MAX])),
        "error: bigint out of range",
    );
    check(any(Float32Array::from(vec![1.5])), "1.5");
    check(
        any(StringViewArray::from(vec![
            "a long string that is not inlined",
        ])),
        "a long string that is not inlined",
    );
    check(any(BinaryArray::from(vec![&b"\x00\xff"[..]])), "\\x00ff");
    check(any(NullArray::new(1)), "(null)");
    check(any(Int32Array::from(vec![None])), "(null)");
    let dictionary: DictionaryArray<Int32Type> = vec!["x"].into_iter().collect();
    check(any(dictionary), "x");
    let runs: RunArray<Int32Type> = vec!["x", "x"].into_iter().collect();
    check(any(runs), "x");
}

#[test]
fn times_as_text() {
    check(any(Time32SecondArray::from(vec![3661])), "01:01:01");
    check(
        any(TimestampSecondArray::from(vec![0])),
        "1970-01-01 00:00:00",
    );
    check(
        any(TimestampNanosecondArray::from(vec![1_500]).with_timezone("UTC")),
        "1970-01-01 05:30:00.000001+05:30",
    );
    check(any(DurationSecondArray::from(vec![90_000])), "25:00:00");
    check(any(IntervalYearMonthArray::from(vec![13])), "1 year 1 mon");
    check(
        any(IntervalDayTimeArray::from(vec![IntervalDayTime::new(
            1, 1500,
        )])),
        "1 day 00:00:01.5",
    );
}

#[test]
fn arrays_are_quoted_where_needed() {
    let mut builder = ListBuilder::new(StringBuilder::new());
    for element in ["a", "b c", "", "null", "q\"\\", "x,y", "\u{e9}"] {
        builder.values().append_value(element);
    }
    builder.values().append_null();
    builder.append(true);
    check(
        any(builder.finish()),
        "{a,\"b c\",\"\",\"null\",\"q\\\"\\\\\",\"x,y\",\u{e9},NULL}",
    );
    let empty = ListArray::from_iter_primitive::<Int32Type, _, _>(vec![Some(vec![])]);
    check(any(empty), "{}");
}

fn nested(rows: &[&[i32]]) -> ArrayRef {
    let mut builder = ListBuilder::new(ListBuilder::new(Int32Builder::new()));
    for row in rows {
        builder.values().values().append_slice(row);
        builder.values().append(true);
    }
    builder.append(true);
    any(builder.finish())
}

#[test]
fn arrays_of_two_dimensions() {
    check(nested(&[&[1, 2], &[3, 4]]), "{{1,2},{3,4}}");
    let mut expected = Vec::new();
    for word in [2, 0, 23, 2, 1, 2, 1] {
        expected.extend_from_slice(&i32::to_be_bytes(word));
    }
    for value in 1..=4 {
        expected.extend_from_slice(&4_i32.to_be_bytes());
        expected.extend_from_slice(&i32::to_be_bytes(value));
    }
    check_binary(nested(&[&[1, 2], &[3, 4]]), 1007, &expected);
    check_binary(nested(&[]), 1007, &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 23]);
    let ragged = row(nested(&[&[1], &[2, 3]]), PgType::of(1007), Format::Binary);
    assert!(ragged.is_err());
}

#[test]
fn vectors_have_no_braces() {
    let vector = any(ListArray::from_iter_primitive::<Int32Type, _, _>(vec![
        Some(vec![Some(1), Some(3)]),
    ]));
    let text = row(vector, PgType::of(oid::INT2VECTOR), Format::Text);
    assert_eq!(text.unwrap().as_deref(), Some(&b"1 3"[..]));
}

#[test]
fn structures_are_json() {
    let structure = StructArray::from(vec![
        (
            Arc::new(Field::new("a", arrow::datatypes::DataType::Int32, true)),
            any(Int32Array::from(vec![1])),
        ),
        (
            Arc::new(Field::new("b", arrow::datatypes::DataType::Utf8, true)),
            any(StringArray::from(vec![None::<&str>])),
        ),
    ]);
    check(any(structure), "{\"a\":1,\"b\":null}");
}

#[test]
fn plain_values_in_binary() {
    check_binary(any(BooleanArray::from(vec![true])), oid::BOOL, &[1]);
    check_binary(any(UInt8Array::from(vec![200])), oid::INT2, &[0, 200]);
    check_binary(any(UInt32Array::from(vec![26])), oid::OID, &[0, 0, 0, 26]);
    check_binary(any(StringArray::from(vec!["r"])), oid::CHAR, b"r");
    check_binary(any(StringArray::from(vec!["{}"])), oid::JSONB, b"\x01{}");
    check_binary(
        any(StringArray::from(vec![
            "00112233-4455-6677-8899-aabbccddeeff",
        ])),
        oid::UUID,
        b"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff",
    );
    check_binary(
        any(TimestampSecondArray::from(vec![946_684_801])),
        oid::TIMESTAMP,
        &1_000_000_i64.to_be_bytes(),
    );
    let fixed = FixedSizeBinaryArray::try_from_iter(vec![[1_u8, 2]].into_iter()).unwrap();
    check_binary(any(fixed), oid::BYTEA, &[1, 2]);
}
