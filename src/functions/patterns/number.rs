//! `to_char` of numbers (`NUM_processor` and `NUM_numpart_to_char` in formatting.c).
//! <https://www.postgresql.org/docs/16/functions-formatting.html>

use super::moment::{ROMANS, ending};
use super::numeral::{Anchor, Item, Numeral, Sign};

/// A number as its digits, with a point where it has a fraction, and its sign apart.
#[derive(Clone, Debug)]
pub(super) struct Written {
    pub(super) is_negative: bool,
    pub(super) digits: String,
}

/// Digits that a pattern has no room for.
const NO_ROOM: &str = "#";
/// Characters of a Roman number (`MAX_ROMAN_LEN`).
const ROMAN_LETTERS: usize = 15;

/// Writes a number, already rounded to the digits of the pattern, by the pattern.
pub(super) fn write(numeral: &Numeral, number: &Written) -> String {
    let before = numeral.before + numeral.shift;
    let n_whole = number.digits.find('.').unwrap_or(number.digits.len());
    let has_room = n_whole <= before;
    let digits = match has_room {
        true => number.digits.clone(),
        false => {
            let (whole, fraction) = (NO_ROOM.repeat(before), NO_ROOM.repeat(numeral.behind));
            format!("{whole}.{fraction}")
        }
    };
    let mut writer = Writer::of(numeral, number.is_negative, digits.into_bytes());
    writer.leading = before.saturating_sub(n_whole);
    writer.begin(before);
    for item in &numeral.items {
        match item {
            Item::Character(character) => writer.out.push(*character),
            Item::Sign(sign) => writer.sign(*sign),
        }
    }
    writer.out
}

/// Writes a Roman number by the pattern.
pub(super) fn write_roman(numeral: &Numeral, value: Option<i64>) -> String {
    let roman = match value {
        Some(value @ 1..=3999) => roman(value),
        _ => NO_ROOM.repeat(ROMAN_LETTERS),
    };
    let mut out = String::new();
    for item in &numeral.items {
        let written = match item {
            Item::Character(character) => {
                out.push(*character);
                continue;
            }
            Item::Sign(Sign::Roman) => roman.clone(),
            Item::Sign(Sign::RomanLower) => roman.to_lowercase(),
            // Nothing else is written beside it.
            Item::Sign(_) => continue,
        };
        match numeral.is_filled {
            true => out.push_str(&written),
            false => out.push_str(&format!("{written:>ROMAN_LETTERS$}")),
        }
    }
    out
}

fn roman(value: i64) -> String {
    let tens = ["", "X", "XX", "XXX", "XL", "L", "LX", "LXX", "LXXX", "XC"];
    let hundreds = ["", "C", "CC", "CCC", "CD", "D", "DC", "DCC", "DCCC", "CM"];
    let value = usize::try_from(value).unwrap_or_default();
    let ones = match value % 10 {
        0 => "",
        digit => ROMANS[digit - 1],
    };
    let thousands = "M".repeat(value / 1000);
    format!(
        "{thousands}{}{}{ones}",
        hundreds[value / 100 % 10],
        tens[value / 10 % 10]
    )
}

/// What `NUMProc` is to formatting.c.
struct Writer<'a> {
    numeral: &'a Numeral,
    out: String,
    digits: Vec<u8>,
    /// The next digit.
    at: usize,
    /// Places before the first digit.
    leading: usize,
    /// The next place of the pattern.
    place: usize,
    n_places: usize,
    /// The digit behind which nothing but zeros come.
    last_relevant: Option<usize>,
    is_negative: bool,
    is_sign_written: bool,
    has_brackets: bool,
    anchor: Anchor,
    has_begun: bool,
}

impl<'a> Writer<'a> {
    fn of(numeral: &'a Numeral, is_negative: bool, digits: Vec<u8>) -> Self {
        Self {
            numeral,
            out: String::new(),
            digits,
            at: 0,
            leading: 0,
            place: 0,
            n_places: 0,
            last_relevant: None,
            is_negative,
            is_sign_written: false,
            has_brackets: numeral.has_brackets,
            anchor: numeral.anchor,
            has_begun: false,
        }
    }

