//! `to_number`: a number in a text that is written by a pattern (`NUM_numpart_from_char` in
//! formatting.c). <https://www.postgresql.org/docs/16/functions-formatting.html>

use super::numeral::{Anchor, Item, Numeral, Sign};
use crate::error::{Error, Result};

/// The digits of a number with sign and point, as its input function reads them.
///
/// # Errors
/// A pattern that numbers are not read by.
pub(super) fn read(text: &str, numeral: &Numeral) -> Result<String> {
    if numeral.is_scientific {
        return Err(Error::unsupported("\"EEEE\" for input"));
    }
    if numeral.is_roman {
        return Err(Error::unsupported("\"RN\" for input"));
    }
    let mut reader = Reader {
        numeral,
        text: text.chars().collect(),
        at: 0,
        sign: None,
        digits: String::new(),
        n_behind: 0,
        has_point: false,
        has_begun: false,
        was_read: false,
    };
    for item in &numeral.items {
        if reader.at >= reader.text.len() {
            break;
        }
        match item {
            Item::Character(_) => reader.at += 1,
            Item::Sign(sign) => reader.sign(*sign),
        }
    }
    let digits = reader.digits.trim_end_matches('.');
    Ok(format!(
        "{}{digits}",
        reader
            .sign
            .map_or("", |is_negative| if is_negative { "-" } else { "+" })
    ))
}

struct Reader<'a> {
    numeral: &'a Numeral,
    text: Vec<char>,
    at: usize,
    /// Whether the number is negative, once its sign was read.
    sign: Option<bool>,
    digits: String,
    n_behind: usize,
    has_point: bool,
    has_begun: bool,
    /// Whether the last keyword read a digit or the point.
    was_read: bool,
}

impl Reader<'_> {
    fn next(&self) -> Option<char> {
        self.text.get(self.at).copied()
    }

    fn sign(&mut self, sign: Sign) {
        match sign {
            Sign::Nine | Sign::Zero | Sign::Point | Sign::LocalePoint => {
                self.digit(sign);
                self.at += 1;
            }
            Sign::Comma | Sign::Group => {
                let is_passed = !self.has_begun && self.numeral.is_filled;
                if !is_passed && self.next() == Some(',') {
                    self.at += 1;
                }
            }
            Sign::Currency => self.pass(1),
            Sign::OrdinalLower | Sign::OrdinalUpper => self.pass(2),
            Sign::Minus => self.own_sign(&['-']),
            Sign::Plus => self.own_sign(&['+']),
            Sign::PlusMinus => self.own_sign(&['-', '+']),
            _ => {}
        }
    }

    fn own_sign(&mut self, signs: &[char]) {
        match self.next() {
            Some(found) if signs.contains(&found) => {
                self.sign = Some(found == '-');
                self.at += 1;
            }
            _ => self.pass(1),
        }
    }

    /// Passes over characters that belong to no number (`NUM_eat_non_data_chars`).
    fn pass(&mut self, count: usize) {
        for _ in 0..count {
            match self.next() {
                Some(next) if !"0123456789.,+-".contains(next) => self.at += 1,
                _ => break,
            }
        }
    }

    fn digit(&mut self, sign: Sign) {
        if self.next() == Some(' ') {
            self.at += 1;
        }
        let is_first = self.digits.chars().all(|digit| digit == '.');
        if self.sign.is_none() && is_first && matches!(sign, Sign::Nine | Sign::Zero) {
            self.sign_before();
        }
        let Some(next) = self.next() else {
            return;
        };
        self.was_read = false;
        if next.is_ascii_digit() {
            if self.has_point && self.n_behind == self.numeral.behind {
                // The number goes on beyond the pattern.
                self.at -= 1;
                return;
            }
            self.digits.push(next);
            self.n_behind += usize::from(self.has_point);
            self.has_begun = true;
            self.was_read = true;
        } else if self.numeral.has_point && !self.has_point && next == '.' {
            self.digits.push('.');
            self.has_point = true;
            self.was_read = true;
        }
        self.sign_behind(next);
    }

    fn sign_before(&mut self) {
        let is_anchored = self.numeral.has_anchored_sign;
        if is_anchored && self.numeral.anchor != Anchor::Before {
            return;
        }
        let found = match self.next() {
            Some('-') => Some(true),
            Some('<') if self.numeral.has_brackets && !is_anchored => Some(true),
            Some('+') => Some(false),
            _ => None,
        };
        if found.is_some() {
            self.sign = found;
            self.at += 1;
        }
    }

    /// A sign that comes after the last digit: right behind it for `S`, anywhere for others.
    fn sign_behind(&mut self, next: char) {
        let has_digits = self.digits.chars().any(|digit| digit.is_ascii_digit());
        if self.sign.is_some() || !has_digits {
            return;
        }
        if self.numeral.has_anchored_sign && self.was_read {
            let behind = self.text.get(self.at + 1).copied();
            if let Some(found @ ('-' | '+')) = behind {
                self.sign = Some(found == '-');
                self.at += 1;
            }
        } else if !self.was_read
            && !self.numeral.has_anchored_sign
            && (self.numeral.has_plus || self.numeral.has_minus)
            && matches!(next, '-' | '+')
        {
            self.sign = Some(next == '-');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pattern: &str, expected: &str) {
        let numeral = Numeral::of(pattern).expect("the pattern is one");
        let found = read(text, &numeral).expect("it reads numbers");
        assert_eq!(found, expected, "{text} by {pattern}");
    }

    /// Results of PostgreSQL's own regression suite (`numeric`).
    #[test]
    fn numbers_are_read_as_postgres_does() {
        check("-34,338,492", "99G999G999", "-34338492");
        check(
            "-34,338,492.654,878",
            "99G999G999D999G999",
            "-34338492.654878",
        );
        check("<564646.654564>", "999999.999999PR", "-564646.654564");
        check("0.00001-", "9.999999S", "-0.00001");
        check("5.01-", "FM9.999999S", "-5.01");
        check("5.01-", "FM9.999999MI", "-5.01");
        check("5 4 4 4 4 8 . 7 8", "9 9 9 9 9 9 . 9 9", "544448.78");
        check(".01", "FM9.99", ".01");
        check(".0", "99999999.99999999", ".0");
        check("0", "99.99", "0");
        check(".-01", "S99.99", "-.01");
        check(".01-", "99.99S", "-.01");
        check(" . 0 1-", " 9 9 . 9 9 S", "-.01");
        check("34,50", "999,99", "3450");
        check("1234.56", "L99,999.99", "1234.56");
        check(
            "$1,234.56",
            "L99,999.99",
            "1,234.56".replace(',', "").as_str(),
        );
        check("42nd", "99th", "42");
    }
}
