//! The paths that Azure Event Hubs Capture writes, in the order of its default:
//! `{namespace}/{hub}/{partition}/{year}/{month}/{day}/{hour}/{minute}/{second}.avro`.
//! Trees with their levels in another order are folders like any other.

use chrono::NaiveDate;

use super::format::{self, Format};

/// What the path of a captured file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture {
    /// The Event Hubs namespace.
    pub namespace: String,
    /// The hub in it.
    pub hub: String,
    /// The hub's partition.
    pub partition: i32,
    /// When the file was begun, in microseconds since 1970.
    pub captured_at: i64,
}

impl Capture {
    /// Reads a path, given as its names from the namespace on; `None` if it is another kind of path.
    pub fn of(names: &[&str]) -> Option<Self> {
        let [namespace, hub, partition, clock @ .., file] = names else {
            return None;
        };
        let [year, month, day, hour, minute] = clock else {
            return None;
        };
        if Format::of_file(file) != Some(Format::Avro) || !is_partition(partition) {
            return None;
        }
        let second = two_digits(format::stem(file)?)?;
        let year = is_year(year).then(|| year.parse().ok())??;
        let date = NaiveDate::from_ymd_opt(year, two_digits(month)?, two_digits(day)?)?;
        let time = date.and_hms_opt(two_digits(hour)?, two_digits(minute)?, second)?;
        Some(Self {
            namespace: (*namespace).to_owned(),
            hub: (*hub).to_owned(),
            partition: partition.parse().ok()?,
            captured_at: time.and_utc().timestamp_micros(),
        })
    }
}

/// Whether a folder's name can be a partition's: Event Hubs counts them from 0, to 2,000 at most.
pub fn is_partition(name: &str) -> bool {
    matches!(name.len(), 1..=4) && is_digits(name)
}

/// Whether a folder's name can be a year.
pub fn is_year(name: &str) -> bool {
    name.len() == 4 && is_digits(name)
}

/// Whether a folder's name can be a month, a day, an hour or a minute.
pub fn is_clock(name: &str) -> bool {
    name.len() == 2 && is_digits(name)
}

fn two_digits(name: &str) -> Option<u32> {
    is_clock(name).then(|| name.parse().ok())?
}

fn is_digits(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_default_order_is_known() {
        fn check(path: &str, expected: Option<(i32, i64)>) {
            let names: Vec<_> = path.split('/').collect();
            let found = Capture::of(&names).map(|found| (found.partition, found.captured_at));
            assert_eq!(found, expected, "{path}");
        }
        let at = 1_791_000_123_000_000;
        check("ns/hub/3/2026/10/03/04/02/03.avro", Some((3, at)));
        check("ns/hub/3/2026/13/03/05/22/03.avro", None);
        check("ns/hub/3/2026/10/03/05/22/03.parquet", None);
        check("ns/hub/3/2026/10/03/05/22/3.avro", None);
        check("ns/hub/x/2026/10/03/05/22/03.avro", None);
        check("ns/hub/2026/10/03/05/22/03/3.avro", None);
        check("hub/3/2026/10/03/05/22/03.avro", None);
    }
}