    fn begin(&mut self, before: usize) {
        let numeral = self.numeral;
        if numeral.has_plus || numeral.has_minus {
            // MI, PL and SG write the sign themselves.
            self.is_sign_written = !numeral.has_plus || numeral.has_minus;
        } else {
            if !self.is_negative && numeral.is_filled {
                self.has_brackets = false;
            }
            self.is_sign_written =
                !self.is_negative && numeral.is_filled && !numeral.has_anchored_sign;
            if self.anchor == Anchor::Before && before == numeral.before_anchor {
                self.anchor = Anchor::Behind;
            }
        }
        self.n_places = (numeral.behind + before).saturating_sub(1);
        if numeral.is_filled && numeral.has_point {
            self.last_relevant = self.relevant();
        }
        if !self.is_sign_written && self.leading == 0 {
            self.n_places += 1;
        }
    }

    /// As `get_last_relevant_decnum`, but not before the last `0` of the pattern.
    fn relevant(&self) -> Option<usize> {
        let point = self.digits.iter().position(|digit| *digit == b'.')?;
        let mut digits = self.digits.iter().enumerate().skip(point + 1);
        let last = digits.rfind(|(_, digit)| **digit != b'0');
        let last = last.map_or(point, |(index, _)| index);
        match self.numeral.last_zero.checked_sub(self.leading) {
            Some(zero @ 1..) => Some(last.max(zero.min(self.digits.len() - 1))),
            _ => Some(last),
        }
    }

    fn sign(&mut self, sign: Sign) {
        let is_filled = self.numeral.is_filled;
        match sign {
            Sign::Nine | Sign::Zero | Sign::Point | Sign::LocalePoint => self.digit(sign),
            Sign::Comma | Sign::Group if self.has_begun => self.out.push(','),
            Sign::Comma | Sign::Group if is_filled => {}
            Sign::Comma | Sign::Group | Sign::Currency => self.out.push(' '),
            Sign::OrdinalUpper | Sign::OrdinalLower => {
                let is_whole = !self.numeral.has_point && !self.is_negative;
                let digits = String::from_utf8_lossy(&self.digits);
                if let (true, Ok(value)) = (is_whole, digits.parse::<u128>()) {
                    let ending = ending(u64::try_from(value % 100).unwrap_or_default());
                    match sign {
                        Sign::OrdinalLower => self.out.push_str(ending),
                        _ => self.out.push_str(&ending.to_uppercase()),
                    }
                }
            }
            Sign::Minus if self.is_negative => self.out.push('-'),
            Sign::Plus if !self.is_negative => self.out.push('+'),
            Sign::Minus | Sign::Plus if is_filled => {}
            Sign::Minus | Sign::Plus => self.out.push(' '),
            Sign::PlusMinus => self.out.push(self.plus_or_minus()),
            _ => {}
        }
    }

    fn plus_or_minus(&self) -> char {
        if self.is_negative { '-' } else { '+' }
    }

    /// Whether the relevant digits end with the point.
    fn ends_with_point(&self) -> bool {
        self.last_relevant
            .is_some_and(|index| self.digits[index] == b'.')
    }

    /// `0.1` by `9.9` is ` .1`.
    fn is_zero_before_point(&self) -> bool {
        !self.numeral.has_zero
            && self.at == 0
            && self.digits.first() == Some(&b'0')
            && self.numeral.behind != 0
    }

    /// The place of the first `0` in the pattern, from 0.
    fn first_zero(&self) -> usize {
        self.numeral.first_zero.saturating_sub(1)
    }

