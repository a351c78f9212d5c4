//! What was invalidated in this process, and when: numbers, names, and what entries carry of both.
//!
//! Every invalidation that is not about one entry alone takes the next number and is recorded under names: a tag, a function,
//! a key that another process dropped. An entry carries the number that was read before its load began, and the names it goes
//! with; it is valid while no record of its names is newer. So nothing has to find the entries of a tag, and a value whose
//! load began before is void wherever it is: in the local level, on its way there, or on its way to a caller who waits.
//!
//! A hit compares the latest number with the one up to which its entry was checked, which is one load of an atomic that nobody
//! writes as long as nothing is invalidated.

mod checked;
mod numbers;

pub(crate) use checked::Checked;
pub(crate) use numbers::Numbers;

use crate::tags::Tags;
use foldhash::quality::FixedState;
use parking_lot::RwLock;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// What entries go with, as a hash. Two things of one name void each other's entries, which costs a load and no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Name(u64);

impl From<&Name> for Name {
    fn from(name: &Name) -> Self {
        *name
    }
}

impl Name {
    fn of(kind: u8, text: &str) -> Self {
        Name::other(FixedState::with_seed(0x006d_656d_6f6b_6974).hash_one((kind, text)))
    }

    /// Of what is no key: a number that is the name of none.
    fn other(hash: u64) -> Self {
        Name(hash | 1 << 63)
    }

    /// Of a tag.
    pub(crate) fn tag(tag: &str) -> Self {
        Name::of(0, tag)
    }

    /// Of what another process has invalidated, by the name that backends know.
    #[cfg(feature = "shared")]
    pub(crate) fn heard(name: &str) -> Self {
        name.strip_prefix("t:").map_or_else(|| Name::of(1, name), Name::tag)
    }

    /// Of a tag that is too long to be the name that backends know.
    fn long_tag(tag: &str) -> Option<Self> {
        #[cfg(feature = "shared")]
        if tag.len() > LONG_TAG {
            return Some(Name::heard(&crate::shared::invalidation::tag_name(tag)));
        }
        let _ = tag;
        None
    }

    /// Of a function, by what its keys begin with.
    #[cfg(feature = "shared")]
    pub(crate) fn function(prefix: &str) -> Self {
        Name::heard(&crate::shared::invalidation::function_name(prefix))
    }

    /// Of an entry, by the text of its key.
    #[cfg(feature = "shared")]
    pub(crate) fn key(text: &str) -> Self {
        checked::key_name(FixedState::with_seed(2).hash_one(text))
    }

    /// Of all that is in front of one cache, by the number of its link.
    #[cfg(feature = "shared")]
    pub(crate) fn link(id: u64) -> Self {
        Name::other(FixedState::with_seed(3).hash_one(id))
    }
}

/// Tags up to this length are surely named as they are: a backend takes names of some more bytes.
#[cfg(feature = "shared")]
const LONG_TAG: usize = 300;

/// The number of the latest invalidation.
static LATEST: AtomicU64 = AtomicU64::new(0);

/// Entries that are older than the records that are kept are void.
static RECORDS: RwLock<Option<Numbers<Name>>> = RwLock::new(None);

/// The number of the latest invalidation, for a load that begins. What it reads from here on, it reads after all that is
/// recorded up to this number.
#[inline]
pub(crate) fn latest() -> u64 {
    LATEST.load(Ordering::Acquire)
}

/// The latest invalidation of any of these names. What is recorded by the time of the call is seen.
fn newest(names: &[Name]) -> u64 {
    RECORDS.read().as_ref().map_or(0, |records| records.newest(names))
}

/// Records an invalidation of these names: from when this returns, nothing that was loaded before is served of them.
pub(crate) fn record(names: impl IntoIterator<Item = Name>) {
    let mut records = RECORDS.write();
    let number = LATEST.load(Ordering::Relaxed) + 1;
    let all = records.get_or_insert_default();
    names.into_iter().for_each(|name| all.note(&name, number));
    // Under the lock, so that whoever sees this number and looks for its names finds them.
    LATEST.store(number, Ordering::Release);
    checked::set_latest(number);
}

/// What an entry goes with, and since when.
#[derive(Debug)]
pub struct Marks {
    /// The latest number when its load began.
    stamp: u64,
    names: Box<[Name]>,
    tags: Tags,
}

impl Marks {
    /// Of an entry whose load began at `stamp`: its tags, and the names of its key, its function and its cache. `None`
    /// where there are none of both, which is never void.
    pub(crate) fn new(stamp: u64, others: Option<[Name; 3]>, mut tags: Tags) -> Option<Arc<Self>> {
        tags.settle();
        if tags.is_empty() && others.is_none() {
            return None;
        }
        let tag_names = tags.iter().map(Name::tag).chain(tags.iter().filter_map(Name::long_tag));
        let names = others.into_iter().flatten().chain(tag_names).collect();
        Some(Arc::new(Marks { stamp, names, tags }))
    }

    /// Whether nothing of it was invalidated since its load began.
    #[inline]
    pub(crate) fn is_valid(&self) -> bool {
        // Relaxed: whoever learned that an invalidation is over learned it after the number was stored.
        self.stamp >= LATEST.load(Ordering::Relaxed) || self.check()
    }

    /// As [`is_valid`](Marks::is_valid), where something was.
    #[cold]
    fn check(&self) -> bool {
        newest(&self.names) <= self.stamp
    }

    pub(crate) fn tags(&self) -> &Tags {
        &self.tags
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn tagged(tag: &str) -> Arc<Marks> {
        Marks::new(latest(), None, [tag].into_iter().collect()).expect("it has a tag")
    }

    #[test]
    fn what_was_loaded_before_is_void_and_what_is_loaded_after_is_not() {
        let before = tagged("invalidations 1");
        let other = tagged("invalidations 2");
        assert!(before.is_valid());
        record([Name::tag("invalidations 1")]);
        let after = tagged("invalidations 1");
        for _ in 0..2 {
            assert!(!before.is_valid() && after.is_valid() && other.is_valid());
        }
    }

    #[test]
    fn an_entry_without_names_has_no_marks() {
        assert!(Marks::new(latest(), None, Tags::default()).is_none());
    }
}
