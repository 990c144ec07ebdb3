//! Keeps answers within a bound of bytes. What goes first saves least for the memory it takes.
//!
//! The order is that of "GreedyDual-Size with Frequency" (Cherkasova, 1998): an entry is worth what it saves a
//! byte, as often as it was given, on top of what the last that went was worth. So an entry that is
//! not asked for any more goes in the end, however dear it was.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::given::Form;
use super::held::{Held, written_bytes};
use super::key::CacheKey;

/// The answers that are kept. An entry never goes stale: other versions are another key. One that is
/// right for a day goes when the day ends.
#[derive(Debug, Default)]
pub(super) struct Store {
    entries: HashMap<CacheKey, Entry>,
    /// The entries in the order in which they go.
    order: BTreeSet<(Worth, CacheKey)>,
    n_bytes: usize,
    bytes_max: usize,
    /// What the last that went was worth.
    floor: f64,
}

#[derive(Debug)]
struct Entry {
    held: Arc<Held>,
    worth: Worth,
}

/// A number that is one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Worth(f64);

impl Eq for Worth {}

impl PartialOrd for Worth {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Worth {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

impl Store {
    /// A store of so many bytes at most.
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            bytes_max,
            ..Self::default()
        }
    }

    /// What is kept under a key and right now; it is given with this.
    pub(super) fn give(&mut self, key: &CacheKey, now: DateTime<Utc>) -> Option<Arc<Held>> {
        let is_right = self.entries.get(key)?.held.is_right_at(now);
        if !is_right {
            self.remove(key);
            return None;
        }
        let floor = self.floor;
        let entry = self.entries.get_mut(key)?;
        self.order.remove(&(entry.worth, *key));
        entry.worth = Worth(floor + entry.held.worth(entry.held.given()));
        self.order.insert((entry.worth, *key));
        Some(Arc::clone(&entry.held))
    }

    /// Whether something is kept under a key and right now.
    pub(super) fn has(&self, key: &CacheKey, now: DateTime<Utc>) -> bool {
        let entry = self.entries.get(key);
        entry.is_some_and(|entry| entry.held.is_right_at(now))
    }

    /// Keeps an answer, if what has to go for it is worth less; whether it is kept.
    pub(super) fn keep(&mut self, key: CacheKey, held: &Arc<Held>) -> bool {
        self.remove(&key);
        let worth = Worth(self.floor + held.worth(0));
        if !self.make_room(held.n_bytes(), worth, &key) {
            // What is kept grows old by what is turned away: else nothing new would ever come in.
            #[expect(clippy::cast_precision_loss, reason = "it is only compared")]
            let share = held.n_bytes() as f64 / self.bytes_max.max(1) as f64;
            self.floor += held.worth(0) * share.min(1.0);
            return false;
        }
        let held = Arc::clone(held);
        self.n_bytes += held.n_bytes();
        self.order.insert((worth, key));
        self.entries.insert(key, Entry { held, worth });
        true
    }

    /// Keeps how an answer was written in a form, if it is still kept itself, and what has to go for it is worth less.
    pub(super) fn keep_written(
        &mut self,
        key: &CacheKey,
        held: &Arc<Held>,
        form: Form,
        bytes: Bytes,
    ) {
        let entry = self.entries.get(key);
        let Some(entry) = entry.filter(|entry| Arc::ptr_eq(&entry.held, held)) else {
            return;
        };
        let worth = entry.worth;
        if self.make_room(written_bytes(&form, &bytes), worth, key) {
            self.n_bytes -= held.n_bytes();
            held.keep_written(form, bytes);
            self.n_bytes += held.n_bytes();
        }
    }

    /// Lets go what is worth less than this, others than `own`, until there is room for so many bytes more; whether there
    /// is. If not, all stays.
    fn make_room(&mut self, n_bytes: usize, worth: Worth, own: &CacheKey) -> bool {
        let mut going = Vec::new();
        let mut n_left = self.n_bytes;
        for (other, key) in self.order.iter().filter(|(_, key)| key != own) {
            if n_left + n_bytes <= self.bytes_max || *other > worth {
                break;
            }
            n_left -= self.entries[key].held.n_bytes();
            going.push(*key);
        }
        if n_left + n_bytes > self.bytes_max {
            return false;
        }
        for key in going {
            let gone = self.remove(&key);
            self.floor = gone.map_or(self.floor, |worth| worth.0);
        }
        true
    }

    /// Forgets all; how many there were.
    pub(super) fn clear(&mut self) -> usize {
        let n_entries = self.entries.len();
        *self = Self::new(self.bytes_max);
        n_entries
    }

    /// How many there are, and their bytes.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.n_bytes)
    }

    fn remove(&mut self, key: &CacheKey) -> Option<Worth> {
        let entry = self.entries.remove(key)?;
        self.order.remove(&(entry.worth, *key));
        self.n_bytes -= entry.held.n_bytes();
        Some(entry.worth)
    }
}

