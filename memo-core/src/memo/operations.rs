//! What companions do beside calling: invalidate, peek, put.

use super::Memo;
use super::call::{MemoKey, lead};
use super::cell::Instance;
use super::context;
use super::door::{self, Door, Fetched, MakeDoor};
use super::function::Function;
use super::io::Io;
use super::keep::Keep;
use super::valid;
use crate::Error;
use crate::local::Hit;
use crate::lookup::Parts;
use crate::outcome::Outcome;
use crate::stats::Count;

/// One operation on the entry of one call. It owns the key, so that nothing borrowed crosses an await.
#[must_use = "nothing happens until one of its methods is called"]
pub struct Operation<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    pub(super) function: &'static Function,
    pub(super) memo: &'static Memo<K, O::Value>,
    pub(super) key: K,
    pub(super) door: D,
    pub(super) outcome: O,
}

/// An operation on the entry of a call with these arguments.
pub fn operation<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
) -> Operation<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, O, P>(instance, outcome);
    let door = door.make(function, parts);
    Operation { function, memo, key: parts.to_owned(), door, outcome }
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Operation<O, K, D> {
    /// Drops the entry in this process. Whether there was a fresh one.
    pub fn invalidate_local(self) -> bool {
        self.function.count(Count::Invalidations);
        self.memo.drop_entry(&self.key).0
    }

    /// Drops the entry at both levels. Whether there was a fresh one.
    ///
    /// First the local entry goes and loads under way are doomed, then, once none of them writes any more, the shared
    /// entry. A load that began between the two may have fetched the shared entry, so the local level is told again.
    pub async fn invalidate<I: Io>(self) -> Result<bool, Error> {
        self.function.count(Count::Invalidations);
        let (was_local, storing) = self.memo.drop_entry(&self.key);
        let waited = door::stored::<I, O, D>(&self.door, storing).await;
        let removed = self.door.invalidate::<I>().await;
        drop(self.memo.drop_entry(&self.key));
        if let Err(error) = &removed {
            self.function.report(error);
        }
        waited?;
        Ok(removed? || was_local)
    }

    /// The entry in this process that a call would hit.
    pub(super) fn found_locally(&self) -> Option<Hit<O::Value>> {
        let hit = self.memo.peek(&self.key).filter(Hit::is_fresh)?;
        (!O::CHECKS || self.outcome.is_valid(&hit.value)).then_some(hit)
    }

    /// The value in this process, if it is fresh.
    #[must_use]
    pub fn peek_local(self) -> Option<O::Value> {
        self.found_locally().map(|entry| entry.value)
    }

    /// The value at either level, if it is fresh.
    pub async fn peek<I: Io>(self) -> Result<Option<O::Value>, Error> {
        if self.function.local
            && let Some(entry) = self.found_locally()
        {
            return Ok(Some(entry.value));
        }
        match valid::fetch::<O, D, I>(self.outcome, self.function, &self.door).await {
            Fetched::Value(found) => {
                context::inherit(&found.tags);
                Ok(Some(found.value))
            }
            Fetched::Nothing => Ok(None),
            Fetched::Failed(error) => Err(error),
        }
    }

    /// Whether there is a fresh value in this process.
    #[must_use]
    pub fn contains_local(self) -> bool {
        self.found_locally().is_some()
    }

    /// Whether there is a fresh value at either level.
    pub async fn contains<I: Io>(self) -> Result<bool, Error> {
        if self.function.local && self.found_locally().is_some() {
            return Ok(true);
        }
        match valid::fetch::<O, D, I>(self.outcome, self.function, &self.door).await {
            Fetched::Value(found) => {
                context::inherit(&found.tags);
                Ok(true)
            }
            Fetched::Nothing => Ok(false),
            Fetched::Failed(error) => Err(error),
        }
    }
}

/// Stores a value under a call's key, as if the call had loaded it now; nothing for `None`. `keep` says for how long.
pub(super) async fn put<I: Io, T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
    value: Option<O::Value>,
    keep: fn(&O::Value) -> Keep,
) -> Result<(), Error>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let Some(value) = value else { return Ok(()) };
    let keep = keep(&value);
    lead(function, instance, outcome, parts, door).put::<I>(value, keep).await
}

/// Drops every entry of a function in this process, those of all its instantiations.
pub fn invalidate_all_local(function: &'static Function) {
    function.count(Count::Invalidations);
    for memo in function.reached() {
        drop(memo.drop_all());
    }
}

/// Drops every entry of a function at both levels, those of all its instantiations. `owner` is what
/// [`SharedBy::owned_by`](crate::shared::level::SharedBy::owned_by) was told.
#[cfg(feature = "shared")]
pub async fn invalidate_all<I: Io>(function: &'static Function, owner: Option<&'static str>) -> Result<(), Error> {
    function.count(Count::Invalidations);
    let storing = function.reached().iter().flat_map(|memo| memo.drop_all()).collect();
    // What is older than the number that is recorded now is void, whenever it is written.
    let waited = I::stored(storing, true).await;
    let cleared = crate::shared::level::clear::<I>(function, owner).await;
    // A load that began meanwhile may have fetched what is gone now.
    function.reached().iter().for_each(|memo| drop(memo.drop_all()));
    if let Err(error) = &cleared {
        function.report(error);
    }
    waited?;
    cleared
}

/// [`put`] without a shared level, which can't fail but for a timeout of zero; that is reported where it is stored.
pub(super) fn put_local<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
    value: Option<O::Value>,
    keep: fn(&O::Value) -> Keep,
) where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    if let Some(value) = value {
        let keep = keep(&value);
        lead(function, instance, outcome, parts, door).put_locally(&value, keep);
    }
}
