//! Copies in front of the cache: what they save, what drops them, and that nothing removed is served from them. The
//! clock stands still in each test, since its tests share it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::MockClock;
use memokit::{Bucket, Cache, ErrorKind, MemoryCache};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;
use std::time::Duration;
use support::probe::{Op, Probe, Step, When};

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 13;
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn with_memory(cache: Arc<dyn Cache>) -> Bucket<u32> {
    Bucket::new(cache, "copied").in_memory(100, HOUR).unwrap()
}

/// How many reads the cache was asked for since the last time.
fn reads(probe: &Probe) -> usize {
    probe.log().iter().filter(|seen| **seen == (Op::Read, When::Before)).count()
}

#[test]
fn a_copy_asks_the_cache_nothing_until_it_is_unloaded() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe.clone());
    bucket.set(&1, &10).unwrap();
    bucket.set(&2, &20).unwrap();
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    assert_eq!(reads(&probe), 1, "what is set is read once");
    for _ in 0..5 {
        assert_eq!((bucket.get(&1).unwrap(), bucket.contains(&1).unwrap()), (Some(10), true));
        assert_eq!(bucket.get_or_insert_with(&1, || 11).unwrap(), 10);
    }
    assert_eq!(reads(&probe), 0);
    assert!(bucket.unload(&1).unwrap() && !bucket.unload(&1).unwrap() && !bucket.unload(&9).unwrap());
    assert_eq!((bucket.get(&1).unwrap(), bucket.get(&2).unwrap()), (Some(10), Some(20)), "the cache has them still");
    assert_eq!(reads(&probe), 2);
    bucket.clone().unload_all();
    assert_eq!((bucket.get(&1).unwrap(), bucket.get(&2).unwrap(), reads(&probe)), (Some(10), Some(20), 2));

    let without: Bucket<u32> = Bucket::new(probe.clone(), "copied");
    assert!(!without.unload(&1).unwrap(), "a bucket without a memory has nothing to unload");
    without.unload_all();
    assert_eq!((bucket.get(&1).unwrap(), reads(&probe)), (Some(10), 0), "and others keep theirs");
}

#[test]
fn what_is_not_there_is_asked_for_each_time() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe.clone());
    assert_eq!((bucket.get(&1).unwrap(), bucket.get(&1).unwrap(), reads(&probe)), (None, None, 2));
    bucket.increment(&1, 5).unwrap_err();
    let texts: Bucket<String> = Bucket::new(probe.clone(), "copied").in_memory(10, HOUR).unwrap();
    texts.set(&1, &"text".to_owned()).unwrap();
    assert_eq!((bucket.get(&1).unwrap(), bucket.get(&1).unwrap(), reads(&probe)), (None, None, 2), "another type");
}

