//! Cached async functions: everything that is not single flight.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use std::borrow::Cow;
use std::future::{Future, poll_fn};
use std::hash::Hash;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::task::{Context, Poll, Waker};
use tokio::task::yield_now;

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

fn assert_send<F: Future + Send>(future: F) -> F {
    future
}

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Waits without a runtime until a flag is set.
async fn gate(open: &AtomicBool) {
    poll_fn(|_| if open.load(SeqCst) { Poll::Ready(()) } else { Poll::Pending }).await;
}

/// A function whose first run waits between reading and returning, and what the test does meanwhile.
macro_rules! while_a_load_is_under_way {
    ($($test:ident, $function:ident: $meanwhile:block then $then:block)+) => {$(
        #[tokio::test]
        async fn $test() {
            static SOURCE: AtomicU32 = AtomicU32::new(1);
            static RUNS: AtomicU32 = AtomicU32::new(0);
            static OPEN: AtomicBool = AtomicBool::new(false);
            #[cached]
            async fn $function(_key: u32) -> u32 {
                let value = SOURCE.load(SeqCst);
                if run(&RUNS) == 1 {
                    gate(&OPEN).await;
                }
                value
            }
            let (mut leader, mut follower) = (pin!($function(7)), pin!($function(7)));
            assert!(poll(leader.as_mut()).is_pending() && poll(follower.as_mut()).is_pending());
            SOURCE.store(2, SeqCst);
            $meanwhile
            OPEN.store(true, SeqCst);
            assert_eq!((leader.await, follower.await), (1, 1), "both began before");
            $then
        }
    )+};
}

while_a_load_is_under_way! {
    invalidate_keeps_its_value_out, sample: {
        assert!(!sample::invalidate(7));
    } then {
        assert!(!sample::contains(7));
        assert_eq!((sample(7).await, sample::stats().discarded), (2, 1));
    }

    invalidate_all_keeps_its_value_out, sample: {
        sample::invalidate_all();
    } then {
        assert!(!sample::contains(7));
        assert_eq!(sample(7).await, 2);
    }

    a_caller_after_an_invalidation_loads_for_itself, sample: {
        sample::invalidate(7);
        assert_eq!((sample(7).await, RUNS.load(SeqCst)), (2, 2));
    } then {
        assert_eq!(sample(7).await, 2);
    }

    a_refresh_is_newer, sample: {
        assert_eq!(sample::refresh(7).await, 2);
    } then {
        assert_eq!(sample(7).await, 2);
    }

    a_put_is_newer, sample: {
        sample::put(7, 50);
        assert_eq!(sample(7).await, 50);
    } then {
        assert_eq!(sample(7).await, 50);
    }
}

#[tokio::test]
async fn companions_that_run_the_body_are_async_and_the_others_are_not() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    async fn sample(n: u32, text: &str) -> std::io::Result<String> {
        yield_now().await;
        Ok(format!("{n}{text}{}", run(&RUNS)))
    }
    assert_eq!(sample(1, "a").await.unwrap(), "1a1");
    assert_eq!(sample(1, "a").await.unwrap(), "1a1");
    assert_eq!(sample::peek(1, "a"), Some("1a1".into()));
    assert!(sample::contains(1, "a") && sample::invalidate(1, "a"));
    assert_eq!(sample::refresh(1, "a").await.unwrap(), "1a2");
    assert_eq!(sample::uncached(1, "a").await.unwrap(), "1a3");
    sample::put(1, "a", "put".into());
    assert_eq!(sample(1, "a").await.unwrap(), "put");
    sample::invalidate_all();
    assert_eq!((sample::stats().entries, sample::stats().loads), (0, 2));
}

#[tokio::test]
async fn nothing_begins_before_the_first_poll() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    async fn sample(n: u32) -> u32 {
        run(&RUNS);
        n
    }
    let never_polled = sample(1);
    assert_eq!(sample(1).await, 1);
    drop(never_polled);
    assert_eq!((RUNS.load(SeqCst), sample::stats().loads), (1, 1));
}

