//! A shared level that fails, lies, panics, or whose caller goes away: the call returns what the body returns.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Cache, ErrorKind, cached};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;
use support::gate::Gate;
use support::probe::{Op, Probe, Step, When};

type Probed = LazyLock<Arc<Probe>>;

fn cache(probe: &'static Probed) -> Arc<dyn Cache> {
    Arc::clone(&**probe) as Arc<dyn Cache>
}

/// A new one for each failure, since nobody asks a cache for long that fails again and again.
static FAILING: LazyLock<Mutex<Arc<Probe>>> = LazyLock::new(|| Mutex::new(Probe::new()));

fn failing() -> Arc<dyn Cache> {
    Arc::clone(&*FAILING.lock().unwrap()) as Arc<dyn Cache>
}

fn new_probe() -> Arc<Probe> {
    let probe = Probe::new();
    *FAILING.lock().unwrap() = Arc::clone(&probe);
    probe
}

#[cached(cache = failing())]
fn with_local(n: u32) -> u32 {
    n + 1
}

#[cached(cache = failing(), local = false)]
fn without_local(n: u32) -> u32 {
    n + 1
}

#[cached(cache = failing())]
async fn as_a_task(n: u32) -> u32 {
    n + 1
}

/// One test, since the probe is one.
#[tokio::test]
async fn a_failing_backend_is_not_a_failing_function() {
    let kinds = [ErrorKind::Timeout, ErrorKind::Unavailable, ErrorKind::Backend, ErrorKind::Full];
    let mut key = 0;
    for kind in kinds {
        for op in [Op::Read, Op::Set] {
            for when in [When::Before, When::After] {
                key += 1;
                let probe = new_probe();
                probe.rule(move |o, w| if (o, w) == (op, when) { Step::Fail(kind) } else { Step::Go });
                probe.log();
                let before = [with_local::stats(), without_local::stats(), as_a_task::stats()];
                assert_eq!((with_local(key), with_local(key)), (key + 1, key + 1));
                let asked = probe.log();
                assert!(asked.iter().filter(|(_, when)| *when == When::Before).count() <= 2, "{asked:?}");
                if op == Op::Read {
                    assert!(!asked.contains(&(Op::Set, When::Before)), "a backend that is down is waited for once");
                }
                assert_eq!(as_a_task(key).await, key + 1);
                assert_eq!(as_a_task(key).await, key + 1);
                assert_eq!(without_local(key), key + 1);
                let after = [with_local::stats(), without_local::stats(), as_a_task::stats()];
                for (before, after) in before.iter().zip(&after) {
                    assert_eq!(after.loads, before.loads + 1, "one run of the body");
                    assert_eq!(after.backend_errors, before.backend_errors + 1);
                }
                assert_eq!(after[0].local_hits, before[0].local_hits + 1, "the local level works on");
                assert_eq!(after[2].local_hits, before[2].local_hits + 1);
            }
        }
        for op in [Op::Remove, Op::Clear, Op::Read, Op::Set] {
            let probe = new_probe();
            probe.rule(move |o, _| if o == op { Step::Fail(kind) } else { Step::Go });
            let results: Vec<Result<(), memokit::Error>> = match op {
                Op::Remove => vec![with_local::invalidate(key).map(drop), as_a_task::invalidate(key).await.map(drop)],
                Op::Clear => vec![with_local::invalidate_all(), as_a_task::invalidate_all().await],
                Op::Read => vec![without_local::peek(key).map(drop), without_local::contains(key).map(drop)],
                Op::Add | Op::GetMany | Op::SetMany | Op::RemoveMany => unreachable!("not of these functions"),
                Op::Set => vec![
                    with_local::put(key, 9),
                    with_local::refresh(key).map(drop),
                    as_a_task::put(key, 9).await,
                    as_a_task::refresh(key).await.map(drop),
                ],
            };
            for result in results {
                assert_eq!(result.unwrap_err().kind(), kind, "{op:?} is loud");
            }
        }
        new_probe();
        assert_eq!(with_local(key), key + 1);
        with_local::invalidate(key).unwrap();
        as_a_task::invalidate(key).await.unwrap();
    }
}

