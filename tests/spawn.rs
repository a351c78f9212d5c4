//! `f::spawn`: calls in the background, what they deliver, and which functions have it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref, reason = "the forms are what is tested")]
#![allow(clippy::many_single_char_names, reason = "they are numbers to add up")]
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]

#[path = "support/gate.rs"]
#[allow(dead_code, reason = "each test binary uses a part")]
mod gate;

use gate::Gate;
use memokit::{Pending, cached};
use std::borrow::Cow;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Condvar, LazyLock, Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

/// Longer than any test; a test that waits for so long has hung.
const HANGS: Duration = Duration::from_secs(60);

fn get<T>(mut pending: Pending<T>) -> T {
    pending.wait_timeout(HANGS).expect("the test hangs")
}

#[test]
fn the_body_runs_in_another_thread_and_its_value_is_stored() {
    #[cached(ignore = twice)]
    fn sample(n: u32, twice: bool) -> (u32, String) {
        (n * if twice { 2 } else { 1 }, format!("{:?}", thread::current().id()))
    }
    let (n, id) = get(sample::spawn(4, true));
    assert_eq!(n, 8);
    assert_ne!(id, format!("{:?}", thread::current().id()));
    assert_eq!(sample(4, false), (8, id));
    let stats = sample::stats();
    assert_eq!((stats.loads, stats.misses, stats.local_hits), (1, 1, 1));
}

#[test]
fn a_fresh_value_is_ready_at_once_and_needs_no_thread() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> u32 {
        RUNS.fetch_add(1, SeqCst);
        n
    }
    assert_eq!(sample(7), 7);
    let mut pending = sample::spawn(7);
    assert!(pending.is_done());
    assert_eq!(pending.try_get(), Some(7));
    assert_eq!(pending.try_get(), None, "it was taken");
    assert_eq!((RUNS.load(SeqCst), sample::stats().local_hits), (1, 1));
}

#[test]
fn spawns_and_calls_of_a_key_share_one_load() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn sample(n: u32) -> u32 {
        GATE.pass();
        n + 1
    }
    let mut first = sample::spawn(1);
    GATE.arrived(1);
    assert_eq!((first.try_get(), first.is_done()), (None, false));
    assert_eq!(first.wait_timeout(Duration::ZERO), None);
    let others: Vec<_> = (0..3).map(|_| sample::spawn(1)).collect();
    let caller = thread::spawn(|| sample(1));
    GATE.open();
    assert_eq!(get(first), 2);
    assert!(others.into_iter().all(|other| get(other) == 2));
    assert_eq!(caller.join().unwrap(), 2);
    assert_eq!(sample::stats().loads, 1);
}

#[test]
fn an_error_is_delivered_and_not_stored() {
    #[derive(Debug, PartialEq)]
    struct Down;
    #[cached]
    fn sample(n: u32) -> Result<u32, Down> {
        if n == 0 { Err(Down) } else { Ok(n) }
    }
    assert_eq!(get(sample::spawn(0)), Err(Down));
    assert_eq!(sample::spawn(1).wait(), Ok(1));
    assert_eq!((sample::contains(0), sample::contains(1)), (false, true));
}

#[test]
fn a_panic_goes_on_in_whoever_asks_for_the_value() {
    #[cached]
    fn sample(n: u32) -> u32 {
        assert!(n > 9, "too small: {n}");
        n
    }
    fn message(ask: impl FnOnce() -> Option<u32>) -> String {
        *catch_unwind(AssertUnwindSafe(ask)).unwrap_err().downcast::<String>().unwrap()
    }
    assert_eq!(message(|| Some(sample::spawn(1).wait())), "too small: 1");
    assert_eq!(message(|| sample::spawn(2).wait_timeout(HANGS)), "too small: 2");
    let mut third = sample::spawn(3);
    let asked = message(|| {
        loop {
            if let Some(value) = third.try_get() {
                break Some(value);
            }
            thread::yield_now();
        }
    });
    assert_eq!(asked, "too small: 3");
    assert_eq!(message(|| Some(block_on(sample::spawn(4)))), "too small: 4");
    assert_eq!(get(sample::spawn(10)), 10, "the threads live on");
}

#[test]
fn a_value_can_be_taken_once() {
    let mut pending = Pending::spawn(|| 1);
    assert_eq!(pending.wait_timeout(HANGS), Some(1));
    assert!(pending.is_done());
    assert_eq!((pending.try_get(), pending.wait_timeout(HANGS)), (None, None));
    let again = catch_unwind(AssertUnwindSafe(|| pending.wait()));
    assert!(again.unwrap_err().downcast_ref::<&str>().unwrap().contains("taken out of its `Pending` before"));
}

