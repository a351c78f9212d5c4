//! `scope = "thread"`: each thread has entries of its own, for values and arguments that stay in it.
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "the forms are what is tested")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::testing::MockClock;
use memokit::{CallInfo, Level, cached};
use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::hash::Hash;
use std::panic::catch_unwind;
use std::rc::Rc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

#[test]
fn values_and_arguments_need_not_be_send() {
    #[cached(scope = "thread")]
    fn sample(text: &str, id: Rc<u32>) -> Rc<str> {
        format!("{text} {id}").into()
    }
    let first = sample("a", Rc::new(1));
    assert_eq!(&*first, "a 1");
    assert!(Rc::ptr_eq(&first, &sample("a", Rc::new(1))), "the value that was stored");
    assert!(!Rc::ptr_eq(&first, &sample("b", Rc::new(1))));
    let stats = sample::stats();
    assert_eq!((stats.local_hits, stats.misses, stats.loads, stats.entries), (1, 2, 2, 2));
}

#[test]
fn each_thread_has_its_own_entries() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(scope = "thread")]
    fn sample(n: u32) -> Rc<u32> {
        Rc::new(n * 100 + RUNS.fetch_add(1, SeqCst) + 1)
    }
    assert_eq!(*sample(1), 101);
    thread::spawn(|| {
        assert!(!sample::contains(1));
        assert_eq!((*sample(1), *sample(1)), (102, 102));
        assert_eq!(sample::stats().entries, 2, "those of all threads");
    })
    .join()
    .unwrap();
    assert_eq!((*sample(1), sample::stats().loads), (101, 2));
    assert_eq!(sample::stats().entries, 1, "those of a thread go with it");
}

#[test]
fn every_companion_works() {
    #[cached(scope = "thread")]
    fn sample(n: u32) -> Rc<u32> {
        Rc::new(n)
    }
    assert_eq!(sample::peek(1), None);
    sample::put(1, Rc::new(7));
    assert_eq!((*sample(1), sample::peek(1), sample::contains(1)), (7, Some(Rc::new(7)), true));
    assert_eq!((*sample::refresh(1), *sample(1)), (1, 1));
    assert_eq!(*sample::uncached(9), 9);
    assert!(!sample::contains(9));
    sample(2);
    assert!(sample::invalidate(1));
    assert!(!sample::invalidate(1));
    assert!(sample::contains(2), "other entries of this thread stay");
    sample::invalidate_all();
    assert!(!sample::contains(2));
    let stats = sample::stats();
    assert_eq!((stats.refreshes, stats.invalidations, stats.entries, stats.loads), (1, 3, 0, 2));
}

#[test]
fn an_invalidation_reaches_every_thread() {
    #[cached(scope = "thread")]
    fn sample(n: u32) -> u32 {
        n
    }
    let (begin, end) = (Barrier::new(2), Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..2 {
                assert_eq!((sample(1), sample(2)), (1, 2));
                assert!(sample::contains(1));
                begin.wait();
                end.wait();
                assert!(!sample::contains(1), "invalidated by another thread");
            }
        });
        begin.wait();
        assert!(!sample::invalidate(1), "there was none in this thread");
        end.wait();
        begin.wait();
        sample::invalidate_all();
        end.wait();
    });
}

#[test]
fn a_load_that_began_before_an_invalidation_elsewhere_is_not_stored() {
    #[cached(scope = "thread", ignore = [begun, go_on])]
    fn sample(n: u32, begun: &Sender<()>, go_on: &Receiver<()>) -> u32 {
        begun.send(()).unwrap();
        go_on.recv().unwrap();
        n
    }
    let ((begun, has_begun), (let_go, go_on)) = (channel(), channel());
    let loading = thread::spawn(move || {
        assert_eq!(sample(1, &begun, &go_on), 1);
        assert!(!sample::contains(1, &begun, &go_on));
        assert_eq!(sample(1, &begun, &go_on), 1);
        assert!(sample::contains(1, &begun, &go_on), "a load after it is stored");
    });
    has_begun.recv().unwrap();
    let (unused, unheard) = (channel().0, channel().1);
    assert!(!sample::invalidate(1, &unused, &unheard));
    let_go.send(()).unwrap();
    has_begun.recv().unwrap();
    let_go.send(()).unwrap();
    loading.join().unwrap();
    assert_eq!(sample::stats().discarded, 1);
}

