//! Reads JSON texts where they lie: checks them, and visits their parts without building trees.
//!
//! Follows jsonapi.c of PostgreSQL 16, so that a text is taken or refused as there.

use crate::error::{Error, ErrorKind, Result};

/// How deep arrays and objects may lie in each other. PostgreSQL ends where its stack does.
const NESTING_MAX: usize = 1000;

/// What a JSON value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

/// Whether strings are looked into. PostgreSQL does so only where it needs what they say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strings {
    /// An escape need only be well formed.
    AsWritten,
    /// Escapes must stand for letters.
    Decoded,
}

/// A place in a JSON text.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    strings: Strings,
}

/// The kind of a checked text.
pub(super) fn kind(text: &str) -> Kind {
    match text.trim_start_matches(is_space).bytes().next() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::String,
        Some(b't' | b'f') => Kind::Boolean,
        Some(b'n') | None => Kind::Null,
        Some(_) => Kind::Number,
    }
}

/// JSON's white space, which is less than Unicode's.
pub(super) fn is_space(letter: char) -> bool {
    matches!(letter, ' ' | '\t' | '\n' | '\r')
}

/// Checks a whole text.
///
/// # Errors
/// It is not JSON.
pub(super) fn check(text: &str, strings: Strings) -> Result<()> {
    whole(text, strings, |reader| reader.value(0).map(|_| ()))
}

/// Visits the members of an object, in their order: key as written, value.
///
/// # Errors
/// The text is not an object, or the visitor fails.
pub(super) fn members<'a>(
    text: &'a str,
    strings: Strings,
    visit: &mut dyn FnMut(&'a str, &'a str) -> Result<()>,
) -> Result<()> {
    whole(text, strings, |reader| reader.object(0, visit))
}

/// Visits the elements of an array.
///
/// # Errors
/// The text is not an array, or the visitor fails.
pub(super) fn elements<'a>(
    text: &'a str,
    strings: Strings,
    visit: &mut dyn FnMut(&'a str) -> Result<()>,
) -> Result<()> {
    whole(text, strings, |reader| reader.array(0, visit))
}

fn whole<'a>(
    text: &'a str,
    strings: Strings,
    read: impl FnOnce(&mut Reader<'a>) -> Result<()>,
) -> Result<()> {
    let mut reader = Reader {
        text,
        at: 0,
        strings,
    };
    reader.skip_space();
    read(&mut reader)?;
    reader.skip_space();
    match reader.peek() {
        None => Ok(()),
        Some(_) => Err(invalid()),
    }
}

/// The letters that a string in quotes stands for.
///
/// # Errors
/// An escape that stands for no letter, or for one that text cannot hold.
pub(super) fn unquoted(token: &str) -> Result<String> {
    let inner = token
        .get(1..token.len().saturating_sub(1))
        .unwrap_or_default();
    let mut letters = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((plain, escaped)) = rest.split_once('\\') {
        letters.push_str(plain);
        let (letter, length) = escape(escaped)?;
        letters.push(letter);
        rest = &escaped[length..];
    }
    letters.push_str(rest);
    Ok(letters)
}

/// The letter of an escape, and how many bytes behind the backslash it takes.
fn escape(text: &str) -> Result<(char, usize)> {
    let letter = match text.bytes().next() {
        Some(b'"') => '"',
        Some(b'\\') => '\\',
        Some(b'/') => '/',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'n') => '\n',
        Some(b'r') => '\r',
        Some(b't') => '\t',
        Some(b'u') => return unicode_escape(text),
        _ => return Err(invalid()),
    };
    Ok((letter, 1))
}

fn unicode_escape(text: &str) -> Result<(char, usize)> {
    let unit = |start: usize| -> Option<u32> {
        let digits = text.get(start..start + 4)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain
            .then(|| u32::from_str_radix(digits, 16).ok())
            .flatten()
    };
    let first = unit(1).ok_or_else(invalid)?;
    match first {
        0 => Err(Error::new(
            ErrorKind::UntranslatableCharacter,
            "unsupported Unicode escape sequence",
        )
        .with_detail("\\u0000 cannot be converted to text.")),
        0xd800..=0xdbff => match text.get(5..7) {
            Some("\\u") => match unit(7).ok_or_else(invalid)? {
                second @ 0xdc00..=0xdfff => {
                    let code = 0x10000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
                    let letter = char::from_u32(code).ok_or_else(invalid)?;
                    Ok((letter, 11))
                }
                0xd800..=0xdbff => Err(invalid()
                    .with_detail("Unicode high surrogate must not follow a high surrogate.")),
                _ => Err(lone_surrogate()),
            },
            _ => Err(lone_surrogate()),
        },
        _ => match char::from_u32(first) {
            Some(letter) => Ok((letter, 5)),
            None => Err(lone_surrogate()),
        },
    }
}

