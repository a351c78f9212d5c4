//! Cached async functions: single flight between tasks, leaders that are dropped, borrowed arguments.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Wake, Waker};
use tokio::sync::{Barrier, Semaphore};
use tokio::task::{JoinSet, yield_now};

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

/// Polls once, for whoever is not interested in being woken.
fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Remembers that it was woken.
#[derive(Default)]
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// Waits without a runtime until a flag is set.
async fn gate(open: &AtomicBool) {
    poll_fn(|_| if open.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// Is pending so many times.
async fn pending(mut times: u32) {
    poll_fn(|context| {
        if times == 0 {
            return Poll::Ready(());
        }
        times -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

#[cached]
async fn thousand(text: String) -> String {
    // Long enough for every task to have its turn meanwhile.
    pending(2000).await;
    text.to_uppercase()
}

async fn a_thousand_tasks(text: &str) {
    let before = thousand::stats();
    let mut tasks = JoinSet::new();
    for _ in 0..1000 {
        tasks.spawn(thousand(text.into()));
    }
    assert!(tasks.join_all().await.iter().all(|value| *value == text.to_uppercase()));
    let after = thousand::stats();
    assert_eq!(after.loads - before.loads, 1);
    assert_eq!(after.hits() + after.joins - before.hits() - before.joins, 999);
}

/// One after the other, since both look at the counters of one function.
#[test]
fn a_thousand_tasks_on_one_cold_key_load_once() {
    use tokio::runtime::Builder;
    Builder::new_multi_thread().worker_threads(4).build().unwrap().block_on(a_thousand_tasks("threads"));
    Builder::new_current_thread().build().unwrap().block_on(a_thousand_tasks("current"));
    assert_eq!(thousand::stats().entries, 2);
}

#[tokio::test]
async fn calls_of_other_keys_go_on_meanwhile() {
    static OPEN: AtomicBool = AtomicBool::new(false);
    #[cached]
    async fn sample(n: u32) -> u32 {
        if n == 0 {
            gate(&OPEN).await;
        }
        n
    }
    let mut leader = pin!(sample(0));
    assert!(poll(leader.as_mut()).is_pending());
    for n in 1..100 {
        assert_eq!(sample(n).await, n);
    }
    OPEN.store(true, SeqCst);
    assert_eq!(poll(leader), Poll::Ready(0));
}

mod dropped_leader {
    use super::*;

    static RUNS: AtomicU32 = AtomicU32::new(0);

    /// Seven places where it waits.
    #[cached]
    async fn steps(key: u32) -> u32 {
        run(&RUNS);
        pending(1).await;
        for _ in 0..2 {
            pending(2).await;
        }
        let text = key.to_string();
        pending(1).await;
        let (a, b) = (async { yield_once().await }, async { text.len() });
        a.await;
        let _length = b.await;
        key + 1
    }

    async fn yield_once() {
        pending(1).await;
    }

    #[test]
    fn at_every_await_lets_a_follower_lead() {
        for polls in 0..=7 {
            let runs = RUNS.load(SeqCst);
            let mut leader = Box::pin(steps(polls));
            for _ in 0..polls {
                assert!(poll(leader.as_mut()).is_pending());
            }
            let woken = [Arc::<Woken>::default(), Arc::default()];
            let wakers = woken.clone().map(Waker::from);
            let mut followers = [Box::pin(steps(polls)), Box::pin(steps(polls))];
            if polls > 0 {
                for (follower, waker) in followers.iter_mut().zip(&wakers) {
                    assert!(follower.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
                }
                assert_eq!(RUNS.load(SeqCst), runs + 1, "the followers wait");
            }
            drop(leader);
            assert!(polls == 0 || woken.iter().any(|woken| woken.0.load(SeqCst)), "somebody is told");
            for _ in 0..40 {
                for follower in &mut followers {
                    if steps::contains(polls) {
                        break;
                    }
                    let _value = poll(follower.as_mut());
                }
            }
            assert_eq!(steps::peek(polls), Some(polls + 1), "dropped after {polls} polls");
            assert_eq!(RUNS.load(SeqCst), runs + if polls == 0 { 1 } else { 2 });
        }
    }

    #[tokio::test]
    async fn one_after_the_other_hangs_nobody() {
        static FIRST_RUNS: AtomicU32 = AtomicU32::new(0);
        #[cached]
        async fn stubborn(key: u32) -> u32 {
            // The first five never end by themselves.
            if run(&FIRST_RUNS) <= 5 {
                std::future::pending::<()>().await;
            }
            key
        }
        let mut tasks: Vec<_> = (0..50).map(|_| Box::pin(stubborn(1))).collect();
        for task in &mut tasks {
            assert!(poll(task.as_mut()).is_pending());
        }
        assert_eq!(FIRST_RUNS.load(SeqCst), 1);
        for leader in 0..5 {
            drop(tasks.remove(0));
            assert!(tasks.iter_mut().all(|task| leader == 4 || poll(task.as_mut()).is_pending()));
        }
        for task in tasks {
            assert_eq!(task.await, 1);
        }
        assert_eq!(FIRST_RUNS.load(SeqCst), 6);
    }

    #[tokio::test]
    async fn a_follower_that_is_dropped_bothers_nobody() {
        static OPEN: AtomicBool = AtomicBool::new(false);
        #[cached]
        async fn sample(n: u32) -> u32 {
            gate(&OPEN).await;
            n
        }
        let (mut leader, mut gone, mut stays) = (Box::pin(sample(1)), Box::pin(sample(1)), Box::pin(sample(1)));
        assert!([&mut leader, &mut gone, &mut stays].into_iter().all(|task| poll(task.as_mut()).is_pending()));
        drop(gone);
        OPEN.store(true, SeqCst);
        assert_eq!((leader.await, stays.await), (1, 1));
        assert_eq!(sample::stats().loads, 1);
    }

    #[tokio::test]
    async fn in_a_task_that_is_aborted() {
        static NEVER: Semaphore = Semaphore::const_new(0);
        static STARTED: Semaphore = Semaphore::const_new(0);
        static ABORTED: AtomicBool = AtomicBool::new(false);
        #[cached]
        async fn sample(n: u32) -> u32 {
            STARTED.add_permits(1);
            if !ABORTED.load(SeqCst) {
                NEVER.acquire().await.unwrap().forget();
            }
            n
        }
        let leader = tokio::spawn(sample(1));
        STARTED.acquire().await.unwrap().forget();
        let follower = tokio::spawn(sample(1));
        yield_now().await;
        ABORTED.store(true, SeqCst);
        leader.abort();
        assert_eq!(follower.await.unwrap(), 1);
        assert!(leader.await.unwrap_err().is_cancelled());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_panics_lets_a_follower_lead() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static OPEN: Semaphore = Semaphore::const_new(0);
    static STARTED: Semaphore = Semaphore::const_new(0);
    #[cached]
    async fn fragile(n: u32) -> u32 {
        if run(&RUNS) == 1 {
            STARTED.add_permits(1);
            OPEN.acquire().await.unwrap().forget();
            panic!("from a body: this text belongs into the test's output");
        }
        n
    }
    let leader = tokio::spawn(fragile(1));
    STARTED.acquire().await.unwrap().forget();
    let mut followers: Vec<_> = (0..8).map(|_| Box::pin(fragile(1))).collect();
    assert!(followers.iter_mut().all(|follower| poll(follower.as_mut()).is_pending()));
    OPEN.add_permits(1);
    assert!(leader.await.unwrap_err().is_panic());
    for follower in followers {
        assert_eq!(follower.await, 1);
    }
    assert_eq!(RUNS.load(SeqCst), 2);
}

/// A key whose copying can fail, as any code of users can.
#[derive(PartialEq, Eq, Hash)]
struct Fragile(u32);

static COPY_FAILS: AtomicBool = AtomicBool::new(false);

impl Clone for Fragile {
    fn clone(&self) -> Self {
        assert!(!COPY_FAILS.swap(false, SeqCst), "from a key: this text belongs into the test's output");
        Fragile(self.0)
    }
}

#[test]
fn a_key_that_panics_as_the_load_ends_lets_a_follower_lead() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static OPEN: AtomicBool = AtomicBool::new(false);
    #[cached]
    async fn keyed(key: Fragile) -> u32 {
        gate(&OPEN).await;
        COPY_FAILS.store(run(&RUNS) == 1, SeqCst);
        key.0
    }
    let mut leader = Box::pin(keyed(Fragile(1)));
    assert!(poll(leader.as_mut()).is_pending());
    let mut follower = pin!(keyed(Fragile(1)));
    assert!(poll(follower.as_mut()).is_pending());
    OPEN.store(true, SeqCst);
    assert!(catch_unwind(AssertUnwindSafe(|| poll(leader.as_mut()))).is_err());
    assert_eq!(poll(follower.as_mut()), Poll::Ready(1));
    assert_eq!((RUNS.load(SeqCst), keyed::stats().entries), (2, 1));
}

#[tokio::test]
async fn an_error_goes_to_all_followers_if_it_can_be_cloned() {
    static OPEN: AtomicBool = AtomicBool::new(false);
    #[cached]
    async fn fails(n: u32) -> Result<u32, String> {
        gate(&OPEN).await;
        Err(n.to_string())
    }
    let mut tasks: Vec<_> = (0..5).map(|_| Box::pin(fails(1))).collect();
    assert!(tasks.iter_mut().all(|task| poll(task.as_mut()).is_pending()));
    OPEN.store(true, SeqCst);
    for task in tasks {
        assert_eq!(task.await, Err("1".into()));
    }
    assert_eq!((fails::stats().loads, fails::stats().joins, fails::stats().entries), (1, 4, 0));
}

#[tokio::test]
async fn an_error_that_can_not_be_cloned_makes_each_follower_load_at_once() {
    struct Bare;
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static OPEN: AtomicBool = AtomicBool::new(false);
    static ALL_IN: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(4));
    #[cached]
    async fn fails(_n: u32) -> Result<u32, Bare> {
        if run(&RUNS) == 1 {
            gate(&OPEN).await;
        } else {
            ALL_IN.wait().await;
        }
        Err(Bare)
    }
    let mut leader = Box::pin(fails(1));
    assert!(poll(leader.as_mut()).is_pending());
    let mut followers: Vec<_> = (0..4).map(|_| Box::pin(fails(1))).collect();
    assert!(followers.iter_mut().all(|follower| poll(follower.as_mut()).is_pending()));
    OPEN.store(true, SeqCst);
    assert!(leader.await.is_err());
    let followers: JoinSet<_> = followers.into_iter().map(|follower| async { follower.await.is_err() }).collect();
    assert_eq!(followers.join_all().await, [true; 4]);
    assert_eq!(RUNS.load(SeqCst), 5);
}

#[tokio::test]
async fn recursion_on_other_keys_and_on_the_same_key() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    async fn fib(n: u64) -> u64 {
        if n < 2 {
            return n;
        }
        yield_now().await;
        let (a, b) = tokio::join!(fib_boxed(n - 1), fib_boxed(n - 2));
        a + b
    }
    fn fib_boxed(n: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
        Box::pin(fib(n))
    }
    #[cached]
    async fn nested(key: &str) -> u32 {
        let run = run(&RUNS);
        yield_now().await;
        if run < 4 { nested_boxed(key).await + 1 } else { 10 }
    }
    fn nested_boxed(key: &str) -> Pin<Box<dyn Future<Output = u32> + Send + '_>> {
        Box::pin(nested(key))
    }
    assert_eq!(fib(80).await, 23_416_728_348_467_685);
    assert_eq!(fib::stats().loads, 81);
    assert_eq!((nested("a").await, RUNS.load(SeqCst)), (13, 4));
    assert_eq!(tokio::spawn(fib(85)).await.unwrap(), 259_695_496_911_122_585);
}
