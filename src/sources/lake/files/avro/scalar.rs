//! Values that mean more than their bytes: times, decimals, UUIDs and durations.

use arrow::datatypes::{
    Decimal128Type, Decimal256Type, DecimalType, IntervalMonthDayNano, IntervalMonthDayNanoType,
    i256,
};

use super::Damage;
use super::input::Input;
use super::schema::{Node, Unit};

const MICROSECONDS_A_DAY: i64 = 86_400_000_000;

/// Microseconds since midnight.
pub(super) fn time(node: &Node, input: &mut Input<'_>) -> Result<i64, Damage> {
    let unit = match node {
        Node::Time(unit) => *unit,
        _ => Unit::Microsecond,
    };
    let time = microseconds(unit, input.long()?);
    time.filter(|time| (0..MICROSECONDS_A_DAY).contains(time))
        .ok_or_else(|| Damage::new("a time is not within a day"))
}

/// Microseconds since 1970.
pub(super) fn timestamp(node: &Node, input: &mut Input<'_>) -> Result<i64, Damage> {
    let unit = match node {
        Node::Timestamp { unit, .. } => *unit,
        _ => Unit::Microsecond,
    };
    microseconds(unit, input.long()?).ok_or_else(|| Damage::new("a timestamp is out of range"))
}

/// PostgreSQL counts microseconds: what is finer is cut off.
fn microseconds(unit: Unit, value: i64) -> Option<i64> {
    match unit {
        Unit::Millisecond => value.checked_mul(1_000),
        Unit::Microsecond => Some(value),
        Unit::Nanosecond => Some(value.div_euclid(1_000)),
    }
}

pub(super) fn decimal128(node: &Node, input: &mut Input<'_>) -> Result<i128, Damage> {
    let bytes: [u8; 16] = widened(digits(node, input)?)?;
    let value = i128::from_be_bytes(bytes);
    match node {
        Node::Decimal {
            precision, scale, ..
        } if !Decimal128Type::is_valid_decimal_precision(value, *precision) => {
            Err(too_long(*precision, *scale))
        }
        _ => Ok(value),
    }
}

pub(super) fn decimal256(node: &Node, input: &mut Input<'_>) -> Result<i256, Damage> {
    let bytes: [u8; 32] = widened(digits(node, input)?)?;
    let value = i256::from_be_bytes(bytes);
    match node {
        Node::Decimal {
            precision, scale, ..
        } if !Decimal256Type::is_valid_decimal_precision(value, *precision) => {
            Err(too_long(*precision, *scale))
        }
        _ => Ok(value),
    }
}

fn too_long(precision: u8, scale: i8) -> Damage {
    Damage::new(format!("a decimal does not fit ({precision},{scale})"))
}

fn digits<'a>(node: &Node, input: &mut Input<'a>) -> Result<&'a [u8], Damage> {
    match node {
        Node::Decimal {
            n_bytes: Some(n_bytes),
            ..
        } => input.take(*n_bytes),
        _ => input.bytes(),
    }
}

/// A number in two's complement, the highest byte first, in N bytes.
fn widened<const N: usize>(bytes: &[u8]) -> Result<[u8; N], Damage> {
    let is_negative = bytes.first().is_some_and(|byte| byte & 0x80 != 0);
    let filling = if is_negative { 0xff } else { 0 };
    let n_extra = bytes.len().saturating_sub(N);
    let (extra, bytes) = bytes.split_at(n_extra);
    // Bytes beyond the width say nothing if they only repeat the sign.
    let keeps_sign = bytes
        .first()
        .is_none_or(|byte| byte & 0x80 == filling & 0x80);
    if extra.iter().any(|byte| *byte != filling) || (n_extra > 0 && !keeps_sign) {
        return Err(Damage::new("a decimal has too many digits"));
    }
    let mut wide = [filling; N];
    wide[N - bytes.len()..].copy_from_slice(bytes);
    Ok(wide)
}

/// The text of a UUID.
pub(super) fn uuid(input: &mut Input<'_>) -> Result<String, Damage> {
    let bytes: [u8; 16] = input.array()?;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    Ok(parts.join("-"))
}

/// Months, days and milliseconds, each in four bytes without a sign, the lowest first.
pub(super) fn duration(input: &mut Input<'_>) -> Result<IntervalMonthDayNano, Damage> {
    let mut part = || Ok::<_, Damage>(u32::from_le_bytes(input.array()?));
    let (months, days, milliseconds) = (part()?, part()?, part()?);
    let signed = |part| {
        i32::try_from(part).map_err(|_| Damage::new("a duration is longer than an interval"))
    };
    Ok(IntervalMonthDayNanoType::make_value(
        signed(months)?,
        signed(days)?,
        i64::from(milliseconds) * 1_000_000,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_are_of_any_width() {
        fn check(bytes: &[u8], expected: Option<i128>) {
            let mut text = vec![u8::try_from(2 * bytes.len()).unwrap()];
            text.extend(bytes);
            let node = Node::Decimal {
                n_bytes: None,
                precision: 4,
                scale: 2,
            };
            let found = decimal128(&node, &mut Input::new(&text)).ok();
            assert_eq!(found, expected, "{bytes:?}");
        }
        check(&[], Some(0));
        check(&[0x27, 0x0f], Some(9_999));
        check(&[0x27, 0x10], None);
        check(&[0xff], Some(-1));
        check(&[0; 20], Some(0));
        check(&[0xff; 20], Some(-1));
        check(&[1; 20], None);
        let mut sign_lost = [0; 17];
        sign_lost[1] = 0x80;
        check(&sign_lost, None);
    }

    #[test]
    fn times_count_microseconds() {
        let timestamp_of = |unit, bytes: &[u8]| {
            let node = Node::Timestamp {
                unit,
                is_instant: true,
            };
            timestamp(&node, &mut Input::new(bytes)).ok()
        };
        assert_eq!(timestamp_of(Unit::Millisecond, &[2]), Some(1_000));
        assert_eq!(timestamp_of(Unit::Nanosecond, &[1]), Some(-1));
        let greatest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        assert_eq!(timestamp_of(Unit::Millisecond, &greatest), None);
        let node = Node::Time(Unit::Millisecond);
        assert!(time(&node, &mut Input::new(&[1])).is_err());
    }

    #[test]
    fn a_uuid_has_its_hyphens() {
        let bytes: Vec<u8> = (0..16).collect();
        let text = uuid(&mut Input::new(&bytes)).unwrap();
        assert_eq!(text, "00010203-0405-0607-0809-0a0b0c0d0e0f");
    }
}