#[tokio::test]
async fn borrowed_arguments() {
    #[cached]
    async fn text(text: &str, list: &[u8], maybe: Option<&str>, cow: Cow<'_, str>) -> usize {
        yield_now().await;
        text.len() + list.len() + maybe.map_or(0, str::len) + cow.len()
    }
    #[cached(key = (name, user.0))]
    async fn keyed<'a>(name: &'a str, user: &'a (u64, f64)) -> String {
        yield_now().await;
        format!("{name}{}", user.1)
    }
    let owned = String::from("ab");
    for _ in 0..2 {
        assert_eq!(assert_send(text(&owned, &[1], Some(&owned), Cow::Borrowed(&owned))).await, 7);
        assert_eq!(text("ab", &[1], None, "ab".into()).await, 5);
        assert_eq!((keyed(&owned, &(1, 0.5)).await, keyed("ab", &(1, 1.5)).await), ("ab0.5".into(), "ab0.5".into()));
    }
    assert_eq!((text::stats().loads, keyed::stats().loads), (2, 1));
    let task = tokio::spawn(async move {
        let text_here = String::from("ab");
        text(&text_here, &[1], None, Cow::Owned(text_here.clone())).await
    });
    assert_eq!(task.await.unwrap(), 5);
}

#[tokio::test]
async fn futures_are_send() {
    #[cached]
    async fn plain(n: u32) -> String {
        yield_now().await;
        n.to_string()
    }
    #[cached(timeout = 60, capacity = 10, bypass = live, refresh = again, cache_if = |v| v.len() > 1)]
    async fn steered(n: u32, live: bool, again: bool) -> String {
        yield_now().await;
        n.to_string()
    }
    #[cached]
    async fn generic<T: Clone + Eq + Hash + Send + Sync + 'static, const N: usize>(value: T) -> (T, usize) {
        yield_now().await;
        (value, N)
    }
    #[cached(ignore = bare)]
    async fn bare_error(bare: Option<u8>) -> std::io::Result<u32> {
        yield_now().await;
        Ok(bare.map_or(0, u32::from))
    }
    assert_eq!(assert_send(plain(1)).await, "1");
    assert_eq!(assert_send(plain::refresh(1)).await, "1");
    assert_eq!(assert_send(plain::uncached(1)).await, "1");
    assert_eq!(assert_send(steered(10, true, false)).await, "10");
    assert_eq!(assert_send(steered(10, false, true)).await, "10");
    assert_eq!(assert_send(steered(10, false, false)).await, "10");
    let stats = steered::stats();
    assert_eq!((stats.bypasses, stats.refreshes, stats.hits()), (1, 1, 1));
    assert_eq!((assert_send(generic::<_, 1>("a")).await, generic::<_, 2>("a").await), (("a", 1), ("a", 2)));
    assert!(assert_send(bare_error(None)).await.is_ok());
}

