//! Names and texts as sources read them: nothing gets into remote SQL but through these functions.

/// A name between double quotes, as SQL has it everywhere.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A text as a constant. A backslash is itself: PostgreSQL is told so by the session's
/// `standard_conforming_strings`, SQLite knows nothing else.
pub(super) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_name_or_a_text_early() {
        assert_eq!(identifier("a\"; drop b; --"), "\"a\"\"; drop b; --\"");
        assert_eq!(identifier("a\\b\n"), "\"a\\b\n\"");
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("\\'; drop b; --"), "'\\''; drop b; --'");
        assert_eq!(literal("$$"), "'$$'");
    }
}
