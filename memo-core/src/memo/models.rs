//! The path of a call under schedulers that choose who goes on at every lock: `cargo xtask deep`, or
//! `RUSTFLAGS="--cfg shuttle" cargo test --release -p memo-core --lib models`.
//!
//! Here those of the local level; `both_levels` has the others. A model that fails prints its schedule; `shuttle::replay(model, schedule)` runs it again.

mod both_levels;

use super::cell;
use super::function::Function;
use super::io::{Blocking, ready};
use super::keep::Keep;
use super::operations::put_local;
use super::{Begun, Instance, LocalOnly, Started, invalidate_all_local, operation, refresh, start};
use crate::lookup::{AnyArg as _, Arg};
use crate::outcome::{AnyReturn as _, Returns, Whole};
use crate::tags::Tags;
use shuttle::future::block_on;
use shuttle::scheduler::{DfsScheduler, PctScheduler, RandomScheduler};
use shuttle::sync::atomic::{AtomicU32, Ordering::SeqCst};
use shuttle::thread;
use std::sync::{Arc, Mutex as RealMutex};
use std::time::Duration;

/// Runs a model under random schedules, and under such as find what needs few, but well chosen, interruptions.
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    let effort = std::env::var("MEMOKIT_TEST_EFFORT").map_or(Some(1), |effort| effort.parse().ok());
    let runs = 500 * effort.expect("MEMOKIT_TEST_EFFORT is a number");
    let model = Arc::new(model);
    let (again, third) = (Arc::clone(&model), Arc::clone(&model));
    shuttle::Runner::new(RandomScheduler::new(runs), config()).run(move || model());
    shuttle::Runner::new(PctScheduler::new(2, runs), config()).run(move || again());
    shuttle::Runner::new(PctScheduler::new(4, runs), config()).run(move || third());
}

/// Runs a small model under every schedule there is.
fn exhaust(model: impl Fn() + Send + Sync + 'static) {
    shuttle::Runner::new(DfsScheduler::new(None, false), config()).run(model);
}

fn config() -> shuttle::Config {
    let mut config = shuttle::Config::new();
    config.stack_size = 256 * 1024;
    config.silence_warnings = true;
    config
}

/// A function of its own for each run. It lives for ever, as a `static` would; the bound keeps it small.
fn function(with: impl FnOnce(Function) -> Function) -> &'static Function {
    Box::leak(Box::new(with(Function::new("model").capacity(|| 2))))
}

fn outcome() -> Whole<u32> {
    Returns::<u32>::new().outcome()
}

fn here() -> Instance<()> {
    Instance::new()
}

/// What the attribute makes of a function of one argument.
fn call(function: &'static Function, key: u8, body: impl FnOnce() -> u32) -> u32 {
    match start(function, here(), outcome(), (Arg(&key).part(), ()), LocalOnly) {
        Started::Hit(value) => value,
        Started::Open(open) => match open.settle_local() {
            Begun::Hit(value) => value,
            Begun::Miss(guard) => guard.run(body, |_| true),
        },
    }
}

/// The same of an `async fn`.
async fn call_async(function: &'static Function, key: u8, body: impl Future<Output = u32>) -> u32 {
    match start(function, here(), outcome(), (Arg(&key).part(), ()), LocalOnly) {
        Started::Hit(value) => value,
        Started::Open(open) => match open.settle_local_async().await {
            Begun::Hit(value) => value,
            Begun::Miss(guard) => guard.run_local_async(body, |_| true).await,
        },
    }
}

fn invalidate(function: &'static Function, key: u8) {
    operation(function, here(), outcome(), (Arg(&key).part(), ()), LocalOnly).invalidate_local();
}

/// Runs the closures on a thread each, and waits for them.
fn together<const N: usize>(threads: [Box<dyn FnOnce() + Send>; N]) {
    let threads = threads.map(|run| thread::spawn(run));
    threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
}

// The cell.

#[test]
fn an_instantiation_has_one_memo_whoever_asks_first() {
    exhaust(|| {
        let function = function(|function| function);
        let ask = || std::ptr::from_ref(function.memo_of::<u8, u8, u32>(Instance::new(), || None)).addr();
        let other = thread::spawn(ask);
        let mine = ask();
        assert_eq!(mine, other.join().expect("no panic"));
        assert_eq!(mine, ask());
    });
}

#[test]
fn instantiations_that_race_for_the_first_slot_stay_apart() {
    exhaust(|| {
        let function = function(|function| function);
        let one = move || std::ptr::from_ref(function.memo_of::<u8, u8, u32>(Instance::new(), || None)).addr();
        let two = move || std::ptr::from_ref(function.memo_of::<u16, u8, u32>(Instance::new(), || None)).addr();
        let other = thread::spawn(two);
        let mine = one();
        let other = other.join().expect("no panic");
        assert_ne!(mine, other);
        assert_eq!((one(), two()), (mine, other));
        assert_eq!(function.reached().len(), 2);
    });
}

