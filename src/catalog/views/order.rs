//! The order in which views can be planned: what a view reads comes before it.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{FullName, Views};

/// The views in the order of what they read (Kahn's algorithm, CACM 5(11), 1962), and those that
/// have no place in it: they read themselves, or views that do.
pub fn in_order(views: &Views) -> (Vec<FullName>, BTreeSet<FullName>) {
    let mut n_unplaced: BTreeMap<FullName, usize> = BTreeMap::new();
    let mut readers: BTreeMap<FullName, Vec<FullName>> = BTreeMap::new();
    for (name, view) in views.iter() {
        let read: BTreeSet<FullName> = views
            .reads(view)
            .into_iter()
            .filter(|read| views.view(read).is_some())
            .collect();
        n_unplaced.insert(name.clone(), read.len());
        for read in read {
            readers.entry(read).or_default().push(name.clone());
        }
    }
    let free = n_unplaced.iter().filter(|(_, n)| **n == 0);
    let mut next: VecDeque<FullName> = free.map(|(name, _)| name.clone()).collect();
    let mut ordered = Vec::with_capacity(n_unplaced.len());
    while let Some(name) = next.pop_front() {
        n_unplaced.remove(&name);
        for reader in readers.remove(&name).unwrap_or_default() {
            if let Some(n) = n_unplaced.get_mut(&reader) {
                *n -= 1;
                if *n == 0 {
                    next.push_back(reader);
                }
            }
        }
        ordered.push(name);
    }
    (ordered, n_unplaced.into_keys().collect())
}
