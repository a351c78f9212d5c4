//! The operations of a [`Faulty`], each as its plan says.

use super::fault::Plan;
use super::gate::{Gate, Hanging, sleep_until};
use super::{Faulty, Operation};
use crate::bus::{Listener, Subscription};
use crate::clock;
use crate::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use crate::{BoxFuture, Cache, Capabilities, Error, Found, Want};
use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::time::Duration;

/// For what is not corrupted.
fn whole<T>(_: &Plan, _: &mut T) {}

impl Faulty {
    fn wait(&self, plan: &Plan) {
        if !plan.gates.is_empty() {
            let _counted = Hanging::new(&self.hanging);
            plan.gates.iter().for_each(|gate| gate.pass());
        }
        sleep_until(clock::now().after(plan.delay));
    }

    async fn wait_async(&self, plan: &Plan) {
        if !plan.gates.is_empty() {
            let _counted = Hanging::new(&self.hanging);
            for gate in &plan.gates {
                poll_fn(|context| gate.poll_pass(context)).await;
            }
        }
        if !plan.delay.is_zero() {
            let gate = Gate::after(plan.delay);
            poll_fn(|context| gate.poll_pass(context)).await;
        }
    }

    /// Carries an operation out; `done` is what it returns where it only says that it did.
    fn run<T>(
        &self,
        operation: Operation,
        done: impl FnOnce() -> T,
        call: impl FnOnce(&dyn Cache, &Plan) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let plan = self.plan(operation);
        self.wait(&plan);
        if let Some(answer) = plan.instead(operation, done) {
            return answer;
        }
        plan.reply(operation, call(&*self.inner, &plan)?)
    }

    /// As [`run`](Faulty::run), as a task; `corrupt` is given what was read.
    fn run_async<'a, T, F>(
        &'a self,
        operation: Operation,
        done: impl FnOnce() -> T + Send + 'a,
        call: F,
        corrupt: impl FnOnce(&Plan, &mut T) + Send + 'a,
    ) -> BoxFuture<'a, Result<T, Error>>
    where
        T: Send + 'a,
        F: Future<Output = Result<T, Error>> + Send + 'a,
    {
        Box::pin(async move {
            let plan = self.plan(operation);
            self.wait_async(&plan).await;
            if let Some(answer) = plan.instead(operation, done) {
                return answer;
            }
            let mut done = call.await?;
            corrupt(&plan, &mut done);
            plan.reply(operation, done)
        })
    }
}

