//! Parameters of every type, in both formats, against PostgreSQL's reading of them.

use super::*;
use crate::functions::output::Zone;
use crate::types::{Encoding, oid};

fn berlin() -> Style {
    Style {
        zone: Zone::of("Europe/Berlin"),
        ..Style::default()
    }
}

/// Checks a value, or `error: ...`, by DataFusion's writing of it.
fn check(pg_oid: u32, text: &str, expected: &str) {
    check_bytes(pg_oid, Format::Text, text.as_bytes(), expected);
}

fn check_binary(pg_oid: u32, bytes: &[u8], expected: &str) {
    check_bytes(pg_oid, Format::Binary, bytes, expected);
}

fn check_bytes(pg_oid: u32, format: Format, bytes: &[u8], expected: &str) {
    let got = match parameter(Some(bytes), format, pg_oid, &berlin(), 1, Encoding::Utf8) {
        // Decimals by their unscaled value: precision and scale are what is tested.
        Ok(ScalarValue::Decimal128(Some(value), precision, scale)) => {
            format!("Decimal128(Some({value}),{precision},{scale})")
        }
        Ok(ScalarValue::Decimal256(Some(value), precision, scale)) => {
            format!("Decimal256(Some({value}),{precision},{scale})")
        }
        Ok(value) => format!("{value:?}"),
        Err(failure) => format!("error: {}", failure.message),
    };
    assert_eq!(got, expected);
}

#[test]
fn plain_values_from_text() {
    check(oid::BOOL, "yes", "Boolean(true)");
    check(oid::BOOL, " off ", "Boolean(false)");
    check(
        oid::BOOL,
        "2",
        "error: invalid input syntax for type boolean: \"2\"",
    );
    check(oid::INT4, " 42 ", "Int32(42)");
    check(oid::INT4, "0x1F", "Int32(31)");
    check(oid::INT4, "1_000", "Int32(1000)");
    check(
        oid::INT4,
        "zz",
        "error: invalid input syntax for type integer: \"zz\"",
    );
    check(
        oid::INT4,
        "",
        "error: invalid input syntax for type integer: \"\"",
    );
    check(
        oid::INT2,
        "41234",
        "error: value \"41234\" is out of range for type smallint",
    );
    check(
        oid::INT8,
        "-9223372036854775808",
        "Int64(-9223372036854775808)",
    );
    check(oid::OID, "-1", "UInt32(4294967295)");
    check(
        oid::FLOAT8,
        "1e400",
        "error: \"1e400\" is out of range for type double precision",
    );
    check(oid::FLOAT8, "-Infinity", "Float64(-inf)");
    check(oid::TEXT, "x", "Utf8(\"x\")");
    check(oid::BYTEA, "\\x00fF", "Binary(\"0,255\")");
    check(oid::BYTEA, "a\\\\\\001", "Binary(\"97,92,1\")");
    check(
        oid::BYTEA,
        "\\xabc",
        "error: invalid hexadecimal data: odd number of digits",
    );
    check(
        oid::UUID,
        "{00112233-4455-6677-8899-AABBCCDDEEFF}",
        "Utf8(\"00112233-4455-6677-8899-aabbccddeeff\")",
    );
}

#[test]
fn numerics_keep_their_own_digits() {
    check(oid::NUMERIC, "1.50", "Decimal128(Some(150),3,2)");
    check(oid::NUMERIC, "-0.005", "Decimal128(Some(-5),3,3)");
    check(oid::NUMERIC, "12e3", "Decimal128(Some(12000),5,0)");
    check(oid::NUMERIC, "12e-3", "Decimal128(Some(12),3,3)");
    check(
        oid::NUMERIC,
        "123456789012345678901234567890123456789",
        "Decimal256(Some(123456789012345678901234567890123456789),39,0)",
    );
    check(oid::NUMERIC, "1e400", "Binary(\"3,128,0,1,145,11,0\")");
    check(
        oid::NUMERIC,
        "1.2.3",
        "error: invalid input syntax for type numeric: \"1.2.3\"",
    );
    check(oid::NUMERIC, "NaN", "Binary(\"5\")");
    check_binary(
        oid::NUMERIC,
        b"\0\x02\0\0\x40\0\0\x02\0\x01\x13\x88",
        "Decimal128(Some(-150),3,2)",
    );
    check_binary(
        oid::NUMERIC,
        b"\0\x01\xff\xfe\0\0\0\x08\0\x01",
        "Decimal128(Some(1),8,8)",
    );
    check_binary(
        oid::NUMERIC,
        b"\0\x01\0\x01\0\0\0\0\0\x01",
        "Decimal128(Some(10000),5,0)",
    );
}

