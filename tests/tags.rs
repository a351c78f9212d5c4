//! Tags: values that are invalidated together, in this process.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{cached, invalidate_tag, tag};
use std::cell::Cell;
use std::rc::Rc;
use std::sync::atomic::{
    AtomicU32,
    Ordering::{Relaxed, SeqCst},
};
use std::thread;
use support::gate::Gate;

/// Loads so far, which is what each function here returns.
fn next() -> u32 {
    static LOADS: AtomicU32 = AtomicU32::new(0);
    LOADS.fetch_add(1, Relaxed)
}

#[cached(tags = [format!("user:{id}"), "users"])]
fn user(id: u32) -> u32 {
    next()
}

#[test]
fn what_has_a_tag_is_loaded_again_once_it_is_invalidated() {
    let (one, two) = (user(1), user(2));
    invalidate_tag("user:1").expect("there is no shared level");
    assert!(user(1) > two && user(2) == two, "only what has the tag");
    assert_eq!(user::stats().misses, 3);
    invalidate_tag("users").expect("there is no shared level");
    assert!(user(1) > two && user(2) > two && one < two);
    assert_eq!(user::stats().misses, 5);
    invalidate_tag("user").expect("there is no shared level");
    assert!(user::contains(1) && user::contains(2), "a part of a tag is another tag");
}

#[cached(tags = ["companions"])]
fn companions(_id: u32) -> u32 {
    next()
}

#[test]
fn companions_know_what_was_invalidated() {
    companions::put(1, 7);
    assert_eq!((companions(1), companions::peek(1)), (7, Some(7)));
    invalidate_tag("companions").expect("there is no shared level");
    assert_eq!((companions::peek(1), companions::contains(1)), (None, false));
    assert!(!companions::explain(1).would_hit());
    assert!(!companions::invalidate(1), "there was nothing fresh");
    let fresh = companions::refresh(1);
    assert_eq!(companions(1), fresh);
    invalidate_tag("companions").expect("there is no shared level");
    assert!(companions(1) > fresh, "what `refresh` stored has the tag");
}

#[cached]
fn article(id: u32) -> u32 {
    tag(format!("author:{}", id % 10));
    next()
}

#[test]
fn the_body_can_tag_what_it_returns() {
    let (of_one, of_two) = (article(11), article(12));
    invalidate_tag("author:1").expect("there is no shared level");
    assert!(article(11) > of_two && article(12) == of_two && of_one < of_two);
}

#[cached(tags = ["inner"])]
fn inner(_id: u32) -> u32 {
    tag("inner by its body");
    next()
}

#[cached]
fn outer(id: u32) -> u32 {
    inner(id) + next()
}

#[cached(ignore = _depth)]
fn outermost(id: u32, _depth: u32) -> u32 {
    outer(id) + next()
}

#[test]
fn who_calls_a_tagged_function_has_its_tags() {
    for tag in ["inner", "inner by its body"] {
        let before = (inner(1), outer(1), outermost(1, 0));
        assert_eq!((inner(1), outer(1), outermost(1, 0)), before);
        invalidate_tag(tag).expect("there is no shared level");
        let after = (outermost(1, 0), outer(1), inner(1));
        assert!(after.0 > before.2 && after.1 > before.1 && after.2 > before.0, "{before:?} {after:?}");
    }
}

#[test]
fn tags_come_also_from_hits() {
    inner(2);
    let before = outer(2);
    invalidate_tag("inner").expect("there is no shared level");
    assert!(outer(2) > before);
}

#[cached(tags = ["under way"])]
fn slow(gate: usize) -> u32 {
    GATES[gate].pass();
    next()
}

static GATES: [std::sync::LazyLock<Gate>; 2] = [const { std::sync::LazyLock::new(Gate::default) }; 2];

#[test]
fn a_load_that_began_before_is_not_kept() {
    thread::scope(|scope| {
        let leader = scope.spawn(|| slow(0));
        GATES[0].arrived(1);
        invalidate_tag("under way").expect("there is no shared level");
        GATES[0].open();
        let old = leader.join().expect("no panic");
        let new = slow(0);
        assert!(new > old, "the load began before the invalidation");
        assert_eq!(slow(0), new);
    });
}

/// Followers may come after the invalidation, while the load from before it goes on.
#[test]
fn a_follower_that_comes_after_the_invalidation_does_not_get_the_value_from_before() {
    thread::scope(|scope| {
        let leader = scope.spawn(|| slow(1));
        GATES[1].arrived(1);
        invalidate_tag("under way").expect("there is no shared level");
        let follower = scope.spawn(|| slow(1));
        // It joins the load or comes after it: either way it must not get its value.
        GATES[1].open();
        let old = leader.join().expect("no panic");
        assert!(follower.join().expect("no panic") > old);
    });
}

#[cached(tags = [name, "names"])]
async fn by_name(name: String) -> u32 {
    tokio::task::yield_now().await;
    tag("names by the body");
    tokio::task::yield_now().await;
    next()
}

