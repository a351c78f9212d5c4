//! The path of one call: look, join or lead, fetch, load, store.
//!
//! ```text
//! start    hit in the local level            -> Started::Hit
//!          else join a load or begin one     -> Open::Follow / Open::Lead
//!          or, without a local level         -> Open::Seek
//! settle   seeker: ask the shared level      -> Begun::Hit, or join or lead
//!          follower: wait                    -> Begun::Hit, or lead after all
//!          leader: ask the shared level      -> Begun::Hit
//!                                            -> Begun::Miss(Guard)
//! run      body, store, let followers go
//! ```
//! `start` borrows the arguments and never waits; everything after owns what it needs. So the arguments can move into
//! the body, and nothing borrowed crosses an await. Here is how a call starts; `settle.rs` and `guard/` have the rest.

use super::cell::{self, Instance, Kind};
use super::door::{Door, MakeDoor};
use super::flight::Flight;
use super::function::Function;
use super::guard::{Asked, Guard};
use super::settle::{Follower, Seeker};
use super::untyped::Entered;
use super::valid;
use super::{Join, Memo};
use crate::clock::{self, Tick};
use crate::local::{Glance, Looked};
use crate::lookup::{Borrowed, Parts};
use crate::outcome::Outcome;
use crate::stats::Count;
use std::hash::Hash;
use std::sync::Arc;

/// A call after its first look: answered, or waiting to be settled.
#[must_use = "a call that is not settled abandons its load"]
pub enum Started<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    /// Found in the local level.
    Hit(O::Return),
    /// Waiting to be settled.
    Open(Open<O, K, D>),
}

/// A call that its first look did not answer. It holds nothing of the function's own types but the stored value, so a
/// task stays `Send` whatever the function returns.
#[must_use = "a call that is not settled abandons its load"]
pub enum Open<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    /// This caller runs the load.
    Lead(Guard<O, K, D>),
    /// Another caller runs it.
    Follow(Follower<O, K, D>),
    /// There is no local level and no load under way: the shared level is asked first.
    Seek(Seeker<O, K, D>),
}

/// A call that is answered, or that has to run the body.
#[must_use = "a miss must run the body"]
pub enum Begun<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    /// The value was found, or another caller loaded it.
    Hit(O::Return),
    /// This caller runs the body.
    Miss(Guard<O, K, D>),
}

/// A call that is answered, and from where, or that has to run the body.
#[must_use = "a miss must run the body"]
pub enum Settled<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    /// The value was found at one of the levels.
    Found(O::Return),
    /// Another caller loaded it.
    Joined(O::Return),
    /// This caller runs the body.
    Miss(Guard<O, K, D>),
}

/// What a stored key is.
pub trait MemoKey: Clone + Eq + Hash + Send + Sync + 'static {}
impl<K: Clone + Eq + Hash + Send + Sync + 'static> MemoKey for K {}

/// Takes the first look for a call.
// Always, or a hit goes through memory on its way to the caller. But where nothing is optimized, all that is inlined has
// places of its own in the caller's frame, and functions that call themselves would get not half as deep.
#[cfg_attr(not(debug_assertions), inline(always))]
#[cfg_attr(debug_assertions, inline)]
pub fn start<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
) -> Started<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let kind = cell::kind::<T, P::Owned, O::Value>(instance);
    let look = |door| look(function, instance, kind.untyped, outcome, parts, door);
    let Some(memo) = function.slots.noted(&kind) else { return look(door) };
    match memo.glance(&Borrowed(parts)) {
        Glance::Fresh(hit) if valid::is_hit(outcome, function, memo, || parts.to_owned(), &hit) => {
            door.note(|facts| facts.local_hit(hit.created, hit.deadline));
            Started::Hit(local_hit::<O>(function, hit.value))
        }
        Glance::Nothing => begin(function, memo, outcome, parts, door, Start::Missed),
        Glance::Found(held) if !O::CHECKS && !M::NOTES => match memo.serve(held) {
            Some(value) => Started::Hit(local_hit::<O>(function, value)),
            None => look(door),
        },
        unclear => {
            drop(unclear);
            look(door)
        }
    }
}