/// A runtime of one thread.
fn block_on<F: Future>(future: F) -> F::Output {
    #[derive(Default)]
    struct Woken(Mutex<bool>, Condvar);
    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            *self.0.lock().unwrap() = true;
            self.1.notify_one();
        }
    }
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut future = std::pin::pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        let mut is_woken = woken.0.lock().unwrap();
        while !*is_woken {
            let (guard, waited) = woken.1.wait_timeout(is_woken, HANGS).unwrap();
            assert!(!waited.timed_out(), "the test hangs");
            is_woken = guard;
        }
        *is_woken = false;
    }
}

#[test]
fn it_can_be_awaited_under_any_runtime() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn sample(n: u32) -> u32 {
        GATE.pass();
        n
    }
    let opener = thread::spawn(|| {
        GATE.arrived(1);
        GATE.open();
    });
    assert_eq!(block_on(sample::spawn(5)), 5);
    opener.join().unwrap();
    assert_eq!(block_on(sample::spawn(5)), 5, "ready at once");
}

#[tokio::test(flavor = "current_thread")]
async fn it_can_be_awaited_beside_others_of_one_thread() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn sample(n: u32) -> u32 {
        GATE.pass();
        n
    }
    let task = tokio::spawn(async { sample::spawn(1).await + sample::spawn(2).await });
    GATE.arrived_async(1).await;
    GATE.open();
    assert_eq!(task.await.unwrap(), 3);
}

#[test]
fn a_dropped_one_still_loads_and_stores() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn sample(n: u32) -> u32 {
        GATE.pass();
        n
    }
    drop(sample::spawn(3));
    GATE.arrived(1);
    let follower = sample::spawn(3);
    GATE.open();
    assert_eq!(get(follower), 3);
    assert_eq!((sample::stats().loads, sample::contains(3)), (1, true));
}

#[test]
fn an_invalidation_keeps_what_is_loaded_in_the_background_out() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn sample(n: u32) -> u32 {
        GATE.pass();
        n
    }
    let pending = sample::spawn(1);
    GATE.arrived(1);
    assert!(!sample::invalidate(1));
    GATE.open();
    assert_eq!(get(pending), 1);
    assert_eq!((sample::contains(1), sample::stats().discarded), (false, 1));
}

#[test]
fn every_form_of_argument_travels() {
    type Name<'a> = &'a str;
    type Constant = &'static str;
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Id(u32);

    #[cached]
    fn borrowed(text: &str, list: &[u8], id: &Id, maybe: Option<&str>, cow: Cow<'_, str>, name: Name<'_>) -> usize {
        text.len() + list.len() + id.0 as usize + maybe.map_or(0, str::len) + cow.len() + name.len()
    }
    #[cached]
    fn owned(text: String, id: Id, pair: (u8, &'static str), fixed: &'static str, alias: Constant) -> usize {
        text.len() + id.0 as usize + usize::from(pair.0) + pair.1.len() + fixed.len() + alias.len()
    }
    #[cached]
    fn named<'a>(text: &'a str, more: &'a [&'static str], cow: Cow<'static, str>) -> usize {
        text.len() + more.len() + cow.len()
    }
    #[cached]
    fn patterns((a, b): (u8, u8), [c, d]: [u8; 2], mut e: u8) -> u8 {
        e += 1;
        a + b + c + d + e
    }
    #[cached]
    fn hidden(n: u32, hidden: &str) -> usize {
        hidden.len() + n as usize
    }
    #[cached]
    fn veiled<T: ToString + Clone + Eq + std::hash::Hash + Send + Sync + 'static>(veiled: T) -> String {
        veiled.to_string()
    }
    #[cached]
    fn nothing() -> u8 {
        9
    }
    let pending = {
        let (text, list, id) = (String::from("ab"), vec![1, 2, 3], Id(10));
        borrowed::spawn(&text, &list, &id, Some(&text), Cow::Borrowed(&text), &text)
    };
    assert_eq!(get(pending), 21);
    assert_eq!(borrowed("ab", &[1, 2, 3], &Id(10), Some("ab"), "ab".into(), "ab"), 21);
    assert_eq!(borrowed::stats().local_hits, 1, "the same key");
    assert_eq!(get(owned::spawn("ab".into(), Id(3), (4, "x"), "yz", "abc")), 15);
    assert_eq!(get(named::spawn(&String::from("a"), &["b"], "c".into())), 3);
    assert_eq!(get(patterns::spawn((1, 2), [3, 4], 5)), 16);
    assert_eq!(get(hidden::spawn(1, "ab")), 3);
    assert_eq!(get(veiled::spawn("abc")), "abc");
    assert_eq!(get(nothing::spawn()), 9);
}