// A method that is not forwarded would be the provided one, made of other operations of this cache.
#[deny(clippy::missing_trait_methods)]
impl Cache for Faulty {
    /// Those of the cache behind it; but its async twins wait by themselves, and for as long as a fault lasts.
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = self.inner.capabilities();
        capabilities.native_async = true;
        capabilities.bounded = false;
        capabilities
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.run(
            Operation::Get,
            || None,
            |inner, plan| {
                let mut found = inner.get(key)?;
                plan.corrupt_all(&mut found);
                Ok(found)
            },
        )
    }

    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        let mut answer = None;
        self.run(
            Operation::Read,
            || (),
            |inner, plan| {
                inner.read(key, want, &mut |found| {
                    if !plan.corrupts() && plan.reply(Operation::Read, ()).is_ok() {
                        return visit(found);
                    }
                    let mut bytes = found.bytes.to_vec();
                    plan.corrupt(&mut bytes);
                    answer = Some(Found { bytes, time_to_live: found.time_to_live });
                })
            },
        )?;
        // Shown only now, since a lost reply shows nothing.
        if let Some(Found { bytes, time_to_live }) = &answer {
            visit(Found { bytes, time_to_live: *time_to_live });
        }
        Ok(())
    }

    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.run(
            Operation::GetMany,
            || vec![None; keys.len()],
            |inner, plan| {
                let mut found = inner.get_many(keys)?;
                plan.corrupt_all(found.iter_mut().flatten());
                Ok(found)
            },
        )
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.run(Operation::Scan, || (), |inner, _| inner.scan(prefix, visit))
    }

    fn subscribe(&self, listener: Arc<dyn Listener>) -> Result<Option<Subscription>, Error> {
        self.run(Operation::Subscribe, || None, |inner, _| inner.subscribe(listener))
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        self.run(Operation::Set, || (), |inner, _| inner.set(key, bytes, timeout))
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.run(Operation::Add, || true, |inner, _| inner.add(key, bytes, timeout))
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        self.run(Operation::Remove, || false, |inner, _| inner.remove(key))
    }

    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        self.run(Operation::SetMany, || (), |inner, _| inner.set_many(entries, timeout))
    }

    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        self.run(Operation::RemoveMany, || 0, |inner, _| inner.remove_many(keys))
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        self.run(Operation::Increment, || by, |inner, _| inner.increment(key, by, timeout))
    }

    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        self.run(Operation::Touch, || false, |inner, _| inner.touch(key, timeout))
    }

    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        self.run(Operation::Clear, || 0, |inner, _| inner.clear(prefix))
    }

    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        self.run(
            Operation::Invalidate,
            || Invalidated { sequence: what.seen + 1, removed: 0 },
            |inner, _| inner.invalidate(what),
        )
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        self.run(Operation::Store, || Stored::Stored, |inner, _| inner.store(key, bytes, timeout, since))
    }

    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        let all = || vec![Ok(Stored::Stored); entries.len()];
        let done = self.run(Operation::StoreMany, all, |inner, _| Ok(inner.store_many(entries)));
        done.unwrap_or_else(|error| vec![Err(error); entries.len()])
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        self.run(
            Operation::Records,
            || Records { sequence: seen, numbers: vec![0; names.len()] },
            |inner, _| inner.records(names, seen),
        )
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        self.run(Operation::RemoveIf, || false, |inner, _| inner.remove_if(key, bytes))
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.run(Operation::TouchIf, || false, |inner, _| inner.touch_if(key, bytes, timeout))
    }

    fn publish(&self, message: &[u8]) -> Result<(), Error> {
        self.run(Operation::Publish, || (), |inner, _| inner.publish(message))
    }

    fn get_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        self.run_async(Operation::Get, || None, self.inner.get_async(key), |plan, found| plan.corrupt_all(found))
    }

    fn read_async<'a>(&'a self, key: &'a str, want: Want) -> BoxFuture<'a, Result<Option<Found<Vec<u8>>>, Error>> {
        self.run_async(
            Operation::Read,
            || None,
            self.inner.read_async(key, want),
            |plan, found| {
                plan.corrupt_all(found.iter_mut().map(|found| &mut found.bytes));
            },
        )
    }

    fn get_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        self.run_async(
            Operation::GetMany,
            || vec![None; keys.len()],
            self.inner.get_many_async(keys),
            |plan, found| {
                plan.corrupt_all(found.iter_mut().flatten());
            },
        )
    }

    fn scan_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        self.run_async(Operation::Scan, Vec::new, self.inner.scan_async(prefix), whole)
    }

    fn set_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.run_async(Operation::Set, move || (), self.inner.set_async(key, bytes, timeout), whole)
    }

    fn add_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        self.run_async(Operation::Add, move || true, self.inner.add_async(key, bytes, timeout), whole)
    }

    fn remove_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        self.run_async(Operation::Remove, move || false, self.inner.remove_async(key), whole)
    }

    fn set_many_async<'a>(
        &'a self,
        entries: &'a [(&'a str, &'a [u8])],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        self.run_async(Operation::SetMany, move || (), self.inner.set_many_async(entries, timeout), whole)
    }

    fn remove_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<u64, Error>> {
        self.run_async(Operation::RemoveMany, move || 0, self.inner.remove_many_async(keys), whole)
    }

    fn increment_async<'a>(
        &'a self,
        key: &'a str,
        by: i64,
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, Error>> {
        self.run_async(Operation::Increment, move || by, self.inner.increment_async(key, by, timeout), whole)
    }

    fn touch_async<'a>(&'a self, key: &'a str, timeout: Option<Duration>) -> BoxFuture<'a, Result<bool, Error>> {
        self.run_async(Operation::Touch, move || false, self.inner.touch_async(key, timeout), whole)
    }

    fn clear_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        self.run_async(Operation::Clear, move || 0, self.inner.clear_async(prefix), whole)
    }

    fn invalidate_async<'a>(&'a self, what: &'a Invalidation<'a>) -> BoxFuture<'a, Result<Invalidated, Error>> {
        self.run_async(
            Operation::Invalidate,
            move || Invalidated { sequence: what.seen + 1, removed: 0 },
            self.inner.invalidate_async(what),
            whole,
        )
    }

    fn store_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> BoxFuture<'a, Result<Stored, Error>> {
        self.run_async(
            Operation::Store,
            move || Stored::Stored,
            self.inner.store_async(key, bytes, timeout, since),
            whole,
        )
    }

    fn store_many_async<'a>(&'a self, entries: &'a [Loaded<'a>]) -> BoxFuture<'a, Vec<Result<Stored, Error>>> {
        let all = move || vec![Ok(Stored::Stored); entries.len()];
        let call = async { Ok(self.inner.store_many_async(entries).await) };
        let done = self.run_async(Operation::StoreMany, all, call, whole);
        Box::pin(async move { done.await.unwrap_or_else(|error| vec![Err(error); entries.len()]) })
    }

    fn records_async<'a>(&'a self, names: &'a [&'a str], seen: u64) -> BoxFuture<'a, Result<Records, Error>> {
        self.run_async(
            Operation::Records,
            move || Records { sequence: seen, numbers: vec![0; names.len()] },
            self.inner.records_async(names, seen),
            whole,
        )
    }

    fn remove_if_async<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        self.run_async(Operation::RemoveIf, move || false, self.inner.remove_if_async(key, bytes), whole)
    }

    fn touch_if_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        self.run_async(Operation::TouchIf, move || false, self.inner.touch_if_async(key, bytes, timeout), whole)
    }

    fn publish_async<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<(), Error>> {
        self.run_async(Operation::Publish, move || (), self.inner.publish_async(message), whole)
    }
}