#[test]
fn what_a_body_does_to_its_own_key_holds() {
    thread_local!(static DO: RefCell<Option<fn()>> = const { RefCell::new(None) });
    #[cached(scope = "thread")]
    fn sample(n: u32) -> u32 {
        if let Some(act) = DO.take() {
            act();
        }
        n
    }
    let during = |act: fn()| {
        sample::invalidate_all();
        DO.set(Some(act));
        assert_eq!(sample(1), 1);
        sample::peek(1)
    };
    assert_eq!(
        during(|| {
            sample::invalidate(1);
        }),
        None,
        "the load began before"
    );
    assert_eq!(during(sample::invalidate_all), None);
    assert_eq!(during(|| sample::put(1, 5)), Some(5), "the older load does not overwrite it");
    assert_eq!(
        during(|| {
            sample::refresh(1);
        }),
        Some(1)
    );
    assert_eq!(
        during(|| {
            sample(1);
        }),
        Some(1),
        "the same key again runs the body"
    );
    assert_eq!(
        during(|| {
            sample(2);
        }),
        Some(1)
    );
    assert!(sample::contains(2));
}

#[test]
fn recursion_works() {
    #[cached(scope = "thread")]
    fn fib(n: u32) -> u64 {
        if n < 2 { u64::from(n) } else { fib(n - 1) + fib(n - 2) }
    }
    assert_eq!(fib(90), 2_880_067_194_370_816_120);
    assert_eq!(fib::stats().loads, 91);
}

#[test]
fn a_body_that_panics_leaves_all_as_it_was() {
    #[cached(scope = "thread")]
    fn sample(n: u32) -> u32 {
        assert!(n > 0);
        n
    }
    assert_eq!(sample(1), 1);
    assert!(catch_unwind(|| sample(0)).is_err());
    assert_eq!((sample(1), sample(2)), (1, 2));
    assert_eq!((sample::stats().local_hits, sample::contains(2)), (1, true));
}

#[test]
fn timeouts_capacity_and_conditions_hold() {
    let clock = MockClock::install();
    #[cached(scope = "thread", timeout = 10)]
    fn timed(n: u32) -> Rc<u32> {
        Rc::new(n)
    }
    let first = timed(1);
    clock.advance(Duration::from_secs(9));
    assert!(Rc::ptr_eq(&first, &timed(1)));
    clock.advance(Duration::from_secs(1));
    assert!(!timed::contains(1));
    assert!(!Rc::ptr_eq(&first, &timed(1)));
    assert_eq!(timed::stats().expired, 1);

    #[cached(scope = "thread", capacity = 5)]
    fn bounded(n: u32) -> u32 {
        n
    }
    (0..50).for_each(|n| assert_eq!(bounded(n), n));
    assert_eq!((bounded::stats().entries, bounded::stats().evicted), (5, 45));

    #[cached(scope = "thread", cache_if = |value: &Rc<u32>| **value > 1)]
    fn chosen(n: u32) -> Result<Rc<u32>, Rc<str>> {
        if n == 0 { Err("zero".into()) } else { Ok(Rc::new(n)) }
    }
    assert!(chosen(0).is_err() && chosen(1).is_ok() && chosen(2).is_ok());
    assert_eq!([0, 1, 2].map(chosen::contains), [false, false, true]);
    assert_eq!((chosen::peek(2), chosen::stats().load_errors), (Some(Rc::new(2)), 1));

    #[cached(scope = "thread", cache_none = false)]
    fn maybe(n: u32) -> Option<Rc<u32>> {
        (n > 0).then(|| Rc::new(n))
    }
    assert_eq!((maybe(0).is_some(), maybe(1).is_some()), (false, true));
    assert_eq!([0, 1].map(maybe::contains), [false, true]);
}

