//! Regular expressions of PostgreSQL in the syntax of the crate that runs them.
//! <https://www.postgresql.org/docs/16/functions-matching.html#FUNCTIONS-POSIX-REGEXP>
//!
//! What that crate cannot do is refused: back references and constraints that look around.

use crate::error::{Error, ErrorKind, Pattern, Result};

/// The most repetitions that a quantifier counts (`DUPMAX` in regguts.h).
const REPETITIONS_MAX: u32 = 255;

/// What the letters of a `flags` argument say (`parse_re_flags` in regexp.c).
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a letter of its own")]
pub(super) struct Flags {
    pub(super) is_global: bool,
    ignores_case: bool,
    /// Newlines end what `.` and `[^x]` match.
    stops_at_newlines: bool,
    /// `^` and `$` match at newlines.
    anchors_at_newlines: bool,
    is_literal: bool,
}

impl Flags {
    /// Reads the letters.
    ///
    /// # Errors
    /// There is no such letter, or it is of a syntax that is not known here.
    pub(super) fn of(letters: &str) -> Result<Self> {
        let mut flags = Self {
            is_global: false,
            ignores_case: false,
            stops_at_newlines: false,
            anchors_at_newlines: false,
            is_literal: false,
        };
        for letter in letters.chars() {
            match letter {
                'g' => flags.is_global = true,
                'i' => flags.ignores_case = true,
                'c' => flags.ignores_case = false,
                'm' | 'n' => {
                    flags.stops_at_newlines = true;
                    flags.anchors_at_newlines = true;
                }
                'p' => {
                    flags.stops_at_newlines = true;
                    flags.anchors_at_newlines = false;
                }
                's' => {
                    flags.stops_at_newlines = false;
                    flags.anchors_at_newlines = false;
                }
                'w' => {
                    flags.stops_at_newlines = false;
                    flags.anchors_at_newlines = true;
                }
                'q' => flags.is_literal = true,
                't' => {}
                'b' | 'e' | 'x' => {
                    let what = format!("the regular expression option \"{letter}\"");
                    return Err(Error::unsupported(what));
                }
                other => {
                    let message = format!("invalid regular expression option: \"{other}\"");
                    return Err(Error::new(ErrorKind::InvalidParameterValue, message));
                }
            }
        }
        Ok(flags)
    }
}

/// A pattern in the other syntax, and whether it prefers the longest match: the quantifier that comes
/// first says so, and alternatives always do.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) text: String,
    pub(super) is_greedy: bool,
}

/// Writes a pattern in the syntax of the crate `regex`.
///
/// # Errors
/// PostgreSQL's for what is no regular expression; `FeatureNotSupported` for what cannot be run.
pub(super) fn written(pattern: &str, flags: &Flags) -> Result<Written> {
    let letters = [
        (flags.ignores_case, 'i'),
        (!flags.stops_at_newlines, 's'),
        (flags.anchors_at_newlines, 'm'),
    ];
    let letters: String = letters
        .iter()
        .filter_map(|(is_set, letter)| is_set.then_some(*letter))
        .collect();
    let prefix = match letters.as_str() {
        "" => String::new(),
        letters => format!("(?{letters})"),
    };
    if flags.is_literal {
        return Ok(Written {
            text: format!("{prefix}{}", regex::escape(pattern)),
            is_greedy: true,
        });
    }
    if pattern.starts_with("***") {
        return Err(Error::unsupported("a regular expression with a director"));
    }
    let mut writer = Writer {
        rest: pattern.chars().collect(),
        at: 0,
        out: prefix,
        flags,
    };
    let greediness = writer.alternatives(0)?;
    match writer.peek() {
        None => Ok(Written {
            text: writer.out,
            is_greedy: greediness.unwrap_or(true),
        }),
        Some(_) => Err(invalid("parentheses () not balanced")),
    }
}

fn invalid(what: &str) -> Error {
    let message = format!("invalid regular expression: {what}");
    Error::new(ErrorKind::InvalidPattern(Pattern::Regular), message)
}

/// Whether a part prefers long matches or short ones; `None` where it matches one length only.
type Greediness = Option<bool>;

struct Writer<'a> {
    rest: Vec<char>,
    at: usize,
    out: String,
    flags: &'a Flags,
}

/// Levels of parentheses.
const DEPTH_MAX: usize = 100;

