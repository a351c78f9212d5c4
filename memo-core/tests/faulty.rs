//! A faulty cache: each fault does what it says, through both doors, and a quiet one is the cache behind it.
#![cfg(all(feature = "testing", feature = "shared"))]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memo_core::bus::{Listener, Snapshot, Subscription};
use memo_core::clock::{self, Tick};
use memo_core::invalidation::{Invalidation, Loaded, Stored};
use memo_core::testing::{Fault, Faulty, MockClock, Operation, conformance};
use memo_core::{Cache, Capabilities, Error, ErrorKind, Found, Want, check_key};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// The least that a cache must be.
#[derive(Default)]
struct Map(Mutex<HashMap<String, (Vec<u8>, Tick)>>);

impl Map {
    fn with<T>(&self, key: &str, run: impl FnOnce(&mut HashMap<String, (Vec<u8>, Tick)>) -> T) -> Result<T, Error> {
        check_key(key)?;
        let mut map = self.0.lock().unwrap();
        map.retain(|_, (_, end)| *end > clock::now());
        Ok(run(&mut map))
    }
}

fn entry(bytes: &[u8], timeout: Option<Duration>) -> (Vec<u8>, Tick) {
    (bytes.to_vec(), timeout.map_or(Tick::NEVER, |timeout| clock::now().after(timeout)))
}

impl Cache for Map {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new("map");
        (capabilities.scan, capabilities.increment) = (true, true);
        capabilities
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.with(key, |map| map.get(key).map(|(bytes, _)| bytes.clone()))
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        self.with(key, |map| drop(map.insert(key.into(), entry(bytes, timeout))))
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.with(key, |map| {
            let is_new = !map.contains_key(key);
            map.entry(key.into()).or_insert_with(|| entry(bytes, timeout));
            is_new
        })
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        self.with(key, |map| map.remove(key).is_some())
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        self.with(key, |map| {
            let (bytes, _) = map.entry(key.into()).or_insert_with(|| entry(b"0", timeout));
            let number: Option<i64> = std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok());
            let sum = number.and_then(|number| number.checked_add(by));
            let sum = sum.ok_or_else(|| Error::new(ErrorKind::Backend, "adding to what is no number"))?;
            *bytes = sum.to_string().into_bytes();
            Ok(sum)
        })?
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let shown = |key: &&String| key.starts_with(prefix) && !memo_core::is_reserved(key);
        self.with("any", |map| map.keys().filter(shown).for_each(|key| visit(key)))
    }
}

fn faulty() -> Faulty {
    let faulty = Faulty::new(Arc::new(Map::default()));
    faulty.set("key", b"value", None).unwrap();
    faulty
}

/// Runs a task of a cache that needs no runtime.
fn wait<T: Send>(task: impl Future<Output = T> + Send) -> T {
    let mut output = None;
    conformance::block_on(Box::pin(async { output = Some(task.await) }));
    output.unwrap()
}

fn read(cache: &Faulty) -> Result<Option<Vec<u8>>, Error> {
    let mut found = None;
    cache.read("key", Want::Bytes, &mut |shown: Found<&[u8]>| found = Some(shown.bytes.to_vec()))?;
    Ok(found)
}

struct Deaf;

impl Listener for Deaf {
    fn connected(&self, _: &Snapshot) {}
    fn lost(&self) {}
    fn message(&self, _: &[u8]) {}
}

/// One way to read the key.
type Read = fn(&Faulty) -> Result<Option<Vec<u8>>, Error>;

/// One operation through one door.
type Call = (Operation, fn(&Faulty) -> Result<(), Error>);

