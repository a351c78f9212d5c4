//! One load for each key: what the callers of one key see, in threads, while another of them loads.
//!
//! Followers can't be seen from outside before their load ends, so where a test needs them it waits until they have
//! been counted by `stats`, until their threads wait, or until these were let go together by a barrier.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "support/threads.rs"]
mod threads;

use memokit::cached;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;
use threads::all_wait;

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

/// A place in a body where it stops until the test lets it go on.
struct Stop {
    arrived: AtomicBool,
    may_go_on: AtomicBool,
}

impl Stop {
    const fn new() -> Self {
        Stop { arrived: AtomicBool::new(false), may_go_on: AtomicBool::new(false) }
    }

    /// In the body: says that it is here, and waits.
    fn here(&self) {
        self.arrived.store(true, SeqCst);
        until(|| self.may_go_on.load(SeqCst));
    }

    /// In the test: waits until a body is here.
    fn wait_for_body(&self) {
        until(|| self.arrived.load(SeqCst));
    }

    fn let_go(&self) {
        self.may_go_on.store(true, SeqCst);
    }
}

/// Gives way to other threads until something has come true. A test that hangs fails after very many turns.
fn until(what: impl Fn() -> bool) {
    for _ in 0..100_000_000_u32 {
        if what() {
            return;
        }
        thread::yield_now();
    }
    panic!("it never came true");
}

/// Starts so many threads under a name, each with its number.
fn spawn<T: Send + 'static>(
    group: &str,
    n: usize,
    work: impl Fn(usize) -> T + Clone + Send + 'static,
) -> Vec<thread::JoinHandle<T>> {
    let thread = |i| {
        let work = work.clone();
        thread::Builder::new().name(group.into()).stack_size(256 << 10).spawn(move || work(i)).unwrap()
    };
    (0..n).map(thread).collect()
}

fn join<T>(threads: Vec<thread::JoinHandle<T>>) -> Vec<T> {
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

#[test]
fn a_thousand_threads_on_one_cold_key_load_once() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static ARRIVED: AtomicUsize = AtomicUsize::new(0);
    static BEGIN: Barrier = Barrier::new(1000);
    #[cached]
    fn slow(text: &str) -> String {
        run(&RUNS);
        // The load goes on until everybody has been let go, so that many of them find it under way.
        until(|| ARRIVED.load(SeqCst) == 1000);
        text.to_uppercase()
    }
    let callers = spawn("thousand", 1000, |_| {
        BEGIN.wait();
        ARRIVED.fetch_add(1, SeqCst);
        slow("a")
    });
    assert!(join(callers).iter().all(|value| value == "A"));
    assert_eq!(RUNS.load(SeqCst), 1);
    let stats = slow::stats();
    assert_eq!((stats.loads, stats.hits() + stats.joins), (1, 999));
}

#[test]
fn callers_of_other_keys_do_not_wait() {
    static STOP: Stop = Stop::new();
    #[cached]
    fn sample(n: u32) -> u32 {
        if n == 0 {
            STOP.here();
        }
        n
    }
    let leader = spawn("others", 1, |_| sample(0));
    STOP.wait_for_body();
    assert_eq!((1..500).map(sample).sum::<u32>(), 499 * 500 / 2);
    STOP.let_go();
    assert_eq!(join(leader), [0]);
}

#[test]
fn a_leader_that_panics_lets_one_follower_lead() {
    static STOP: Stop = Stop::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn fragile(n: u32) -> u32 {
        if run(&RUNS) == 1 {
            STOP.here();
            panic!("from a body: this text belongs into the test's output");
        }
        n
    }
    let leader = spawn("panics", 1, |_| catch_unwind(|| fragile(1)).is_err());
    STOP.wait_for_body();
    let followers = spawn("panics/f", 8, |_| fragile(1));
    all_wait("panics/f", 8);
    STOP.let_go();
    assert_eq!(join(leader), [true], "the panic is the leader's own");
    assert_eq!(join(followers), [1; 8]);
    assert_eq!(RUNS.load(SeqCst), 2);
    assert_eq!(fragile::stats().entries, 1);
}

