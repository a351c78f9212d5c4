//! The path of one call: look, join or lead, fetch, load, store.
//!
//! ```text
//! start    hit in the local level            -> Started::Hit
//!          else join a load or begin one     -> Open::Follow / Open::Lead
//! settle   follower: wait                    -> Begun::Hit, or lead after all
//!          leader: ask the shared level      -> Begun::Hit
//!                                            -> Begun::Miss(Guard)
//! run      body, store, let followers go
//! ```
//! `start` borrows the arguments and never waits; everything after owns what it needs. So the arguments can move into
//! the body, and nothing borrowed crosses an await.

use super::cell::Instance;
use super::context::Mark;
use super::door::{Door, Fetched, MakeDoor, Shared};
use super::flight::{Ending, Flight};
use super::function::Function;
use super::io::{Blocking, Io, Tasks, ready};
use super::{Entered, Join, Looked, Memo, Origin, Storing};
use crate::Error;
use crate::clock::{self, Stopwatch, Tick};
use crate::events::Level;
use crate::local::Entry;
use crate::lookup::{Borrowed, Lookup, Owned, Parts};
use crate::outcome::Outcome;
use crate::stats::Count;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

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
}

/// A call that is answered, or that has to run the body.
#[must_use = "a miss must run the body"]
pub enum Begun<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    /// The value was found, or another caller loaded it.
    Hit(O::Return),
    /// This caller runs the body.
    Miss(Guard<O, K, D>),
}

/// What a stored key is.
pub trait MemoKey: Clone + Eq + Hash + Send + Sync + 'static {}
impl<K: Clone + Eq + Hash + Send + Sync + 'static> MemoKey for K {}

/// Takes the first look for a call.
#[inline]
pub fn start<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    door: M,
) -> Started<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, P::Owned, O::Value>(instance);
    let key = Borrowed(parts);
    let looked = match <M::Door as Door<O::Value>>::SHARED && !function.local {
        true => Looked::Nothing,
        false => memo.get(&key),
    };
    match looked {
        Looked::Fresh(entry) => Started::Hit(local_hit::<O>(function, entry)),
        Looked::Expired => {
            function.count(Count::Expired);
            begin(function, memo, parts, door, Join::Any)
        }
        Looked::Nothing => begin(function, memo, parts, door, Join::Any),
    }
}

/// Begins a load whatever is stored: `f::refresh`, and `refresh = …`.
pub fn refresh<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    door: M,
) -> Guard<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    function.count(Count::Refreshes);
    lead(function, instance, parts, door)
}

/// Leads a load of this key, whatever is stored and under way.
pub(super) fn lead<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    parts: P,
    door: M,
) -> Guard<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, P::Owned, O::Value>(instance);
    match begin(function, memo, parts, door, Join::LeadOnly) {
        Started::Open(Open::Lead(guard)) => guard,
        Started::Hit(_) | Started::Open(Open::Follow(_)) => unreachable!("it leads"),
    }
}

#[inline]
fn local_hit<O: Outcome + 'static>(function: &'static Function, entry: Entry<O::Value>) -> O::Return {
    function.count(Count::LocalHits);
    function.tell_hit(|mut call| {
        let now = clock::now();
        call.level = Some(Level::Local);
        call.age = Some(now.since(entry.created));
        call.time_to_expiry = (entry.deadline != Tick::NEVER).then(|| entry.deadline.since(now));
        call
    });
    O::from_value(entry.value)
}

#[cold]
#[expect(clippy::needless_pass_by_value, reason = "made for this call, and used up by it")]
fn begin<O, P, M>(
    function: &'static Function,
    memo: &'static Memo<P::Owned, O::Value>,
    parts: P,
    make_door: M,
    join: Join,
) -> Started<O, P::Owned, M::Door>
where
    O: Outcome + 'static,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let key = Borrowed(parts);
    if join == Join::Any {
        memo.drop_expired(&key);
    }
    let door = make_door.make(function, parts);
    enter(function, memo, &key, door, join)
}

