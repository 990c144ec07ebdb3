//! Reads the fields of a date and time, or of a time alone: `DecodeDateTime` and `DecodeTimeOnly` in
//! datetime.c.

use super::abbreviations::{Meaning, meaning};
use super::fields::{DATE, DAY, Field, Kind, MONTH, Mask, SUMMER_TIME, SUMMER_ZONE, TIME, ZONE};
use super::parts::{Half, Parts, Wrong, leading_integer, offset};
use super::words::{MONTH_AS_DAY, Word, word};
use crate::functions::output::{Style, Zone};

/// What a text says.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    /// A date, a time of day, and the offset of a zone, if one was named.
    Parts(Parts, Option<Offset>),
    Infinity,
    MinusInfinity,
    Epoch,
}

/// How far a zone is from Greenwich.
#[derive(Clone, Copy, Debug)]
pub(super) enum Offset {
    /// Seconds east.
    Seconds(i64),
    /// As it is at the time that was read.
    Of(Zone),
    /// As an abbreviation means it at the time that was read.
    Under(&'static str, Zone),
}

/// What is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// A date, with a time or without.
    Date,
    /// A time of day. A date may stand before it, and counts for the zone alone.
    Time,
}

/// The state between fields.
struct Reader<'a> {
    wanted: Wanted,
    style: &'a Style,
    fields: &'a [Field],
    parts: Parts,
    known: Mask,
    /// What the last word said about the next field.
    prefix: Option<Word>,
    half: Option<Half>,
    is_bc: bool,
    is_julian: bool,
    has_month_name: bool,
    zone: Option<Offset>,
    special: Option<Read>,
}

/// Reads the fields of a text.
pub(super) fn read(fields: &[Field], wanted: Wanted, style: &Style) -> Result<Read, Wrong> {
    let mut reader = Reader {
        wanted,
        style,
        fields,
        parts: Parts::default(),
        known: 0,
        prefix: None,
        half: None,
        is_bc: false,
        is_julian: false,
        has_month_name: false,
        zone: None,
        special: None,
    };
    for (index, field) in fields.iter().enumerate() {
        let Some(found) = reader.field(index, field)? else {
            continue;
        };
        if reader.known & found != 0 {
            return Err(Wrong::Format);
        }
        reader.known |= found;
    }
    reader.finish()
}

