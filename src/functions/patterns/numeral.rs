//! The patterns of numbers, taken apart and checked (`parse_format` and `NUMDesc_prepare` in
//! formatting.c).

use crate::error::{Error, ErrorKind, Result};

/// What a keyword of a number's pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    Comma,
    Point,
    Zero,
    Nine,
    Blank,
    LocalePoint,
    Exponent,
    Fill,
    Group,
    Currency,
    Minus,
    Plus,
    Brackets,
    Roman,
    RomanLower,
    PlusMinus,
    Anchored,
    OrdinalUpper,
    OrdinalLower,
    Shift,
    /// Known, and without meaning: `C`, `SP`.
    Nothing,
}

/// A part of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Sign(Sign),
    Character(char),
}

/// Where the sign of `S` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Anchor {
    #[default]
    None,
    Before,
    Behind,
}

/// What a pattern says of the number as a whole.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "they are the flags of NUMDesc, and as independent"
)]
pub(super) struct Numeral {
    pub(super) items: Vec<Item>,
    /// Digits before the point.
    pub(super) before: usize,
    /// Digits behind the point.
    pub(super) behind: usize,
    pub(super) anchor: Anchor,
    /// Digits before an `S`.
    pub(super) before_anchor: usize,
    /// Digits behind `V`.
    pub(super) shift: usize,
    /// The place of the first `0`, from 1; 0 if there is none.
    pub(super) first_zero: usize,
    /// The place of the last `0`.
    pub(super) last_zero: usize,
    pub(super) has_point: bool,
    pub(super) has_anchored_sign: bool,
    pub(super) has_minus: bool,
    pub(super) has_plus: bool,
    pub(super) has_brackets: bool,
    pub(super) has_zero: bool,
    pub(super) is_blank: bool,
    pub(super) is_filled: bool,
    pub(super) is_roman: bool,
    pub(super) is_shifted: bool,
    pub(super) is_scientific: bool,
}

#[rustfmt::skip] // A table.
const KEYWORDS: &[(&str, Sign)] = &[
    (",", Sign::Comma), (".", Sign::Point), ("0", Sign::Zero), ("9", Sign::Nine), ("B", Sign::Blank),
    ("C", Sign::Nothing), ("D", Sign::LocalePoint), ("EEEE", Sign::Exponent), ("FM", Sign::Fill),
    ("G", Sign::Group), ("L", Sign::Currency), ("MI", Sign::Minus), ("PL", Sign::Plus),
    ("PR", Sign::Brackets), ("RN", Sign::Roman), ("SG", Sign::PlusMinus), ("SP", Sign::Nothing),
    ("S", Sign::Anchored), ("TH", Sign::OrdinalUpper), ("V", Sign::Shift),
    ("b", Sign::Blank), ("c", Sign::Nothing), ("d", Sign::LocalePoint), ("eeee", Sign::Exponent),
    ("fm", Sign::Fill), ("g", Sign::Group), ("l", Sign::Currency), ("mi", Sign::Minus),
    ("pl", Sign::Plus), ("pr", Sign::Brackets), ("rn", Sign::RomanLower), ("sg", Sign::PlusMinus),
    ("sp", Sign::Nothing), ("s", Sign::Anchored), ("th", Sign::OrdinalLower), ("v", Sign::Shift),
];

impl Numeral {
    /// Takes a pattern apart.
    ///
    /// # Errors
    /// Keywords that do not go together.
    pub(super) fn of(pattern: &str) -> Result<Self> {
        let mut numeral = Self::default();
        let mut rest = pattern;
        while !rest.is_empty() {
            let known = KEYWORDS.iter().find(|(name, _)| rest.starts_with(name));
            if let Some((name, sign)) = known {
                rest = &rest[name.len()..];
                numeral.add(*sign)?;
                numeral.items.push(Item::Sign(*sign));
                continue;
            }
            if let Some(quoted) = rest.strip_prefix('"') {
                rest = numeral.quoted(quoted);
                continue;
            }
            rest = match rest.starts_with("\\\"") {
                true => &rest[1..],
                false => rest,
            };
            let mut characters = rest.chars();
            numeral.items.extend(characters.next().map(Item::Character));
            rest = characters.as_str();
        }
        Ok(numeral)
    }

