//! A hit allocates nothing. An allocator that counts is the whole process's, hence a binary of its own; it counts for
//! each thread, so that the threads of the other tests don't matter.
#![allow(clippy::unnecessary_wraps, clippy::unused_async, reason = "samples of what users write")]
#![allow(unsafe_code, reason = "a global allocator can't be written without")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small numbers")]
#![allow(clippy::ref_option, clippy::ref_option_ref, clippy::ptr_arg, reason = "the forms are what is tested")]
#![allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref, reason = "the forms are what is tested")]

use memokit::cached;
use std::alloc::{GlobalAlloc, Layout, System};
use std::borrow::Cow;
use std::cell::Cell;
use std::future::Future;
use std::hash::Hash;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

fn count() {
    // A thread that is being torn down is not measured.
    let _ = ALLOCATIONS.try_with(|allocations| allocations.set(allocations.get() + 1));
}

// SAFETY: every call is handed on to the system's allocator as it came; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is handed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is handed on, and `place` came from `System`.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is handed on, and `place` came from `System`.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What the work returns, and how often this thread allocated meanwhile.
fn allocations<T>(work: impl FnOnce() -> T) -> (T, u64) {
    let before = ALLOCATIONS.get();
    let value = work();
    (value, ALLOCATIONS.get() - before)
}

fn now<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => unreachable!("a hit does not wait"),
    }
}

/// Loads, then expects ten hits that allocate nothing. What a call consumes is made before it is measured.
macro_rules! hits_allocate_nothing {
    ($($function:ident($($argument:expr),*) => $value:expr);+ $(;)?) => {$(
        assert_eq!($function($($argument),*), $value);
        for _ in 0..10 {
            let arguments = ($($argument,)*);
            let (value, allocated) = allocations(|| apply!($function arguments $($argument),*));
            assert_eq!((value, allocated), ($value, 0), stringify!($function($($argument),*)));
        }
        assert!($function::stats().hits() >= 10);
    )+};
}

/// Calls with the parts of a tuple that has as many as there are expressions.
macro_rules! apply {
    ($function:ident $arguments:ident $a:expr) => {{
        let (a,) = $arguments;
        $function(a)
    }};
    ($function:ident $arguments:ident $a:expr, $b:expr) => {{
        let (a, b) = $arguments;
        $function(a, b)
    }};
    ($function:ident $arguments:ident $a:expr, $b:expr, $c:expr) => {{
        let (a, b, c) = $arguments;
        $function(a, b, c)
    }};
    ($function:ident $arguments:ident) => {{
        let () = $arguments;
        $function()
    }};
}

#[test]
fn the_counter_counts() {
    assert_eq!(allocations(|| 1 + 1), (2, 0));
    assert_eq!(allocations(|| Box::new(1)).1, 1);
    assert_eq!(allocations(|| "a".repeat(3)).1, 1);
}

#[test]
fn for_every_form_of_argument() {
    #[cached]
    fn none() -> u64 {
        7
    }
    #[cached]
    fn number(n: u64) -> u64 {
        n
    }
    #[cached]
    fn text(text: &str) -> usize {
        text.len()
    }
    #[cached]
    fn string(text: String) -> usize {
        text.len()
    }
    #[cached]
    fn slice(list: &[u16]) -> usize {
        list.len()
    }
    #[cached]
    fn vec(list: Vec<String>) -> usize {
        list.len()
    }
    #[cached]
    fn reference(n: &(u8, String)) -> u8 {
        n.0
    }
    #[cached]
    fn maybe(text: Option<&str>) -> usize {
        text.map_or(9, str::len)
    }
    #[cached]
    fn cow(text: Cow<'_, str>) -> usize {
        text.len()
    }
    #[cached]
    fn three(text: &str, n: u64, maybe: Option<&[u8]>) -> u64 {
        n + text.len() as u64 + maybe.map_or(0, <[u8]>::len) as u64
    }
    let owned = String::from("owned");
    let pair = (5, owned.clone());
    hits_allocate_nothing! {
        none() => 7;
        number(5) => 5;
        text(&owned) => 5;
        string(owned.clone()) => 5;
        slice(&[1, 2]) => 2;
        vec(vec![owned.clone()]) => 1;
        reference(&pair) => 5;
        maybe(Some(owned.as_str())) => 5;
        maybe(None) => 9;
        cow(Cow::Borrowed(owned.as_str())) => 5;
        cow(Cow::Owned(owned.clone())) => 5;
        three(&owned, 2, Some(b"x".as_slice())) => 8;
    }
}

#[test]
fn with_weights_and_in_one_thread() {
    #[cached(weigh = |text| text.len() as u64, max_weight = 100)]
    fn weighed(text: &str) -> Arc<str> {
        text.into()
    }
    #[cached(scope = "thread")]
    fn local(text: &str, list: Option<&[u8]>) -> std::rc::Rc<str> {
        format!("{text}{list:?}").into()
    }
    hits_allocate_nothing! {
        weighed("abc") => Arc::from("abc");
        local("x", None) => std::rc::Rc::from("xNone");
    }
}

