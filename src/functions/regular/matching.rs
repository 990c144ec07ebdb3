//! Where a regular expression matches: as early as it can, and there as long as it can, or as short as
//! it can, which the expression itself says. The crate's own matches end where its first alternative
//! does. <https://www.postgresql.org/docs/16/functions-matching.html#POSIX-MATCHING-RULES>

use std::sync::{Arc, Mutex, PoisonError};

use regex_automata::nfa::thompson::pikevm::{Builder, Cache, Config, PikeVM};
use regex_automata::{Anchored, Input, MatchKind};

use super::pattern::{Flags, written};
use crate::error::{Error, Result};

/// A span of bytes.
pub(super) type Span = (usize, usize);

/// A match: the whole and its groups, those that took no part being `None`.
#[derive(Clone, Debug)]
pub(super) struct Match {
    pub(super) whole: Span,
    pub(super) groups: Vec<Option<Span>>,
}

/// An expression that is ready to be run.
#[derive(Debug)]
pub(super) struct Expression {
    /// Finds where matches begin.
    first: regex::Regex,
    /// Finds where they end.
    ends: PikeVM,
    is_greedy: bool,
    n_groups: usize,
}

impl Expression {
    fn of(pattern: &str, flags: &Flags) -> Result<Self> {
        let written = written(pattern, flags)?;
        let too_complex = || Error::unsupported("a regular expression of this size");
        let first = regex::Regex::new(&written.text).map_err(|_| too_complex())?;
        let mut builder = Builder::new();
        builder.configure(Config::new().match_kind(MatchKind::All));
        let ends = builder.build(&written.text).map_err(|_| too_complex())?;
        let n_groups = first.captures_len() - 1;
        Ok(Self {
            first,
            ends,
            is_greedy: written.is_greedy,
            n_groups,
        })
    }

    /// How many groups it has.
    pub(super) fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Whether it matches anywhere.
    pub(super) fn is_match(&self, text: &str) -> bool {
        self.first.is_match(text)
    }

    /// The first match that begins at a byte or behind it.
    pub(super) fn find(&self, text: &str, at: usize) -> Option<Match> {
        if at > text.len() {
            return None;
        }
        let start = self.first.find_at(text, at)?.start();
        let input = Input::new(text)
            .span(start..text.len())
            .anchored(Anchored::Yes)
            .earliest(!self.is_greedy);
        let mut cache: Cache = self.ends.create_cache();
        let mut slots = vec![None; (self.n_groups + 1) * 2];
        self.ends.search_slots(&mut cache, &input, &mut slots)?;
        let mut spans = slots.chunks(2).map(|slots| match slots {
            [Some(start), Some(end)] => Some((start.get(), end.get())),
            _ => None,
        });
        let whole = spans.next().flatten()?;
        Some(Match {
            whole,
            groups: spans.collect(),
        })
    }

    /// The matches from a byte on, each behind the one before; one behind an empty match a character
    /// further (`setup_regexp_matches` in regexp.c).
    pub(super) fn matches<'a>(
        &'a self,
        text: &'a str,
        at: usize,
    ) -> impl Iterator<Item = Match> + 'a {
        let mut at = at;
        std::iter::from_fn(move || {
            let found = self.find(text, at)?;
            at = behind(text, found.whole);
            Some(found)
        })
    }
}

/// Where the search goes on behind a match.
pub(super) fn behind(text: &str, (start, end): Span) -> usize {
    match start == end {
        true => end + text[end..].chars().next().map_or(1, char::len_utf8),
        false => end,
    }
}

/// The expression that was used last, as the next row mostly uses it again.
#[derive(Debug, Default)]
pub(super) struct Last {
    kept: Mutex<Option<Kept>>,
}

#[derive(Clone, Debug)]
struct Kept {
    pattern: String,
    letters: String,
    flags: Flags,
    expression: Arc<Expression>,
}

impl Last {
    /// The expression of a pattern, and what its letters say.
    ///
    /// # Errors
    /// It is none, or cannot be run.
    pub(super) fn expression(
        &self,
        pattern: &str,
        letters: &str,
    ) -> Result<(Arc<Expression>, Flags)> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.as_ref()
            && kept.pattern == pattern
            && kept.letters == letters
        {
            return Ok((Arc::clone(&kept.expression), kept.flags.clone()));
        }
        let flags = Flags::of(letters)?;
        let expression = Arc::new(Expression::of(pattern, &flags)?);
        *kept = Some(Kept {
            pattern: pattern.to_owned(),
            letters: letters.to_owned(),
            flags: flags.clone(),
            expression: Arc::clone(&expression),
        });
        Ok((expression, flags))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, pattern: &str, expected: Option<&str>) {
        let (expression, _) = Last::default()
            .expression(pattern, "")
            .expect("the pattern is one");
        let found = expression.find(text, 0);
        let whole = found.map(|found| &text[found.whole.0..found.whole.1]);
        assert_eq!(whole, expected, "{pattern} in {text}");
    }

    #[test]
    fn matches_are_long_or_short_as_the_manual_says() {
        check("abcabcy", "abc|abcabc", Some("abcabc"));
        check("XY1234Z", "Y*([0-9]{1,3})", Some("Y123"));
        check("XY1234Z", "Y*?([0-9]{1,3})", Some("Y1"));
        check("ab", "(a?)(ab)?", Some("ab"));
        check("xyz", "q", None);
        check("xyz", "", Some(""));
    }
}