/// The compiler forgets `'static` inside of futures, and must find them `Send` all the same.
#[test]
fn futures_are_send_whatever_lifetimes_their_values_name() {
    use std::error::Error;
    #[cached]
    async fn boxed_error(n: u32) -> Result<u32, Box<dyn Error + Send + Sync>> {
        Ok(n)
    }
    #[cached]
    async fn shared_error(n: u32) -> Result<u32, Arc<dyn Error + Send + Sync>> {
        Ok(n)
    }
    #[cached]
    async fn object(n: u32) -> Arc<dyn Fn() -> u32 + Send + Sync> {
        Arc::new(move || n)
    }
    #[cached]
    async fn text(_n: u32) -> &'static str {
        "a"
    }
    #[cached]
    async fn cow(pair: (&'static str, u32)) -> Option<Cow<'static, str>> {
        Some(pair.0.into())
    }
    #[cached]
    async fn stays_on_its_thread(n: u32) -> Result<u32, Box<dyn Error>> {
        Ok(n)
    }
    drop((assert_send(boxed_error(1)), assert_send(shared_error(1)), assert_send(object(1))));
    drop((assert_send(text(1)), assert_send(text::refresh(1)), assert_send(cow(("a", 1)))));
    drop(stays_on_its_thread(1));
}

/// A future that stays on its thread is as good, where the arguments ask for it.
#[tokio::test]
async fn an_ignored_argument_may_stay_on_its_thread() {
    use std::cell::Cell;
    use std::rc::Rc;
    #[cached(ignore = log)]
    async fn logged(log: Rc<Cell<u32>>, n: u32) -> u32 {
        yield_now().await;
        log.set(log.get() + 1);
        n
    }
    let log = Rc::default();
    assert_eq!((logged(Rc::clone(&log), 1).await, logged(Rc::clone(&log), 1).await, log.get()), (1, 1, 1));
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Client {
    host: String,
}

#[cached]
impl Client {
    #[cached]
    async fn fetch(&self, path: &str) -> String {
        yield_now().await;
        format!("{}/{path}", self.host)
    }

    #[cached(key = (self.host.as_str(), n))]
    async fn page(self: &Arc<Self>, n: u32) -> Result<u32, std::fmt::Error> {
        yield_now().await;
        if n == 0 { Err(std::fmt::Error) } else { Ok(n) }
    }

    #[cached]
    async fn connect(host: &str) -> Self {
        yield_now().await;
        Client { host: host.to_owned() }
    }
}

#[tokio::test]
async fn methods_and_associated_functions() {
    let client = Arc::new(Client::connect("a").await);
    for _ in 0..2 {
        assert_eq!(
            (client.fetch("x").await, Client::connect("a").await.fetch("y").await),
            ("a/x".into(), "a/y".into())
        );
        assert_eq!((client.page(1).await, client.page(0).await), (Ok(1), Err(std::fmt::Error)));
    }
    assert_eq!((Client::fetch_stats().loads, Client::page_stats().loads, Client::connect_stats().loads), (2, 3, 1));
    assert!(client.fetch_invalidate("x") && client.fetch_contains("y"));
    assert_eq!(assert_send(client.fetch_refresh("x")).await, "a/x");
    assert_eq!(client.page_peek(1), Some(1));
    Client::connect_put("b", Client { host: "put".into() });
    assert_eq!(Client::connect("b").await.host, "put");
}

#[tokio::test]
async fn hooks_are_told() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    #[cached(on_hit = |_| { TOLD.fetch_add(100, SeqCst); }, on_miss = |_| { TOLD.fetch_add(1, SeqCst); })]
    async fn told(n: u32) -> u32 {
        n
    }
    assert_eq!((told(1).await, told(1).await, told(2).await, TOLD.load(SeqCst)), (1, 1, 2, 102));
}

#[tokio::test]
async fn returns_of_every_kind() {
    #[cached]
    async fn nothing(_n: u32) {}
    #[cached(cache_none = false)]
    async fn find(n: u32) -> Option<u32> {
        (n > 0).then_some(n)
    }
    nothing(1).await;
    assert_eq!((find(0).await, find(1).await), (None, Some(1)));
    assert!(nothing::contains(1) && !find::contains(0) && find::contains(1));
}

#[tokio::test]
async fn single_flight_off_means_that_tasks_do_not_wait_for_each_other() {
    static BOTH_IN: LazyLock<tokio::sync::Barrier> = LazyLock::new(|| tokio::sync::Barrier::new(2));
    #[cached(single_flight = false)]
    async fn alone(n: u32) -> u32 {
        BOTH_IN.wait().await;
        n
    }
    assert_eq!(tokio::join!(alone(1), alone(1)), (1, 1));
    assert_eq!((alone::stats().loads, alone::stats().joins), (2, 0));
}
