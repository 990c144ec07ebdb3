//! PostgreSQL's names of encodings.

/// An encoding of PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// The one of every text here.
    Utf8,
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
            other => OTHERS.contains(&other).then_some(Self::Other),
        }
    }
}

/// Encodings other than UTF-8, without signs (`pg_encname_tbl` in encnames.c).
const OTHERS: &[&str] = &[
    "sqlascii",
    "latin1",
    "latin2",
    "latin3",
    "latin4",
    "latin5",
    "latin6",
    "latin7",
    "latin8",
    "latin9",
    "latin10",
    "iso88591",
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
