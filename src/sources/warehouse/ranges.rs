//! Parts of a large table, read side by side: whoever is done with one takes the next.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::error::{Error, ErrorKind, Result};

/// The parts that nobody has taken yet, in one run of a plan.
#[derive(Debug)]
pub(super) struct Ranges {
    conditions: Vec<String>,
    next: AtomicUsize,
    /// The partitions that have begun. None begins twice, for what it took is gone.
    begun: Mutex<HashSet<usize>>,
    /// Whether somebody reads, who waits for a connection and takes what the others leave.
    has_reader: AtomicBool,
    /// Whether the table is read at once instead.
    is_whole: OnceLock<bool>,
}

impl Ranges {
    /// Nothing is taken.
    pub(super) fn new(conditions: Vec<String>) -> Arc<Self> {
        Arc::new(Self {
            conditions,
            next: AtomicUsize::new(0),
            begun: Mutex::default(),
            has_reader: AtomicBool::new(false),
            is_whole: OnceLock::new(),
        })
    }

    /// All of them, for a plan that runs once more.
    pub(super) fn again(&self) -> Arc<Self> {
        Self::new(self.conditions.clone())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.conditions.len()
    }

    /// A partition begins; whether it is the first, which must read.
    ///
    /// # Errors
    /// It has begun before.
    pub(super) fn begin(&self, partition: usize) -> Result<bool> {
        let mut begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if !begun.insert(partition) {
            let message = "a part of a foreign table was read twice";
            return Err(Error::new(ErrorKind::InternalError, message));
        }
        Ok(!self.has_reader.swap(true, Ordering::Relaxed))
    }

    /// Whether the first partition reads all of the table at once, as whoever comes first decides.
    pub(super) fn is_whole(&self, decides: impl FnOnce() -> bool) -> bool {
        *self.is_whole.get_or_init(decides)
    }

    /// A part that nobody has taken.
    pub(super) fn next(&self) -> Option<&str> {
        let next = self.next.fetch_add(1, Ordering::Relaxed);
        self.conditions.get(next).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_taken_once() {
        let ranges = Ranges::new(vec!["a".to_owned(), "b".to_owned()]);
        assert!(ranges.begin(1).expect("it begins"));
        assert!(!ranges.begin(0).expect("it begins"));
        assert!(ranges.begin(1).is_err());
        assert!(!ranges.is_whole(|| false) && !ranges.is_whole(|| true));
        assert_eq!(
            (ranges.next(), ranges.next(), ranges.next()),
            (Some("a"), Some("b"), None)
        );
        assert_eq!(ranges.again().next(), Some("a"));
    }
}