#[test]
fn what_a_hit_has_at_hand_is_the_memo_of_its_instantiation() {
    /// Whether its memo is at hand now. One function for all that ask, since elsewhere a kind may have another address.
    fn look<T: 'static>(function: &'static Function) -> bool {
        let kind = cell::kind::<T, u8, u32>(Instance::new());
        // As a call does: a glance, and a look where that has nothing at hand.
        for _ in 0..2 {
            let at_hand = function.slots.noted(&kind).map(std::ptr::from_ref);
            let memo = function.memo_of::<T, u8, u32>(Instance::new(), || None);
            assert!(at_hand.is_none_or(|at_hand| std::ptr::eq(at_hand, memo)));
            function.slots.note(kind.untyped);
        }
        function.slots.noted(&kind).is_some()
    }

    explore(|| {
        let function = function(|function| function);
        let caller = |look: fn(&'static Function) -> bool| -> Box<dyn FnOnce() + Send> {
            Box::new(move || {
                look(function);
            })
        };
        together([caller(look::<u8>), caller(look::<u16>), caller(look::<u8>)]);
        assert!(look::<u8>(function) != look::<u16>(function), "the first one is at hand, and no other");
    });
}

#[test]
fn many_instantiations_at_once_have_a_memo_each() {
    explore(|| {
        let function = function(|function| function);
        let seen = Arc::new(RealMutex::new(Vec::new()));
        let ask = |which: u8, seen: &Arc<RealMutex<Vec<(u8, usize)>>>| -> Box<dyn FnOnce() + Send> {
            let seen = Arc::clone(seen);
            Box::new(move || {
                let memo = match which {
                    0 => std::ptr::from_ref(function.memo_of::<u8, u8, u32>(Instance::new(), || None)).addr(),
                    1 => std::ptr::from_ref(function.memo_of::<u16, u8, u32>(Instance::new(), || None)).addr(),
                    _ => std::ptr::from_ref(function.memo_of::<u8, u16, u32>(Instance::new(), || None)).addr(),
                };
                seen.lock().expect("no panic").push((which, memo));
            })
        };
        together([ask(0, &seen), ask(1, &seen), ask(2, &seen), ask(1, &seen), ask(2, &seen)]);
        let seen = seen.lock().expect("no panic");
        for (which, memo) in &*seen {
            assert!(seen.iter().all(|(other, at)| (other == which) == (at == memo)), "{seen:?}");
        }
        assert_eq!(function.reached().len(), 3);
    });
}

// Loads.

#[test]
fn callers_of_one_key_load_it_once() {
    explore(|| {
        let function = function(|function| function);
        let loads = Arc::new(AtomicU32::new(0));
        let caller = || -> Box<dyn FnOnce() + Send> {
            let loads = Arc::clone(&loads);
            Box::new(move || {
                let value = call(function, 1, || {
                    thread::yield_now();
                    7 + loads.fetch_add(1, SeqCst)
                });
                assert_eq!(value, 7);
            })
        };
        together([caller(), caller(), caller()]);
        assert_eq!(loads.load(SeqCst), 1);
    });
}

#[test]
fn tasks_of_one_key_load_it_once() {
    explore(|| {
        let function = function(Function::asynchronous);
        let loads = Arc::new(AtomicU32::new(0));
        let caller = || -> Box<dyn FnOnce() + Send> {
            let loads = Arc::clone(&loads);
            Box::new(move || {
                let body = async {
                    shuttle::future::yield_now().await;
                    7 + loads.fetch_add(1, SeqCst)
                };
                assert_eq!(block_on(call_async(function, 1, body)), 7);
            })
        };
        together([caller(), caller(), caller()]);
        assert_eq!(loads.load(SeqCst), 1);
    });
}

#[test]
fn a_follower_leads_when_the_leader_is_gone() {
    explore(|| {
        let function = function(|function| function);
        let deserter = move || {
            if let Started::Open(open) = start(function, here(), outcome(), (Arg(&1_u8).part(), ()), LocalOnly)
                && let Begun::Miss(guard) = open.settle_local()
            {
                drop(guard);
            }
        };
        let caller = move || assert_eq!(call(function, 1, || 7), 7);
        together([Box::new(deserter), Box::new(caller), Box::new(caller)]);
        assert_eq!(call(function, 1, || unreachable!("it is stored")), 7);
    });
}

