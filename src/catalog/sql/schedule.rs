//! Moments that recur, as cron says them: `0 6 * * 1-5 Europe/Berlin`.

use chrono::{DateTime, Utc};
use chrono_tz::{TZ_VARIANTS, Tz};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};

/// Minute, hour, day of the month, month and day of the week, in a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
    /// The five fields, a space apart.
    fields: String,
}

impl Schedule {
    /// Reads five fields and, if it is not UTC, the name of a time zone.
    ///
    /// # Errors
    /// What of it is not understood, as a sentence.
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (fields, zone) = match words.as_slice() {
            [fields @ .., zone] if fields.len() == 5 => (fields.join(" "), *zone),
            fields if fields.len() == 5 => (fields.join(" "), "UTC"),
            _ => return Err("It has five fields and perhaps a time zone.".to_owned()),
        };
        let zone = TZ_VARIANTS
            .iter()
            .find(|known| known.name().eq_ignore_ascii_case(zone))
            .copied()
            .ok_or_else(|| format!("The time zone \"{zone}\" is not known."))?;
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser
            .parse(&fields)
            .map_err(|why| format!("{}.", why.to_string().trim_end_matches('.')))?;
        let schedule = Self { cron, zone, fields };
        match schedule.after(Utc::now()) {
            Some(_) => Ok(schedule),
            None => Err("There is no such moment.".to_owned()),
        }
    }

    /// As the option says it.
    pub(super) fn text(&self) -> String {
        match self.zone {
            Tz::UTC => self.fields.clone(),
            zone => format!("{} {}", self.fields, zone.name()),
        }
    }

    /// The first of the moments after one; `None` if there is none within reach.
    pub fn after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let local = moment.with_timezone(&self.zone);
        let next = self.cron.find_next_occurrence(&local, false).ok()?;
        Some(next.with_timezone(&Utc))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_written_as_it_is_read() {
        let text = |said: &str| Schedule::read(said).map(|schedule| schedule.text());
        assert_eq!(text(" 0  6 * * 1-5 "), Ok("0 6 * * 1-5".to_owned()));
        assert_eq!(text("*/5 * * * MON utc"), Ok("*/5 * * * MON".to_owned()));
        let berlin = Ok("0 6 1 * * Europe/Berlin".to_owned());
        assert_eq!(text("0 6 1 * * europe/berlin"), berlin);
    }

    #[test]
    fn what_is_no_schedule_is_refused() {
        for said in [
            "",
            "0 6 * *",
            "60 6 * * *",
            "0 6 * * 1-5 Nowhere/City",
            "0 0 6 * * 1-5 UTC",
            "0 6 30 2 *",
            "@daily",
        ] {
            assert!(Schedule::read(said).is_err(), "{said}");
        }
    }
}