#[test]
fn a_panic_in_cache_if_hangs_nobody() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(cache_if = |n| { assert!(*n > 0, "from cache_if: this text belongs into the test's output"); true })]
    fn sample(_key: u8) -> u32 {
        run(&RUNS) - 1
    }
    assert!(catch_unwind(|| sample(1)).is_err());
    assert_eq!((sample(1), sample(1)), (1, 1));
}

#[test]
fn a_value_that_panics_while_it_is_cloned_hangs_nobody() {
    static STOP: Stop = Stop::new();
    static CLONES: AtomicU32 = AtomicU32::new(0);
    struct Fragile(u32);
    impl Clone for Fragile {
        fn clone(&self) -> Self {
            // The first copy is the entry's, the second the one for the followers.
            assert!(run(&CLONES) != 2, "from clone: this text belongs into the test's output");
            Fragile(self.0)
        }
    }
    #[cached]
    fn sample(n: u32) -> Fragile {
        if CLONES.load(SeqCst) == 0 {
            STOP.here();
        }
        Fragile(n)
    }
    let leader = spawn("clone", 1, |_| catch_unwind(|| sample(1)).is_err());
    STOP.wait_for_body();
    let (done, ended) = channel();
    let followers = spawn("clone/f", 3, move |_| done.send(sample(1).0).unwrap());
    all_wait("clone/f", 3);
    STOP.let_go();
    for _ in 0..3 {
        assert_eq!(ended.recv_timeout(Duration::from_secs(20)), Ok(1), "a follower hangs");
    }
    join(followers);
    assert_eq!(join(leader), [true]);
}

#[test]
fn an_error_that_can_be_cloned_goes_to_all_followers() {
    static STOP: Stop = Stop::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn fails(n: u32) -> Result<u32, String> {
        if run(&RUNS) == 1 {
            STOP.here();
        }
        Err(format!("no {n}"))
    }
    let leader = spawn("shared", 1, |_| fails(1));
    STOP.wait_for_body();
    let followers = spawn("shared/f", 8, |_| fails(1));
    all_wait("shared/f", 8);
    STOP.let_go();
    assert_eq!(join(leader), [Err("no 1".into())]);
    assert!(join(followers).iter().all(|returned| *returned == Err("no 1".into())));
    assert_eq!(RUNS.load(SeqCst), 1);
    assert_eq!((fails::stats().joins, fails::stats().entries), (8, 0));
    assert!(fails(1).is_err());
    assert_eq!(RUNS.load(SeqCst), 2, "a later call tries again");
}

#[test]
fn an_error_that_can_not_be_cloned_makes_each_follower_load_at_once() {
    struct Bare;
    static STOP: Stop = Stop::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    /// Nobody passes unless all the followers are in the body together.
    static ALL_IN: Barrier = Barrier::new(4);
    #[cached]
    fn fails(_n: u32) -> Result<u32, Bare> {
        if run(&RUNS) == 1 {
            STOP.here();
        } else {
            ALL_IN.wait();
        }
        Err(Bare)
    }
    let leader = spawn("bare", 1, |_| fails(1).is_err());
    STOP.wait_for_body();
    let followers = spawn("bare/f", 4, |_| fails(1).is_err());
    all_wait("bare/f", 4);
    STOP.let_go();
    assert!(join(leader).into_iter().chain(join(followers)).all(|failed| failed));
    assert_eq!((RUNS.load(SeqCst), fails::stats().load_errors), (5, 5));
}

