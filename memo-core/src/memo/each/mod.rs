//! Functions of several ids: `each = ids`.
//!
//! Each id is a call of its own, with an entry, a load and followers as any other has, and goes the path of
//! [`call`](super::call). What is done for all at once is the waiting:
//!
//! ```text
//! start    look for each id                        -> Looked::Hit, if all are in the local level
//!          else join or lead those that are not    -> Bulk
//! settle   ask the shared level for all of them    -> Settled::Load, if this call leads any
//!          else wait for those that are joined     -> Settled::Done
//! run      the body for the ids this call leads, store them, let their followers go   -> Bulk, and settle again
//! ```
//! Invariant: a call that leads a load waits for no load of another, but for one that is writing to the shared level.
//! Whoever waits has brought its own to an end before. So two calls can't wait for each other, whatever ids they share
//! and in whatever order. A joined load that was abandoned meanwhile is led in another round.

mod answers;
mod door;
mod ids;
#[cfg(all(test, shuttle))]
mod models;
mod operations;
mod part;
mod round;

pub(crate) use answers::{Answers, Each};
pub(crate) use door::{Doors, ValueToStore};
pub(crate) use ids::IdList;
pub(crate) use part::{Fill, IdPart};
pub(crate) use round::Bulk;

use super::call::{self, Open, Started};
use super::cell::Instance;
use super::door::MakeDoor;
use super::function::Function;
use crate::lookup::{Part, Parts};

/// What generated code calls for a function of several ids: the names it calls for any function, some of which mean
/// something else here.
pub mod private {
    pub use super::answers::each;
    pub use super::ids::{again, ids_of};
    pub use super::operations::{given, given_whole, operation, put};
    pub use super::part::{AnyId, Hole, KnownId};
    pub use super::round::Settled;
    pub use super::{Looked, refresh, start};
    pub use crate::private::*;
}

/// A call after its first look: answered in whole, or in part.
#[must_use = "a call that is not settled abandons its loads"]
pub enum Looked<W: Each + 'static, K: call::MemoKey, D: Doors<W::Value>> {
    /// All ids are in the local level.
    Hit(W::Whole),
    /// Some are not.
    Open(Bulk<W, K, D>),
}

/// The key of one id.
type KeyOf<H, P> = <<H as Fill<P>>::Parts as Parts>::Owned;

/// Takes the first look for each of these ids.
#[inline]
pub fn start<'x, T: ?Sized, W, H, M, A, S>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: W,
    rest: H,
    door: M,
    ids: &'x A,
    _how: S,
) -> Looked<W, KeyOf<H, S::Part>, M::Door>
where
    W: Each + 'static,
    W::Map: Answers<Id = S::Owned>,
    A: IdList,
    S: IdPart<'x, Id = A::Id>,
    H: Fill<S::Part>,
    M: MakeDoor<H::Parts, Option<W::Item>, Door: Doors<Option<W::Item>>>,
{
    let mut bulk = Bulk::new(function, outcome, ids.count(), H::id);
    for (place, id) in ids.ids().enumerate() {
        let id = S::part(id);
        match call::start(function, instance, outcome, rest.fill(id), &door) {
            Started::Hit(Ok(Some(item))) => bulk.add(id.to_owned(), item),
            // It is known that there is none.
            Started::Hit(_) => {}
            Started::Open(open) => bulk.open(place, open),
        }
    }
    bulk.looked()
}

/// Begins a load of each of these ids, whatever is stored.
pub fn refresh<'x, T: ?Sized, W, H, M, A, S>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: W,
    rest: H,
    door: M,
    ids: &'x A,
    _how: S,
) -> Bulk<W, KeyOf<H, S::Part>, M::Door>
where
    W: Each + 'static,
    W::Map: Answers<Id = S::Owned>,
    A: IdList,
    S: IdPart<'x, Id = A::Id>,
    H: Fill<S::Part>,
    M: MakeDoor<H::Parts, Option<W::Item>, Door: Doors<Option<W::Item>>>,
{
    let mut bulk = Bulk::new(function, outcome, ids.count(), H::id);
    for (place, id) in ids.ids().enumerate() {
        bulk.open(place, Open::Lead(call::refresh(function, instance, outcome, rest.fill(S::part(id)), &door)));
    }
    bulk
}