#[cfg(test)]
mod tests {
    use super::super::held::tests::held;
    use super::super::key::tests::key;
    use super::*;
    use crate::functions::output::Style;
    use crate::types::Encoding;

    /// Bytes of an answer of a thousand numbers, and some.
    const ONE: usize = 10 << 10;

    fn has(store: &Store, numbers: &[u8]) -> Vec<u8> {
        let numbers = numbers.iter().copied();
        numbers
            .filter(|number| store.has(&key(*number), Utc::now()))
            .collect()
    }

    #[test]
    fn what_saves_least_goes_first() {
        let mut store = Store::new(3 * ONE);
        for (number, cost) in [(1, 10), (2, 500), (3, 20)] {
            assert!(store.keep(key(number), &Arc::new(held(1000, cost))));
        }
        assert!(store.keep(key(4), &Arc::new(held(1000, 30))));
        assert_eq!(has(&store, &[1, 2, 3, 4]), [2, 3, 4]);
        // It is worth less than all that would have to go.
        assert!(!store.keep(key(5), &Arc::new(held(1000, 1))));
        assert_eq!(has(&store, &[2, 3, 4, 5]), [2, 3, 4]);
        let (n_entries, n_bytes) = store.size();
        assert_eq!(n_entries, 3);
        assert!(n_bytes <= 3 * ONE);
    }

    #[test]
    fn what_is_asked_for_stays() {
        let mut store = Store::new(2 * ONE);
        for number in [1, 2] {
            assert!(store.keep(key(number), &Arc::new(held(1000, 10))));
        }
        for _ in 0..5 {
            assert!(store.give(&key(1), Utc::now()).is_some());
        }
        assert!(store.keep(key(3), &Arc::new(held(1000, 10))));
        assert_eq!(has(&store, &[1, 2, 3]), [1, 3]);
    }

    #[test]
    fn what_was_dear_goes_when_nobody_asks_for_it() {
        let mut store = Store::new(2 * ONE);
        assert!(store.keep(key(0), &Arc::new(held(1000, 100))));
        for number in 1..200 {
            store.keep(key(number), &Arc::new(held(1000, 10)));
            store.give(&key(number), Utc::now());
        }
        assert_eq!(has(&store, &[0]), [0_u8; 0]);
    }

    fn form(are_binary: bool) -> Form {
        Form {
            are_binary: [are_binary].into(),
            style: Style::default(),
            encoding: Encoding::Utf8,
        }
    }

    #[test]
    fn what_was_written_counts_and_goes_with_its_answer() {
        let mut store = Store::new(3 * ONE);
        let one = Arc::new(held(1000, 10));
        assert!(store.keep(key(1), &one));
        assert!(store.keep(key(2), &Arc::new(held(1000, 1))));
        let (_, before) = store.size();
        let bytes = Bytes::from(vec![0; ONE / 2]);
        store.keep_written(&key(1), &one, form(false), bytes.clone());
        assert!(one.written(&form(false)).is_some() && one.written(&form(true)).is_none());
        let (_, after) = store.size();
        assert!(after >= before + ONE / 2);
        // For more the answer that is worth less goes; for too much nothing does.
        store.keep_written(&key(1), &one, form(true), Bytes::from(vec![0; ONE]));
        assert_eq!(has(&store, &[1, 2]), [1]);
        store.keep_written(&key(1), &one, form(true), Bytes::from(vec![0; 4 * ONE]));
        assert_eq!(has(&store, &[1, 2]), [1]);
        assert!(store.size().1 <= 3 * ONE);
        // What is no longer kept has nothing counted for it.
        let other = Arc::new(held(1000, 10));
        store.keep_written(&key(1), &other, form(false), bytes);
        assert!(other.written(&form(false)).is_none());
        store.remove(&key(1));
        assert_eq!(store.size(), (0, 0));
    }

    #[test]
    fn nothing_goes_for_what_has_no_room_at_all() {
        let mut store = Store::new(2 * ONE);
        assert!(store.keep(key(1), &Arc::new(held(1000, 10))));
        assert!(!store.keep(key(2), &Arc::new(held(10_000, 10_000))));
        assert_eq!(has(&store, &[1]), [1]);
        assert_eq!(store.clear(), 1);
        assert_eq!(store.size(), (0, 0));
    }

    #[test]
    fn what_is_right_for_a_day_goes_with_it() {
        let mut store = Store::new(2 * ONE);
        let until = Some(DateTime::from_timestamp(1_000, 0).expect("it is in range"));
        let mut held = held(10, 10);
        held.until = until;
        assert!(store.keep(key(1), &Arc::new(held)));
        let at = |seconds| DateTime::from_timestamp(seconds, 0).expect("it is in range");
        assert!(store.give(&key(1), at(999)).is_some());
        assert!(store.give(&key(1), at(1_000)).is_none());
        assert_eq!(store.size(), (0, 0));
    }
}