#[test]
fn a_follower_that_loads_alone_may_succeed_and_stores() {
    struct Bare;
    static STOP: Stop = Stop::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> Result<u32, Bare> {
        if run(&RUNS) == 1 {
            STOP.here();
            return Err(Bare);
        }
        Ok(n)
    }
    let leader = spawn("alone", 1, |_| sample(1).is_err());
    STOP.wait_for_body();
    let followers = spawn("alone/f", 2, |_| sample(1).is_ok());
    all_wait("alone/f", 2);
    STOP.let_go();
    assert_eq!((join(leader), join(followers)), (vec![true], vec![true; 2]));
    assert!(sample::contains(1));
}

#[test]
fn followers_of_a_load_that_was_invalidated_get_its_value_and_nobody_else_does() {
    static STOP: Stop = Stop::new();
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(_key: u32) -> u32 {
        let run = run(&RUNS);
        if run == 1 {
            STOP.here();
        }
        run
    }
    let leader = spawn("doomed", 1, |_| sample(1));
    STOP.wait_for_body();
    let followers = spawn("doomed/f", 4, |_| sample(1));
    all_wait("doomed/f", 4);
    sample::invalidate(1);
    assert_eq!(sample(1), 2, "it began after the invalidation");
    STOP.let_go();
    assert_eq!((join(leader), join(followers)), (vec![1], vec![1; 4]));
    assert_eq!(sample(1), 2);
}

#[test]
fn recursion_on_other_keys() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn fib(n: u64) -> u64 {
        run(&RUNS);
        if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
    }
    assert_eq!(fib(90), 2_880_067_194_370_816_120);
    assert_eq!(RUNS.load(SeqCst), 91);
}

/// So that functions which call themselves get deep, also where nothing is optimized.
#[test]
fn a_call_within_a_call_takes_little_of_the_stack() {
    const LEVELS: u32 = 100;
    /// Where on the stack the body of the last level stands. `from` keeps one way down from another's entries.
    #[cached]
    fn down(levels: u32, from: u32) -> usize {
        let here = 0_u8;
        let here = std::hint::black_box(std::ptr::from_ref(&here)).addr();
        if levels == 0 { here } else { down(levels - 1, from) }
    }
    let level = down(0, 0).abs_diff(down(LEVELS, LEVELS)) / LEVELS as usize;
    assert!(level < 2_000, "{level} bytes");
}

#[test]
fn recursion_from_many_threads() {
    #[cached]
    fn fib(n: u64) -> u64 {
        if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
    }
    let threads = spawn("fib", 16, |i| fib(60 + i as u64 % 4));
    assert_eq!(join(threads)[..2], [1_548_008_755_920, 2_504_730_781_961]);
    assert_eq!(fib::stats().loads, 64);
}

#[test]
fn recursion_on_the_same_key_runs_the_body() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn nested(key: &str) -> u32 {
        let run = run(&RUNS);
        if run < 4 { nested(key) + 1 } else { 10 }
    }
    assert_eq!(nested("a"), 13);
    assert_eq!(RUNS.load(SeqCst), 4);
    assert_eq!(nested("a"), nested::peek("a").unwrap());
    assert_eq!(RUNS.load(SeqCst), 4);
}

#[test]
fn recursion_through_another_function() {
    static DEPTH: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn ping(n: u32) -> u32 {
        pong(n) + 1
    }
    #[cached]
    fn pong(n: u32) -> u32 {
        if run(&DEPTH) < 3 { ping(n) + 1 } else { n }
    }
    assert_eq!(ping(100), 105);
}

#[test]
fn a_panic_in_a_recursion_leaves_nothing_behind() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn nested(n: u32) -> u32 {
        match run(&RUNS) {
            1 => catch_unwind(AssertUnwindSafe(|| nested(n))).unwrap_or(7),
            2 => panic!("from a body: this text belongs into the test's output"),
            _ => n,
        }
    }
    assert_eq!((nested(1), nested(1), nested(2)), (7, 7, 2));
    assert_eq!(join(spawn("after", 4, |_| nested(3))), [3; 4]);
}