    fn quoted<'a>(&mut self, quoted: &'a str) -> &'a str {
        let mut characters = quoted.chars();
        while let Some(character) = characters.next() {
            match character {
                '"' => break,
                '\\' => self.items.extend(characters.next().map(Item::Character)),
                other => self.items.push(Item::Character(other)),
            }
        }
        characters.as_str()
    }

    fn add(&mut self, sign: Sign) -> Result<()> {
        if self.is_scientific && sign != Sign::Exponent {
            return Err(wrong("\"EEEE\" must be the last pattern used"));
        }
        match sign {
            Sign::Nine | Sign::Zero => self.digit(sign)?,
            Sign::Blank if self.before == 0 && self.behind == 0 && !self.has_zero => {
                self.is_blank = true;
            }
            Sign::Point | Sign::LocalePoint => {
                if self.has_point {
                    return Err(wrong("multiple decimal points"));
                }
                if self.is_shifted {
                    return Err(wrong("cannot use \"V\" and decimal point together"));
                }
                self.has_point = true;
            }
            Sign::Fill => self.is_filled = true,
            Sign::Anchored | Sign::Minus | Sign::Plus | Sign::PlusMinus | Sign::Brackets => {
                self.sign(sign)?;
            }
            Sign::Roman | Sign::RomanLower => self.is_roman = true,
            Sign::Shift => {
                if self.has_point {
                    return Err(wrong("cannot use \"V\" and decimal point together"));
                }
                self.is_shifted = true;
            }
            Sign::Exponent => self.exponent()?,
            _ => {}
        }
        Ok(())
    }

    fn digit(&mut self, sign: Sign) -> Result<()> {
        if self.has_brackets {
            let digit = if sign == Sign::Nine { '9' } else { '0' };
            return Err(wrong(&format!("\"{digit}\" must be ahead of \"PR\"")));
        }
        if sign == Sign::Nine {
            match (self.is_shifted, self.has_point) {
                (true, _) => self.shift += 1,
                (false, true) => self.behind += 1,
                (false, false) => self.before += 1,
            }
            return Ok(());
        }
        if !self.has_zero && !self.has_point {
            self.has_zero = true;
            self.first_zero = self.before + 1;
        }
        match self.has_point {
            true => self.behind += 1,
            false => self.before += 1,
        }
        self.last_zero = self.before + self.behind;
        Ok(())
    }

    fn sign(&mut self, sign: Sign) -> Result<()> {
        let together = |name: &str, others: &str| {
            Err(wrong(&format!(
                "cannot use \"{name}\" and {others} together"
            )))
        };
        match sign {
            Sign::Anchored => {
                if self.has_anchored_sign {
                    return Err(wrong("cannot use \"S\" twice"));
                }
                if self.has_plus || self.has_minus || self.has_brackets {
                    return together("S", "\"PL\"/\"MI\"/\"SG\"/\"PR\"");
                }
                self.has_anchored_sign = true;
                if self.has_point {
                    self.anchor = Anchor::Behind;
                } else {
                    self.anchor = Anchor::Before;
                    self.before_anchor = self.before;
                }
            }
            Sign::Brackets => {
                if self.has_anchored_sign || self.has_plus || self.has_minus {
                    return together("PR", "\"S\"/\"PL\"/\"MI\"/\"SG\"");
                }
                self.has_brackets = true;
            }
            other => {
                if self.has_anchored_sign {
                    let name = match other {
                        Sign::Minus => "MI",
                        Sign::Plus => "PL",
                        _ => "SG",
                    };
                    return Err(wrong(&format!("cannot use \"S\" and \"{name}\" together")));
                }
                self.has_minus |= other != Sign::Plus;
                self.has_plus |= other != Sign::Minus;
            }
        }
        Ok(())
    }

    fn exponent(&mut self) -> Result<()> {
        if self.is_scientific {
            return Err(wrong("cannot use \"EEEE\" twice"));
        }
        let has_others = self.is_blank
            || self.is_filled
            || self.has_anchored_sign
            || self.has_brackets
            || self.has_minus
            || self.has_plus
            || self.is_roman
            || self.is_shifted;
        if has_others {
            let error = wrong("\"EEEE\" is incompatible with other formats");
            return Err(error.with_detail(
                "\"EEEE\" may only be used together with digit and decimal point patterns.",
            ));
        }
        self.is_scientific = true;
        Ok(())
    }
}

/// A pattern that there cannot be.
fn wrong(message: &str) -> Error {
    Error::new(ErrorKind::SyntaxError, message)
}
