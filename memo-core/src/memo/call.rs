//! The path of one call: look, join or lead, fetch, load, store.
//!
//! ```text
//! start    hit in the local level            -> Begun::Hit
//!          else join a load or begin one     -> Started::Follow / Started::Lead
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
pub enum Started<O: Outcome, K: MemoKey, D: Door<O::Value>> {
    /// Found in the local level.
    Hit(O::Return),
    /// This caller runs the load.
    Lead(Guard<O, K, D>),
    /// Another caller runs it.
    Follow(Follower<O, K, D>),
}

/// A call that is answered, or that has to run the body.
#[must_use = "a miss must run the body"]
pub enum Begun<O: Outcome, K: MemoKey, D: Door<O::Value>> {
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
    O: Outcome,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, P::Owned, O::Value>(instance);
    let key = Borrowed(parts);
    match memo.get(&key) {
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
    O: Outcome,
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
    O: Outcome,
    P: Parts,
    M: MakeDoor<P, O::Value>,
{
    let memo = function.memo::<T, P::Owned, O::Value>(instance);
    match begin(function, memo, parts, door, Join::LeadOnly) {
        Started::Lead(guard) => guard,
        Started::Hit(_) | Started::Follow(_) => unreachable!("it leads"),
    }
}

#[inline]
fn local_hit<O: Outcome>(function: &'static Function, entry: Entry<O::Value>) -> O::Return {
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
fn begin<O, P, M>(
    function: &'static Function,
    memo: &'static Memo<P::Owned, O::Value>,
    parts: P,
    make_door: M,
    join: Join,
) -> Started<O, P::Owned, M::Door>
where
    O: Outcome,
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
    O: Outcome,
    K: MemoKey,
    D: Door<O::Value>,
{
    let (alone, refreshes) = (join == Join::Alone || !function.single_flight, join == Join::LeadOnly);
    match memo.enter(key, if alone && !refreshes { Join::Alone } else { join }) {
        Entered::Found(entry) => Started::Hit(local_hit::<O>(function, entry)),
        Entered::Lead(flight) => {
            Started::Lead(Guard { function, memo, flight: Some(flight), door, refreshes, shared: D::SHARED })
        }
        Entered::Follow(flight) => Started::Follow(Follower { function, memo, flight, door }),
    }
}

impl<O: Outcome, K: MemoKey, D: Door<O::Value>> Started<O, K, D> {
    /// Settles the call with the thread.
    #[inline]
    pub fn settle(self) -> Begun<O, K, D> {
        match self {
            Started::Hit(returned) => Begun::Hit(returned),
            started => started.settle_blocking(),
        }
    }

    /// Not inlined, as [`Guard::run`] is not: the function that users call keeps the stack frame of a hit.
    #[inline(never)]
    fn settle_blocking(self) -> Begun<O, K, D> {
        ready(self.settle_slowly::<Blocking>())
    }

    /// Settles the call as a task. Dropping the future before it is done ends nothing but this call: a load that it
    /// led is led by one of its followers.
    #[inline]
    pub async fn settle_async(self) -> Begun<O, K, D> {
        match self {
            Started::Hit(returned) => Begun::Hit(returned),
            started => started.settle_slowly::<Tasks>().await,
        }
    }

    async fn settle_slowly<I: Io>(mut self) -> Begun<O, K, D> {
        loop {
            self = match self {
                Started::Hit(returned) => return Begun::Hit(returned),
                Started::Lead(guard) => return guard.fetch::<I>().await,
                Started::Follow(follower) => match follower.follow::<I>().await {
                    Ok(returned) => return Begun::Hit(returned),
                    Err(started) => started,
                },
            }
        }
    }
}

/// A call that waits for another caller's load.
pub struct Follower<O: Outcome, K: MemoKey, D: Door<O::Value>> {
    function: &'static Function,
    memo: &'static Memo<K, O::Value>,
    flight: Arc<Flight<K, O::Value>>,
    door: D,
}

impl<O: Outcome, K: MemoKey, D: Door<O::Value>> Follower<O, K, D> {
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
pub struct Guard<O: Outcome, K: MemoKey, D: Door<O::Value>> {
    function: &'static Function,
    memo: &'static Memo<K, O::Value>,
    /// `None` once the load has ended.
    flight: Option<Arc<Flight<K, O::Value>>>,
    door: D,
    refreshes: bool,
    /// Whether to store in the shared level: not after it failed to answer.
    shared: bool,
}

impl<O: Outcome, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
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
        // A `local_timeout` that can't be used makes no local copy, the same as a timeout of no time.
        let trusted = self.function.local_time().unwrap_or(Some(Duration::ZERO));
        let left = shorter(found.left, trusted);
        // Without a local level the value is not copied for one.
        let keeps = self.memo.local.is_some() && left != Some(Duration::ZERO);
        let entry = keeps.then(|| entry(found.value.clone(), left));
        if let Some(flight) = self.flight.take() {
            self.memo.finish(flight, entry, Origin::Fetched, || Ending::Value(found.value.clone()));
        }
        O::from_value(found.value)
    }

    /// Runs the body, stores what it returned if `keep` says so, and lets the followers go.
    #[inline(never)]
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

    /// As [`run`](Guard::run), and whether the shared level took the value.
    pub fn run_checked(
        self,
        body: impl FnOnce() -> O::Return,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> (O::Return, Result<(), crate::Error>) {
        let watch = Stopwatch::start();
        let returned = {
            let _inside = self.mark().map(Mark::enter);
            body()
        };
        let cost = watch.elapsed();
        ready(self.complete::<Blocking>(returned, cost, keep))
    }

    /// As [`run_async`](Guard::run_async), and whether the shared level took the value.
    pub async fn run_checked_async(
        self,
        body: impl Future<Output = O::Return>,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> (O::Return, Result<(), crate::Error>) {
        let watch = Stopwatch::start();
        let mark = self.mark();
        let returned = {
            let mut body = pin!(body);
            poll_fn(|context| {
                let _inside = mark.map(Mark::enter);
                body.as_mut().poll(context)
            })
            .await
        };
        let cost = watch.elapsed();
        self.complete::<Tasks>(returned, cost, keep).await
    }

    /// Stores a value that a caller brought, as a load that took no time.
    pub(super) async fn put<I: Io>(mut self, value: O::Value) -> Result<(), crate::Error> {
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

    async fn complete<I: Io>(
        mut self,
        returned: O::Return,
        cost: Duration,
        keep: impl FnOnce(&O::Value) -> bool,
    ) -> (O::Return, Result<(), crate::Error>) {
        let function = self.function;
        if !self.refreshes {
            function.count(Count::Misses);
        }
        function.count(Count::Loads);
        function.counters.add(Count::LoadNanos, u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX));
        let value = O::value(&returned);
        if value.is_none() {
            function.count(Count::LoadErrors);
        }
        let (entry, stored) = match value.filter(|value| keep(value)) {
            Some(value) => self.store::<I>(value, cost).await,
            None => (None, Ok(())),
        };
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
        (returned, stored)
    }

    /// Stores in the shared level; the entry for the local one, and whether the shared one took the value.
    async fn store<I: Io>(
        &self,
        value: &O::Value,
        cost: Duration,
    ) -> (Option<Entry<O::Value>>, Result<(), crate::Error>) {
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
        let left = match D::SHARED {
            true => shorter(timeout, self.function.local_time().unwrap_or(Some(Duration::ZERO))),
            false => timeout,
        };
        let trusted = left != Some(Duration::ZERO);
        (trusted.then(|| entry(value.clone(), left)), stored)
    }

    /// Writes under the flight's announcement, so that whoever dooms this load waits for the write to be over and
    /// removes what it wrote.
    async fn store_shared<I: Io>(
        &self,
        value: &O::Value,
        timeout: Option<Duration>,
        cost: Duration,
    ) -> Result<(), crate::Error> {
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

impl<O: Outcome, K: MemoKey, D: Door<O::Value>> Drop for Guard<O, K, D> {
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
