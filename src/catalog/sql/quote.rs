//! Names and texts as SQL spells them.

/// Words that PostgreSQL quotes although their letters need no quotes: all its keywords that are
/// not "unreserved" (`SELECT word FROM pg_get_keywords() WHERE catcode <> 'U'`).
const KEYWORDS: &str = include_str!("keywords.txt");

/// As `quote_identifier` in ruleutils.c.
pub fn identifier(name: &str) -> String {
    let mut letters = name.bytes();
    let starts = letters
        .next()
        .is_some_and(|first| first.is_ascii_lowercase() || first == b'_');
    let plain =
        |letter: u8| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == b'_';
    if starts && letters.all(plain) && !KEYWORDS.lines().any(|word| word == name) {
        return name.to_owned();
    }
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// As `quote_literal_internal` in quote.c.
pub fn literal(text: &str) -> String {
    let escape = if text.contains('\\') { "E" } else { "" };
    let body = text.replace('\'', "''").replace('\\', "\\\\");
    format!("{escape}'{body}'")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_quoted_as_postgres_does() {
        for (name, expected) in [
            ("orders", "orders"),
            ("Orders", "\"Orders\""),
            ("a b", "\"a b\""),
            ("1a", "\"1a\""),
            ("", "\"\""),
            ("select", "\"select\""),
            ("a\"b", "\"a\"\"b\""),
            ("date", "date"),
        ] {
            assert_eq!(identifier(name), expected);
        }
    }
}
