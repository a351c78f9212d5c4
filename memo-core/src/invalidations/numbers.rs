//! The latest number of each name, as many as are kept.

use foldhash::fast::RandomState;
use hashbrown::{Equivalent, HashMap};
use std::hash::Hash;

/// Names that are kept. Beyond, the older half is forgotten.
pub(crate) const MOST: usize = 1 << 16;

/// Numbers under names. What is older than the floor may have had a number that was forgotten.
#[derive(Debug)]
pub(crate) struct Numbers<N> {
    numbers: HashMap<N, u64, RandomState>,
    floor: u64,
}

impl<N> Default for Numbers<N> {
    fn default() -> Self {
        Numbers { numbers: HashMap::default(), floor: 0 }
    }
}

impl<N: Eq + Hash> Numbers<N> {
    /// Notes the number of a name, unless it has a later one.
    pub(crate) fn note<Q>(&mut self, name: &Q, number: u64)
    where
        Q: Hash + Equivalent<N> + ?Sized,
        N: for<'q> From<&'q Q>,
    {
        match self.numbers.get_mut(name) {
            Some(known) => *known = number.max(*known),
            None => drop(self.numbers.insert(name.into(), number)),
        }
        if self.numbers.len() > MOST {
            let mut all: Vec<u64> = self.numbers.values().copied().collect();
            let (_, middle, _) = all.select_nth_unstable(MOST / 2);
            let floor = *middle;
            self.raise_floor(floor);
            self.numbers.retain(|_, number| *number > floor);
        }
    }

    /// The latest number of any of these names that may be. Of one that is not known, nobody knows more than that it is
    /// not above the floor.
    pub(crate) fn newest<'q, Q>(&self, names: impl IntoIterator<Item = &'q Q>) -> u64
    where
        Q: Hash + Equivalent<N> + ?Sized + 'q,
    {
        names.into_iter().filter_map(|name| self.numbers.get(name)).copied().fold(self.floor, u64::max)
    }

    /// From now on everything is taken to have this number at least.
    pub(crate) fn raise_floor(&mut self, floor: u64) {
        self.floor = self.floor.max(floor);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_number_of_any_name_counts() {
        let mut numbers = Numbers::<Box<str>>::default();
        assert_eq!(numbers.newest(["a"]), 0);
        for (name, number) in [("a", 3), ("b", 7), ("a", 5), ("a", 4)] {
            numbers.note(name, number);
        }
        assert_eq!((numbers.newest(["a"]), numbers.newest(["a", "b"]), numbers.newest(["c"])), (5, 7, 0));
        numbers.raise_floor(6);
        assert_eq!((numbers.newest(["a"]), numbers.newest(["b"]), numbers.newest(["c"])), (6, 7, 6));
    }

    #[test]
    fn they_are_bounded_and_what_was_forgotten_is_not_above_the_floor() {
        let mut numbers = Numbers::<Box<str>>::default();
        (0..=MOST as u64).for_each(|n| numbers.note(&*n.to_string(), n + 1));
        assert!(numbers.numbers.len() <= MOST / 2 + 1, "{} are kept", numbers.numbers.len());
        assert!(numbers.newest(["0"]) >= 1);
        assert_eq!(numbers.newest([&*MOST.to_string()]), MOST as u64 + 1);
        assert_eq!(numbers.newest(["another"]), numbers.floor);
    }
}