fn enter<O, K, D>(
    function: &'static Function,
    memo: &'static Memo<K, O::Value>,
    key: &impl Lookup<K>,
    door: D,
    join: Join,
) -> Started<O, K, D>
where
    O: Outcome + 'static,
    K: MemoKey,
    D: Door<O::Value>,
{
    let (alone, refreshes) = (join == Join::Alone || !function.single_flight, join == Join::LeadOnly);
    match memo.enter(key, if alone && !refreshes { Join::Alone } else { join }, function.local) {
        Entered::Found(entry) => Started::Hit(local_hit::<O>(function, entry)),
        Entered::Lead(flight) => {
            let guard = Guard { function, memo, flight: Some(flight), door, refreshes, shared: D::SHARED };
            Started::Open(Open::Lead(guard))
        }
        Entered::Follow(flight) => Started::Open(Open::Follow(Follower { function, memo, flight, door })),
    }
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Open<O, K, D> {
    /// Settles the call with the thread.
    #[inline]
    pub fn settle(self) -> Begun<O, K, D> {
        ready(self.settle_by::<Blocking>())
    }

    /// Settles the call as a task. Dropping the future before it is done ends nothing but this call: a load that it
    /// led is led by one of its followers.
    #[inline]
    pub async fn settle_async(self) -> Begun<O, K, D> {
        self.settle_by::<Tasks>().await
    }

    async fn settle_by<I: Io>(mut self) -> Begun<O, K, D> {
        loop {
            self = match self {
                Open::Lead(guard) => return guard.fetch::<I>().await,
                Open::Follow(follower) => match follower.follow::<I>().await {
                    Ok(returned) | Err(Started::Hit(returned)) => return Begun::Hit(returned),
                    Err(Started::Open(open)) => open,
                },
            }
        }
    }
}

/// A call that waits for another caller's load.
pub struct Follower<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    function: &'static Function,
    memo: &'static Memo<K, O::Value>,
    flight: Arc<Flight<K, O::Value>>,
    door: D,
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Follower<O, K, D> {
    /// What the load brought, or the start of a load by this caller.
    async fn follow<I: Io>(self) -> Result<O::Return, Started<O, K, D>> {
        let returned = match I::ended(&self.flight).await {
            Ending::Value(value) => O::from_value(value),
            Ending::Error(error) => match O::from_shared_error(&error) {
                Some(returned) => returned,
                // Functions of one prefix share a memo and may fail with different types.
                None => return Err(self.lead(Join::Alone)),
            },
            Ending::Unshared => return Err(self.lead(Join::Alone)),
            Ending::Abandoned => return Err(self.lead(Join::Any)),
        };
        self.function.count(Count::Misses);
        self.function.count(Count::Joins);
        self.function.tell_miss(|call| self.door.describe(call));
        Ok(returned)
    }

    fn lead(self, join: Join) -> Started<O, K, D> {
        enter(self.function, self.memo, &Owned(&self.flight.key), self.door, join)
    }
}

/// The lead of a load. Dropping it without [`run`](Guard::run) having ended hands the lead to a follower.
pub struct Guard<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> {
    function: &'static Function,
    memo: &'static Memo<K, O::Value>,
    /// `None` once the load has ended.
    flight: Option<Arc<Flight<K, O::Value>>>,
    door: D,
    refreshes: bool,
    /// Whether to store in the shared level: not after it failed to answer.
    shared: bool,
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
    /// Asks the shared level, under the lead, so that one caller of a key asks.
    async fn fetch<I: Io>(mut self) -> Begun<O, K, D> {
        if D::SHARED {
            match self.door.fetch::<I>(self.function).await {
                Fetched::Value(found) => return Begun::Hit(self.end_with(found)),
                Fetched::Nothing => {}
                // It is not asked to store either: a call waits once for a backend that is down.
                Fetched::Failed(error) => {
                    self.function.report(&error);
                    self.shared = false;
                }
            }
        }
        Begun::Miss(self)
    }

    fn end_with(mut self, found: Shared<O::Value>) -> O::Return {
        self.function.count(Count::SharedHits);
        self.function.tell_hit(|call| {
            let mut call = self.door.describe(call);
            call.level = Some(Level::Shared);
            call.age = Some(found.age);
            call.time_to_expiry = found.left;
            call
        });
        let left = shorter(found.left, self.function.trusted_time());
        let keeps = self.function.local && left != Some(Duration::ZERO);
        let entry = keeps.then(|| entry(found.value.clone(), left));
        if let Some(flight) = self.flight.take() {
            self.memo.finish(flight, entry, Origin::Fetched, || Ending::Value(found.value.clone()));
        }
        O::from_value(found.value)
    }

    /// Runs the body, stores what it returned if `keep` says so, and lets the followers go.
    #[inline]
    pub fn run(self, body: impl FnOnce() -> O::Return, keep: impl FnOnce(&O::Value) -> bool) -> O::Return {
        self.run_checked(body, keep).0
    }

    /// Runs the body as a task, stores what it returned if `keep` says so, and lets the followers go.
    pub async fn run_async(
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> O::Return {
        self.run_checked_async(body, keep).await.0
    }

    /// As [`run_async`](Guard::run_async) without a shared level: what the body returned crosses no await, so it need
    /// not be `Send`.
    pub async fn run_local_async(
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> O::Return {
        let (returned, cost) = self.load_async(body).await;
        self.complete_locally(returned, cost, keep)
    }

    /// As [`run`](Guard::run), and whether the shared level took the value.
    pub fn run_checked(
        self,
        body: impl FnOnce() -> O::Return,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> (O::Return, Result<(), Error>) {
        let watch = Stopwatch::start();
        let returned = {
            let _inside = self.mark().map(Mark::enter);
            body()
        };
        let cost = watch.elapsed();
        if D::SHARED {
            ready(self.complete::<Blocking>(returned, cost, keep))
        } else {
            (self.complete_locally(returned, cost, keep), Ok(()))
        }
    }

    /// As [`run_async`](Guard::run_async), and whether the shared level took the value.
    pub async fn run_checked_async(
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> (O::Return, Result<(), Error>) {
        let (returned, cost) = self.load_async(body).await;
        self.complete::<Tasks>(returned, cost, keep).await
    }

    async fn load_async(&self, body: impl Future<Output = O::Return>) -> (O::Return, Duration) {
        let watch = Stopwatch::start();
        let mark = self.mark();
        let mut body = pin!(body);
        let returned = poll_fn(|context| {
            let _inside = mark.map(Mark::enter);
            body.as_mut().poll(context)
        })
        .await;
        (returned, watch.elapsed())
    }

    /// Stores a value that a caller brought, as a load that took no time.
    pub(super) async fn put<I: Io>(mut self, value: O::Value) -> Result<(), Error> {
        let (entry, stored) = self.store::<I>(&value, Duration::ZERO).await;
        if let Some(flight) = self.flight.take() {
            let finished = self.memo.finish(flight, entry, Origin::Loaded, || Ending::Value(value));
            self.function.counters.add(Count::Evicted, finished.evicted as u64);
        }
        stored
    }

    fn mark(&self) -> Option<Mark> {
        self.flight.as_deref().map(Mark::of)
    }

    /// Ends the load at both levels.
    async fn complete<I: Io>(
        self,
        returned: O::Return,
        cost: Duration,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> (O::Return, Result<(), Error>) {
        let (entry, stored) = match O::value(&returned).filter(|value| keep(value)) {
            Some(value) => self.store::<I>(value, cost).await,
            None => (None, Ok(())),
        };
        (self.end(returned, cost, entry), stored)
    }

    /// Ends the load without a shared level.
    fn complete_locally(self, returned: O::Return, cost: Duration, keep: impl FnOnce(&O::Value) -> bool) -> O::Return {
        let value = O::value(&returned).filter(|value| keep(value));
        let entry = value.and_then(|value| self.local_entry(value).ok()?);
        self.end(returned, cost, entry)
    }

    /// Ends the load: counts it, stores the entry in the local level and lets the followers go.
    fn end(mut self, returned: O::Return, cost: Duration, entry: Option<Entry<O::Value>>) -> O::Return {
        let function = self.function;
        if !self.refreshes {
            function.count(Count::Misses);
        }
        function.count(Count::Loads);
        function.counters.add(Count::LoadNanos, u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX));
        if O::value(&returned).is_none() {
            function.count(Count::LoadErrors);
        }
        if let Some(flight) = self.flight.take() {
            let keeps = entry.is_some();
            let ending = || match O::value(&returned) {
                Some(value) => Ending::Value(value.clone()),
                None => O::to_shared_error(&returned).map_or(Ending::Unshared, Ending::Error),
            };
            let finished = self.memo.finish(flight, entry, Origin::Loaded, ending);
            function.counters.add(Count::Evicted, finished.evicted as u64);
            if keeps && !finished.stored {
                function.count(Count::Discarded);
            }
        }
        function.tell_miss(|call| {
            let mut call = self.door.describe(call);
            call.load_time = Some(cost);
            call
        });
        returned
    }

    /// The entry for the local level, if it is to hold one; an error for a timeout of zero.
    fn local_entry(&self, value: &O::Value) -> Result<Option<Entry<O::Value>>, Error> {
        let timeout = self.function.fresh_time().inspect_err(|error| self.function.report(error))?;
        let trusted = if D::SHARED { self.function.trusted_time() } else { None };
        let left = shorter(timeout, trusted);
        Ok((self.function.local && left != Some(Duration::ZERO)).then(|| entry(value.clone(), left)))
    }

    /// Stores in the shared level; the entry for the local one, and whether the shared one took the value.
    async fn store<I: Io>(&self, value: &O::Value, cost: Duration) -> (Option<Entry<O::Value>>, Result<(), Error>) {
        let timeout = match self.function.fresh_time() {
            Ok(timeout) => timeout,
            Err(error) => {
                self.function.report(&error);
                return (None, Err(error));
            }
        };
        let mut stored = Ok(());
        if D::SHARED && self.shared {
            stored = self.store_shared::<I>(value, timeout, cost).await;
            if let Err(error) = &stored {
                self.function.report(error);
            }
        }
        if D::SHARED
            && !self.function.local
            && let Some(flight) = &self.flight
        {
            self.memo.outdate(flight);
        }
        (self.local_entry(value).unwrap_or(None), stored)
    }

    /// Writes under the flight's announcement, so that whoever dooms this load waits for the write to be over and
    /// removes what it wrote.
    async fn store_shared<I: Io>(
        &self,
        value: &O::Value,
        timeout: Option<Duration>,
        cost: Duration,
    ) -> Result<(), Error> {
        let Some(flight) = &self.flight else { return Ok(()) };
        let older = self.memo.supersede(flight).into_iter().map(|flight| flight as Arc<dyn Storing>).collect();
        I::stored(older).await?;
        if !flight.start_storing() {
            return Ok(());
        }
        let _storing = StopStoring(flight);
        self.door.store::<I>(value, timeout, cost).await
    }
}

/// Ends the announcement of a write, also when its future is dropped.
struct StopStoring<'a, K, V: Clone>(&'a Flight<K, V>);

impl<K, V: Clone> Drop for StopStoring<'_, K, V> {
    fn drop(&mut self) {
        self.0.stop_storing();
    }
}

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Drop for Guard<O, K, D> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            self.memo.finish(flight, None, Origin::Loaded, || Ending::Abandoned);
        }
    }
}

/// An entry stored now, fresh for `left`.
pub(super) fn entry<V>(value: V, left: Option<Duration>) -> Entry<V> {
    let created = clock::now();
    Entry { value, created, deadline: left.map_or(Tick::NEVER, |left| created.after(left)) }
}

/// The shorter of two times, where `None` is for ever.
pub(super) fn shorter(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
