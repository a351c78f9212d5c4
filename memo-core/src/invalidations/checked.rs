//! What an entry carries of its names and its number, in one word.

use super::{LATEST, Marks, Name, newest};
use std::sync::atomic::{AtomicU64, Ordering};

/// The lower bits of a word, which may name a key.
const KEY_BITS: u32 = 24;
const KEY: u64 = (1 << KEY_BITS) - 1;
/// Numbers from here on fit into no word. Then hits take the longer way for good, and are right.
const TOO_MANY: u64 = (1 << (u64::BITS - KEY_BITS)) - 1;

/// The word that the latest number makes, for hits.
static LATEST_WORD: AtomicU64 = AtomicU64::new(0);

fn word(number: u64) -> Option<u64> {
    (number < TOO_MANY).then_some(number << KEY_BITS)
}

/// As the latest number changes, under the lock of the records.
pub(super) fn set_latest(number: u64) {
    LATEST_WORD.store(word(number).unwrap_or(u64::MAX), Ordering::Release);
}

/// The bits of a hash that name a key. So few are enough: of a million entries, an invalidation of another key voids one
/// in sixteen times, which costs a load.
#[cfg(feature = "shared")]
pub(super) fn key_name(hash: u64) -> Name {
    Name(hash & KEY)
}

/// Up to which number nothing that an entry goes with was invalidated. What goes with nothing is ahead of all numbers.
///
/// An entry that goes with its key, its function and its cache alone, as entries in front of a cache mostly do, has the
/// name of its key here too, in the lower bits. The other names are those of all such entries of its memo. So it is
/// hardly larger than one that goes with nothing, and as many of them fit into a processor's caches.
pub(crate) struct Checked(AtomicU64);

impl Checked {
    /// Of an entry that has its marks at hand, if it has any.
    pub(crate) fn new(marks: Option<&Marks>) -> Self {
        let number = marks.map_or(u64::MAX, |marks| word(marks.stamp).unwrap_or(0));
        Checked(AtomicU64::new(number))
    }

    /// Of an entry that needs nothing else, and the names of all such entries of its memo. `None` if there is more to it.
    pub(crate) fn alone(marks: &Marks) -> Option<(Self, [Name; 2])> {
        match *marks.names {
            [key, function, link] if marks.tags.is_empty() => {
                let word = word(marks.stamp)? | key.0 & KEY;
                (key.0 & !KEY == 0).then(|| (Checked(AtomicU64::new(word)), [function, link]))
            }
            _ => None,
        }
    }

    /// Whether nothing at all was invalidated since.
    // Relaxed: whoever learned that an invalidation is over learned it after the number was stored.
    #[inline(always)]
    pub(crate) fn is_latest(&self) -> bool {
        self.0.load(Ordering::Relaxed) >= LATEST_WORD.load(Ordering::Relaxed)
    }

    /// Whether nothing was invalidated of what an entry with these marks goes with.
    #[cold]
    pub(crate) fn check(&self, marks: &Marks) -> bool {
        let latest = LATEST.load(Ordering::Acquire);
        let is_valid = marks.check();
        if is_valid {
            self.raise(latest);
        }
        is_valid
    }

    /// As [`check`](Checked::check), of an entry that has [this alone](Checked::alone).
    #[cold]
    pub(crate) fn check_alone(&self, [function, link]: [Name; 2]) -> bool {
        let checked = self.0.load(Ordering::Relaxed);
        let latest = LATEST.load(Ordering::Acquire);
        let is_valid = newest(&[Name(checked & KEY), function, link]) <= checked >> KEY_BITS;
        if is_valid {
            self.raise(latest);
        }
        is_valid
    }

    fn raise(&self, number: u64) {
        if let Some(word) = word(number) {
            let key = self.0.load(Ordering::Relaxed) & KEY;
            self.0.fetch_max(word | key, Ordering::Relaxed);
        }
    }
}

#[cfg(all(test, feature = "shared", not(shuttle)))]
mod tests {
    use super::super::{latest, record};
    use super::*;
    use crate::tags::Tags;

    fn names(of: &str) -> [Name; 3] {
        [Name::key(of), Name::function("checked:"), Name::link(u64::MAX)]
    }

    fn marks(stamp: u64, of: &str) -> std::sync::Arc<Marks> {
        Marks::new(stamp, Some(names(of)), Tags::default()).expect("it has names")
    }

    fn alone(of: &str) -> Checked {
        Checked::alone(&marks(latest(), of)).expect("it has no tags").0
    }

    fn is_valid(checked: &Checked) -> bool {
        checked.is_latest() || checked.check_alone([Name::function("checked:"), Name::link(u64::MAX)])
    }

    #[test]
    fn an_entry_is_void_by_each_of_its_names_and_no_other() {
        for void in names("checked:1") {
            let (one, other) = (alone("checked:1"), alone("checked:2"));
            record([Name::tag("checked"), Name::key("checked:3")]);
            assert!(is_valid(&one) && is_valid(&other));
            record([void]);
            assert!(!is_valid(&one));
            assert_eq!(is_valid(&other), void == Name::key("checked:1"));
            assert!(is_valid(&alone("checked:1")), "what is loaded after that is not");
        }
    }

    #[test]
    fn a_key_has_a_name_of_its_own_kind() {
        assert!(
            Name::key("a").0 <= KEY && Name::function("a").0 > KEY && Name::tag("a").0 > KEY && Name::link(1).0 > KEY
        );
    }

    #[test]
    fn what_has_tags_needs_its_marks() {
        assert!(
            Checked::alone(&Marks::new(1, Some(names("k")), ["t"].into_iter().collect()).expect("it has")).is_none()
        );
        assert!(Checked::alone(&Marks::new(1, None, ["a", "b", "c"].into_iter().collect()).expect("it has")).is_none());
    }

    #[test]
    fn numbers_that_are_too_large_take_the_longer_way() {
        assert!(Checked::alone(&marks(TOO_MANY, "k")).is_none());
        let checked = Checked::new(Some(&marks(TOO_MANY, "k")));
        checked.raise(TOO_MANY);
        assert_eq!(checked.0.into_inner(), 0);
        let (checked, _) = Checked::alone(&marks(TOO_MANY - 1, "k")).expect("it fits");
        checked.raise(TOO_MANY);
        assert_eq!(checked.0.into_inner() >> KEY_BITS, TOO_MANY - 1);
    }
}
