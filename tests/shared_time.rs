//! Timeouts of the shared level and of the local copies in front of it, under a clock that stands still.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::invalidation::Invalidation;
use memokit::testing::MockClock;
use memokit::{Bucket, Cache, ErrorKind, FileCache, MemoryCache, TimeToLive, Want, cached};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::probe::Probe;

const MILLI: Duration = Duration::from_millis(1);

/// How long the entry under a key still has.
fn left(cache: &dyn Cache, key: &memokit::Key) -> Option<TimeToLive> {
    let mut left = None;
    cache.read(key.text(), Want::BytesAndTimeToLive, &mut |found| left = Some(found.time_to_live)).unwrap();
    left
}

/// The same functions and tests for the backends that go by the clock of this process.
macro_rules! on {
    ($backend:ident, $open:expr) => {
        mod $backend {
            use super::*;

            static CACHE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new($open));

            #[cached(cache = Arc::clone(&*CACHE), timeout = "1500ms", local = false)]
            fn brief(n: u32) -> u32 {
                n
            }

            #[cached(cache = Arc::clone(&*CACHE), timeout = "10s", local_timeout = "2s")]
            fn copied(n: u32) -> u32 {
                n
            }

            #[cached(cache = Arc::clone(&*CACHE), timeout = Duration::from_secs(1))]
            fn behind(n: u32) -> u32 {
                n
            }

            #[test]
            fn a_timeout_reaches_the_backend_to_the_millisecond() {
                let clock = MockClock::install();
                brief(1);
                let key = brief::key(1).unwrap();
                assert_eq!(left(&**CACHE, &key), Some(TimeToLive::Left(1_500 * MILLI)));
                clock.advance(1_499 * MILLI);
                assert_eq!(left(&**CACHE, &key), Some(TimeToLive::Left(MILLI)));
                brief(1);
                assert_eq!((brief::stats().loads, brief::stats().shared_hits), (1, 1));
                clock.advance(MILLI);
                assert!(!brief::contains(1).unwrap() && !brief::invalidate(1).unwrap());
                brief(1);
                assert_eq!((brief::stats().loads, brief::stats().shared_hits), (2, 1));
            }

            #[test]
            fn a_local_copy_is_trusted_for_its_own_time() {
                let clock = MockClock::install();
                copied(1);
                clock.advance(1_999 * MILLI);
                copied(1);
                assert_eq!((copied::stats().local_hits, copied::stats().shared_hits), (1, 0));
                clock.advance(MILLI);
                copied(1);
                assert_eq!((copied::stats().local_hits, copied::stats().shared_hits), (1, 1));
                copied(1);
                assert_eq!(copied::stats().local_hits, 2, "the shared hit made a new copy");
                // The new copy lives no longer than what it is a copy of.
                clock.advance(7_500 * MILLI);
                copied(1);
                assert_eq!((copied::stats().loads, copied::stats().shared_hits), (1, 2));
                clock.advance(500 * MILLI);
                copied(1);
                assert_eq!(copied::stats().loads, 2, "ten seconds after it was stored");
            }

            #[test]
            fn a_copy_of_a_shared_value_expires_with_it() {
                let clock = MockClock::install();
                behind(1);
                let key = behind::key(1).unwrap();
                let bytes = CACHE.get(key.text()).unwrap().unwrap();
                behind::invalidate(1).unwrap();
                // Another process stored it 700 ms ago.
                CACHE.set(key.text(), &bytes, Some(300 * MILLI)).unwrap();
                behind(1);
                assert_eq!(behind::stats().shared_hits, 1);
                clock.advance(299 * MILLI);
                behind(1);
                assert_eq!(behind::stats().local_hits, 1);
                clock.advance(MILLI);
                behind(1);
                assert_eq!(behind::stats().loads, 2);
            }

            #[test]
            fn a_bucket_keeps_time_too() {
                let clock = MockClock::install();
                let bucket: Bucket<u8> = Bucket::new(Arc::clone(&*CACHE), "timed").timeout(2_500 * MILLI).unwrap();
                bucket.set("a", &1).unwrap();
                bucket.set_with_timeout("b", &2, 700 * MILLI).unwrap();
                assert_eq!(bucket.increment("n", 5).unwrap(), 5);
                clock.advance(699 * MILLI);
                assert_eq!(bucket.get_many(["a", "b"]).unwrap(), [Some(1), Some(2)]);
                clock.advance(MILLI);
                assert_eq!(bucket.get_many(["a", "b"]).unwrap(), [Some(1), None]);
                assert!(bucket.add("b", &3).unwrap(), "what expired is not there");
                assert!(bucket.touch("a", Some(5_000 * MILLI)).unwrap());
                assert!(bucket.touch("b", None).unwrap());
                clock.advance(4_999 * MILLI);
                assert_eq!(bucket.get_many(["a", "b"]).unwrap(), [Some(1), Some(3)]);
                assert_eq!(bucket.increment("n", 1).unwrap(), 1, "the number had the bucket's timeout");
                clock.advance(MILLI);
                assert_eq!(bucket.get("a").unwrap(), None);
                assert!(!bucket.touch("a", None).unwrap() && !bucket.remove("a").unwrap());
                bucket.clear().unwrap();
            }
        }
    };
}