/// Each kind of change, by each kind of bucket: none is answered with a copy from before.
fn changes_are_seen_at_once(name: &str) {
    type Change = fn(&Bucket<u32>);
    support::register(NUMBER);
    let changes: [(&str, Change, Option<u32>); 12] = [
        ("set", |b| b.set(&1, &2).unwrap(), Some(2)),
        ("set_with_timeout", |b| b.set_with_timeout(&1, &2, HOUR).unwrap(), Some(2)),
        ("set_many", |b| b.set_many([(0, &0), (1, &2)]).unwrap(), Some(2)),
        ("remove", |b| assert!(b.remove(&1).unwrap()), None),
        ("remove_many", |b| assert_eq!(b.remove_many([0, 1]).unwrap(), 1), None),
        ("remove and add", |b| assert!(b.remove(&1).unwrap() && b.add(&1, &2).unwrap()), Some(2)),
        ("remove and increment", |b| assert!(b.remove(&1).unwrap() && b.increment(&1, 2).unwrap() == 2), None),
        ("clear", |b| assert_eq!(b.clear().unwrap(), 1), None),
        ("deferred set", |b| b.deferred().set(&1, &2).unwrap(), Some(2)),
        ("deferred remove", |b| b.deferred().remove(&1).unwrap(), None),
        ("a shorter timeout", |b| b.set_timeout(Duration::from_nanos(1)).unwrap(), None),
        ("touch", |b| assert!(b.touch(&1, None).unwrap()), Some(1)),
    ];
    for (change, carry_out, expected) in changes {
        let cache = memokit::cache(name).unwrap();
        let reader = with_memory(Arc::clone(&cache));
        let stranger: Bucket<u32> = Bucket::new(Arc::clone(&cache), "copied");
        let others =
            [("itself", reader.clone()), ("one with its memory", with_memory(cache)), ("one without", stranger)];
        for (other, bucket) in others {
            if change == "a shorter timeout" && other != "itself" {
                continue;
            }
            reader.clear().unwrap();
            reader.set_timeout(None).unwrap();
            reader.set(&1, &1).unwrap();
            assert_eq!((reader.get(&1).unwrap(), reader.get(&1).unwrap()), (Some(1), Some(1)));
            carry_out(&bucket);
            assert_eq!(reader.get(&1).unwrap(), expected, "{change} by {other}");
            assert_eq!(reader.get_many([1]).unwrap(), [expected], "{change} by {other}");
        }
    }
}

#[test]
fn changes_are_seen_at_once_in_memory() {
    let _clock = MockClock::install();
    changes_are_seen_at_once("memory");
}

#[test]
fn changes_are_seen_at_once_in_a_file() {
    let _clock = MockClock::install();
    changes_are_seen_at_once("file");
}

#[test]
fn changes_are_seen_at_once_in_redis() {
    let _clock = MockClock::install();
    changes_are_seen_at_once("redis");
}

#[test]
fn twins_change_what_all_see() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        bucket.set_async(&1, &1).await.unwrap();
        assert_eq!((bucket.get_async(&1).await.unwrap(), bucket.get(&1).unwrap()), (Some(1), Some(1)));
        bucket.set_many_async([(1, &2)]).await.unwrap();
        assert_eq!(
            (bucket.get_async(&1).await.unwrap(), bucket.get_many_async([1]).await.unwrap()),
            (Some(2), vec![Some(2)])
        );
        assert!(bucket.remove_async(&1).await.unwrap() && bucket.add_async(&1, &3).await.unwrap());
        assert_eq!(bucket.get_async(&1).await.unwrap(), Some(3));
        assert_eq!(bucket.remove_many_async([1]).await.unwrap(), 1);
        assert_eq!(bucket.get_async(&1).await.unwrap(), None);
        bucket.set_with_timeout_async(&1, &4, HOUR).await.unwrap();
        assert_eq!(bucket.get_async(&1).await.unwrap(), Some(4));
        assert_eq!(bucket.clear_async().await.unwrap(), 1);
        assert_eq!(bucket.get_async(&1).await.unwrap(), None);
    });
}

#[test]
fn a_read_under_way_leaves_no_copy_of_what_was_removed() {
    let _clock = MockClock::install();
    for by_clear in [false, true] {
        let probe = Probe::new();
        let bucket = with_memory(probe.clone());
        bucket.set(&1, &10).unwrap();
        let gate = probe.stop(Op::Read, When::After);
        thread::scope(|scope| {
            let reader = scope.spawn(|| bucket.get(&1).unwrap());
            gate.arrived(1);
            let removed = if by_clear { bucket.clear().unwrap() == 1 } else { bucket.remove(&1).unwrap() };
            assert!(removed);
            gate.open();
            assert_eq!(reader.join().unwrap(), Some(10), "it began before");
        });
        probe.be_good();
        assert_eq!(bucket.get(&1).unwrap(), None);
    }
}