    fn digit(&mut self, sign: Sign) {
        self.has_begun = false;
        let begins_here = self.place >= self.leading
            || (self.numeral.has_zero && self.first_zero() == self.place);
        if !self.is_sign_written
            && begins_here
            && (!self.is_zero_before_point() || self.ends_with_point())
        {
            self.sign_before();
        }
        if self.place < self.leading && (self.first_zero() > self.place || !self.numeral.has_zero) {
            if !self.numeral.is_filled {
                self.out.push(' ');
            }
        } else if self.place < self.leading {
            self.out.push('0');
            self.has_begun = true;
        } else {
            self.own_digit(sign);
            self.at = (self.at + 1).min(self.digits.len());
        }
        self.sign_behind();
        self.place += 1;
    }

    fn sign_before(&mut self) {
        if self.numeral.has_anchored_sign {
            if self.anchor == Anchor::Before {
                self.out.push(self.plus_or_minus());
                self.is_sign_written = true;
            }
            return;
        }
        if self.has_brackets {
            self.out.push(if self.is_negative { '<' } else { ' ' });
        } else if self.is_negative {
            self.out.push('-');
        } else if !self.numeral.is_filled {
            self.out.push(' ');
        }
        self.is_sign_written = true;
    }

    fn own_digit(&mut self, sign: Sign) {
        let digit = self.digits.get(self.at).copied();
        if digit == Some(b'.') {
            if !self.ends_with_point() || self.numeral.is_filled {
                self.out.push('.');
            }
        } else if self.last_relevant.is_some_and(|last| self.at > last) && sign != Sign::Zero {
        } else if self.is_zero_before_point() {
            if !self.numeral.is_filled {
                self.out.push(' ');
            } else if self.ends_with_point() {
                self.out.push('0');
            }
        } else {
            self.out.extend(digit.map(char::from));
            self.has_begun = true;
        }
    }

    /// The end of brackets, or the sign of `S`, behind the last digit.
    fn sign_behind(&mut self) {
        let end = match self.last_relevant {
            Some(last) if last == self.at => self.place,
            _ => {
                self.n_places + usize::from(self.leading > 0) + usize::from(self.numeral.has_point)
            }
        };
        if self.place + 1 != end {
            return;
        }
        if self.is_sign_written && self.has_brackets {
            self.out.push(if self.is_negative { '>' } else { ' ' });
        } else if self.numeral.has_anchored_sign && self.anchor == Anchor::Behind {
            self.out.push(self.plus_or_minus());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: &str, pattern: &str, expected: &str) {
        let numeral = Numeral::of(pattern).expect("the pattern is one");
        let digits = number.strip_prefix('-').unwrap_or(number);
        let written = Written {
            is_negative: number.starts_with('-'),
            digits: digits.to_owned(),
        };
        assert_eq!(write(&numeral, &written), expected, "{number} by {pattern}");
    }

    /// The examples of the manual's table 9.32, as PostgreSQL 16 gives them.
    #[test]
    fn numbers_are_written_as_in_the_manual() {
        check("-0.10", "99.99", "  -.10");
        check("-0.10", "FM9.99", "-.1");
        check("0.1", "0.9", " 0.1");
        check("12.0", "9990999.9", "    0012.0");
        check("485", "999", " 485");
        check("-485", "999", "-485");
        check("485", "9 9 9", " 4 8 5");
        check("1485", "9,999", " 1,485");
        check("148.500", "999.999", " 148.500");
        check("148.500", "FM999.999", "148.5");
        check("148.500", "FM999.990", "148.500");
        check("-485", "999S", "485-");
        check("-485", "999MI", "485-");
        check("485", "999MI", "485 ");
        check("485", "FM999MI", "485");
        check("485", "PL999", "+ 485");
        check("485", "SG999", "+485");
        check("-485", "9SG99", "4-85");
        check("-485", "999PR", "<485>");
        check("485", "999th", " 485th");
        check(
            "485.800",
            "\"Pre:\"999\" Post:\" .999",
            "Pre: 485 Post: .800",
        );
        check("12000", "99V999", " 12000");
        check("1234567", "9G999", " #,###");
    }
}
