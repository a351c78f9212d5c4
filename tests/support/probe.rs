//! A cache in memory whose operations a test stops, fails and falsifies.

use super::gate::Gate;
use memokit::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use memokit::{BoxFuture, Cache, Capabilities, Error, ErrorKind, Found, MemoryCache, TimeToLive, Want};
use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

/// The operations that cached functions use. Conditional ones are those that they are with a condition: `store` is a
/// `Set`, `store_many` a `SetMany`, an `invalidate` is a `Remove` where it has keys, else a `Clear`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Op {
    Read,
    Set,
    Add,
    Remove,
    Clear,
    GetMany,
    SetMany,
    RemoveMany,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Before,
    After,
}

/// What happens before or after an operation.
#[derive(Clone)]
pub(crate) enum Step {
    Go,
    /// Waits at the gate.
    Stop(Arc<Gate>),
    /// Gives way to other tasks once.
    Yield,
    Fail(ErrorKind),
    Panic,
}

type Rule = dyn Fn(Op, When) -> Step + Send + Sync;
type Lie = dyn Fn(Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync;

/// The cache. Its async twins are its own, as those of a backend that does I/O.
pub(crate) struct Probe {
    pub(crate) memory: MemoryCache,
    rule: Mutex<Arc<Rule>>,
    lie: Mutex<Option<Arc<Lie>>>,
    log: Mutex<Vec<(Op, When)>>,
    timeouts: Mutex<Vec<Option<Duration>>>,
}

impl Probe {
    /// A probe that lets everything pass.
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Probe {
            memory: MemoryCache::new(),
            rule: Mutex::new(Arc::new(|_, _| Step::Go)),
            lie: Mutex::default(),
            log: Mutex::default(),
            timeouts: Mutex::default(),
        })
    }

    /// What happens at each operation from now on.
    pub(crate) fn rule(&self, rule: impl Fn(Op, When) -> Step + Send + Sync + 'static) {
        *self.rule.lock().unwrap() = Arc::new(rule);
    }

    /// Holds up every operation of this kind at the gate that is returned.
    pub(crate) fn stop(&self, op: Op, when: When) -> Arc<Gate> {
        let gate = Arc::new(Gate::default());
        let at = Arc::clone(&gate);
        self.rule(move |o, w| if (o, w) == (op, when) { Step::Stop(Arc::clone(&at)) } else { Step::Go });
        gate
    }

    /// What reads find from now on, made of what they would have found.
    pub(crate) fn lie(&self, lie: impl Fn(Option<Vec<u8>>) -> Option<Vec<u8>> + Send + Sync + 'static) {
        *self.lie.lock().unwrap() = Some(Arc::new(lie));
    }

    /// Lets everything pass again.
    pub(crate) fn be_good(&self) {
        self.rule(|_, _| Step::Go);
        *self.lie.lock().unwrap() = None;
    }

    /// The operations since the last call of this, in the order in which they came and went.
    pub(crate) fn log(&self) -> Vec<(Op, When)> {
        std::mem::take(&mut self.log.lock().unwrap())
    }

    /// The timeouts that were given to `set`.
    pub(crate) fn timeouts(&self) -> Vec<Option<Duration>> {
        std::mem::take(&mut self.timeouts.lock().unwrap())
    }

    fn ask(&self, op: Op, when: When) -> Step {
        if when == When::After {
            self.log.lock().unwrap().push((op, when));
        }
        let rule = Arc::clone(&self.rule.lock().unwrap());
        let step = rule(op, when);
        if when == When::Before {
            self.log.lock().unwrap().push((op, when));
        }
        step
    }

    fn at(&self, op: Op, when: When) -> Result<(), Error> {
        match self.ask(op, when) {
            Step::Stop(gate) => gate.pass(),
            Step::Go | Step::Yield => {}
            Step::Fail(kind) => return Err(Error::new(kind, "asking the probe")),
            Step::Panic => panic!("a backend that panics"),
        }
        Ok(())
    }

    async fn at_async(&self, op: Op, when: When) -> Result<(), Error> {
        match self.ask(op, when) {
            Step::Stop(gate) => gate.pass_async().await,
            Step::Yield => yield_once().await,
            Step::Go => {}
            Step::Fail(kind) => return Err(Error::new(kind, "asking the probe")),
            Step::Panic => panic!("a backend that panics"),
        }
        Ok(())
    }

    fn around<T>(&self, op: Op, run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
        self.at(op, When::Before)?;
        let done = run()?;
        self.at(op, When::After)?;
        Ok(done)
    }

    fn around_async<'a, T: Send + 'a>(
        &'a self,
        op: Op,
        run: impl FnOnce() -> Result<T, Error> + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>> {
        Box::pin(async move {
            self.at_async(op, When::Before).await?;
            let done = run()?;
            self.at_async(op, When::After).await?;
            Ok(done)
        })
    }

    fn found(&self, key: &str, want: Want) -> Result<Option<Found<Vec<u8>>>, Error> {
        let mut found = None;
        self.memory.read(key, want, &mut |lent| found = Some((lent.bytes.to_vec(), lent.time_to_live)))?;
        let time_to_live = found.as_ref().map_or(TimeToLive::Unknown, |(_, time_to_live)| *time_to_live);
        let bytes = found.map(|(bytes, _)| bytes);
        let lie = self.lie.lock().unwrap().clone();
        let bytes = match lie {
            Some(lie) => lie(bytes),
            None => bytes,
        };
        Ok(bytes.map(|bytes| Found { bytes, time_to_live }))
    }
}

