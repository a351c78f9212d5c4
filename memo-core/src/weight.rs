//! What entries weigh: `weigh = …` with `max_weight = …`.
//!
//! A value is weighed once, when it is stored. Its key remembers the weight: keys of functions with `weigh` have a place
//! for it, keys of others do not, so nothing of this concerns those.

use crate::lookup::Parts;
use crate::outcome::{Outcome, SharedError};
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// The weight of one entry, in its key. Set before the key enters the engine, and not changed after that.
pub struct Weight(AtomicU64);

/// How the entries of a memo are weighed.
pub(crate) struct Weighing<K, V> {
    /// The user's function.
    weigh: fn(&V) -> u64,
    /// Where a key keeps the weight.
    place: fn(&K) -> Option<&Weight>,
}

impl<K, V> Weighing<K, V> {
    pub(crate) fn new<P: Parts<Owned = K>>(weigh: fn(&V) -> u64) -> Self {
        Weighing { weigh, place: P::weight }
    }

    /// Weighs a value, and has the key remember it. What weighs nothing counts as 1, or it would never be evicted. What
    /// can't be weighed counts as too heavy for any bound, since a panic here would leave others waiting for the load.
    pub(crate) fn weigh(&self, key: &K, value: &V) {
        if let Some(Weight(weight)) = (self.place)(key) {
            let weighed = catch_unwind(AssertUnwindSafe(|| (self.weigh)(value)));
            weight.store(weighed.unwrap_or(u64::MAX).max(1), Ordering::Relaxed);
        }
    }

    pub(crate) fn weight_of(&self, key: &K) -> u64 {
        ByWeight::of_keys(self).weight_of(key)
    }
}

/// What the engine asks for the weight of an entry: 1, or what the key says.
pub(crate) struct ByWeight<K>(Option<fn(&K) -> Option<&Weight>>);

impl<K> ByWeight<K> {
    /// Every entry weighs 1.
    pub(crate) const ONE: Self = ByWeight(None);

    pub(crate) fn of_keys<V>(weighing: &Weighing<K, V>) -> Self {
        ByWeight(Some(weighing.place))
    }

    #[inline]
    fn weight_of(&self, key: &K) -> u64 {
        match self.0.and_then(|place| place(key)) {
            Some(Weight(weight)) => weight.load(Ordering::Relaxed),
            None => 1,
        }
    }
}

impl<K> Clone for ByWeight<K> {
    fn clone(&self) -> Self {
        ByWeight(self.0)
    }
}

impl<K, V> quick_cache::Weighter<K, V> for ByWeight<K> {
    #[inline]
    fn weight(&self, key: &K, _value: &V) -> u64 {
        self.weight_of(key)
    }
}

/// The parts of a key that remembers a weight, or the outcome of a function whose values have one.
#[derive(Clone, Copy)]
pub struct Weighed<T, W = ()>(T, W);

impl<P> Weighed<P> {
    /// Parts of a key that remembers a weight.
    pub const fn parts(parts: P) -> Self {
        Weighed(parts, ())
    }
}

/// The outcome with what a value weighs.
pub fn weighed<O: Outcome>(outcome: O, weigh: fn(&O::Value) -> u64) -> Weighed<O, fn(&O::Value) -> u64> {
    Weighed(outcome, weigh)
}

/// Asks the closure of `weigh`. The value comes first, so that the closure's argument has a type.
pub fn weight_of<V>(value: &V, weigh: impl FnOnce(&V) -> u64) -> u64 {
    weigh(value)
}

/// A key with the weight of its entry.
pub struct WeighedKey<K> {
    key: K,
    weight: Weight,
}

impl<K> WeighedKey<K> {
    /// The key alone.
    #[must_use]
    pub fn key(&self) -> &K {
        &self.key
    }
}

impl<K: Clone> Clone for WeighedKey<K> {
    fn clone(&self) -> Self {
        WeighedKey { key: self.key.clone(), weight: Weight(AtomicU64::new(self.weight.0.load(Ordering::Relaxed))) }
    }
}

impl<K: Hash> Hash for WeighedKey<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl<K: PartialEq> PartialEq for WeighedKey<K> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl<K: Eq> Eq for WeighedKey<K> {}

impl<P: Parts> Parts for Weighed<P> {
    type Owned = WeighedKey<P::Owned>;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        self.0.hash(state);
    }

    #[inline]
    fn are(self, owned: &Self::Owned) -> bool {
        self.0.are(&owned.key)
    }

    fn to_owned(self) -> Self::Owned {
        WeighedKey { key: self.0.to_owned(), weight: Weight(AtomicU64::new(1)) }
    }

    fn weight(owned: &Self::Owned) -> Option<&Weight> {
        Some(&owned.weight)
    }
}

#[cfg(feature = "shared")]
impl<P: crate::lookup::SerializeParts> crate::lookup::SerializeParts for Weighed<P> {
    const COUNT: usize = P::COUNT;

    fn serialize_into<S: serde::ser::SerializeTuple>(self, tuple: &mut S) -> Result<(), S::Error> {
        self.0.serialize_into(tuple)
    }
}

impl<O: Outcome> Outcome for Weighed<O, fn(&O::Value) -> u64> {
    type Return = O::Return;
    type Value = O::Value;

    const CHECKS: bool = O::CHECKS;

    fn is_valid(self, value: &O::Value) -> bool {
        self.0.is_valid(value)
    }

    fn is_error(returned: &O::Return) -> bool {
        O::is_error(returned)
    }

    fn is_failure(value: &O::Value) -> bool {
        O::is_failure(value)
    }

    #[inline]
    fn value(returned: &O::Return) -> Option<&O::Value> {
        O::value(returned)
    }

    fn into_value(returned: O::Return) -> Option<O::Value> {
        O::into_value(returned)
    }

    #[inline]
    fn from_value(value: O::Value) -> O::Return {
        O::from_value(value)
    }

    #[inline]
    fn weigher(self) -> Option<fn(&O::Value) -> u64> {
        Some(self.1)
    }

    fn to_shared_error(returned: &O::Return) -> Option<SharedError>
    where
        Self: 'static,
    {
        O::to_shared_error(returned)
    }

    fn from_shared_error(error: &SharedError) -> Option<O::Return>
    where
        Self: 'static,
    {
        O::from_shared_error(error)
    }
}