/// Takes a look for a call for which a glance was not enough, or whose function does not look into its local level.
#[inline(never)]
fn look<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    kind: &'static Kind,
    outcome: O,
    parts: P,
    door: M,
) -> Started<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, O, P>(instance, outcome);
    let looked = if function.local {
        function.slots.note(kind);
        memo.get(&Borrowed(parts))
    } else {
        Looked::Nothing
    };
    match looked {
        Looked::Fresh(hit) if valid::is_hit(outcome, function, memo, || parts.to_owned(), &hit) => {
            door.note(|facts| facts.local_hit(hit.created, hit.deadline));
            Started::Hit(local_hit::<O>(function, hit.value))
        }
        Looked::Expired => {
            function.count(Count::Expired);
            begin(function, memo, outcome, parts, door, Start::Expired)
        }
        Looked::Fresh(_) | Looked::Nothing => begin(function, memo, outcome, parts, door, Start::Missed),
    }
}

/// Begins a load whatever is stored: `f::refresh`, and `refresh = …`.
pub fn refresh<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
) -> Guard<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    function.count(Count::Refreshes);
    lead(function, instance, outcome, parts, door)
}

/// Leads a load of this key, whatever is stored and under way.
pub(super) fn lead<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    door: M,
) -> Guard<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, O, P>(instance, outcome);
    match begin(function, memo, outcome, parts, door, Start::Refresh) {
        Started::Open(Open::Lead(guard)) => guard,
        Started::Hit(_) | Started::Open(_) => unreachable!("it leads"),
    }
}

#[inline]
pub(super) fn local_hit<O: Outcome + 'static>(function: &'static Function, value: O::Value) -> O::Return {
    function.count(Count::LocalHits);
    O::from_value(value)
}

#[cold]
#[inline(never)]
fn begin<O, P, M>(
    function: &'static Function,
    memo: &'static Memo<P::Owned, O::Value>,
    outcome: O,
    parts: P,
    make_door: M,
    start: Start,
) -> Started<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let door = make_door.make(function, parts);
    if let Some(hook) = door.hook() {
        memo.keep_hook(hook);
    }
    // Owned from here on, so that what follows is compiled for one form of the key.
    let key = parts.to_owned();
    let join = if start == Start::Refresh { Join::LeadOnly } else { Join::Any };
    if join == Join::Any && <M::Door as Door<O::Value>>::SHARED && !function.local {
        return Started::Open(match memo.scout(function, &key) {
            Ok(flight) => Open::Follow(Follower { function, memo, outcome, flight, door }),
            Err(next) => Open::Seek(Seeker { function, memo, outcome, key, door, next }),
        });
    }
    let flight = memo.flight(function, key);
    if start == Start::Expired {
        memo.take_expired(&flight, &mut |gone| door.gone(gone));
    }
    enter(function, memo, outcome, flight, door, join, Asked::NotYet)
}

/// Why a load begins.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Start {
    Missed,
    Expired,
    Refresh,
}

pub(super) fn enter<O, K, D>(
    function: &'static Function,
    memo: &'static Memo<K, O::Value>,
    outcome: O,
    flight: Arc<Flight>,
    door: D,
    join: Join,
    asked: Asked,
) -> Started<O, K, D>
where
    O: Outcome + 'static,
    K: MemoKey,
    D: Door<O::Value>,
{
    let refreshes = join == Join::LeadOnly;
    let join = if function.single_flight || refreshes { join } else { Join::Alone };
    loop {
        return match memo.enter(function, &flight, join) {
            Entered::Found(hit) if valid::is_hit(outcome, function, memo, || flight.key::<K>().clone(), &hit) => {
                door.note(|facts| facts.local_hit(hit.created, hit.deadline));
                Started::Hit(local_hit::<O>(function, hit.value))
            }
            // It is gone now.
            Entered::Found(_) => continue,
            // The body runs already and is not waited for, because it is what calls: for a guard, that is a run.
            Entered::Lead if O::ONCE && !flight.is_joinable() => {
                memo.abandon(&flight);
                return match O::mark(0) {
                    Some(mark) => {
                        door.note(|facts| facts.local_hit(clock::now(), Tick::NEVER));
                        Started::Hit(local_hit::<O>(function, mark))
                    }
                    None => unreachable!("guards have marks"),
                };
            }
            Entered::Lead => {
                Started::Open(Open::Lead(Guard::new(function, memo, outcome, flight, door, refreshes, asked)))
            }
            Entered::Follow(flight) => Started::Open(Open::Follow(Follower { function, memo, outcome, flight, door })),
        };
    }
}