#[test]
fn generic_functions_have_it() {
    #[cached]
    fn shown<T: ToString + Clone + Eq + std::hash::Hash + Send + Sync + 'static>(value: T) -> String {
        value.to_string()
    }
    #[cached]
    fn first<const N: usize>(list: [u8; N]) -> usize {
        list.len() + N
    }
    #[cached]
    fn unnamed(value: impl ToString + Clone + Eq + std::hash::Hash + Send + Sync + 'static) -> String {
        value.to_string()
    }
    assert_eq!(get(shown::spawn(5)), "5");
    assert_eq!(get(shown::spawn::<&'static str>("x")), "x");
    assert_eq!(get(first::spawn([1, 2])), 4);
    assert_eq!(get(unnamed::spawn('c')), "c");
}

#[test]
fn methods_have_it() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Shop(u32);
    #[cached]
    impl Shop {
        #[cached]
        fn open(id: u32) -> u32 {
            id
        }
        #[cached]
        fn stock(&self, article: &str) -> u32 {
            self.0 + u32::try_from(article.len()).unwrap()
        }
        #[cached]
        fn shared(self: &Arc<Self>, n: u32) -> u32 {
            self.0 + n
        }
        #[cached]
        fn owned(self: Arc<Self>) -> u32 {
            self.0
        }
    }
    let shop = Arc::new(Shop(10));
    assert_eq!(get(Shop::open_spawn(1)), 1);
    assert_eq!(get(shop.stock_spawn("tea")), 13);
    assert_eq!(get(shop.shared_spawn(1)), 11);
    assert_eq!(get(Arc::clone(&shop).owned_spawn()), 10);
    assert_eq!(shop.stock("tea"), 13);
    assert_eq!(Shop::stock_stats().local_hits, 1);
}

#[test]
fn bypass_and_refresh_hold_in_the_background() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(bypass = skip, refresh = force)]
    fn sample(n: u32, skip: bool, force: bool) -> u32 {
        n * 100 + RUNS.fetch_add(1, SeqCst) + 1
    }
    assert_eq!(get(sample::spawn(1, false, false)), 101);
    assert_eq!(get(sample::spawn(1, true, false)), 102);
    assert_eq!(sample::peek(1, false, false), Some(101));
    assert_eq!(get(sample::spawn(1, false, true)), 103);
    assert_eq!(get(sample::spawn(1, false, false)), 103);
}

/// None of these has the companion, or can be called, and none fails to compile for it.
#[test]
fn a_function_that_can_not_be_spawned_is_cached_all_the_same() {
    #[allow(elided_lifetimes_in_paths, reason = "a lifetime that the attribute can't see")]
    mod hidden {
        use super::{Cell, cached};
        pub(super) struct Connection<'a>(pub(super) &'a Cell<u32>);
        #[cached(ignore = connection)]
        pub(super) fn ask(connection: &Connection, n: u32) -> u32 {
            connection.0.set(connection.0.get() + 1);
            n
        }
    }
    use hidden::{Connection, ask};
    struct Plain(u32);

    #[cached(key = user.0)]
    fn by_key(user: &Plain) -> u32 {
        user.0
    }
    #[cached(ignore = [counter, channel])]
    fn not_send(n: u32, counter: Rc<Cell<u32>>, channel: &mut mpsc::Receiver<u32>) -> u32 {
        counter.set(1);
        n + channel.try_recv().unwrap_or(0)
    }
    #[cached]
    fn local_error(n: u32) -> Result<u32, Rc<str>> {
        if n == 0 { Err("zero".into()) } else { Ok(n) }
    }
    #[cached]
    fn boxed_error(n: u32) -> Result<u32, Box<dyn std::error::Error>> {
        Ok(n)
    }
    let asked = Cell::new(0);
    assert_eq!((ask(&Connection(&asked), 1), ask(&Connection(&asked), 1), asked.get()), (1, 1, 1));
    assert_eq!(by_key(&Plain(4)), 4);
    assert_eq!(not_send(1, Rc::default(), &mut mpsc::channel().1), 1);
    assert_eq!((local_error(0).is_err(), local_error(1)), (true, Ok(1)));
    assert_eq!(boxed_error(1).unwrap(), 1);
    assert_eq!(get(Pending::spawn(|| by_key(&Plain(4)))), 4, "any call can be made in the background by hand");
    assert_eq!(by_key::stats().local_hits, 1);
}

#[test]
fn a_pending_value_can_be_kept_and_sent() {
    fn assert_send<T: Send + std::fmt::Debug>(value: T) -> T {
        value
    }
    let pending = assert_send(Pending::spawn(|| Cell::new(1)));
    assert_eq!(thread::spawn(move || get(pending).get()).join().unwrap(), 1);
    let mut done = Pending::spawn(|| ());
    done.wait_timeout(HANGS).unwrap();
    assert_eq!(format!("{done:?}"), "Pending { is_done: true, .. }");
}
