//! The settings in the `options` of a start-up packet, which are written as on a command line.

use super::failure::Failure;
use crate::error::{Error, ErrorKind};

/// The settings of `-c name=value` and `--name=value`.
pub(super) fn command_line(options: &str) -> Result<Vec<(String, String)>, Failure> {
    let mut settings = Vec::new();
    let mut words = split_words(options).into_iter();
    while let Some(word) = words.next() {
        let assignment = match word.as_str() {
            "-c" => words.next().unwrap_or_default(),
            _ => match word.strip_prefix("--").or_else(|| word.strip_prefix("-c")) {
                Some(assignment) => assignment.to_owned(),
                None => return Err(bad_option(&word)),
            },
        };
        let (name, value) = assignment
            .split_once('=')
            .ok_or_else(|| bad_option(&assignment))?;
        settings.push((name.replace('-', "_"), value.to_owned()));
    }
    Ok(settings)
}

fn bad_option(option: &str) -> Failure {
    Error::new(
        ErrorKind::SyntaxError,
        format!("invalid command-line argument for server process: {option}"),
    )
    .into()
}

/// As `pg_split_opts`: words end at white space that has no backslash before it.
fn split_words(options: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = options.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => word.get_or_insert_default().extend(characters.next()),
            space if space.is_ascii_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_split_as_on_a_command_line() {
        let got = command_line("-c search_path=a\\ b -cjit=off --statement-timeout=5s").unwrap();
        let expected = [
            ("search_path", "a b"),
            ("jit", "off"),
            ("statement_timeout", "5s"),
        ];
        assert_eq!(
            got,
            expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
        );
        assert!(command_line("-d 5").is_err());
    }
}
