//! `store_result = false`: a body that runs at most once per timeout and key.
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::MockClock;
use memokit::{Cache, ErrorKind, MemoryCache, cached};
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use support::gate::Gate;
use support::probe::{Op, Probe, Step, When};

/// The Redis database of this test binary.
const NUMBER: u8 = 12;

/// A result that can be neither copied nor stored, and an error likewise.
#[derive(Debug, PartialEq)]
struct Sent(u32);
#[derive(Debug, PartialEq)]
struct Failed;

mod local {
    use super::*;

    #[test]
    fn the_body_runs_once_for_each_key() {
        #[cached(store_result = false)]
        fn send(n: u32) -> Sent {
            Sent(n)
        }
        assert_eq!((send(1), send(1), send(2), send(2)), (Some(Sent(1)), None, Some(Sent(2)), None));
        assert_eq!(send::uncached(1), Sent(1));
        assert!(send::contains(1) && !send::contains(3));
        assert!(send::invalidate(1) && !send::invalidate(3));
        assert_eq!((send(1), send(1)), (Some(Sent(1)), None));
        assert_eq!((send::refresh(1), send::refresh(3), send(3)), (Some(Sent(1)), Some(Sent(3)), None));
        send::invalidate_all();
        assert_eq!(send(2), Some(Sent(2)));
        let stats = send::stats();
        assert_eq!((stats.loads, stats.hits(), stats.entries), (6, 4, 1));
    }

    #[test]
    fn it_runs_again_after_the_timeout_which_counts_from_the_start() {
        #[cached(store_result = false, timeout = 10, ignore = clock)]
        fn send(takes: u64, clock: &MockClock) {
            clock.advance(Duration::from_secs(takes));
        }
        let clock = MockClock::install();
        assert_eq!((send(4, &clock), send(4, &clock)), (Some(()), None));
        clock.advance(Duration::from_millis(5_999));
        assert_eq!(send(4, &clock), None);
        clock.advance(Duration::from_millis(1));
        assert_eq!(send(4, &clock), Some(()));
        assert_eq!((send(11, &clock), send(11, &clock)), (Some(()), Some(())), "longer than its timeout");
    }

    #[test]
    fn an_error_is_no_run() {
        static FAILS: AtomicU32 = AtomicU32::new(2);
        #[cached(store_result = false)]
        fn send(n: u32) -> Result<Sent, Failed> {
            let fails = FAILS.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
            if fails { Err(Failed) } else { Ok(Sent(n)) }
        }
        let seen = [send(1), send(1), send(1), send(1)];
        assert_eq!(seen, [Err(Failed), Err(Failed), Ok(Some(Sent(1))), Ok(None)]);
        assert_eq!((send::stats().load_errors, send::stats().loads), (2, 3));
        FAILS.store(1, SeqCst);
        assert_eq!((send::refresh(1), send(1)), (Err(Failed), Ok(None)), "a refresh that fails changes nothing");
    }

    #[test]
    fn aliases_that_are_called_result_are_seen() {
        #[cached(store_result = false)]
        fn of_io(fails: bool) -> std::io::Result<u32> {
            if fails { Err(std::io::Error::other("no")) } else { Ok(1) }
        }
        assert!(of_io(true).is_err() && of_io(true).is_err());
        assert_eq!((of_io(false).unwrap(), of_io(false).unwrap()), (Some(1), None));
    }

    #[test]
    fn options_and_generic_and_method_guards() {
        #[cached(store_result = false)]
        fn find(n: u32) -> Option<u32> {
            (n > 0).then_some(n)
        }
        assert_eq!((find(0), find(0), find(1)), (Some(None), None, Some(Some(1))));

        #[cached(store_result = false)]
        fn of<T: Default + 'static>(_n: u32) -> T {
            T::default()
        }
        assert_eq!((of::<u8>(1), of::<u8>(1), of::<String>(1)), (Some(0), None, Some(String::new())));

