//! Every kept type: from text and binary and back, and in order.

use bytes::BytesMut;

use super::{from_text, receive, send, text};
use crate::functions::output::Style;
use crate::types::oid;

/// Reads a text, and checks what is written of it, also after a way through the binary form.
fn check(pg_oid: u32, read: &str, written: &str) {
    let style = Style::default();
    let kept = from_text(read, pg_oid, &style).expect(read);
    let mut sent = BytesMut::new();
    send(&mut sent, &kept, pg_oid).expect(read);
    assert_eq!(
        receive(&sent, pg_oid).expect(read),
        kept,
        "{read} in binary"
    );
    let mut out = BytesMut::new();
    text(&mut out, &kept, pg_oid, &style).expect(read);
    assert_eq!(std::str::from_utf8(&out).expect("a text"), written);
}

fn check_order(pg_oid: u32, ascending: &[&str]) {
    let style = Style::default();
    let kept = ascending
        .iter()
        .map(|text| from_text(text, pg_oid, &style).expect(text));
    let kept: Vec<Vec<u8>> = kept.collect();
    for (pair, texts) in kept.windows(2).zip(ascending.windows(2)) {
        assert!(pair[0] < pair[1], "{} is less than {}", texts[0], texts[1]);
    }
}

#[test]
fn every_type_is_read_and_written() {
    check(oid::TIMETZ, "12:34:56.5+02:30", "12:34:56.5+02:30");
    check(oid::TIMETZ, "24:00-08", "24:00:00-08");
    check(oid::INET, "192.168.0.1", "192.168.0.1");
    check(oid::INET, "192.168.0.1/24", "192.168.0.1/24");
    check(oid::INET, "2001:db8::/32", "2001:db8::/32");
    check(oid::CIDR, "10", "10.0.0.0/8");
    check(oid::CIDR, "::ffff:1.2.3.0/120", "::ffff:1.2.3.0/120");
    check(oid::MACADDR, "08002b010203", "08:00:2b:01:02:03");
    check(oid::MACADDR, "0800-2b01-0203", "08:00:2b:01:02:03");
    check(
        oid::MACADDR8,
        "08:00:2b:01:02:03",
        "08:00:2b:ff:fe:01:02:03",
    );
    check(oid::NUMERIC, "-1234567.00890", "-1234567.0089");
    check(oid::NUMERIC, "1e-20", "0.00000000000000000001");
    check(oid::NUMERIC, "12e5", "1200000");
    check(oid::NUMERIC, "nan", "NaN");
    check(oid::NUMERIC, "-inf", "-Infinity");
    check(oid::DATE, "infinity", "infinity");
    check(oid::INT4RANGE, "(1,10]", "[2,11)");
    check(oid::INT4RANGE, "[3,3)", "empty");
    check(oid::NUMRANGE, " (,1.50] ", "(,1.5]");
    check(
        oid::TSRANGE,
        "[2020-01-01 10:00,)",
        "[\"2020-01-01 10:00:00\",)",
    );
    check(
        oid::DATERANGE,
        "[2020-01-01,infinity]",
        "[2020-01-01,infinity]",
    );
    check(
        oid::INT4MULTIRANGE,
        "{[5,7), [1,2], empty, [3,5)}",
        "{[1,7)}",
    );
    check(oid::NUMMULTIRANGE, "{}", "{}");
}

#[test]
fn bytes_are_in_the_order_of_values() {
    check_order(
        oid::TIMETZ,
        &["10:00+02", "09:00+00", "12:00+02", "10:00+00"],
    );
    check_order(
        oid::INET,
        &[
            "9.0.0.0/8",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "10.0.0.0/9",
            "10.0.0.2",
            "10.0.0.10",
            "::1",
        ],
    );
    check_order(
        oid::NUMERIC,
        &[
            "-inf", "-100", "-99.5", "-0.001", "0", "0.001", "9", "10", "10.5", "1e40", "inf",
            "nan",
        ],
    );
    check_order(
        oid::INT4RANGE,
        &["empty", "(,5)", "(,7)", "(,)", "[-1,3)", "[1,2)", "[1,)"],
    );
    check_order(oid::NUMRANGE, &["[1,2)", "[1,2]", "(1,2)", "(1,)"]);
    check_order(
        oid::INT4MULTIRANGE,
        &["{}", "{[1,2)}", "{[1,2),[5,6)}", "{[1,3)}"],
    );
}
