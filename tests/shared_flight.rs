//! One load per key, and invalidations that meet a load on its way, with a shared level.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Cache, cached};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;
use support::gate::Gate;
use support::probe::{Op, Probe, When};

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 9;

const CALLERS: usize = 1_000;

/// Calls from many threads that are all there before the body ends; what they returned.
fn from_threads(arrived: &'static AtomicUsize, call: fn() -> u64) -> Vec<u64> {
    let threads = (0..CALLERS).map(|_| {
        let caller = move || {
            arrived.fetch_add(1, SeqCst);
            call()
        };
        thread::Builder::new().stack_size(256 << 10).spawn(caller).unwrap()
    });
    threads.collect::<Vec<_>>().into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn wait_for_all(arrived: &AtomicUsize) {
    while arrived.load(SeqCst) < CALLERS {
        thread::yield_now();
    }
}

async fn wait_for_all_as_a_task(arrived: &AtomicUsize) {
    while arrived.load(SeqCst) < CALLERS {
        tokio::task::yield_now().await;
    }
}

/// A cold key that a thousand callers ask for, on one backend. The options are those of the function.
macro_rules! cold_key {
    ($name:ident, $twin:ident, $($option:tt)*) => {
        mod $name {
            use super::*;
            static ARRIVED: AtomicUsize = AtomicUsize::new(0);

            #[cached($($option)*)]
            fn load(n: u64) -> u64 {
                wait_for_all(&ARRIVED);
                n + 1
            }

            #[test]
            fn a_thousand_threads_share_one_load() {
                support::register(NUMBER);
                assert!(from_threads(&ARRIVED, || load(1)).iter().all(|found| *found == 2));
                let stats = load::stats();
                assert_eq!((stats.loads, stats.backend_errors), (1, 0), "{stats:?}");
                assert_eq!(stats.hits() + stats.misses, CALLERS as u64);
                assert_eq!(stats.misses, stats.joins + 1);
            }
        }

        mod $twin {
            use super::*;
            static ARRIVED: AtomicUsize = AtomicUsize::new(0);

            #[cached($($option)*)]
            async fn load(n: u64) -> u64 {
                wait_for_all_as_a_task(&ARRIVED).await;
                n + 1
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn a_thousand_tasks_share_one_load() {
                support::register(NUMBER);
                let tasks = (0..CALLERS).map(|_| {
                    tokio::spawn(async {
                        ARRIVED.fetch_add(1, SeqCst);
                        load(1).await
                    })
                });
                for task in tasks.collect::<Vec<_>>() {
                    assert_eq!(task.await.unwrap(), 2);
                }
                let stats = load::stats();
                assert_eq!((stats.loads, stats.backend_errors), (1, 0), "{stats:?}");
                assert_eq!(stats.hits() + stats.misses, CALLERS as u64);
            }
        }
    };
}

cold_key!(memory_threads, memory_tasks, cache = "memory");
cold_key!(file_threads, file_tasks, cache = "file");
cold_key!(redis_threads, redis_tasks, cache = "redis");
cold_key!(memory_threads_without_local, memory_tasks_without_local, cache = "memory", local = false);
cold_key!(file_threads_without_local, file_tasks_without_local, cache = "file", local = false);
cold_key!(redis_threads_without_local, redis_tasks_without_local, cache = "redis", local = false);

/// A function whose body waits at a gate, on a probe of its own.
macro_rules! held_up {
    (@ async $gate:ident, $pass:ident) => { $gate.$pass().await };
    (@ $gate:ident, $pass:ident) => { $gate.$pass() };
    (fn $name:ident, $pass:ident) => { held_up!([] $name, $pass); };
    (async fn $name:ident, $pass:ident) => { held_up!([async] $name, $pass); };
    ([$($asyncness:ident)?] $name:ident, $pass:ident) => {
        mod $name {
            use super::*;
            pub(super) static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
            pub(super) static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
            pub(super) static SOURCE: AtomicU32 = AtomicU32::new(1);

            #[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>)]
            pub(super) $($asyncness)? fn load(n: u32) -> u32 {
                let found = SOURCE.load(SeqCst);
                held_up!(@ $($asyncness)? GATE, $pass);
                found + n
            }

            #[allow(dead_code, reason = "not every test asks")]
            pub(super) fn stored(n: u32) -> Option<Vec<u8>> {
                PROBE.memory.get(load::key(n).unwrap().text()).unwrap()
            }
        }
    };
}

held_up!(fn loading, pass);

#[test]
fn an_invalidation_during_a_load_keeps_its_value_out_of_both_levels() {
    use loading::{GATE, SOURCE, load, stored};
    let calls = [thread::spawn(|| load(0)), thread::spawn(|| load(10))];
    GATE.arrived(2);
    SOURCE.store(2, SeqCst);
    assert!(!load::invalidate(0).unwrap());
    load::invalidate_all().unwrap();
    GATE.open();
    assert_eq!(calls.map(|call| call.join().unwrap()), [1, 11], "the callers get what they loaded");
    assert_eq!((stored(0), load::peek(0).unwrap(), load::stats().entries), (None, None, 0));
    assert_eq!(load::stats().discarded, 2);
    assert_eq!((load(0), load(10)), (2, 12));
}

held_up!(async fn loading_task, pass_async);

#[tokio::test]
async fn an_invalidation_during_the_load_of_a_task_keeps_its_value_out_of_both_levels() {
    use loading_task::{GATE, SOURCE, load, stored};
    let calls = [tokio::spawn(load(0)), tokio::spawn(load(10))];
    GATE.arrived_async(2).await;
    SOURCE.store(2, SeqCst);
    assert!(!load::invalidate(0).await.unwrap());
    load::invalidate_all().await.unwrap();
    GATE.open();
    for (call, expected) in calls.into_iter().zip([1, 11]) {
        assert_eq!(call.await.unwrap(), expected);
    }
    assert_eq!((stored(0), load::peek(0).await.unwrap(), load::stats().entries), (None, None, 0));
    assert_eq!((load(0).await, load(10).await), (2, 12));
}

held_up!(fn writing, pass);

#[test]
fn an_invalidation_waits_for_a_write_and_removes_what_it_wrote() {
    use writing::{GATE, PROBE, SOURCE, load, stored};
    GATE.open();
    for (round, when) in [When::Before, When::After, When::Before, When::After].into_iter().enumerate() {
        SOURCE.store(1, SeqCst);
        let write = PROBE.stop(Op::Set, when);
        PROBE.log();
        let loading = thread::spawn(|| load(0));
        write.arrived(1);
        SOURCE.store(2, SeqCst);
        let before = load::stats().invalidations;
        let one = round < 2;
        let invalidating =
            thread::spawn(move || if one { load::invalidate(0).map(drop) } else { load::invalidate_all() });
        while load::stats().invalidations == before {
            thread::yield_now();
        }
        (0..1_000).for_each(|_| thread::yield_now());
        assert!(!invalidating.is_finished(), "it must not return while the old value is being written");
        write.open();
        assert_eq!(loading.join().unwrap(), 1);
        invalidating.join().unwrap().unwrap();
        let log = PROBE.log();
        let removal = if one { Op::Remove } else { Op::Clear };
        let order = [(Op::Set, When::After), (removal, When::Before)];
        let at = order.map(|event| log.iter().position(|seen| *seen == event).unwrap());
        assert!(at[0] < at[1], "{log:?}");
        assert_eq!((stored(0), load::stats().entries), (None, 0));
        PROBE.be_good();
        assert_eq!(load(0), 2);
        load::invalidate(0).unwrap();
    }
}

held_up!(async fn writing_task, pass_async);

#[tokio::test]
async fn an_invalidation_waits_for_the_write_of_a_task_and_removes_what_it_wrote() {
    use writing_task::{GATE, PROBE, SOURCE, load, stored};
    GATE.open();
    for when in [When::Before, When::After] {
        SOURCE.store(1, SeqCst);
        let write = PROBE.stop(Op::Set, when);
        let loading = tokio::spawn(load(0));
        write.arrived_async(1).await;
        SOURCE.store(2, SeqCst);
        let invalidating = tokio::spawn(load::invalidate(0));
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(!invalidating.is_finished(), "it must not return while the old value is being written");
        write.open();
        assert_eq!(loading.await.unwrap(), 1);
        invalidating.await.unwrap().unwrap();
        assert_eq!((stored(0), load::stats().entries), (None, 0));
        PROBE.be_good();
        assert_eq!(load(0).await, 2);
        load::invalidate(0).await.unwrap();
    }
}

#[tokio::test]
async fn an_invalidation_goes_on_when_the_writing_task_is_dropped() {
    use dropped_writer::{GATE, PROBE, SOURCE, load, stored};
    GATE.open();
    let write = PROBE.stop(Op::Set, When::After);
    let loading = tokio::spawn(load(0));
    write.arrived_async(1).await;
    SOURCE.store(2, SeqCst);
    let invalidating = tokio::spawn(load::invalidate(0));
    tokio::task::yield_now().await;
    loading.abort();
    assert!(invalidating.await.unwrap().unwrap(), "the write that was cut off had taken effect");
    assert_eq!(stored(0), None);
    PROBE.be_good();
    assert_eq!(load(0).await, 2);
}

held_up!(async fn dropped_writer, pass_async);

held_up!(fn fetching, pass);

#[test]
fn a_value_that_was_fetched_before_an_invalidation_does_not_come_back() {
    use fetching::{GATE, PROBE, SOURCE, load, stored};
    GATE.open();
    load::put(0, 1).unwrap();
    let old = stored(0).unwrap();
    let operations: [fn(); 4] = [
        || assert!(load::invalidate(0).unwrap()),
        || load::invalidate_all().unwrap(),
        || load::put(0, 2).unwrap(),
        || assert_eq!(load::refresh(0).unwrap(), 2),
    ];
    for newer in operations {
        load::invalidate(0).unwrap();
        // Another process put the old value there.
        PROBE.memory.set(load::key(0).unwrap().text(), &old, None).unwrap();
        let read = PROBE.stop(Op::Read, When::After);
        let fetching = thread::spawn(|| load(0));
        read.arrived(1);
        SOURCE.store(2, SeqCst);
        newer();
        read.open();
        let fetched = fetching.join().unwrap();
        assert!(fetched == 1 || fetched == 2, "it may return what it fetched, and not keep it: {fetched}");
        PROBE.be_good();
        assert!(matches!(load::peek(0).unwrap(), None | Some(2)), "{:?}", load::peek(0));
        assert_eq!(load(0), 2);
    }
}

held_up!(async fn fetching_task, pass_async);

#[tokio::test]
async fn a_value_that_a_task_fetched_before_an_invalidation_does_not_come_back() {
    use fetching_task::{GATE, PROBE, SOURCE, load, stored};
    GATE.open();
    load::put(0, 1).await.unwrap();
    let old = stored(0).unwrap();
    load::invalidate(0).await.unwrap();
    PROBE.memory.set(load::key(0).unwrap().text(), &old, None).unwrap();
    let read = PROBE.stop(Op::Read, When::After);
    let fetching = tokio::spawn(load(0));
    read.arrived_async(1).await;
    SOURCE.store(2, SeqCst);
    assert!(load::invalidate(0).await.unwrap());
    read.open();
    let fetched = fetching.await.unwrap();
    assert!(fetched == 1 || fetched == 2, "it may return what it fetched, and not keep it: {fetched}");
    PROBE.be_good();
    assert!(matches!(load::peek(0).await.unwrap(), None | Some(2)));
    assert_eq!(load(0).await, 2);
}

held_up!(fn fetching_between, pass);

/// A load that begins between the two halves of an invalidation fetches the shared value that is about to go.
#[test]
fn a_value_that_was_fetched_in_the_middle_of_an_invalidation_does_not_stay() {
    use fetching_between::{GATE, PROBE, SOURCE, load};
    GATE.open();
    assert_eq!(load(0), 1);
    SOURCE.store(2, SeqCst);
    let removal = PROBE.stop(Op::Remove, When::Before);
    let invalidating = thread::spawn(|| load::invalidate(0).unwrap());
    removal.arrived(1);
    assert_eq!(load(0), 1, "the invalidation has not returned yet");
    removal.open();
    assert!(invalidating.join().unwrap());
    assert_eq!(load(0), 2);
}