async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Cache for Probe {
    fn capabilities(&self) -> Capabilities {
        let mut can = self.memory.capabilities();
        can.name = "probe";
        can.native_async = true;
        // A test may hold an operation up for as long as it likes.
        can.bounded = true;
        can
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.around(Op::Read, || self.found(key, Want::Bytes))?.map(|found| found.bytes))
    }

    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        if let Some(found) = self.around(Op::Read, || self.found(key, want))? {
            visit(Found { bytes: &found.bytes, time_to_live: found.time_to_live });
        }
        Ok(())
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        self.timeouts.lock().unwrap().push(timeout);
        self.around(Op::Set, || self.memory.set(key, bytes, timeout))
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.around(Op::Add, || self.memory.add(key, bytes, timeout))
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        self.around(Op::Remove, || self.memory.remove(key))
    }

    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.around(Op::GetMany, || self.memory.get_many(keys))
    }

    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        self.timeouts.lock().unwrap().push(timeout);
        self.around(Op::SetMany, || self.memory.set_many(entries, timeout))
    }

    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        self.around(Op::RemoveMany, || self.memory.remove_many(keys))
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.memory.scan(prefix, visit)
    }

    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        self.around(Op::Clear, || self.memory.clear(prefix))
    }

    fn read_async<'a>(&'a self, key: &'a str, want: Want) -> BoxFuture<'a, Result<Option<Found<Vec<u8>>>, Error>> {
        self.around_async(Op::Read, move || self.found(key, want))
    }

    fn set_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.timeouts.lock().unwrap().push(timeout);
        self.around_async(Op::Set, move || self.memory.set(key, bytes, timeout))
    }

    fn add_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        self.around_async(Op::Add, move || self.memory.add(key, bytes, timeout))
    }

    fn remove_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        self.around_async(Op::Remove, move || self.memory.remove(key))
    }

    fn get_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        self.around_async(Op::GetMany, move || self.memory.get_many(keys))
    }

    fn set_many_async<'a>(
        &'a self,
        entries: &'a [(&'a str, &'a [u8])],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.timeouts.lock().unwrap().push(timeout);
        self.around_async(Op::SetMany, move || self.memory.set_many(entries, timeout))
    }

    fn remove_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<u64, Error>> {
        self.around_async(Op::RemoveMany, move || self.memory.remove_many(keys))
    }

    fn clear_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        self.around_async(Op::Clear, move || self.memory.clear(prefix))
    }

    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        self.around(invalidates(what), || self.memory.invalidate(what))
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        self.timeouts.lock().unwrap().push(timeout);
        self.around(Op::Set, || self.memory.store(key, bytes, timeout, since))
    }

    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        self.timeouts.lock().unwrap().extend(entries.iter().map(|entry| entry.timeout));
        let done = self.around(Op::SetMany, || Ok(self.memory.store_many(entries)));
        done.unwrap_or_else(|error| vec![Err(error); entries.len()])
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        self.memory.records(names, seen)
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        self.around(Op::Remove, || self.memory.remove_if(key, bytes))
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.memory.touch_if(key, bytes, timeout)
    }

    fn invalidate_async<'a>(&'a self, what: &'a Invalidation<'a>) -> BoxFuture<'a, Result<Invalidated, Error>> {
        self.around_async(invalidates(what), move || self.memory.invalidate(what))
    }

    fn store_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> BoxFuture<'a, Result<Stored, Error>> {
        self.timeouts.lock().unwrap().push(timeout);
        self.around_async(Op::Set, move || self.memory.store(key, bytes, timeout, since))
    }

    fn store_many_async<'a>(&'a self, entries: &'a [Loaded<'a>]) -> BoxFuture<'a, Vec<Result<Stored, Error>>> {
        self.timeouts.lock().unwrap().extend(entries.iter().map(|entry| entry.timeout));
        let done = self.around_async(Op::SetMany, move || Ok(self.memory.store_many(entries)));
        Box::pin(async move { done.await.unwrap_or_else(|error| vec![Err(error); entries.len()]) })
    }

    fn records_async<'a>(&'a self, names: &'a [&'a str], seen: u64) -> BoxFuture<'a, Result<Records, Error>> {
        Box::pin(async move { self.memory.records(names, seen) })
    }

    fn remove_if_async<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        self.around_async(Op::Remove, move || self.memory.remove_if(key, bytes))
    }

    fn touch_if_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.memory.touch_if(key, bytes, timeout) })
    }
}

fn invalidates(what: &Invalidation<'_>) -> Op {
    if what.keys.is_empty() { Op::Clear } else { Op::Remove }
}
