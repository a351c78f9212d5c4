//! `self` in every form, and methods as cached properties of an instance.

use memokit::cached;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Can be neither hashed nor compared nor cloned.
struct Clock {
    id: u64,
    ticks: AtomicU64,
}

impl Clock {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Clock { id: NEXT.fetch_add(1, SeqCst), ticks: AtomicU64::new(0) }
    }

    fn tick(&self) -> u64 {
        self.ticks.fetch_add(1, SeqCst)
    }

    #[cached(key = self.id)]
    fn now(&self) -> u64 {
        self.tick()
    }

    #[cached(key = self.id)]
    fn by_arc(self: &Arc<Self>) -> u64 {
        self.tick()
    }

    #[cached(key = (self.id, n))]
    fn by_owned_arc(self: Arc<Self>, n: u64) -> u64 {
        self.tick() + n
    }

    #[cached(key = self.id)]
    fn by_rc(self: Rc<Self>) -> u64 {
        self.tick()
    }

    #[cached(key = self.id)]
    fn by_box(self: Box<Self>) -> u64 {
        self.tick()
    }

    #[cached(key = self.id)]
    fn by_pin(self: Pin<&Self>) -> u64 {
        self.tick()
    }

    #[cached(key = self.id)]
    fn by_mut(&mut self, by: u64) -> u64 {
        *self.ticks.get_mut() += by;
        self.tick()
    }

    #[cached(key = self.id)]
    fn by_value(mut self) -> u64 {
        *self.ticks.get_mut() += 1;
        self.id
    }

    #[cached(key = self.id)]
    fn typed(self: &Self) -> u64 {
        self.tick()
    }

    #[cached(ignore = self)]
    fn with_lifetime<'a>(&'a self, text: &'a str) -> String {
        format!("{text}{}", self.tick())
    }
}

#[test]
fn a_getter_is_a_property_of_its_instance() {
    let (one, two) = (Clock::new(), Clock::new());
    assert_eq!((one.now(), one.now(), two.now(), two.now()), (0, 0, 0, 0));
    assert!(one.now_invalidate());
    assert_eq!((one.now(), one.now(), two.now()), (1, 1, 0), "of one instance alone");
    two.now_put(7);
    assert_eq!((one.now_peek(), two.now_peek()), (Some(1), Some(7)));
}

#[test]
fn behind_pointers() {
    let clock = Arc::new(Clock::new());
    assert_eq!((clock.by_arc(), clock.by_arc()), (0, 0));
    assert_eq!(
        (Arc::clone(&clock).by_owned_arc(5), clock.clone().by_owned_arc(5), clock.clone().by_owned_arc(0)),
        (6, 6, 2)
    );
    assert!(clock.by_arc_invalidate() && Arc::clone(&clock).by_owned_arc_invalidate(5));
    let clock = Rc::new(Clock::new());
    assert_eq!((Rc::clone(&clock).by_rc(), Rc::clone(&clock).by_rc_peek()), (0, Some(0)));
    let clock = Clock::new();
    assert_eq!((Pin::new(&clock).by_pin(), Pin::new(&clock).by_pin(), clock.typed(), clock.typed()), (0, 0, 1, 1));
    assert_eq!(Box::new(clock).by_box(), 2);
}

#[test]
fn by_value_and_by_mutable_reference() {
    let mut clock = Clock::new();
    assert_eq!((clock.by_mut(5), clock.by_mut(5)), (5, 5));
    assert!(clock.by_mut_invalidate(0));
    let id = clock.id;
    assert_eq!((clock.with_lifetime("a"), clock.with_lifetime("a")), ("a6".into(), "a6".into()));
    assert_eq!((clock.by_value(), Clock::by_value_stats().loads), (id, 1));
}

struct Keyed<'a> {
    name: &'a str,
}

#[cached]
impl<'a> Keyed<'a> {
    #[cached]
    fn of(name: &'a str, n: u32) -> String {
        format!("{name}{n}")
    }

    #[cached(companion = length_of, key = (self.name, add))]
    fn length(&self, add: usize) -> usize {
        self.name.len() + add
    }

    /// The name that `length` would give to a companion.
    fn length_stats(&self) -> usize {
        self.name.len()
    }
}

#[test]
fn the_companions_of_a_method_can_have_another_name() {
    let name = String::from("abc");
    let keyed = Keyed { name: &name };
    assert_eq!((keyed.length(1), keyed.length(1), keyed.length_stats()), (4, 4, 3));
    assert_eq!((Keyed::length_of_stats().loads, keyed.length_of_peek(1)), (1, Some(4)));
    assert_eq!((Keyed::of(&name, 1), Keyed::of("abc", 1), Keyed::of_stats().loads), ("abc1".into(), "abc1".into(), 1));
}