#[test]
fn for_floats_and_what_borrows_inside() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Unit(u8);
    #[cached]
    fn float(x: f64, y: Option<f32>) -> u32 {
        (x as f32 + y.unwrap_or(0.5)) as u32
    }
    #[cached]
    fn floats(list: &[f64], array: [f32; 2], point: (f64, u8)) -> usize {
        list.len() + array.len() + usize::from(point.1)
    }
    #[cached]
    fn tuple(named: (&str, u32), (length, unit): (f64, Unit)) -> usize {
        named.0.len() + length as usize + usize::from(unit.0)
    }
    #[cached]
    fn nested(text: &&str, maybe: &Option<&str>, cow: &Cow<'_, str>) -> usize {
        text.len() + maybe.map_or(9, str::len) + cow.len()
    }
    #[cached]
    fn lists(words: &[&str], pairs: &[(&str, Option<&[u8]>)]) -> usize {
        words.len() + pairs.len()
    }
    #[cached(key = (text.to_owned().len(), point))]
    fn keyed(text: &str, point: (f64, f64)) -> usize {
        text.len() + point.0 as usize
    }
    let owned = String::from("owned");
    hits_allocate_nothing! {
        float(1.5, None) => 2;
        float(f64::NAN, Some(1.0)) => 0;
        floats(&[1.0, -0.0], [0.0; 2], (0.5, 3)) => 7;
        tuple((owned.as_str(), 1), (2.5, Unit(1))) => 8;
        nested(&owned.as_str(), &Some(owned.as_str()), &Cow::Borrowed(owned.as_str())) => 15;
        lists(&[owned.as_str(), "b"], &[(owned.as_str(), Some([1].as_slice()))]) => 3;
    }
    // The key's own expression allocates, here once a call.
    assert_eq!((keyed("ab", (1.0, 2.0)), allocations(|| keyed("ab", (1.0, 2.0)))), (3, (3, 1)));
}

#[test]
fn for_functions_of_traits() {
    trait Area {
        fn area(&self, scale: f64) -> u32;
    }
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Square(u32, String);
    #[cached]
    impl Area for Square {
        #[cached]
        fn area(&self, scale: f64) -> u32 {
            (f64::from(self.0 * self.0) * scale) as u32
        }
    }
    let square = Square(3, "text".into());
    assert_eq!(square.area(2.0), 18);
    assert_eq!(allocations(|| square.area(2.0)), (18, 0));
    assert_eq!(Square::area_stats().hits(), 1);
}

#[test]
fn for_many_arguments() {
    #[cached]
    #[allow(clippy::too_many_arguments, clippy::many_single_char_names, reason = "this many are tested")]
    fn many(a: u8, b: u16, c: u32, d: &str, e: i8, f: &str, g: bool, h: char, i: Option<&str>, j: &[u8]) -> usize {
        usize::from(a)
            + usize::from(b)
            + c as usize
            + d.len()
            + usize::from(e.unsigned_abs())
            + f.len()
            + usize::from(g)
            + (h as usize)
            + i.map_or(0, str::len)
            + j.len()
    }
    let call = || many(1, 2, 3, "four", -5, "six", true, '\u{1}', Some("nine"), &[1, 0]);
    let value = call();
    assert_eq!(allocations(call), (value, 0));
    assert_eq!(many::stats().hits(), 1);
}

struct User {
    id: u64,
    name: String,
}

#[test]
fn for_keys_that_are_expressions() {
    #[cached(key = (user.id, page))]
    fn by_id(user: &User, page: u32) -> u64 {
        user.id + u64::from(page)
    }
    #[cached(key = (user.name.as_str(), user.id))]
    fn by_name(user: &User) -> usize {
        user.name.len()
    }
    #[cached(ignore = user)]
    fn ignoring(user: &User, n: u32) -> u64 {
        user.id + u64::from(n)
    }
    let user = User { id: 1, name: "Ann".into() };
    hits_allocate_nothing! {
        by_id(&user, 2) => 3;
        by_name(&user) => 3;
        ignoring(&user, 2) => 3;
    }
}

#[test]
fn for_values_that_are_copied_or_shared() {
    #[cached]
    fn copied(n: u64) -> [u64; 4] {
        [n; 4]
    }
    #[cached]
    fn shared(text: &str) -> Arc<str> {
        text.into()
    }
    #[cached]
    fn optional(text: &str) -> Option<Arc<Vec<u8>>> {
        (!text.is_empty()).then(|| Arc::new(text.into()))
    }
    #[cached]
    fn fallible(n: u64) -> Result<u64, String> {
        Ok(n)
    }
    hits_allocate_nothing! {
        copied(1) => [1; 4];
        shared("a") => Arc::from("a");
        optional("") => None;
        fallible(1) => Ok(1);
    }
    let value = optional("a");
    assert_eq!(allocations(|| optional("a") == value), (true, 0));
}

