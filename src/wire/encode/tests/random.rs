//! Random batches of every type: the quick way must send what the writers of single values send.

use arrow::array::{
    BinaryViewArray, Date32Array, Decimal128Array, Decimal256Array, DurationMicrosecondArray,
    Float64Array, Int16Array, IntervalMonthDayNanoArray, LargeBinaryArray, LargeStringArray,
    PrimitiveArray, Time64MicrosecondArray, TimestampMicrosecondArray,
};
use arrow::datatypes::{ArrowPrimitiveType, IntervalMonthDayNano, i256};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::super::value::{binary_value, with_length};
use super::*;
use crate::functions::output::{Notation, Values, text_value};

/// Rows of a batch at most: several blocks of cells.
const N_ROWS_MAX: usize = 200;

/// A number as likely short as long.
fn number(random: &mut StdRng) -> i64 {
    random.random::<i64>() >> random.random_range(0..64)
}

fn values<T>(
    random: &mut StdRng,
    n_rows: usize,
    mut value: impl FnMut(&mut StdRng) -> T,
) -> Vec<Option<T>> {
    let nulls = [0.0, 0.2, 1.0][random.random_range(0..3)];
    (0..n_rows)
        .map(|_| (!random.random_bool(nulls)).then(|| value(random)))
        .collect()
}

fn numbers<T: ArrowPrimitiveType>(
    random: &mut StdRng,
    n_rows: usize,
    value: impl FnMut(&mut StdRng) -> T::Native,
) -> PrimitiveArray<T> {
    values(random, n_rows, value).into_iter().collect()
}

fn text(random: &mut StdRng) -> String {
    let n_chars = match random.random_range(0..4) {
        0 => 0,
        1 => random.random_range(0..13),
        2 => random.random_range(13..70),
        _ => random.random_range(0..300),
    };
    (0..n_chars)
        .map(|_| ['a', 'Z', '7', '\u{e9}', '\u{1f600}', ' '][random.random_range(0..6)])
        .collect()
}

/// A column of this kind, of this many rows, which begins in the midst of its buffers.
fn column(random: &mut StdRng, kind: usize, n_rows: usize) -> ArrayRef {
    let n_before = random.random_range(0..70);
    let n = n_before + n_rows;
    let whole = match kind {
        0..=9 => plain(random, kind, n),
        10..=14 => decimals(random, n),
        15..=19 => moments(random, kind, n),
        _ => texts(random, kind, n),
    };
    whole.slice(n_before, n_rows)
}

fn plain(random: &mut StdRng, kind: usize, n: usize) -> ArrayRef {
    match kind {
        0 => any(BooleanArray::from(values(random, n, |random| {
            random.random()
        }))),
        1 => any(numbers(random, n, |random| random.random()) as Int16Array),
        2 => any(numbers(random, n, |random| {
            random.random::<i32>() >> random.random_range(0..32)
        }) as Int32Array),
        3 | 4 => any(numbers(random, n, number) as Int64Array),
        5 => any(numbers(random, n, |random| random.random()) as UInt32Array),
        6 => any(numbers(random, n, |random| f32::from_bits(random.random())) as Float32Array),
        7 => any(numbers(random, n, |random| f64::from_bits(random.random())) as Float64Array),
        8 => any(numbers(random, n, |random| {
            f64::from(random.random_range(-99_999..99_999)) / 100.0
        }) as Float64Array),
        _ => any(NullArray::new(n)),
    }
}

fn decimals(random: &mut StdRng, n: usize) -> ArrayRef {
    if random.random_bool(0.1) {
        let scale = random.random_range(-5..40);
        let wide: Decimal256Array = numbers(random, n, |random| {
            i256::from_parts(random.random(), random.random::<i128>() >> 70)
        });
        return any(wide.with_precision_and_scale(76, scale).unwrap());
    }
    let scale = random.random_range(-5..38);
    let n_bits = random.random_range(1..126);
    let wide: Decimal128Array = numbers(random, n, |random| {
        random.random::<i128>() >> random.random_range(127 - n_bits..128)
    });
    any(wide.with_precision_and_scale(38, scale).unwrap())
}

fn moments(random: &mut StdRng, kind: usize, n: usize) -> ArrayRef {
    // Most around today, some in every year that PostgreSQL knows, some at a whole second.
    let micros = |random: &mut StdRng| -> i64 {
        match random.random_range(0..4) {
            0 => random.random(),
            1 => random.random_range(-3_000_000_000..3_000_000_000) * 1_000_000,
            _ => random.random_range(0..2_000_000_000_000_000),
        }
    };
    match kind {
        15 => any(
            numbers(random, n, |random| match random.random_range(0..4) {
                0 => random.random(),
                _ => random.random_range(-800_000..3_000_000),
            }) as Date32Array,
        ),
        16 => any(numbers(random, n, |random| {
            random.random_range(0..=86_400_000_000_i64)
        }) as Time64MicrosecondArray),
        17 => any(numbers(random, n, micros) as TimestampMicrosecondArray),
        18 => any((numbers(random, n, micros) as TimestampMicrosecondArray).with_timezone("UTC")),
        _ if random.random() => any(numbers(random, n, number) as DurationMicrosecondArray),
        _ => any(numbers(random, n, |random| {
            IntervalMonthDayNano::new(
                random.random_range(-99..99),
                random.random_range(-99..99),
                number(random),
            )
        }) as IntervalMonthDayNanoArray),
    }
}