        struct Job(u32);
        impl Job {
            #[cached(store_result = false, key = self.0, bypass = forced)]
            fn run(&self, forced: bool) -> Sent {
                Sent(self.0)
            }
        }
        assert_eq!((Job(1).run(false), Job(1).run(false), Job(1).run(true)), (Some(Sent(1)), None, Some(Sent(1))));
        assert!(Job(1).run_invalidate(false) && !Job(1).run_contains(false));
    }

    #[test]
    fn callers_wait_for_the_run_under_way_and_get_none() {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        static RUNS: AtomicU32 = AtomicU32::new(0);
        #[cached(store_result = false)]
        fn send(n: u32) -> Sent {
            RUNS.fetch_add(1, SeqCst);
            GATE.pass();
            Sent(n)
        }
        thread::scope(|scope| {
            let callers: Vec<_> = (0..8).map(|_| scope.spawn(|| send(1))).collect();
            GATE.arrived(1);
            assert!(!send::contains(1), "not before it ended");
            GATE.open();
            let ran = callers.into_iter().filter_map(|caller| caller.join().unwrap()).count();
            assert_eq!((ran, RUNS.load(SeqCst)), (1, 1));
        });
    }

    #[test]
    fn after_a_run_that_failed_one_of_those_who_waited_runs() {
        static ARRIVED: AtomicUsize = AtomicUsize::new(0);
        static RUNS: AtomicU32 = AtomicU32::new(0);
        static AT_ONCE: AtomicU32 = AtomicU32::new(0);
        const CALLERS: usize = 8;
        #[cached(store_result = false)]
        fn send(_n: u32) -> Result<u32, Failed> {
            assert_eq!(AT_ONCE.fetch_add(1, SeqCst), 0, "two bodies at once");
            let run = RUNS.fetch_add(1, SeqCst);
            while ARRIVED.load(SeqCst) < CALLERS {
                thread::yield_now();
            }
            AT_ONCE.fetch_sub(1, SeqCst);
            match run {
                0 => Err(Failed),
                1 => panic!("a body that panics"),
                run => Ok(run),
            }
        }
        thread::scope(|scope| {
            let call = || {
                ARRIVED.fetch_add(1, SeqCst);
                send(1)
            };
            let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(call)).collect();
            let ended: Vec<_> = callers.into_iter().map(thread::ScopedJoinHandle::join).collect();
            let count =
                |wanted: &Result<Option<u32>, Failed>| ended.iter().flatten().filter(|got| *got == wanted).count();
            assert_eq!((count(&Err(Failed)), count(&Ok(Some(2))), count(&Ok(None))), (1, 1, CALLERS - 3));
            assert_eq!((ended.iter().filter(|end| end.is_err()).count(), RUNS.load(SeqCst)), (1, 3));
        });
    }

    #[test]
    fn a_body_that_calls_itself_with_its_key_gets_none() {
        #[cached(store_result = false)]
        fn send(n: u32) -> (u32, Option<u32>) {
            (n, send(n).map(|(n, _)| n))
        }
        assert_eq!((send(1), send(1)), (Some((1, None)), None));
    }

    #[test]
    fn an_invalidation_during_a_run_lets_it_run_again() {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        #[cached(store_result = false)]
        fn send(n: u32) -> Sent {
            GATE.pass();
            Sent(n)
        }
        thread::scope(|scope| {
            let caller = scope.spawn(|| send(1));
            GATE.arrived(1);
            send::invalidate(1);
            GATE.open();
            assert_eq!(caller.join().unwrap(), Some(Sent(1)));
        });
        assert_eq!((send(1), send(1)), (Some(Sent(1)), None));
    }

    #[tokio::test]
    async fn tasks_run_it_once_and_a_dropped_run_is_none() {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        #[cached(store_result = false)]
        async fn send(n: u32) -> Result<Sent, Failed> {
            GATE.pass_async().await;
            Ok(Sent(n))
        }
        let dropped = tokio::spawn(send(1));
        GATE.arrived_async(1).await;
        dropped.abort();
        assert!(dropped.await.unwrap_err().is_cancelled());
        let callers: Vec<_> = (0..4).map(|_| tokio::spawn(send(1))).collect();
        GATE.arrived_async(2).await;
        GATE.open();
        let mut ran = 0;
        for caller in callers {
            ran += u32::from(caller.await.unwrap().unwrap().is_some());
        }
        assert_eq!((ran, send(1).await), (1, Ok(None)));
    }
}

