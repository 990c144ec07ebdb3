//! Numbers with a unit, as PostgreSQL's settings take and show them.
//! <https://www.postgresql.org/docs/16/config-setting.html#CONFIG-SETTING-NAMES-VALUES>

/// The units of a kind of quantity.
#[derive(Debug)]
pub struct Units {
    /// Names, and how many of the smallest each is; the largest first.
    known: &'static [(&'static str, i64)],
    /// The largest number of the smallest unit.
    max: i64,
}

/// Times: the smallest unit is a millisecond, and a setting holds an `int` of them.
pub const DURATION: Units = Units {
    known: &[
        ("d", 86_400_000),
        ("h", 3_600_000),
        ("min", 60_000),
        ("s", 1_000),
        ("ms", 1),
    ],
    max: i32::MAX as i64,
};

/// Sizes in kilobytes, of which a setting holds an `int`.
pub const KILOBYTES: Units = Units {
    known: &[("TB", 1 << 30), ("GB", 1 << 20), ("MB", 1 << 10), ("kB", 1)],
    max: i32::MAX as i64,
};

/// Sizes in bytes. A float holds each of them exactly.
pub const BYTES: Units = Units {
    known: &[
        ("TB", 1 << 40),
        ("GB", 1 << 30),
        ("MB", 1 << 20),
        ("kB", 1 << 10),
        ("B", 1),
    ],
    max: 1 << 53,
};

impl Units {
    /// A number with a unit, in the smallest unit; without one it is in `base`. `None` if it is
    /// none, negative, or too large.
    pub fn read(&self, value: &str, base: &str) -> Option<i64> {
        let value = value.trim();
        let split = value
            .find(|character: char| !(character.is_ascii_digit() || ".-+".contains(character)))
            .unwrap_or(value.len());
        let (number, unit) = value.split_at(split);
        let unit = match unit.trim() {
            "" => base,
            unit => unit,
        };
        let number: f64 = number.parse().ok()?;
        let scaled = match (unit, base) {
            ("us", "ms") => number / 1000.0,
            _ => {
                let (_, size) = self.known.iter().find(|(name, _)| *name == unit)?;
                #[expect(
                    clippy::cast_precision_loss,
                    reason = "sizes are powers of 2, or small"
                )]
                let size = *size as f64;
                number * size
            }
        };
        let rounded = scaled.round();
        #[expect(clippy::cast_precision_loss, reason = "it is below 2^53")]
        let max = self.max as f64;
        #[expect(clippy::cast_possible_truncation, reason = "the range is checked")]
        (0.0..=max).contains(&rounded).then_some(rounded as i64)
    }

    /// As SHOW prints a number of the smallest unit: in the largest unit that divides it.
    pub fn show(&self, value: i64) -> String {
        if value == 0 {
            return "0".to_owned();
        }
        let divides = |(_, size): &&(&str, i64)| value % size == 0;
        let largest = self.known.iter().find(divides);
        largest.map_or_else(String::new, |(unit, size)| {
            format!("{}{unit}", value / size)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(units: &Units, base: &str, value: &str, expected: Option<&str>) {
        let got = units.read(value, base).map(|number| units.show(number));
        assert_eq!(got.as_deref(), expected, "{value}");
    }

    #[test]
    fn quantities_are_read_and_shown() {
        check(&DURATION, "ms", "60000", Some("1min"));
        check(&DURATION, "ms", "2.5 s", Some("2500ms"));
        check(&DURATION, "ms", "-1", None);
        check(&DURATION, "ms", "25d", None);
        check(&KILOBYTES, "kB", "65536", Some("64MB"));
        check(&KILOBYTES, "kB", "1B", None);
        check(&BYTES, "B", "10GB", Some("10GB"));
        check(&BYTES, "B", "1500", Some("1500B"));
        check(&BYTES, "B", "0", Some("0"));
        check(&BYTES, "B", "99999TB", None);
        check(&BYTES, "B", "ten", None);
    }
}