fn lone_surrogate() -> Error {
    invalid().with_detail("Unicode low surrogate must follow a high surrogate.")
}

/// The error of a text that is not JSON; PostgreSQL says the same of jsonb.
pub(super) fn invalid() -> Error {
    Error::new(
        ErrorKind::InvalidTextRepresentation,
        "invalid input syntax for type json",
    )
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while self.peek().is_some_and(|byte| is_space(char::from(byte))) {
            self.at += 1;
        }
    }

    /// Goes past a sign and the space behind it, if it is there.
    fn take(&mut self, sign: u8) -> bool {
        let there = self.peek() == Some(sign);
        if there {
            self.at += 1;
            self.skip_space();
        }
        there
    }

    fn expect(&mut self, sign: u8) -> Result<()> {
        match self.take(sign) {
            true => Ok(()),
            false => Err(invalid()),
        }
    }

    /// Goes past a value; gives it as written.
    fn value(&mut self, depth: usize) -> Result<&'a str> {
        let start = self.at;
        match self.peek() {
            Some(b'{') => self.object(depth, &mut |_, _| Ok(()))?,
            Some(b'[') => self.array(depth, &mut |_| Ok(()))?,
            Some(b'"') => self.string().map(|_| ())?,
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ => self.word()?,
        }
        Ok(&self.text[start..self.at])
    }

    fn object(
        &mut self,
        depth: usize,
        visit: &mut dyn FnMut(&'a str, &'a str) -> Result<()>,
    ) -> Result<()> {
        check_depth(depth)?;
        self.expect(b'{')?;
        let mut first = true;
        while self.peek() != Some(b'}') {
            if !first {
                self.expect(b',')?;
            }
            first = false;
            let key = self.string()?;
            self.skip_space();
            self.expect(b':')?;
            let value = self.value(depth + 1)?;
            self.skip_space();
            visit(key, value)?;
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize, visit: &mut dyn FnMut(&'a str) -> Result<()>) -> Result<()> {
        check_depth(depth)?;
        self.expect(b'[')?;
        let mut first = true;
        while self.peek() != Some(b']') {
            if !first {
                self.expect(b',')?;
            }
            first = false;
            let value = self.value(depth + 1)?;
            self.skip_space();
            visit(value)?;
        }
        self.at += 1;
        Ok(())
    }

    /// Goes past a string; gives it with its quotes.
    fn string(&mut self) -> Result<&'a str> {
        let start = self.at;
        if self.peek() != Some(b'"') {
            return Err(invalid());
        }
        self.at += 1;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => self.escape()?,
                None | Some(0..=0x1f) => return Err(invalid()),
                Some(_) => self.at += 1,
            }
        }
        self.at += 1;
        let token = &self.text[start..self.at];
        if self.strings == Strings::Decoded && token.contains('\\') {
            unquoted(token)?;
        }
        Ok(token)
    }

    fn escape(&mut self) -> Result<()> {
        self.at += 1;
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(invalid());
                }
                self.at += 5;
            }
            _ => return Err(invalid()),
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        match self.at > start {
            true => Ok(()),
            false => Err(invalid()),
        }
    }

    fn number(&mut self) -> Result<()> {
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        match self.peek() {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    fn word(&mut self) -> Result<()> {
        let rest = &self.text[self.at..];
        let words = ["true", "false", "null"];
        let word = words.iter().find(|word| rest.starts_with(**word));
        self.at += word.ok_or_else(invalid)?.len();
        // `nullx` and `true1` are words of their own.
        match self.peek() {
            Some(byte) if byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80 => {
                Err(invalid())
            }
            _ => Ok(()),
        }
    }
}

fn check_depth(depth: usize) -> Result<()> {
    if depth < NESTING_MAX {
        return Ok(());
    }
    let message = "json is too deeply nested";
    Err(Error::new(ErrorKind::StatementTooComplex, message)
        .with_detail(format!("The limit is {NESTING_MAX} levels.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_valid(text: &str, expected: bool) {
        let found = check(text, Strings::AsWritten).is_ok();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn takes_json_and_nothing_else() {
        for text in ["1", " -0.5e+3 ", "\"\\u0000\"", "[1, {\"a\":null}]", "{}"] {
            check_valid(text, true);
        }
        for text in [
            "", "01", "1.", ".5", "+1", "nul", "nullx", "[1,]", "{\"a\"}", "{a:1}", "\"\n\"", "1 2",
        ] {
            check_valid(text, false);
        }
    }
}