#[cached]
async fn sum(names: &[&str]) -> u32 {
    let mut sum = next();
    for name in names {
        sum += by_name((*name).to_owned()).await;
    }
    sum
}

#[tokio::test]
async fn async_functions_have_tags_and_inherit_them() {
    for tag in ["a", "names", "names by the body"] {
        let before = (by_name("a".to_owned()).await, sum(&["a", "b"]).await);
        assert_eq!((by_name("a".to_owned()).await, sum(&["a", "b"]).await), before);
        invalidate_tag(tag).expect("there is no shared level");
        let after = (by_name("a".to_owned()).await, sum(&["a", "b"]).await);
        assert!(after.0 > before.0 && after.1 > before.1, "{tag}: {before:?} {after:?}");
    }
}

struct Shop(u32);

#[cached]
impl Shop {
    #[cached(key = (self.0, id), tags = [format!("shop:{}", self.0)])]
    fn price(&self, id: u32) -> Result<u32, String> {
        if id == 0 { Err("no such article".to_owned()) } else { Ok(next()) }
    }
}

#[test]
fn methods_have_tags() {
    let (one, two) = (Shop(1), Shop(2));
    let before = (one.price(7), two.price(7));
    assert!(one.price(0).is_err());
    invalidate_tag("shop:1").expect("there is no shared level");
    assert!(one.price(7) > before.1 && two.price(7) == before.1 && before.0 < before.1);
}

#[cached(scope = "thread", tags = ["of a thread"])]
fn of_a_thread(id: u32) -> Rc<Cell<u32>> {
    inner(id);
    Rc::new(Cell::new(next()))
}

#[cached]
fn around_a_thread(id: u32) -> u32 {
    of_a_thread(id).get()
}

#[test]
fn values_of_one_thread_have_tags() {
    for tag in ["of a thread", "inner"] {
        let before = (of_a_thread(5), around_a_thread(5));
        assert!(Rc::ptr_eq(&before.0, &of_a_thread(5)));
        invalidate_tag(tag).expect("there is no shared level");
        assert!(around_a_thread(5) > before.1 && !Rc::ptr_eq(&before.0, &of_a_thread(5)), "{tag}");
    }
    of_a_thread::put(6, Rc::default());
    invalidate_tag("of a thread").expect("there is no shared level");
    assert!(of_a_thread::peek(6).is_none());
}

#[cached(store_result = false, tags = ["runs"])]
fn run(_id: u32) -> u32 {
    next()
}

#[test]
fn a_guard_runs_again() {
    assert!(run(1).is_some() && run(1).is_none());
    invalidate_tag("runs").expect("there is no shared level");
    assert!(run(1).is_some() && run(1).is_none());
}

#[cached(timeout = "1h", capacity = 2, tags = ["times"], on_hit = |_call, (id,), value| assert!(*id < 10 && *value < u32::MAX))]
fn with_hooks(_id: u32) -> u32 {
    next()
}

#[test]
fn tags_go_with_times_bounds_and_hooks() {
    let before = with_hooks(1);
    assert_eq!(with_hooks(1), before);
    invalidate_tag("times").expect("there is no shared level");
    assert!(with_hooks(1) > before);
    assert_eq!(with_hooks::stats().expired, 0, "invalidated is not expired");
}

#[test]
fn tags_and_calls_in_many_threads() {
    /// What is true, and what of it was true before an invalidation that has returned.
    static VERSION: AtomicU32 = AtomicU32::new(0);
    static SETTLED: AtomicU32 = AtomicU32::new(0);
    /// By others than who changes it.
    static CALLS: AtomicU32 = AtomicU32::new(0);
    #[cached(tags = ["busy"])]
    fn busy(_id: u32) -> u32 {
        let version = VERSION.load(SeqCst);
        // Gives others the time to invalidate what is about to be stored.
        thread::yield_now();
        version
    }
    #[cached]
    fn around(id: u32) -> u32 {
        busy(id)
    }
    let changes = thread::spawn(|| {
        for version in 1..=2_000 {
            VERSION.store(version, SeqCst);
            invalidate_tag("busy").expect("there is no shared level");
            SETTLED.store(version, SeqCst);
            assert_eq!((busy(version % 8), around(version % 8)), (version, version));
            let calls = CALLS.load(SeqCst);
            while CALLS.load(SeqCst) < calls + 4 {
                thread::yield_now();
            }
        }
    });
    let call = |first: u32| {
        for id in (0..8).cycle().skip(first as usize).take_while(|_| !changes.is_finished()) {
            let settled = SETTLED.load(SeqCst);
            let found = if first.is_multiple_of(2) { busy(id) } else { around(id) };
            CALLS.fetch_add(1, SeqCst);
            assert!(found >= settled, "{found} by a call that began after {settled} was settled");
        }
    };
    thread::scope(|scope| {
        (0..3).for_each(|first| drop(scope.spawn(move || call(first))));
    });
    changes.join().expect("no old value where it was invalidated");
    assert!(busy::stats().local_hits > 0 && around::stats().local_hits > 0);
}