/// Each operation through each of its doors.
const CALLS: [Call; 39] = [
    (Operation::Get, |cache| cache.get("key").map(drop)),
    (Operation::Get, |cache| wait(cache.get_async("key")).map(drop)),
    (Operation::Set, |cache| cache.set("key", b"new", None)),
    (Operation::Set, |cache| wait(cache.set_async("key", b"new", None))),
    (Operation::Add, |cache| cache.add("key", b"new", None).map(drop)),
    (Operation::Add, |cache| wait(cache.add_async("key", b"new", None)).map(drop)),
    (Operation::Remove, |cache| cache.remove("key").map(drop)),
    (Operation::Remove, |cache| wait(cache.remove_async("key")).map(drop)),
    (Operation::Read, |cache| read(cache).map(drop)),
    (Operation::Read, |cache| wait(cache.read_async("key", Want::BytesAndTimeToLive)).map(drop)),
    (Operation::GetMany, |cache| cache.get_many(&["key"]).map(drop)),
    (Operation::GetMany, |cache| wait(cache.get_many_async(&["key"])).map(drop)),
    (Operation::SetMany, |cache| cache.set_many(&[("key", b"new")], None)),
    (Operation::SetMany, |cache| wait(cache.set_many_async(&[("key", b"new")], None))),
    (Operation::RemoveMany, |cache| cache.remove_many(&["key"]).map(drop)),
    (Operation::RemoveMany, |cache| wait(cache.remove_many_async(&["key"])).map(drop)),
    (Operation::Increment, |cache| cache.increment("number", 1, None).map(drop)),
    (Operation::Increment, |cache| wait(cache.increment_async("number", 1, None)).map(drop)),
    (Operation::Touch, |cache| unsupported(cache.touch("key", None).map(drop))),
    (Operation::Touch, |cache| unsupported(wait(cache.touch_async("key", None)).map(drop))),
    (Operation::Scan, |cache| cache.scan("", &mut |_| ())),
    (Operation::Scan, |cache| wait(cache.scan_async("")).map(drop)),
    (Operation::Clear, |cache| cache.clear("").map(drop)),
    (Operation::Clear, |cache| wait(cache.clear_async("")).map(drop)),
    (Operation::Invalidate, |cache| cache.invalidate(&invalidation()).map(drop)),
    (Operation::Invalidate, |cache| wait(cache.invalidate_async(&invalidation())).map(drop)),
    (Operation::Store, |cache| cache.store("key", b"new", None, 0).map(|stored| assert_eq!(stored, Stored::Stored))),
    (Operation::Store, |cache| {
        wait(cache.store_async("key", b"new", None, 0)).map(|stored| assert_eq!(stored, Stored::Stored))
    }),
    (Operation::StoreMany, |cache| stored(cache.store_many(&loaded()))),
    (Operation::StoreMany, |cache| stored(wait(cache.store_many_async(&loaded())))),
    (Operation::Records, |cache| cache.records(&["t:a"], 0).map(drop)),
    (Operation::Records, |cache| wait(cache.records_async(&["t:a"], 0)).map(drop)),
    (Operation::RemoveIf, |cache| cache.remove_if("key", b"value").map(drop)),
    (Operation::RemoveIf, |cache| wait(cache.remove_if_async("key", b"value")).map(drop)),
    (Operation::TouchIf, |cache| cache.touch_if("key", b"value", None).map(drop)),
    (Operation::TouchIf, |cache| wait(cache.touch_if_async("key", b"value", None)).map(drop)),
    (Operation::Subscribe, |cache| cache.subscribe(Arc::new(Deaf)).map(drop::<Option<Subscription>>)),
    (Operation::Publish, |cache| unsupported(cache.publish(b"message"))),
    (Operation::Publish, |cache| unsupported(wait(cache.publish_async(b"message")))),
];

fn invalidation() -> Invalidation<'static> {
    Invalidation { keys: &["key"], names: &["t:a"], keep: Duration::from_secs(1), ..Invalidation::default() }
}

fn loaded() -> [Loaded<'static>; 2] {
    ["key", "other"].map(|key| Loaded { key, bytes: b"new", timeout: None, since: 0 })
}

