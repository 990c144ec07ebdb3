//! Where the lines of a text begin: the parser counts lines and columns, PostgreSQL's clients
//! characters, and Rust bytes.

use std::sync::Arc;

use datafusion::sql::sqlparser::tokenizer::Location;

/// Where the lines of a message begin. The parser counts lines and columns, PostgreSQL's
/// clients characters from the message's start.
#[derive(Debug)]
pub struct Lines {
    /// Characters and bytes before each line.
    starts: Vec<(usize, usize)>,
    /// Characters of the whole.
    n_chars: usize,
}

impl Lines {
    /// The lines of a text.
    pub fn of(text: &str) -> Arc<Self> {
        let mut starts = vec![(0, 0)];
        let n_chars = text.chars().count();
        for (n_before, (byte, character)) in text.char_indices().enumerate() {
            if character == '\n' {
                starts.push((n_before + 1, byte + 1));
            }
        }
        Arc::new(Self { starts, n_chars })
    }

    fn start(&self, location: Location) -> (usize, usize) {
        let line = usize::try_from(location.line.saturating_sub(1)).unwrap_or(usize::MAX);
        let last = self.starts.len() - 1;
        self.starts[line.min(last)]
    }

    /// The character of a place, counted from 1.
    pub fn position(&self, location: Location) -> usize {
        let column = usize::try_from(location.column).unwrap_or(1);
        self.start(location).0 + column.max(1)
    }

    /// The place behind the last character, counted from 1: where PostgreSQL's scanner finds the
    /// end of input.
    pub fn end(&self) -> usize {
        self.n_chars + 1
    }

    /// The byte of a place in `text`.
    pub fn byte(&self, text: &str, location: Location) -> usize {
        let (_, line) = self.start(location);
        let n_chars = usize::try_from(location.column.saturating_sub(1)).unwrap_or(usize::MAX);
        text[line..]
            .char_indices()
            .nth(n_chars)
            .map_or(text.len(), |(byte, _)| line + byte)
    }
}
