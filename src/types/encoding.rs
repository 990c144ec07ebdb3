//! PostgreSQL's names of encodings.

/// An encoding of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The one of every text here.
    Utf8,
    /// No encoding: bytes are passed on as they are, which here are UTF-8's.
    SqlAscii,
    /// ISO 8859-1.
    Latin1,
    /// ISO 8859-15.
    Latin9,
    /// Any other.
    Other,
}

impl Encoding {
    /// The encoding of a name; `None` if PostgreSQL knows none such.
    pub fn of(name: &str) -> Option<Self> {
        // As pg_char_to_encoding: case, quotes and signs do not matter.
        let plain: String = name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|character| character.to_ascii_lowercase())
            .collect();
        match plain.as_str() {
            "utf8" | "unicode" => Some(Self::Utf8),
            "sqlascii" => Some(Self::SqlAscii),
            "latin1" | "iso88591" => Some(Self::Latin1),
            "latin9" | "iso885915" => Some(Self::Latin9),
            other => OTHERS.contains(&other).then_some(Self::Other),
        }
    }

    /// Its name, as SHOW prints it; empty for those that are only known to exist.
    pub fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "UTF8",
            Self::SqlAscii => "SQL_ASCII",
            Self::Latin1 => "LATIN1",
            Self::Latin9 => "LATIN9",
            Self::Other => "",
        }
    }

    /// Whether texts in it are the bytes of UTF-8.
    pub fn is_utf8(self) -> bool {
        matches!(self, Self::Utf8 | Self::SqlAscii | Self::Other)
    }

    /// The character of a byte, in an encoding that has one for each.
    pub fn character(self, byte: u8) -> char {
        let other = LATIN9.iter().find(|(of, _)| *of == byte);
        match (self, other) {
            (Self::Latin9, Some((_, character))) => *character,
            _ => char::from(byte),
        }
    }

    /// The byte of a character; `None` if the encoding does not have it.
    pub fn byte(self, character: char) -> Option<u8> {
        let byte = u8::try_from(character).ok();
        if self != Self::Latin9 {
            return byte;
        }
        match LATIN9.iter().find(|(_, of)| *of == character) {
            Some((byte, _)) => Some(*byte),
            None => byte.filter(|byte| LATIN9.iter().all(|(of, _)| of != byte)),
        }
    }
}

/// Where ISO 8859-15 is not ISO 8859-1.
const LATIN9: [(u8, char); 8] = [
    (0xa4, '\u{20ac}'),
    (0xa6, '\u{160}'),
    (0xa8, '\u{161}'),
    (0xb4, '\u{17d}'),
    (0xb8, '\u{17e}'),
    (0xbc, '\u{152}'),
    (0xbd, '\u{153}'),
    (0xbe, '\u{178}'),
];

/// Encodings other than UTF-8, without signs (`pg_encname_tbl` in encnames.c).
const OTHERS: &[&str] = &[
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin10",
    "iso88595",
    "iso88596",
    "iso88597",
    "iso88598",
    "win1250",
    "win1251",
    "win1252",
    "win1253",
    "win1254",
    "win1255",
    "win1256",
    "win1257",
    "win1258",
    "win866",
    "win874",
    "windows1252",
    "koi8r",
    "koi8u",
    "eucjp",
    "euckr",
    "euccn",
    "euctw",
    "sjis",
    "shiftjis",
    "big5",
    "gbk",
    "gb18030",
    "uhc",
    "johab",
    "muleinternal",
];