impl Writer<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.get(self.at).copied()
    }

    fn looks_at(&self, text: &str) -> bool {
        let here = self.rest[self.at.min(self.rest.len())..].iter().copied();
        here.take(text.len()).eq(text.chars())
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek();
        self.at += usize::from(next.is_some());
        next
    }

    fn alternatives(&mut self, depth: usize) -> Result<Greediness> {
        if depth > DEPTH_MAX {
            return Err(invalid("regular expression is too complex"));
        }
        let mut greediness = self.branch(depth)?;
        while self.peek() == Some('|') {
            self.at += 1;
            self.out.push('|');
            self.branch(depth)?;
            greediness = Some(true);
        }
        Ok(greediness)
    }

    fn branch(&mut self, depth: usize) -> Result<Greediness> {
        let mut greediness = None;
        while let Some(next) = self.peek() {
            if matches!(next, '|' | ')') {
                break;
            }
            let start = self.out.len();
            let (of_atom, is_constraint) = self.atom(depth)?;
            let of_piece = self.quantified(start, of_atom, is_constraint)?;
            greediness = greediness.or(of_piece);
        }
        Ok(greediness)
    }

    /// An atom or a constraint, and which of them it is.
    fn atom(&mut self, depth: usize) -> Result<(Greediness, bool)> {
        match self.next() {
            Some('(') => self.group(depth).map(|greediness| (greediness, false)),
            Some('[') if self.looks_at("[:<:]]") => self.word_end("\\b{start}", 6),
            Some('[') if self.looks_at("[:>:]]") => self.word_end("\\b{end}", 6),
            Some('[') => self.bracket().map(|()| (None, false)),
            Some('.') => {
                self.out.push('.');
                Ok((None, false))
            }
            Some(anchor @ ('^' | '$')) => {
                self.out.push(anchor);
                Ok((None, true))
            }
            Some('\\') => self.escape().map(|is_constraint| (None, is_constraint)),
            Some('*' | '+' | '?') => Err(invalid("quantifier operand invalid")),
            Some('{') if self.peek().is_some_and(|it| it.is_ascii_digit()) => {
                Err(invalid("quantifier operand invalid"))
            }
            Some(other) => {
                self.out
                    .push_str(&regex::escape(other.encode_utf8(&mut [0; 4])));
                Ok((None, false))
            }
            None => Ok((None, false)),
        }
    }

    fn word_end(&mut self, written: &str, length: usize) -> Result<(Greediness, bool)> {
        self.at += length;
        self.out.push_str(written);
        Ok((None, true))
    }

    fn group(&mut self, depth: usize) -> Result<Greediness> {
        if self.looks_at("?:") {
            self.at += 2;
            self.out.push_str("(?:");
        } else if self.looks_at("?=") || self.looks_at("?!") || self.looks_at("?<") {
            return Err(Error::unsupported("a regular expression that looks around"));
        } else if self.looks_at("?") {
            return Err(Error::unsupported("options inside of a regular expression"));
        } else {
            self.out.push('(');
        }
        let greediness = self.alternatives(depth + 1)?;
        match self.next() {
            Some(')') => {
                self.out.push(')');
                Ok(greediness)
            }
            _ => Err(invalid("parentheses () not balanced")),
        }
    }

    /// What is behind an atom: how often it is repeated.
    fn quantified(
        &mut self,
        start: usize,
        of_atom: Greediness,
        is_constraint: bool,
    ) -> Result<Greediness> {
        let (quantifier, is_fixed) = match self.peek() {
            Some(sign @ ('*' | '+' | '?')) => {
                self.at += 1;
                (sign.to_string(), false)
            }
            Some('{') => {
                let digit = self.rest.get(self.at + 1);
                if !digit.is_some_and(char::is_ascii_digit) {
                    return Ok(of_atom);
                }
                self.at += 1;
                self.bounds()?
            }
            _ => return Ok(of_atom),
        };
        if is_constraint {
            return Err(invalid("quantifier operand invalid"));
        }
        let is_short = self.peek() == Some('?');
        self.at += usize::from(is_short);
        if matches!(self.peek(), Some('*' | '+' | '?')) {
            return Err(invalid("quantifier operand invalid"));
        }
        // Whose preference holds inside is another matter than in the crate.
        let own = if is_fixed { of_atom } else { Some(!is_short) };
        if of_atom.is_some() && own != of_atom {
            return Err(Error::unsupported(
                "a regular expression that repeats greedy and non-greedy parts within each other",
            ));
        }
        let atom = self.out.split_off(start);
        self.out.push_str(&format!("(?:{atom}){quantifier}"));
        if is_short && !is_fixed {
            self.out.push('?');
        }
        Ok(own)
    }

    /// `m}`, `m,}` or `m,n}`, and whether it is one number alone.
    fn bounds(&mut self) -> Result<(String, bool)> {
        let mut inner = String::new();
        loop {
            match self.next() {
                Some('}') => break,
                Some(it @ ('0'..='9' | ',')) => inner.push(it),
                _ => return Err(invalid("invalid repetition count(s)")),
            }
        }
        let number = |text: &str| {
            let number = text.parse::<u32>().ok();
            number.filter(|number| *number <= REPETITIONS_MAX)
        };
        let is_valid = match inner.split_once(',') {
            None => number(&inner).is_some(),
            Some((least, "")) => number(least).is_some(),
            Some((least, most)) => {
                let (least, most) = (number(least), number(most));
                least.is_some() && most.is_some() && least <= most
            }
        };
        match is_valid {
            true => Ok((format!("{{{inner}}}"), !inner.contains(','))),
            false => Err(invalid("invalid repetition count(s)")),
        }
    }

    /// What follows a backslash; whether it is a constraint.
    fn escape(&mut self) -> Result<bool> {
        let Some(letter) = self.next() else {
            return Err(invalid("invalid escape \\ sequence"));
        };
        let constraint = match letter {
            'm' => Some("\\b{start}"),
            'M' => Some("\\b{end}"),
            'y' => Some("\\b"),
            'Y' => Some("\\B"),
            'A' => Some("\\A"),
            'Z' => Some("\\z"),
            _ => None,
        };
        if let Some(constraint) = constraint {
            self.out.push_str(constraint);
            return Ok(true);
        }
        if let class @ ('d' | 'D' | 's' | 'S' | 'w' | 'W') = letter {
            self.out.push('\\');
            self.out.push(class);
            return Ok(false);
        }
        if matches!(letter, '1'..='9') {
            return Err(Error::unsupported(
                "a back reference in a regular expression",
            ));
        }
        let character = self.character(letter)?;
        self.out
            .push_str(&regex::escape(character.encode_utf8(&mut [0; 4])));
        Ok(false)
    }

    /// The character that an escape stands for.
    fn character(&mut self, letter: char) -> Result<char> {
        let of_hex = |writer: &mut Self, n_digits: usize| {
            let mut value: u32 = 0;
            for _ in 0..n_digits {
                let digit = writer.next().and_then(|digit| digit.to_digit(16));
                let digit = digit.ok_or_else(|| invalid("invalid escape \\ sequence"))?;
                value = value.wrapping_mul(16).wrapping_add(digit);
            }
            char::from_u32(value).ok_or_else(|| invalid("invalid escape \\ sequence"))
        };
        Ok(match letter {
            'a' => '\u{7}',
            'b' => '\u{8}',
            'B' => '\\',
            'e' => '\u{1b}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'u' => of_hex(self, 4)?,
            'U' => of_hex(self, 8)?,
            'x' => of_hex(self, 2)?,
            other if other.is_ascii_alphanumeric() => {
                return Err(invalid("invalid escape \\ sequence"));
            }
            other => other,
        })
    }

    /// What follows `[`.
    fn bracket(&mut self) -> Result<()> {
        let is_negated = self.peek() == Some('^');
        self.at += usize::from(is_negated);
        self.out.push_str(if is_negated { "[^" } else { "[" });
        if is_negated && self.flags.stops_at_newlines {
            self.out.push_str("\\n");
        }
        let mut is_first = true;
        loop {
            match self.next() {
                None => return Err(invalid("brackets [] not balanced")),
                Some(']') if !is_first => break,
                Some('[') if self.looks_at(":") => self.class()?,
                Some('[') if self.looks_at(".") || self.looks_at("=") => {
                    return Err(Error::unsupported("a collating element"));
                }
                Some('-') => {
                    // Of a range, or itself at an end.
                    let is_last = self.peek() == Some(']');
                    self.out
                        .push_str(if is_first || is_last { "\\-" } else { "-" });
                }
                Some('\\') => match self.next() {
                    Some(class @ ('d' | 's' | 'w')) => {
                        self.out.push('\\');
                        self.out.push(class);
                    }
                    Some(letter) => {
                        let character = self.character(letter)?;
                        self.push_member(character);
                    }
                    None => return Err(invalid("brackets [] not balanced")),
                },
                Some(other) => self.push_member(other),
            }
            is_first = false;
        }
        self.out.push(']');
        Ok(())
    }

    fn push_member(&mut self, member: char) {
        // The crate's classes have operators that PostgreSQL's have not.
        if member.is_ascii_punctuation() {
            self.out.push('\\');
        }
        self.out.push(member);
    }

    /// `:alpha:]`, behind the bracket.
    fn class(&mut self) -> Result<()> {
        const CLASSES: [(&str, &str); 13] = [
            (":alnum:]", "\\p{Alphabetic}\\p{Nd}"),
            (":alpha:]", "\\p{Alphabetic}"),
            (":ascii:]", "\\x00-\\x7f"),
            (":blank:]", " \\t"),
            (":cntrl:]", "\\p{Cc}"),
            (":digit:]", "\\d"),
            (":graph:]", "!-~"),
            (":lower:]", "\\p{Lowercase}"),
            (":print:]", " -~"),
            (":punct:]", "!-/:-@\\[-`{-~"),
            (":space:]", "\\s"),
            (":upper:]", "\\p{Uppercase}"),
            (":xdigit:]", "0-9A-Fa-f"),
        ];
        let known = CLASSES.iter().find(|(name, _)| self.looks_at(name));
        let word = self.looks_at(":word:]").then_some(&(":word:]", "\\w"));
        let Some((name, members)) = known.or(word) else {
            return Err(invalid("invalid character class"));
        };
        self.at += name.len();
        self.out.push_str(members);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