static PUSHED: Probed = LazyLock::new(Probe::new);
static PUSHED_RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(cache = cache(&PUSHED))]
fn remembered(n: u32) -> u32 {
    n + PUSHED_RUNS.fetch_add(1, SeqCst)
}

#[test]
fn an_invalidation_that_fails_still_drops_the_local_copy() {
    assert_eq!(remembered(10), 10);
    PUSHED
        .rule(|op, _| if op == Op::Remove || op == Op::Clear { Step::Fail(ErrorKind::Unavailable) } else { Step::Go });
    let before = remembered::stats().backend_errors;
    assert_eq!(remembered::invalidate(10).unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!((remembered::stats().entries, remembered::stats().backend_errors), (0, before + 1));
    assert_eq!(remembered(20), 21);
    assert!(remembered::invalidate_all().is_err());
    assert_eq!(remembered::stats().entries, 0);
}

static LYING: Probed = LazyLock::new(Probe::new);

#[cached(cache = cache(&LYING), local = false)]
fn told(n: u32) -> String {
    format!("value {n}")
}

#[cached(cache = cache(&LYING), local = false)]
fn told_bytes(n: u32) -> Vec<u8> {
    vec![7; n as usize]
}

#[test]
fn a_lying_backend_never_gives_a_wrong_value() {
    told(1);
    told_bytes(1);
    let bytes = |key: memokit::Key| LYING.memory.get(key.text()).unwrap().unwrap();
    let (own, of_another_function) = (bytes(told::key(1).unwrap()), bytes(told_bytes::key(1).unwrap()));
    let mut lies: Vec<Vec<u8>> = vec![Vec::new(), b"junk".to_vec(), vec![0; 200], vec![0xff; 75], of_another_function];
    lies.extend((0..own.len()).map(|length| own[..length].to_vec()));
    lies.extend((0..own.len()).map(|at| {
        let mut bytes = own.clone();
        bytes[at] ^= 0x40;
        bytes
    }));
    let mut longer = own.clone();
    longer.push(0);
    lies.extend([longer, [own.clone(), own.clone()].concat(), own]);
    let count = lies.len() as u64;
    for lie in lies {
        // What is stored under one key is served under another.
        LYING.lie(move |_| Some(lie.clone()));
        assert_eq!(told(2), "value 2");
    }
    LYING.be_good();
    let stats = told::stats();
    assert_eq!((stats.rejected, stats.shared_hits, stats.loads), (count, 0, count + 1));
    LYING.lie(|_| None);
    assert_eq!((told(2), told(2)), ("value 2".into(), "value 2".into()));
    LYING.be_good();
    assert_eq!(told(2), "value 2");
    assert_eq!(told::stats().shared_hits, 1);
}

static PANICKING: Probed = LazyLock::new(Probe::new);

#[cached(cache = cache(&PANICKING))]
fn beside_panics(n: u32) -> u32 {
    n + 1
}

#[test]
fn a_panicking_backend_leaves_nothing_wrong_behind() {
    let mut key = 0;
    for op in [Op::Read, Op::Set, Op::Remove, Op::Clear] {
        for when in [When::Before, When::After] {
            key += 1;
            PANICKING.rule(move |o, w| if (o, w) == (op, when) { Step::Panic } else { Step::Go });
            let called = catch_unwind(AssertUnwindSafe(|| beside_panics(key)));
            assert!(called.is_err() || called.is_ok_and(|value| value == key + 1));
            let _ = catch_unwind(AssertUnwindSafe(|| beside_panics::invalidate(key)));
            let _ = catch_unwind(AssertUnwindSafe(beside_panics::invalidate_all));
            PANICKING.be_good();
            // Neither poisoned nor held up.
            assert_eq!(thread::spawn(move || beside_panics(key)).join().unwrap(), key + 1);
            assert!(beside_panics::invalidate(key).unwrap());
        }
    }
}

static PANICKED_ON: Probed = LazyLock::new(Probe::new);

#[cached(cache = cache(&PANICKED_ON))]
fn followed(n: u32) -> u32 {
    n + 1
}

#[test]
fn followers_go_on_when_the_backend_panics_under_their_leader() {
    static READS: AtomicUsize = AtomicUsize::new(0);
    let gate = Arc::new(Gate::default());
    let at = Arc::clone(&gate);
    PANICKED_ON.rule(move |op, when| match (op, when) {
        (Op::Read, When::Before) if READS.fetch_add(1, SeqCst) == 0 => Step::Stop(Arc::clone(&at)),
        (Op::Read, When::After) if READS.load(SeqCst) == 1 => Step::Panic,
        _ => Step::Go,
    });
    let leader = thread::spawn(|| followed(1));
    gate.arrived(1);
    let followers: Vec<_> = (0..20).map(|_| thread::spawn(|| followed(1))).collect();
    gate.open();
    assert!(leader.join().is_err(), "it got the panic of the backend");
    for follower in followers {
        assert_eq!(follower.join().unwrap(), 2);
    }
    assert_eq!(followed::stats().loads, 1);
}

static YIELDING: Probed = LazyLock::new(Probe::new);
static STARTED: AtomicU32 = AtomicU32::new(0);

#[cached(cache = cache(&YIELDING))]
async fn slow(n: u32) -> u32 {
    STARTED.fetch_add(1, SeqCst);
    tokio::task::yield_now().await;
    n + 1
}

#[cached(cache = cache(&YIELDING), local = false)]
async fn slow_without_local(n: u32) -> u32 {
    STARTED.fetch_add(1, SeqCst);
    tokio::task::yield_now().await;
    n + 1
}

type Call = fn(u32) -> Pin<Box<dyn Future<Output = u32>>>;

fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Polls to the end, which comes soon since everything gives way only a few times.
fn finish<T>(mut future: Pin<Box<dyn Future<Output = T>>>) -> T {
    for _ in 0..100 {
        if let Poll::Ready(value) = poll(&mut future) {
            return value;
        }
    }
    panic!("it waits for a load that nobody runs");
}

/// Drops the leader at each of its await points; how many there were.
fn drop_the_leader_everywhere(call: Call, first_key: u32) -> u32 {
    for points in 0..100 {
        let key = first_key + points;
        let (mut leader, mut follower) = (call(key), call(key));
        let mut done = false;
        for _ in 0..points {
            done = done || poll(&mut leader).is_ready();
        }
        if done {
            assert_eq!(finish(follower), key + 1);
            return points;
        }
        assert!(poll(&mut follower).is_pending());
        let other = call(key);
        let before = STARTED.load(SeqCst);
        drop(leader);
        assert_eq!(finish(follower), key + 1);
        assert!(STARTED.load(SeqCst) - before <= 1, "one of the others leads");
        assert_eq!(finish(other), key + 1);
        assert!(STARTED.load(SeqCst) - before <= 1, "and its value is stored");
    }
    panic!("a call that never ends");
}

#[test]
fn a_leader_can_be_dropped_at_every_await_point() {
    YIELDING.rule(|_, _| Step::Yield);
    let points = drop_the_leader_everywhere(|n| Box::pin(slow(n)), 0);
    assert!(points >= 6, "read, body and write have {points} await points");
    drop_the_leader_everywhere(|n| Box::pin(slow_without_local(n)), 1_000);
    // An invalidation that is dropped half-way holds up nobody.
    for points in 1..10 {
        let mut invalidation: Pin<Box<dyn Future<Output = _>>> = Box::pin(slow::invalidate(500));
        for _ in 0..points {
            if poll(&mut invalidation).is_ready() {
                break;
            }
        }
        drop(invalidation);
        assert_eq!(finish(Box::pin(slow(500))), 501);
        finish(Box::pin(slow::invalidate(500))).unwrap();
        assert!(!finish(Box::pin(slow::contains(500))).unwrap());
    }
}