/// Functions of one prefix on one cache, which have nothing else in common: as two processes.
mod shared {
    use super::*;

    static MEMORY: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));
    static ONE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(support::redis(NUMBER)));
    static OTHER: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| {
        // The first one empties the database.
        LazyLock::force(&ONE);
        Arc::new(support::redis_of(NUMBER))
    });

    #[test]
    fn two_caches_on_one_server_let_one_body_run() {
        const KEYS: u32 = 60;
        static RUNS: [AtomicU32; KEYS as usize] = [const { AtomicU32::new(0) }; KEYS as usize];
        fn body(n: u32) -> Sent {
            RUNS[n as usize].fetch_add(1, SeqCst);
            thread::yield_now();
            Sent(n)
        }
        #[cached(store_result = false, cache = Arc::clone(&ONE), prefix = "guards/threads", timeout = 600)]
        fn one(n: u32) -> Sent {
            body(n)
        }
        #[cached(store_result = false, cache = Arc::clone(&OTHER), prefix = "guards/threads", timeout = 600)]
        fn other(n: u32) -> Sent {
            body(n)
        }
        assert_eq!(one::key(1).unwrap(), other::key(1).unwrap());
        let ran = AtomicU32::new(0);
        thread::scope(|scope| {
            for call in [one, other, one, other] {
                let ran = &ran;
                scope.spawn(move || {
                    for n in 0..KEYS {
                        ran.fetch_add(u32::from(call(n).is_some()), SeqCst);
                    }
                });
            }
        });
        assert!(RUNS.iter().all(|runs| runs.load(SeqCst) == 1), "{RUNS:?}");
        assert_eq!(ran.load(SeqCst), KEYS);
        assert_eq!((one::stats().backend_errors, other::stats().backend_errors), (0, 0));
    }

    #[tokio::test]
    async fn a_run_that_fails_leaves_it_to_the_other_process() {
        #[cached(store_result = false, cache = Arc::clone(&ONE), prefix = "guards/tasks", ignore = fails, timeout = 600)]
        async fn one(n: u32, fails: bool) -> Result<Sent, Failed> {
            if fails { Err(Failed) } else { Ok(Sent(n)) }
        }
        #[cached(store_result = false, cache = Arc::clone(&OTHER), prefix = "guards/tasks", ignore = fails, timeout = 600)]
        async fn other(n: u32, fails: bool) -> Result<Sent, Failed> {
            if fails { Err(Failed) } else { Ok(Sent(n)) }
        }
        assert_eq!(one(1, true).await, Err(Failed));
        assert!(!other::contains(1, true).await.unwrap());
        assert_eq!(other(1, true).await, Err(Failed));
        assert_eq!(other(1, false).await, Ok(Some(Sent(1))));
        assert_eq!((one(1, false).await, one(1, true).await, other(1, true).await), (Ok(None), Ok(None), Ok(None)));
        assert!(one::invalidate(1, false).await.unwrap());
        assert_eq!(one(1, false).await, Ok(Some(Sent(1))));
    }

    /// What each door does, with and without a local level.
    macro_rules! door {
        ($module:ident, [$($asyncness:ident)?], [$($awaited:tt)*], $($option:tt)*) => {
            mod $module {
                use super::*;
                static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

                #[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>, store_result = false, timeout = 60, $($option)*)]
                $($asyncness)? fn send(n: u32) -> Sent {
                    Sent(n)
                }

                #[tokio::test]
                async fn the_body_runs_once() {
                    let _clock = MockClock::install();
                    assert_eq!(send(1)$($awaited)*, Some(Sent(1)));
                    assert_eq!((send(1)$($awaited)*, send(1)$($awaited)*), (None, None));
                    assert!(send::contains(1)$($awaited)*.unwrap());
                    assert_eq!(PROBE.log().iter().filter(|(op, _)| *op == Op::Set).count(), 0, "it was added");
                    assert!(send::invalidate(1)$($awaited)*.unwrap());
                    assert!(!send::contains(1)$($awaited)*.unwrap());
                    assert_eq!(send::refresh(1)$($awaited)*.unwrap(), Some(Sent(1)));
                    assert_eq!(send(1)$($awaited)*, None);
                    send::invalidate_all()$($awaited)*.unwrap();
                    assert_eq!(send(1)$($awaited)*, Some(Sent(1)));

                    // What is there and is no mark is a miss.
                    PROBE.memory.set(send::key(7).unwrap().text(), b"damaged", None).unwrap();
                    assert_eq!((send(7)$($awaited)*, send(7)$($awaited)*), (Some(Sent(7)), None));

                    PROBE.rule(|op, _| if op == Op::Add { Step::Fail(ErrorKind::Unavailable) } else { Step::Go });
                    assert_eq!(send(2)$($awaited)*, Some(Sent(2)), "a failing cache is not a failing function");
                    assert_eq!(send::stats().backend_errors, 1);
                    PROBE.be_good();
                }
            }
        };
    }

    door!(threads, [], [],);
    door!(threads_without_local, [], [], local = false);
    door!(tasks, [async], [.await],);
    door!(tasks_without_local, [async], [.await], local = false);

    #[test]
    fn a_panic_takes_the_mark_back() {
        static PANICS: AtomicU32 = AtomicU32::new(1);
        #[cached(store_result = false, cache = Arc::clone(&MEMORY))]
        fn panicking(n: u32) -> Sent {
            assert_eq!(PANICS.swap(0, SeqCst), 0, "a body that panics");
            Sent(n)
        }
        assert!(catch_unwind(|| panicking(1)).is_err());
        assert!(MEMORY.get(panicking::key(1).unwrap().text()).unwrap().is_none());
        assert_eq!((panicking(1), panicking(1)), (Some(Sent(1)), None));
    }

    #[test]
    fn a_run_that_fails_leaves_the_mark_of_another_run_alone() {
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        #[cached(store_result = false, cache = Arc::clone(&MEMORY), prefix = "guards/marks", version = 1)]
        fn failing(_n: u32) -> Result<Sent, Failed> {
            GATE.pass();
            Err(Failed)
        }
        // A cache of its own by its expression, and so a memo of its own.
        #[cached(store_result = false, cache = MEMORY.clone(), prefix = "guards/marks", version = 1)]
        fn other(n: u32) -> Result<Sent, Failed> {
            Ok(Sent(n))
        }
        thread::scope(|scope| {
            let run = scope.spawn(|| failing(1));
            GATE.arrived(1);
            assert_eq!(other(1), Ok(None), "under way elsewhere");
            assert!(other::invalidate(1).unwrap());
            assert_eq!(other(1), Ok(Some(Sent(1))));
            GATE.open();
            assert_eq!(run.join().unwrap(), Err(Failed));
        });
        assert!(MEMORY.get(other::key(1).unwrap().text()).unwrap().is_some());
        assert_eq!(failing(1), Ok(None));
    }

    #[tokio::test]
    async fn a_dropped_run_takes_the_mark_back_wherever_it_is() {
        static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
        static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
        #[cached(store_result = false, cache = Arc::clone(&*PROBE) as Arc<dyn Cache>)]
        async fn dropped(n: u32) -> Sent {
            GATE.pass_async().await;
            Sent(n)
        }
        // While the body runs.
        let run = tokio::spawn(dropped(1));
        GATE.arrived_async(1).await;
        assert!(dropped::contains(1).await.unwrap());
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        assert!(!dropped::contains(1).await.unwrap());
        // Behind the write of the mark, before anybody was told.
        let written = PROBE.stop(Op::Add, When::After);
        let run = tokio::spawn(dropped(1));
        written.arrived_async(1).await;
        assert!(PROBE.memory.get(dropped::key(1).unwrap().text()).unwrap().is_some());
        PROBE.be_good();
        run.abort();
        assert!(run.await.unwrap_err().is_cancelled());
        assert!(PROBE.memory.get(dropped::key(1).unwrap().text()).unwrap().is_none());
        GATE.open();
        assert_eq!((dropped(1).await, dropped(1).await), (Some(Sent(1)), None));
    }
}