#[test]
fn under_every_option_that_a_hit_meets() {
    fn hook(_: &memokit::CallInfo<'_>) {}
    #[cached(timeout = "1h", capacity = 10, on_hit = hook, on_miss = hook, prefix = "allocations/all", version = 2,
             bypass = live, refresh = again, cache_if = |n| *n > 0)]
    fn all(n: u64, live: bool, again: bool) -> u64 {
        n
    }
    hits_allocate_nothing!(all(1, false, false) => 1);
}

#[test]
fn under_hooks_that_ask_for_everything() {
    use memokit::CallInfo;
    fn all(call: &CallInfo<'_>, (text, list): (&str, &Vec<String>), value: &u64) {
        assert!(call.age().is_some() && text.len() + list.len() == usize::try_from(*value).unwrap());
    }
    #[cached(timeout = "1h", capacity = 10, on_hit = all, on_miss = |_, (_, _), _| {}, on_evict = |_, (_, _), _| {})]
    fn asked(text: &str, list: Vec<String>) -> u64 {
        (text.len() + list.len()) as u64
    }
    #[cached(on_hit = |_, (text,), value| assert_eq!(text.len(), value.as_ref().map_or(0, |value| value.len())), on_error = |_, error, (_,)| drop(error.clone()))]
    fn fallible(text: String) -> Result<Arc<str>, String> {
        if text.is_empty() { Err(text) } else { Ok(text.into()) }
    }
    // The key of the shared level is made for a hook that asks for it, and not for this one.
    #[cached(cache = "default", on_hit = |call, (_,)| assert!(call.level().is_some()))]
    fn shared(n: u64) -> u64 {
        n
    }
    let owned = String::from("owned");
    hits_allocate_nothing! {
        asked("ab", vec![owned.clone()]) => 3;
        shared(5) => 5;
    }
    assert_eq!(fallible("a".into()), Ok(Arc::from("a")));
    let (argument, value) = (String::from("a"), fallible("a".into()));
    assert_eq!(allocations(|| fallible(argument)), (value, 0));
    let panics = [asked::stats().hook_panics, shared::stats().hook_panics, fallible::stats().hook_panics];
    assert_eq!(panics, [0; 3]);
}

#[test]
fn in_generic_functions_and_methods() {
    #[cached]
    fn generic<T: Clone + Eq + Hash + Send + Sync + 'static, const N: usize>(value: T) -> usize {
        let _ = value;
        N
    }
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Thing(String);
    impl Thing {
        #[cached]
        fn length(&self, n: usize) -> usize {
            self.0.len() + n
        }
    }
    let (first, second) = (generic::<u8, 1>(1), generic::<u16, 2>(1));
    assert_eq!(allocations(|| (generic::<u8, 1>(1), generic::<u16, 2>(1))), ((first, second), 0));
    let thing = Thing("abc".into());
    assert_eq!(thing.length(1), 4);
    assert_eq!(allocations(|| thing.length(1)), (4, 0));
    assert_eq!((generic::stats().hits(), Thing::length_stats().hits()), (2, 1));
}

#[test]
fn in_async_functions() {
    #[cached]
    async fn text(text: &str, maybe: Option<&str>) -> Arc<str> {
        format!("{text}{maybe:?}").into()
    }
    #[cached(timeout = 60, key = (user.name.as_str(), page))]
    async fn keyed(user: &User, page: u32) -> Result<u64, String> {
        Ok(user.id + u64::from(page))
    }
    #[cached]
    async fn owned(list: Vec<String>) -> usize {
        list.len()
    }
    let user = User { id: 1, name: "Ann".into() };
    let value = now(text("a", Some("b")));
    assert_eq!((now(keyed(&user, 2)), now(owned(vec!["a".into()]))), (Ok(3), 1));
    for _ in 0..10 {
        assert_eq!(allocations(|| now(text("a", Some("b")))), (Arc::clone(&value), 0));
        assert_eq!(allocations(|| now(keyed(&user, 2))), (Ok(3), 0));
        let list = vec![String::from("a")];
        assert_eq!(allocations(|| now(owned(list))), (1, 0));
    }
    assert_eq!(text::stats().hits() + keyed::stats().hits() + owned::stats().hits(), 30);
}

#[test]
fn hits_of_several_ids_allocate_the_map_that_is_returned() {
    use std::collections::HashMap;
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    #[cached(each = ids)]
    async fn task(tenant: &str, ids: Vec<u64>) -> Result<HashMap<u64, u64>, String> {
        Ok(ids.iter().map(|id| (*id, id * tenant.len() as u64)).collect())
    }
    let ids: Vec<u64> = (0..100).collect();
    squares(&ids);
    now(task("a", ids.clone())).unwrap();
    for _ in 0..10 {
        let (all, allocated) = allocations(|| squares(&ids));
        assert_eq!((all.len(), allocated), (100, 1));
        let given = ids.clone();
        let (all, allocated) = allocations(|| now(task("a", given)));
        assert_eq!((all.unwrap().len(), allocated), (100, 1));
    }
}