#[test]
fn a_read_under_way_leaves_no_copy_of_what_was_unloaded() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe.clone());
    bucket.set(&1, &10).unwrap();
    let gate = probe.stop(Op::Read, When::After);
    thread::scope(|scope| {
        let reader = scope.spawn(|| bucket.get(&1).unwrap());
        gate.arrived(1);
        assert!(!bucket.unload(&1).unwrap());
        gate.open();
        reader.join().unwrap();
    });
    probe.be_good();
    probe.log();
    assert_eq!((bucket.get(&1).unwrap(), reads(&probe)), (Some(10), 1));
}

/// Otherwise one read could find the new value in the cache, and the next the old one in memory.
#[test]
fn an_entry_that_is_being_changed_has_no_copy() {
    let _clock = MockClock::install();
    for when in [When::Before, When::After] {
        let probe = Probe::new();
        let bucket = with_memory(probe.clone());
        bucket.set(&1, &10).unwrap();
        assert_eq!(bucket.get(&1).unwrap(), Some(10));
        let gate = probe.stop(Op::Set, when);
        thread::scope(|scope| {
            let writer = scope.spawn(|| bucket.set(&1, &11).unwrap());
            gate.arrived(1);
            probe.log();
            let now = if when == When::Before { 10 } else { 11 };
            assert_eq!((bucket.get(&1).unwrap(), bucket.get(&1).unwrap(), reads(&probe)), (Some(now), Some(now), 2));
            let joined = bucket.clone().in_memory(100, HOUR).unwrap();
            assert_eq!((joined.get(&1).unwrap(), joined.get(&1).unwrap(), reads(&probe)), (Some(now), Some(now), 2));
            gate.open();
            writer.join().unwrap();
        });
        probe.log();
        assert_eq!((bucket.get(&1).unwrap(), bucket.get(&1).unwrap(), reads(&probe)), (Some(11), Some(11), 1));
    }
}

/// A read that began during a change and ends after it may have found either.
#[test]
fn a_read_that_began_during_a_change_leaves_no_copy() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe.clone());
    bucket.set(&1, &10).unwrap();
    let writing = probe.stop(Op::Set, When::Before);
    thread::scope(|scope| {
        let writer = scope.spawn(|| bucket.set(&1, &11).unwrap());
        writing.arrived(1);
        let reading = probe.stop(Op::Read, When::After);
        let reader = scope.spawn(|| bucket.get(&1).unwrap());
        reading.arrived(1);
        writing.open();
        writer.join().unwrap();
        reading.open();
        assert_eq!(reader.join().unwrap(), Some(10));
    });
    probe.be_good();
    assert_eq!(bucket.get(&1).unwrap(), Some(11));
}