#[test]
fn a_refresh_that_keeps_nothing_drops_the_value_before() {
    thread_local!(static KEEP: Cell<bool> = const { Cell::new(true) });
    #[cached(scope = "thread", cache_if = |_| KEEP.get())]
    fn sample(n: u32) -> u32 {
        n
    }
    assert_eq!(sample(1), 1);
    KEEP.set(false);
    assert_eq!(sample::refresh(1), 1);
    assert!(!sample::contains(1));
}

#[test]
fn keys_and_steering_work() {
    struct User(Rc<u32>);
    #[cached(scope = "thread", key = (user.0.as_ref(), page))]
    fn by_key(user: &User, page: u8) -> Rc<u32> {
        Rc::new(*user.0 + u32::from(page))
    }
    by_key(&User(Rc::new(1)), 2);
    assert!(by_key::contains(&User(Rc::new(1)), 2) && !by_key::contains(&User(Rc::new(2)), 2));

    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(scope = "thread", bypass = skip, refresh = force, ignore = note)]
    fn steered(n: u32, skip: bool, force: bool, note: Rc<str>) -> u32 {
        n * 100 + RUNS.fetch_add(1, SeqCst) + u32::from(note.is_empty()) + 1
    }
    let call = |skip, force| steered(1, skip, force, "x".into());
    assert_eq!([call(false, false), call(true, false), call(false, false)], [101, 102, 101]);
    assert_eq!([call(false, true), call(false, false)], [103, 103]);

    #[cached(scope = "thread")]
    fn forms(text: &str, maybe: Option<&str>, list: &[Rc<u8>], cow: Cow<'_, str>) -> usize {
        text.len() + maybe.map_or(0, str::len) + list.len() + cow.len()
    }
    let list = [Rc::new(1), Rc::new(2)];
    assert_eq!(forms("a", Some("bc"), &list, "d".into()), 6);
    assert_eq!(forms(&String::from("a"), Some("bc"), &list, Cow::Owned("d".into())), 6);
    assert_eq!(forms("a", None, &list, "d".into()), 4);
    assert_eq!(forms::stats().local_hits, 1);
}

#[test]
fn hooks_are_told() {
    thread_local!(static TOLD: RefCell<Vec<(Option<Level>, bool)>> = const { RefCell::new(Vec::new()) });
    fn tell(call: &CallInfo<'_>) {
        assert!(call.function().ends_with("sample"));
        TOLD.with_borrow_mut(|told| told.push((call.level(), call.load_time().is_some())));
    }
    #[cached(scope = "thread", on_hit = tell, on_miss = tell)]
    fn sample(n: u32) -> Rc<u32> {
        Rc::new(n)
    }
    sample(1);
    sample(1);
    assert_eq!(TOLD.take(), [(None, true), (Some(Level::Local), false)]);
}

#[test]
fn methods_and_generic_functions_work() {
    #[derive(PartialEq, Eq, Hash, Clone)]
    struct Node(Rc<u32>);
    #[cached]
    impl Node {
        #[cached(scope = "thread")]
        fn new(n: u32) -> Node {
            Node(Rc::new(n))
        }
        #[cached(scope = "thread")]
        fn plus(&self, n: u32) -> Rc<u32> {
            Rc::new(*self.0 + n)
        }
    }
    let node = Node::new(5);
    assert!(Rc::ptr_eq(&node.0, &Node::new(5).0));
    assert!(Rc::ptr_eq(&node.plus(1), &node.plus(1)));
    assert!(node.plus_invalidate(1));
    assert_eq!(Node::plus_stats().local_hits, 1);

    #[cached(scope = "thread")]
    fn shown<T: ToString + Clone + Eq + Hash + 'static>(value: T) -> Rc<str> {
        value.to_string().into()
    }
    assert_eq!((&*shown(1_u8), &*shown("1"), &*shown(Rc::new('1'))), ("1", "1", "1"));
    assert_eq!(shown::stats().loads, 3, "each instantiation has entries of its own");
    shown::invalidate_all();
    assert_eq!((shown::contains(1_u8), shown::contains("1")), (false, false));
}