/// Both were stored, or both failed in the same way.
fn stored(results: Vec<Result<Stored, Error>>) -> Result<(), Error> {
    let [first, second]: [Result<Stored, Error>; 2] = results.try_into().unwrap();
    let kind = |result: &Result<Stored, Error>| result.as_ref().err().map(Error::kind);
    assert_eq!(kind(&first), kind(&second));
    first.map(|stored| assert_eq!((stored, second.unwrap()), (Stored::Stored, Stored::Stored)))
}

/// What the map can't do is an answer like any other.
fn unsupported(result: Result<(), Error>) -> Result<(), Error> {
    match result {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        other => other,
    }
}

#[test]
fn a_quiet_one_is_the_cache_behind_it() {
    let clock = MockClock::install();
    let cache: Arc<dyn Cache> = Arc::new(Faulty::new(Arc::new(Map::default())));
    conformance::check(&cache, &mut |span| clock.advance(span), &conformance::block_on);
}

#[test]
fn every_operation_is_counted_and_failed_by_its_name() {
    for (operation, call) in CALLS {
        let cache = faulty();
        let before = cache.all_calls();
        call(&cache).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
        assert_eq!(
            (cache.calls(operation), cache.all_calls() - before),
            (1 + u64::from(operation == Operation::Set), 1)
        );
        for other in Operation::ALL.into_iter().filter(|other| *other != operation) {
            cache.inject(Fault::error(ErrorKind::Full).on(other));
        }
        call(&cache).unwrap_or_else(|error| panic!("{operation:?} has the fault of another: {error}"));
        let only = cache.inject(Fault::error(ErrorKind::Unavailable).on(operation));
        let error = call(&cache).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.to_string().contains(operation.name()), "{error}");
        assert!(cache.withdraw(only) && !cache.withdraw(only));
        call(&cache).unwrap();
    }
    let covered = |operation: &Operation| CALLS.iter().any(|(tried, _)| tried == operation);
    assert!(Operation::ALL.iter().all(covered));
}