#[test]
fn a_change_that_fails_or_is_dropped_may_have_been_carried_out() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe.clone());
    bucket.set(&1, &10).unwrap();
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    probe.rule(|op, when| if (op, when) == (Op::Set, When::After) { Step::Fail(ErrorKind::Timeout) } else { Step::Go });
    assert_eq!(bucket.set(&1, &11).unwrap_err().kind(), ErrorKind::Timeout);
    assert_eq!(bucket.get(&1).unwrap(), Some(11));
    probe.rule(|op, when| if (op, when) == (Op::Remove, When::After) { Step::Yield } else { Step::Go });
    {
        let removal = pin!(bucket.remove_async(&1));
        assert!(matches!(removal.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    assert_eq!(bucket.get(&1).unwrap(), None);
}

#[test]
fn what_others_change_is_seen_when_the_copy_is_not_trusted_any_more() {
    let clock = MockClock::install();
    let cache = Arc::new(MemoryCache::new());
    let bucket: Bucket<u32> = Bucket::new(cache.clone(), "trusted").in_memory(100, 5 * SECOND).unwrap();
    bucket.set(&1, &10).unwrap();
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    // As another process does.
    cache.remove(&bucket.keys().unwrap()[0]).unwrap();
    clock.advance(Duration::from_millis(4_999));
    assert_eq!((bucket.get(&1).unwrap(), bucket.unload(&9).unwrap()), (Some(10), false));
    clock.advance(Duration::from_millis(1));
    assert_eq!(bucket.get(&1).unwrap(), None);
    assert!(!bucket.unload(&1).unwrap());
}

#[test]
fn a_copy_expires_with_its_entry() {
    let clock = MockClock::install();
    let cache = Arc::new(MemoryCache::new());
    let bucket: Bucket<u32> = Bucket::new(cache.clone(), "brief").timeout(10 * SECOND).unwrap();
    let bucket = bucket.in_memory(100, HOUR).unwrap();
    bucket.set(&1, &10).unwrap();
    bucket.set_with_timeout(&2, &20, 2 * SECOND).unwrap();
    clock.advance(SECOND);
    assert_eq!((bucket.get(&1).unwrap(), bucket.get(&2).unwrap()), (Some(10), Some(20)));
    clock.advance(SECOND);
    assert_eq!((bucket.get(&1).unwrap(), bucket.get(&2).unwrap()), (Some(10), None));
    assert!(bucket.touch(&1, Some(SECOND)).unwrap());
    assert_eq!(bucket.get(&1).unwrap(), Some(10));
    clock.advance(SECOND);
    assert_eq!(bucket.get(&1).unwrap(), None, "touched, it has a shorter time");
}

#[test]
fn reads_of_many_use_copies_and_leave_none() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket = with_memory(probe.clone());
    bucket.set_many((0..10).map(|n| (n, &1))).unwrap();
    let reads_of_many = || probe.log().iter().filter(|seen| **seen == (Op::GetMany, When::Before)).count();
    assert_eq!((bucket.get_many(0..10).unwrap().len(), reads_of_many()), (10, 1));
    assert_eq!((bucket.get_many(0..10).unwrap().len(), reads_of_many()), (10, 1), "they left no copies");
    assert_eq!((bucket.get(&3).unwrap(), bucket.get(&4).unwrap(), reads(&probe)), (Some(1), Some(1), 2));
    assert_eq!(bucket.get_many([4, 99, 3, 0]).unwrap(), [Some(1), None, Some(1), Some(1)]);
    assert_eq!(reads_of_many(), 1);
    assert_eq!((bucket.get_many([3, 4]).unwrap(), reads_of_many()), (vec![Some(1), Some(1)], 0));
}

#[test]
fn a_capacity_bounds_the_copies() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(probe.clone(), "bounded").in_memory(50, HOUR).unwrap();
    for n in 0..1000 {
        bucket.set(&n, &n).unwrap();
        bucket.get(&n).unwrap();
    }
    probe.log();
    let copies = (0..1000_u32).filter(|n| bucket.unload(n).unwrap()).count();
    assert!((1..=50).contains(&copies), "{copies}");
}

#[test]
fn a_memory_of_nothing_is_refused() {
    let bucket: Bucket<u32> = Bucket::new(Arc::new(MemoryCache::new()), "nothing");
    let error = bucket.clone().in_memory(0, SECOND).unwrap_err();
    assert_eq!((error.kind(), error.to_string().contains("zero entries")), (ErrorKind::Config, true));
    assert_eq!(bucket.in_memory(10, Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
}

#[test]
fn many_threads_never_read_what_was_replaced_before() {
    let _clock = MockClock::install();
    let cache = Arc::new(MemoryCache::new());
    let bucket = with_memory(cache);
    bucket.set(&1, &0).unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut last = 0;
                while last < 2000 {
                    let seen = bucket.get(&1).unwrap().unwrap();
                    assert!(seen >= last, "{seen} after {last}");
                    last = seen;
                }
            });
        }
        for n in 1..=2000 {
            bucket.set(&1, &n).unwrap();
            assert_eq!(bucket.get(&1).unwrap(), Some(n));
        }
    });
}
