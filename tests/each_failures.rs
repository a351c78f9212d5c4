//! `each` and a cache that fails: one that does not answer, and one that is owed invalidations. A binary of its own, since
//! invalidations of tags reach every cache of a program, and would fail here.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Fault, Faulty, MockClock};
use memokit::{ErrorKind, MemoryCache, cached};
use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use support::probe::{Op, Probe, Step, When};
use support::{given, run};

type Map = HashMap<u64, u64>;

#[test]
fn a_cache_that_does_not_answer_keeps_no_call_from_its_body() {
    static CACHE: LazyLock<Arc<Faulty>> = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));
    #[cached(cache = given(&CACHE), prefix = "no answer", each = ids)]
    fn near(ids: &[u64]) -> Map {
        run(ids)
    }
    #[cached(cache = given(&CACHE), prefix = "no answer", each = ids, local = false)]
    fn far(ids: &[u64]) -> Map {
        run(ids)
    }
    let clock = MockClock::install();
    let down = CACHE.inject(Fault::error(ErrorKind::Unavailable));
    for n in 0..5 {
        assert!(memokit::health(&given(&CACHE)).answers);
        near(&[10 * n, 10 * n + 1, 10 * n + 2]);
    }
    assert!(!memokit::health(&given(&CACHE)).answers, "a call of several ids is one failure");
    let asked = CACHE.all_calls();
    assert_eq!((near(&[101, 102]).len(), far(&[101, 102]).len(), near(&[102, 103]).len()), (2, 2, 2));
    assert_eq!(CACHE.all_calls(), asked, "nobody asks it");
    assert_eq!((near::stats().backend_errors, near::stats().skipped), (5, 2), "once for a call");
    assert_eq!(near::stats().local_hits, 1);
    assert!(near::invalidate(&[101, 102]).unwrap_err().to_string().contains("it is queued"));
    assert_eq!(memokit::health(&given(&CACHE)).owed, 2, "each of them");
    CACHE.withdraw(down);
    drop(clock);
}

static OWING: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

/// An invalidation that the cache does not take.
fn owe<T>(invalidate: impl FnOnce() -> T) {
    OWING.rule(|op, when| match (op, when) {
        (Op::Remove, When::Before) => Step::Fail(ErrorKind::Backend),
        _ => Step::Go,
    });
    invalidate();
}

/// Until what another thread does has been seen; far longer than it takes.
fn until_nothing_is_owed(clock: &MockClock) {
    for _ in 0..5_000 {
        if memokit::health(&given(&OWING)).owed == 0 {
            return;
        }
        clock.advance(Duration::from_millis(100));
        thread::sleep(Duration::from_millis(2));
    }
    panic!("it does not happen");
}

#[test]
fn what_is_owed_is_a_miss_and_keeps_no_other_id_out() {
    #[cached(cache = given(&OWING), prefix = "owing", each = ids, local = false)]
    fn load(ids: &[u64]) -> Map {
        run(ids)
    }
    let _clock = MockClock::install();
    let old = load(&[1, 2]);
    owe(|| load::invalidate(&[1]).unwrap_err());
    let new = load(&[1, 2, 3, 4]);
    assert!(new[&1] > old[&1], "{old:?} {new:?}");
    assert_eq!(new[&2], old[&2]);
    let next = load(&[2, 3, 4]);
    assert_eq!(next, HashMap::from([(2, new[&2]), (3, new[&3]), (4, new[&4])]), "the others were stored");
    assert_eq!(load::stats().backend_errors, 1, "what is skipped is no failure");
}

/// The cache takes the invalidation between the read and its answer, which is from before.
#[test]
fn what_was_owed_when_it_was_read_is_a_miss() {
    #[cached(cache = given(&OWING), prefix = "owing when read", each = ids, local = false)]
    fn load(ids: &[u64]) -> Map {
        run(ids)
    }
    let clock = MockClock::install();
    let old = load(&[1, 2]);
    owe(|| load::invalidate(&[1]).unwrap_err());
    let gate = OWING.stop(Op::GetMany, When::After);
    let new = thread::scope(|scope| {
        let call = scope.spawn(|| load(&[1, 2]));
        gate.arrived(1);
        until_nothing_is_owed(&clock);
        gate.open();
        call.join().unwrap()
    });
    OWING.be_good();
    assert!(new[&1] > old[&1], "{old:?} {new:?}");
    assert_eq!(new[&2], old[&2]);
}