#[test]
fn an_error_is_before_the_operation_and_a_lost_reply_after_it() {
    for call in [|cache: &Faulty| cache.remove("key"), |cache: &Faulty| wait(cache.remove_async("key"))] {
        let cache = faulty();
        cache.inject(Fault::error(ErrorKind::Unavailable).on(Operation::Remove).times(1));
        cache.inject(Fault::lost_reply(ErrorKind::Timeout).on(Operation::Remove).nth(2));
        assert_eq!(call(&cache).unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(cache.inner().get("key").unwrap().is_some());
        assert_eq!(call(&cache).unwrap_err().kind(), ErrorKind::Timeout);
        assert!(cache.inner().get("key").unwrap().is_none());
        assert!(!call(&cache).unwrap());
    }
    let cache = faulty();
    cache.inject(Fault::lost_reply(ErrorKind::Timeout));
    assert!(read(&cache).is_err());
    let mut shown = 0;
    assert!(cache.read("key", Want::Bytes, &mut |_| shown += 1).is_err() && shown == 0);
}

#[test]
fn an_ignored_operation_says_that_it_was_done() {
    let cache = faulty();
    cache.inject(Fault::ignore());
    for (operation, call) in CALLS {
        call(&cache).unwrap_or_else(|error| panic!("{operation:?}: {error}"));
    }
    assert!(cache.add("key", b"other", None).unwrap());
    assert_eq!((cache.get("key").unwrap(), read(&cache).unwrap()), (None, None));
    assert_eq!(cache.get_many(&["key", "b"]).unwrap(), [None, None]);
    assert_eq!(cache.inner().get("key").unwrap().unwrap(), b"value");
}

#[test]
fn a_corrupt_value_differs_in_one_bit() {
    let cache = faulty();
    cache.set("empty", b"", None).unwrap();
    cache.inject(Fault::corrupt());
    let read_async = |cache: &Faulty| Ok(wait(cache.read_async("key", Want::Bytes))?.map(|found| found.bytes));
    let many = |cache: &Faulty| Ok(cache.get_many(&["key"])?.remove(0));
    let many_async = |cache: &Faulty| Ok(wait(cache.get_many_async(&["key"]))?.remove(0));
    let reads: [Read; 6] =
        [|cache| cache.get("key"), |cache| wait(cache.get_async("key")), read, read_async, many, many_async];
    let mut seen = Vec::new();
    for read in reads {
        for _ in 0..20 {
            let bytes = read(&cache).unwrap().unwrap();
            let bits: u32 = bytes.iter().zip(b"value").map(|(one, other)| (one ^ other).count_ones()).sum();
            assert_eq!((bytes.len(), bits), (5, 1));
            seen.push(bytes);
        }
    }
    seen.sort();
    seen.dedup();
    assert!(seen.len() > 10, "it is not always the same bit");
    assert_eq!(cache.get("empty").unwrap().unwrap().len(), 1);
    assert_eq!(cache.get("nothing").unwrap(), None);
    assert_eq!(cache.inner().get("key").unwrap().unwrap(), b"value");
}

#[test]
fn a_share_of_the_calls_has_a_fault() {
    let cache = faulty();
    cache.inject(Fault::error(ErrorKind::Timeout).share(0.25).on(Operation::Get));
    let failed = |cache: &Faulty| (0..1_000).filter(|_| cache.get("key").is_err()).count();
    let count = failed(&cache);
    assert!((200..300).contains(&count), "{count} of a thousand");
    let again = faulty();
    again.inject(Fault::error(ErrorKind::Timeout).share(0.25).on(Operation::Get));
    assert_eq!(failed(&again), count);
    again.heal();
    assert_eq!(failed(&again), 0);
}

#[test]
fn an_operation_hangs_until_its_fault_is_withdrawn() {
    for call in [|cache: &Faulty| cache.get("key"), |cache: &Faulty| wait(cache.get_async("key"))] {
        let cache = faulty();
        let hang = cache.inject(Fault::hang().on(Operation::Get));
        thread::scope(|scope| {
            let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| call(&cache).unwrap())).collect();
            while cache.hanging() < 3 {
                thread::yield_now();
            }
            assert!(calls.iter().all(|call| !call.is_finished()));
            assert_eq!(read(&cache).unwrap().unwrap(), b"value", "others go on");
            cache.withdraw(hang);
            for call in calls {
                assert_eq!(call.join().unwrap().unwrap(), b"value");
            }
        });
        assert_eq!(cache.hanging(), 0);
        // A task that is dropped as it hangs is not carried out.
        cache.inject(Fault::hang());
        let mut task = cache.set_async("key", b"late", None);
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(task.as_mut().poll(&mut context).is_pending() && cache.hanging() == 1);
        drop(task);
        assert_eq!(cache.hanging(), 0);
        cache.heal();
        assert_eq!(cache.get("key").unwrap().unwrap(), b"value");
    }
}

#[test]
fn a_delay_passes_by_the_clock_of_the_test() {
    for call in [|cache: &Faulty| cache.get("key"), |cache: &Faulty| wait(cache.get_async("key"))] {
        let clock = MockClock::install();
        let cache = faulty();
        cache.inject(Fault::delay(Duration::from_secs(3_600)).on(Operation::Get));
        thread::scope(|scope| {
            let slow = scope.spawn(|| call(&cache).unwrap());
            while cache.calls(Operation::Get) == 0 {
                thread::yield_now();
            }
            clock.advance(Duration::from_secs(3_599));
            thread::sleep(Duration::from_millis(20));
            assert!(!slow.is_finished());
            // It may not have read the clock by the first step.
            while !slow.is_finished() {
                clock.advance(Duration::from_secs(1));
                thread::yield_now();
            }
            assert_eq!(slow.join().unwrap().unwrap(), b"value");
        });
    }
}