impl Reader<'_> {
    /// Takes a field. What it gives; `None` for a word that says nothing.
    fn field(&mut self, index: usize, field: &Field) -> Result<Option<Mask>, Wrong> {
        let text = field.text.as_str();
        Ok(Some(match field.kind {
            Kind::Date => self.date(index, field)?,
            Kind::Time => {
                self.take_time_prefix()?;
                self.parts.time(text)?;
                if self.wanted == Wanted::Date && self.parts.is_past_midnight() {
                    return Err(Wrong::Range);
                }
                TIME
            }
            Kind::Offset => {
                self.zone = Some(Offset::Seconds(offset(text)?));
                ZONE
            }
            Kind::Number => match self.prefix.take() {
                Some(prefix) => self.prefixed(prefix, text)?,
                None => self.number(index, text)?,
            },
            Kind::Word => return self.word(field),
        }))
    }

    /// Before a time only `t` may stand.
    fn take_time_prefix(&mut self) -> Result<(), Wrong> {
        match self.prefix.take() {
            None | Some(Word::TimeFollows) => Ok(()),
            Some(_) => Err(Wrong::Format),
        }
    }

    fn date(&mut self, index: usize, field: &Field) -> Result<Mask, Wrong> {
        let text = field.text.as_str();
        let order = self.style.notation.order;
        if self.wanted == Wanted::Date && self.prefix == Some(Word::Julian) {
            // A day with an offset behind it.
            self.prefix = None;
            let end = text.find(|it: char| !it.is_ascii_digit());
            let (days, behind) = text.split_at(end.unwrap_or(text.len()));
            let found = self.parts.julian(days)?;
            self.is_julian = true;
            self.zone = Some(Offset::Seconds(offset(behind)?));
            return Ok(found | TIME | ZONE);
        }
        let is_date = match self.wanted {
            Wanted::Date => self.prefix.is_none() && self.known & (MONTH | DAY) != MONTH | DAY,
            Wanted::Time => {
                let last = self.fields.last().map(|field| field.kind);
                let second = self.fields.get(1).map(|field| field.kind);
                index == 0
                    && self.fields.len() >= 2
                    && (last == Some(Kind::Date) || second == Some(Kind::Time))
            }
        };
        if is_date {
            return self.parts.date(text, self.known, order);
        }
        if !text.starts_with(|first: char| first.is_ascii_digit()) && self.prefix.is_none() {
            self.zone = Some(Offset::Of(named(field)?));
            return Ok(ZONE);
        }
        // A time that is run together, with an offset behind it.
        self.take_time_prefix()?;
        if self.known & TIME != 0 {
            return Err(Wrong::Format);
        }
        let (time, east) = text.split_at(text.find('-').ok_or(Wrong::Format)?);
        self.zone = Some(Offset::Seconds(offset(east)?));
        let known = self.known | if self.wanted == Wanted::Time { DATE } else { 0 };
        Ok(self.parts.run_together(time, known)? | ZONE)
    }

    /// A number behind a word that says what it is.
    fn prefixed(&mut self, prefix: Word, text: &str) -> Result<Mask, Wrong> {
        let (_, rest) = leading_integer(text)?;
        if !rest.is_empty() && !rest.starts_with('.') {
            return Err(Wrong::Format);
        }
        match prefix {
            Word::Julian => {
                self.is_julian = true;
                self.parts.julian(text)
            }
            Word::TimeFollows => match self.parts.run_together(text, self.known | DATE)? {
                TIME => Ok(TIME),
                _ => Err(Wrong::Format),
            },
            _ => Err(Wrong::Format),
        }
    }

    fn number(&mut self, index: usize, text: &str) -> Result<Mask, Wrong> {
        let order = self.style.notation.order;
        let point = text.find('.');
        if self.wanted == Wanted::Time {
            let known = self.known | DATE;
            let last = self.fields.last().map(|field| field.kind);
            return match point {
                Some(_) if index == 0 && self.fields.len() >= 2 && last == Some(Kind::Date) => {
                    self.parts.date(text, self.known, order)
                }
                Some(point) if point > 2 => self.parts.run_together(text, known),
                Some(_) => Err(Wrong::Format),
                None if text.len() > 4 => self.parts.run_together(text, known),
                None => self.parts.number(text, false, known, order),
            };
        }
        let (has_date, has_time) = (self.known & DATE != 0, self.known & TIME != 0);
        match point {
            Some(_) if !has_date => self.parts.date(text, self.known, order),
            Some(point) if point > 2 => self.parts.run_together(text, self.known),
            _ if text.len() >= 6 && !(has_date && has_time) => {
                self.parts.run_together(text, self.known)
            }
            _ => self
                .parts
                .number(text, self.has_month_name, self.known, order),
        }
    }

    fn word(&mut self, field: &Field) -> Result<Option<Mask>, Wrong> {
        let text = field.text.as_str();
        // Abbreviations of zones take precedence.
        if let Some((name, meaning)) = meaning(text) {
            self.zone = Some(match meaning {
                Meaning::Offset(seconds) => Offset::Seconds(i64::from(seconds)),
                Meaning::Zone(zone) => Offset::Under(name, Zone::of(zone)),
            });
            return Ok(Some(ZONE));
        }
        let Some(word) = word(text) else {
            let zone = Zone::named(&field.written).ok_or(Wrong::Format)?;
            self.zone = Some(Offset::Of(zone));
            return Ok(Some(ZONE));
        };
        match word {
            Word::Ignored => return Ok(None),
            Word::Infinity | Word::MinusInfinity | Word::Epoch | Word::Midnight => {
                return self.reserved(word).map(Some);
            }
            Word::OfTheMoment => return Err(Wrong::OfTheMoment(text.to_owned())),
            Word::Month(month) if self.wanted == Wanted::Date => {
                return Ok(Some(self.month(month)));
            }
            Word::Month(_) => return Err(Wrong::Format),
            Word::Weekday if self.wanted == Wanted::Time => return Err(Wrong::Format),
            Word::Weekday => {}
            Word::Am => self.half = Some(Half::Am),
            Word::Pm => self.half = Some(Half::Pm),
            Word::Ad => self.is_bc = false,
            Word::Bc => self.is_bc = true,
            Word::SummerTime => {
                let Some(Offset::Seconds(seconds)) = &mut self.zone else {
                    return Err(Wrong::Format);
                };
                *seconds += 3600;
            }
            Word::Julian | Word::TimeFollows | Word::Unit => {
                let needs_date = word == Word::TimeFollows && self.wanted == Wanted::Date;
                if self.prefix.is_some() || (needs_date && self.known & DATE != DATE) {
                    return Err(Wrong::Format);
                }
                self.prefix = Some(word);
            }
        }
        Ok(Some(word.mask()))
    }

    fn reserved(&mut self, word: Word) -> Result<Mask, Wrong> {
        let special = match word {
            Word::Midnight => {
                self.zone = Some(Offset::Seconds(0));
                return Ok(TIME | ZONE);
            }
            Word::Infinity => Read::Infinity,
            Word::MinusInfinity => Read::MinusInfinity,
            _ => Read::Epoch,
        };
        if self.wanted == Wanted::Time {
            return Err(Wrong::Format);
        }
        self.special = Some(special);
        Ok(DATE | TIME | ZONE)
    }

    /// A month's name. A number that was taken for the month is the day then.
    fn month(&mut self, month: i64) -> Mask {
        let is_day = self.known & MONTH != 0
            && !self.has_month_name
            && self.known & DAY == 0
            && (1..=31).contains(&self.parts.month);
        if is_day {
            self.parts.day = self.parts.month;
        }
        self.has_month_name = true;
        self.parts.month = month;
        if is_day { MONTH_AS_DAY } else { MONTH }
    }

    fn finish(mut self) -> Result<Read, Wrong> {
        if self.prefix.is_some() {
            return Err(Wrong::Format);
        }
        if let Some(special) = self.special {
            return Ok(special);
        }
        self.parts
            .validate(self.known, self.is_julian, self.is_bc)?;
        self.parts.apply(self.half)?;
        let needed = match self.wanted {
            Wanted::Date => DATE,
            Wanted::Time => TIME,
        };
        if self.wanted == Wanted::Time && self.parts.is_past_midnight() {
            return Err(Wrong::Range);
        }
        if self.known & needed != needed {
            return Err(Wrong::Format);
        }
        let is_summer = self.known & SUMMER_TIME != 0;
        if is_summer && (self.known & (ZONE | SUMMER_ZONE)) == 0 {
            return Err(Wrong::Format);
        }
        let zone = match self.zone {
            // Whether it is summer there depends on the date.
            Some(Offset::Of(zone) | Offset::Under(_, zone))
                if self.wanted == Wanted::Time && self.known & DATE != DATE =>
            {
                let fixed = zone.fixed_offset().ok_or(Wrong::Format)?;
                Some(Offset::Seconds(fixed))
            }
            other => other,
        };
        if self.known & DATE == 0 {
            self.parts.year = 0;
        }
        Ok(Read::Parts(self.parts, zone))
    }
}

fn named(field: &Field) -> Result<Zone, Wrong> {
    Zone::named(&field.written).ok_or_else(|| Wrong::Zone(field.text.clone()))
}