#[test]
fn a_waiting_task_leads_when_the_leader_is_dropped() {
    explore(|| {
        let function = function(Function::asynchronous);
        let deserter = move || {
            block_on(async {
                let mut call = Box::pin(call_async(function, 1, std::future::pending()));
                let once = std::future::poll_fn(|context| {
                    let _ = call.as_mut().poll(context);
                    std::task::Poll::Ready(())
                });
                once.await;
            });
        };
        let caller = move || assert_eq!(block_on(call_async(function, 1, async { 7 })), 7);
        together([Box::new(deserter), Box::new(caller), Box::new(caller)]);
    });
}

#[test]
fn what_began_before_an_invalidation_is_not_stored_after_it() {
    explore(|| {
        let function = function(|function| function);
        let truth = Arc::new(AtomicU32::new(0));
        let load = |truth: &Arc<AtomicU32>| {
            let truth = Arc::clone(truth);
            move || call(function, 1, || truth.load(SeqCst))
        };
        let (loader, reader, again) = (load(&truth), load(&truth), load(&truth));
        let writer = move || {
            truth.store(1, SeqCst);
            invalidate(function, 1);
            assert_eq!(reader(), 1, "an old value after the invalidation");
        };
        together([Box::new(move || assert!(loader() < 2)), Box::new(move || assert!(again() < 2)), Box::new(writer)]);
        assert_eq!(call(function, 1, || 1), 1);
    });
}

#[test]
fn what_began_before_everything_was_dropped_is_not_stored_after_it() {
    explore(|| {
        let function = function(|function| function);
        let truth = Arc::new(AtomicU32::new(0));
        let seen = Arc::clone(&truth);
        let loader = move || {
            call(function, 1, || seen.load(SeqCst));
        };
        let writer = move || {
            truth.store(1, SeqCst);
            invalidate_all_local(function);
            assert_eq!(call(function, 1, || truth.load(SeqCst)), 1, "an old value after the invalidation");
        };
        together([Box::new(loader.clone()), Box::new(loader), Box::new(writer)]);
    });
}

#[test]
fn an_older_load_does_not_replace_what_a_refresh_or_a_put_stored() {
    explore(|| {
        let function = function(|function| function);
        let truth = Arc::new(AtomicU32::new(0));
        let (seen, renewed) = (Arc::clone(&truth), Arc::clone(&truth));
        let loader = move || {
            call(function, 1, || seen.load(SeqCst));
        };
        let refresher = move || {
            renewed.store(1, SeqCst);
            let guard = refresh(function, here(), outcome(), (Arg(&1_u8).part(), ()), LocalOnly);
            assert_eq!(guard.run(|| renewed.load(SeqCst), |_| true), 1);
            assert_eq!(call(function, 1, || 1), 1, "the refresh is lost");
            put_local(function, here(), outcome(), (Arg(&1_u8).part(), ()), LocalOnly, Some(2), |_| Keep::from(true));
            assert_eq!(call(function, 1, || 2), 2, "the put is lost");
        };
        together([Box::new(loader.clone()), Box::new(loader), Box::new(refresher)]);
    });
}

#[test]
fn a_body_that_calls_its_own_key_does_not_wait_for_itself() {
    explore(|| {
        let function = function(|function| function);
        let caller = move || assert_eq!(call(function, 1, || call(function, 1, || 7)), 7);
        together([Box::new(caller), Box::new(caller)]);
    });
}

// Tags.

/// Two loads of a tagged value and an invalidation of the tag: whoever calls afterwards gets the new value, also who
/// joins a load from before.
fn invalidate_tag_beside_loads(tag: &'static str, by_task: bool) {
    explore(move || {
        let function = function(|function| function);
        let truth = Arc::new(AtomicU32::new(0));
        let load = move |truth: &AtomicU32| match by_task {
            true => block_on(call_async(function, 1, async {
                crate::tag(tag);
                truth.load(SeqCst)
            })),
            false => call(function, 1, || {
                crate::tag(tag);
                truth.load(SeqCst)
            }),
        };
        let loader = |truth: &Arc<AtomicU32>| -> Box<dyn FnOnce() + Send> {
            let truth = Arc::clone(truth);
            Box::new(move || {
                load(&truth);
            })
        };
        let changed = Arc::clone(&truth);
        let invalidator: Box<dyn FnOnce() + Send> = Box::new(move || {
            changed.store(1, SeqCst);
            crate::invalidate_tag(tag).expect("there is no shared level");
            assert_eq!(load(&changed), 1, "an old value after the invalidation");
        });
        together([loader(&truth), loader(&truth), invalidator]);
        assert_eq!(load(&truth), 1);
    });
}

#[test]
fn no_thread_gets_what_has_an_invalidated_tag() {
    invalidate_tag_beside_loads("models: threads", false);
}

#[test]
fn no_task_gets_what_has_an_invalidated_tag() {
    invalidate_tag_beside_loads("models: tasks", true);
}