#[test]
fn dates_and_times_from_text() {
    check(oid::DATE, "2024-02-29", "Date32(\"2024-02-29\")");
    check(oid::DATE, "20240229", "Date32(\"2024-02-29\")");
    check(
        oid::DATE,
        "2023-02-29",
        "error: date/time field value out of range: \"2023-02-29\"",
    );
    check(
        oid::DATE,
        "soon",
        "error: invalid input syntax for type date: \"soon\"",
    );
    check(oid::TIME, "01:02:03.5", "Time64Microsecond(\"3723500000\")");
    check(
        oid::TIME,
        "25:00",
        "error: date/time field value out of range: \"25:00\"",
    );
    check(
        oid::TIMESTAMP,
        "1970-01-01T00:00:01Z",
        "TimestampMicrosecond(1000000, None)",
    );
    check(
        oid::TIMESTAMP,
        "infinity",
        "TimestampMicrosecond(9223372036854775807, None)",
    );
    let tz = |micros: &str| format!("TimestampMicrosecond({micros}, Some(\"UTC\"))");
    check(oid::TIMESTAMPTZ, "1970-01-01 01:00:00", &tz("0"));
    check(oid::TIMESTAMPTZ, "1970-01-01 01:00:00+01:00", &tz("0"));
    check(oid::TIMESTAMPTZ, "1970-01-01 00:00:00 UTC", &tz("0"));
    // The hour that comes twice is read as standard time, the one left out by the offset before.
    check(
        oid::TIMESTAMPTZ,
        "2024-10-27 02:30:00",
        &tz("1729992600000000"),
    );
    check(
        oid::TIMESTAMPTZ,
        "2024-03-31 02:30:00",
        &tz("1711848600000000"),
    );
}

#[test]
fn arrays_from_text() {
    check(1007, "{1,NULL,3}", "List([1, , 3])");
    check(1009, "{a,\"b,c\", d }", "List([a, b,c, d])");
    check(1009, "{}", "List([])");
    check(1009, "{a,,b}", "error: malformed array literal: \"{a,,b}\"");
    check(1009, "a", "error: malformed array literal: \"a\"");
    check(1007, "{{1,2},{3,NULL}}", "List([[1, 2], [3, ]])");
    check(
        1007,
        "{{1},{2,3}}",
        "error: malformed array literal: \"{{1},{2,3}}\"",
    );
    check(
        1007,
        "[0:1]={1,2}",
        "error: an array whose bounds do not begin with 1 is not supported",
    );
    check(1231, "{1.5,2}", "List([1.5, 2.0])");
}

#[test]
fn plain_values_from_binary() {
    check_binary(oid::INT4, &258_i32.to_be_bytes(), "Int32(258)");
    check_binary(
        oid::INT4,
        &[0, 0, 1],
        "error: insufficient data left in message",
    );
    check_binary(
        oid::INT4,
        &[0; 5],
        "error: incorrect binary data format in bind parameter 1",
    );
    check_binary(oid::DATE, &0_i32.to_be_bytes(), "Date32(\"2000-01-01\")");
    check_binary(oid::JSONB, b"\x01{}", "Utf8(\"{}\")");
    check_binary(
        oid::TEXT,
        b"\xff",
        "error: invalid byte sequence for encoding \"UTF8\": 0xff",
    );
    check_binary(
        1007,
        b"\0\0\0\x01\0\0\0\0\0\0\0\x17\0\0\0\x01\0\0\0\x01\0\0\0\x04\0\0\0\x07",
        "List([7])",
    );
    check_binary(
        600,
        b"",
        "error: a parameter of type with OID 600 is not supported",
    );
}

#[test]
fn nulls_have_their_type() {
    let value = parameter(None, Format::Text, oid::INT8, &berlin(), 1, Encoding::Utf8).unwrap();
    assert_eq!(value, ScalarValue::Int64(None));
}