fn texts(random: &mut StdRng, kind: usize, n: usize) -> ArrayRef {
    let texts = values(random, n, text);
    let bytes = texts.iter().map(|text| text.as_ref().map(String::as_bytes));
    match kind {
        20 => any(StringArray::from_iter(&texts)),
        21 => any(StringViewArray::from_iter(&texts)),
        22 => any(LargeStringArray::from_iter(&texts)),
        23 => any(BinaryArray::from_iter(bytes)),
        24 => any(BinaryViewArray::from_iter(bytes)),
        25 => any(LargeBinaryArray::from_iter(bytes)),
        26 => any(DictionaryArray::<Int32Type>::from_iter(texts.iter().map(
            |text| text.as_deref().map(|text| text.get(..1).unwrap_or("")),
        ))),
        _ => {
            let mut builder = ListBuilder::new(StringBuilder::new());
            for text in &texts {
                match text {
                    Some(text) => builder.append_value(text.split('7').map(Some)),
                    None => builder.append_null(),
                }
            }
            any(builder.finish())
        }
    }
}

/// The rows by the writers of single values, up to the first that fails.
fn expected(
    columns: &[(ArrayRef, Format, PgType)],
    n_rows: usize,
    style: &Style,
) -> (BytesMut, usize) {
    let values: Vec<Values> = columns
        .iter()
        .map(|(array, _, pg_type)| Values::of(array, pg_type.oid).unwrap())
        .collect();
    let mut out = BytesMut::new();
    for row in 0..n_rows {
        let start = out.len();
        out.put_slice(b"D\0\0\0\0");
        out.put_u16(u16::try_from(columns.len()).unwrap());
        for ((_, format, pg_type), values) in columns.iter().zip(&values) {
            if values.is_null(row) {
                out.put_i32(-1);
                continue;
            }
            let written = with_length(&mut out, |out| match format {
                Format::Text => text_value(out, values, row, style),
                Format::Binary => binary_value(out, values, row, pg_type.oid),
            });
            if written.is_err() {
                out.truncate(start);
                return (out, row);
            }
        }
        let length = u32::try_from(out.len() - start - 1).unwrap();
        out[start + 1..start + 5].copy_from_slice(&length.to_be_bytes());
    }
    (out, n_rows)
}

/// ISO, and everything by default, as likely as all else.
fn notation(random: &mut StdRng) -> Notation {
    use crate::functions::output::{BytesNotation, DateNotation, FieldOrder, IntervalNotation};
    let extra_float_digits = random.random_range(-15..=3);
    if random.random() {
        return Notation {
            extra_float_digits,
            ..Notation::default()
        };
    }
    Notation {
        dates: [
            DateNotation::Iso,
            DateNotation::Sql,
            DateNotation::Postgres,
            DateNotation::German,
        ][random.random_range(0..4)],
        order: [FieldOrder::DayMonthYear, FieldOrder::MonthDayYear][random.random_range(0..2)],
        intervals: [
            IntervalNotation::PostgresVerbose,
            IntervalNotation::SqlStandard,
            IntervalNotation::Iso8601,
        ][random.random_range(0..3)],
        bytes: [BytesNotation::Hex, BytesNotation::Escape][random.random_range(0..2)],
        extra_float_digits,
    }
}

fn check_random(seed: u64) {
    let random = &mut StdRng::seed_from_u64(seed);
    let n_rows = random.random_range(0..N_ROWS_MAX);
    let columns: Vec<_> = (0..random.random_range(0..9))
        .map(|_| {
            let kind = random.random_range(0..28);
            let array = column(random, kind, n_rows);
            let field = Field::new("a", array.data_type().clone(), true);
            let format = [Format::Text, Format::Binary][random.random_range(0..2)];
            (array, format, of_field(&field))
        })
        .collect();
    let style = Style {
        zone: Zone::of(
            ["UTC", "Europe/Berlin", "+05:30", "America/Caracas"][random.random_range(0..4)],
        ),
        notation: notation(random),
    };
    let (expected, n_expected) = expected(&columns, n_rows, &style);
    let fields: Vec<_> = columns
        .iter()
        .map(|(array, ..)| Field::new("a", array.data_type().clone(), true))
        .collect();
    let arrays = columns
        .iter()
        .map(|(array, ..)| Arc::clone(array))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(n_rows));
    let batch =
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options).unwrap();
    let described: Vec<_> = columns
        .iter()
        .map(|(.., pg_type)| Column {
            name: "a".into(),
            pg_type: *pg_type,
        })
        .collect();
    let formats: Vec<_> = columns.iter().map(|(_, format, _)| *format).collect();
    let mut encoder = RowEncoder::new(&batch, &described, &formats, style, Encoding::Utf8).unwrap();
    let (mut out, mut n_sent) = (BytesMut::new(), 0);
    while encoder.n_rows_left() > 0 {
        let limit = Limit {
            n_rows_max: random.random_range(1..150),
            n_bytes: out.len() + random.random_range(1..20_000),
        };
        match encoder.encode(limit, &mut out) {
            Ok(n_rows) => {
                assert!(
                    (1..=limit.n_rows_max).contains(&n_rows),
                    "seed {seed}: {n_rows} rows"
                );
                n_sent += n_rows;
            }
            Err(_) => {
                n_sent = n_rows - encoder.n_rows_left();
                break;
            }
        }
    }
    assert_eq!(n_sent, n_expected, "seed {seed}: rows");
    assert!(out == expected, "seed {seed}: other bytes");
}

#[test]
fn random_batches_are_sent_as_their_values_are() {
    let first: u64 = rand::random();
    println!("seeds from {first}");
    for n in 0..400 {
        check_random(first.wrapping_add(n));
    }
}