on!(memory, MemoryCache::new());
on!(file, FileCache::open(support::folder("timed")).unwrap());

static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

fn probe() -> Arc<dyn Cache> {
    Arc::clone(&*PROBE) as Arc<dyn Cache>
}

#[cached(cache = probe(), timeout = 0.25)]
fn quarter(n: u32) -> u32 {
    n
}

#[cached(cache = probe(), timeout = "1ms", local = false)]
async fn milli(n: u32) -> u32 {
    n
}

#[cached(cache = probe())]
fn for_ever(n: u32) -> u32 {
    n
}

#[cached(cache = probe(), timeout = Duration::from_secs(u64::from(n_seconds())), local = false)]
fn computed(n: u32) -> u32 {
    n
}

fn n_seconds() -> u8 {
    0
}

#[tokio::test]
async fn the_backend_is_given_the_timeout_of_the_function() {
    quarter(1);
    assert_eq!(PROBE.timeouts(), [Some(250 * MILLI)]);
    milli(1).await;
    assert_eq!(PROBE.timeouts(), [Some(MILLI)]);
    for_ever(1);
    quarter::refresh(1).unwrap();
    quarter::put(2, 2).unwrap();
    assert_eq!(PROBE.timeouts(), [None, Some(250 * MILLI), Some(250 * MILLI)]);

    assert_eq!((computed(1), computed(1)), (1, 1));
    assert_eq!((PROBE.timeouts(), computed::stats().loads), (Vec::new(), 2), "what is never fresh is not stored");
    assert!(computed::stats().backend_errors > 0);
    assert_eq!(computed::put(1, 1).unwrap_err().kind(), ErrorKind::Config);
    // What `support` names, so that `computed` is all that is wrong.
    memokit::register("redis", probe());
    assert_eq!(memokit::check().unwrap_err().kind(), ErrorKind::Config);
}

thread_local! {
    /// The clock, for bodies that take long.
    static CLOCK: RefCell<Option<MockClock>> = const { RefCell::new(None) };
}

/// Each id has its share of the time that one body took. What matters is the whole of it.
#[test]
fn what_a_load_of_several_ids_brings_after_tombstones_have_ended_is_not_stored() {
    static MEMORY: LazyLock<Arc<MemoryCache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));
    #[cached(cache = Arc::clone(&*MEMORY) as Arc<dyn Cache>, prefix = "endless", each = ids, local = false)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        // Another process invalidates an entry, and the tombstone ends before the load does.
        let (key, keep) = (one::key(2).unwrap(), Duration::from_secs(600));
        MEMORY.invalidate(&Invalidation { keys: &[key.text()], names: &[], seen: 0, sender: 1, keep }).unwrap();
        CLOCK.with_borrow(|clock| clock.as_ref().unwrap().advance(keep));
        ids.iter().map(|id| (*id, *id)).collect()
    }
    #[cached(cache = Arc::clone(&*MEMORY) as Arc<dyn Cache>, prefix = "endless", local = false)]
    fn one(id: u64) -> Option<u64> {
        (id > 0).then_some(id)
    }
    CLOCK.set(Some(MockClock::install()));
    assert_eq!(load(&[1, 2, 3]).len(), 3);
    assert!([1, 2, 3].iter().all(|id| !one::contains(*id).unwrap()));
    assert_eq!((load::stats().discarded, load::stats().backend_errors), (3, 0));
    CLOCK.take();
}
