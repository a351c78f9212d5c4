//! What stands around a function's name: `unsafe`, `extern`, attributes, conditions, names that need `r#`.

use super::now;
use memokit::cached;
use std::panic::Location;

/// Returns what the pointer's value is worth.
///
/// # Safety
/// `n` must be below 1000.
#[cached]
#[allow(unsafe_code, reason = "the form is what is tested")]
unsafe fn unchecked(n: usize) -> usize {
    static TABLE: [u8; 1000] = [7; 1000];
    // SAFETY: the caller's promise.
    usize::from(unsafe { *TABLE.as_ptr().add(n) }) + n
}

#[test]
#[allow(unsafe_code, reason = "the form is what is tested")]
fn an_unsafe_function() {
    // SAFETY: below 1000.
    let values = unsafe { (unchecked(1), unchecked(1), unchecked::refresh(2), unchecked::uncached(3)) };
    assert_eq!(values, (8, 8, 9, 10));
    assert_eq!((unchecked::peek(1), unchecked::stats().loads), (Some(8), 2));
    assert!(unchecked::invalidate(1), "what does not run the body needs no promise");
    let as_pointer: unsafe fn(usize) -> usize = unchecked;
    // SAFETY: below 1000.
    assert_eq!(unsafe { as_pointer(2) }, 9);
}

#[test]
#[allow(unsafe_code, reason = "the form is what is tested")]
fn an_unsafe_function_whose_key_needs_the_promise() {
    #[cached(key = unsafe { *of })]
    unsafe fn pointed(of: *const u32) -> u32 {
        // SAFETY: the caller's promise.
        unsafe { *of * 2 }
    }
    #[cached]
    async unsafe fn later(n: u32) -> u32 {
        n
    }
    struct Buffer;
    impl Buffer {
        #[cached(ignore = self)]
        unsafe fn at(&self, n: u32) -> u32 {
            n
        }
    }
    let n = 21;
    // SAFETY: the pointer is good.
    let values = unsafe { (pointed(&raw const n), pointed::peek(&raw const n), now(later(1)), Buffer.at(3)) };
    assert_eq!(values, (42, Some(42), 1, 3));
    assert!(Buffer.at_invalidate(3));
}

#[test]
fn an_extern_function() {
    #[cached]
    extern "C" fn doubled(n: i32) -> i32 {
        n * 2
    }
    #[cached]
    #[allow(unsafe_code, reason = "the form is what is tested")]
    unsafe extern "C" fn tripled(n: i32) -> i32 {
        n * 3
    }
    let as_pointer: extern "C" fn(i32) -> i32 = doubled;
    assert_eq!((as_pointer(2), doubled(2), doubled::stats().loads), (4, 4, 1));
    // SAFETY: it asks for nothing.
    #[allow(unsafe_code, reason = "the form is what is tested")]
    let value = unsafe { tripled(2) };
    assert_eq!((value, doubled::peek(2), tripled::peek(2)), (6, Some(4), Some(6)));
}

mod attributes {
    #![deny(missing_docs, deprecated, unused_must_use, dead_code, unfulfilled_lint_expectations)]

    use super::*;

    /// Documented.
    #[must_use = "it says where"]
    #[inline]
    #[track_caller]
    #[cached]
    pub fn place(of: u32) -> (u32, &'static str) {
        (of, Location::caller().file())
    }

    /// Old.
    #[deprecated(note = "use `place`")]
    #[cached]
    pub fn old(n: u32) -> u32 {
        n
    }

    #[doc(hidden)]
    #[cached]
    #[cfg_attr(all(), inline(never))]
    #[expect(clippy::identity_op, reason = "of the body")]
    pub fn hidden(n: u32) -> u32 {
        n + 0
    }

    #[cached]
    #[cfg(any())]
    pub fn absent(n: NoSuchType) -> u32 {
        n
    }

    #[cached]
    fn lint_on_an_argument(
        #[expect(unused_variables, reason = "of the body")] n: u32,
        #[allow(unused_mut)] mut m: u32,
    ) -> u32 {
        m
    }

    #[test]
    fn are_kept() {
        assert_eq!((place(1), place::uncached(1), place::peek(1)), ((1, file!()), (1, file!()), Some((1, file!()))));
        #[allow(deprecated, reason = "what is deprecated is the function")]
        let value = old(1);
        // The companions are not.
        assert_eq!((value, old::peek(1), hidden(1), hidden::peek(1)), (1, Some(1), 1, Some(1)));
        assert_eq!((lint_on_an_argument(1, 2), lint_on_an_argument(1, 2)), (2, 2));
        assert!(lint_on_an_argument::contains(1, 2) && !lint_on_an_argument::contains(2, 2));
    }
}

mod visible {
    pub(crate) mod inner {
        use memokit::cached;

        #[cached]
        pub(crate) fn to_the_crate(n: u32) -> u32 {
            n
        }

        #[cached]
        pub(in crate::signatures) fn to_a_module(n: u32) -> u32 {
            n
        }

        #[cached]
        pub(super) fn to_the_parent(n: u32) -> u32 {
            n
        }
    }

    pub(crate) fn parent() -> (u32, bool) {
        (inner::to_the_parent(1), inner::to_the_parent::contains(1))
    }
}

#[test]
fn companions_are_as_visible_as_the_function() {
    use visible::inner::{to_a_module, to_the_crate};
    assert_eq!((to_the_crate(1), to_the_crate::peek(1)), (1, Some(1)));
    assert_eq!((to_a_module(1), to_a_module::peek(1), visible::parent()), (1, Some(1), (1, true)));
}

#[test]
fn conditional_arguments() {
    #[cached]
    fn one(a: u32, #[cfg(not(any()))] b: u32, #[cfg(any())] c: NoSuchType) -> u32 {
        a * 10 + b
    }
    #[cached(ignore = b)]
    fn either(a: u32, #[cfg(debug_assertions)] b: u32, #[cfg(not(debug_assertions))] b: &str) -> u32 {
        #[cfg(debug_assertions)]
        let _: u32 = b;
        #[cfg(not(debug_assertions))]
        let _: &str = b;
        a
    }
    struct Shop;
    #[cached]
    impl Shop {
        #[cached]
        fn price(#[cfg(any())] of: NoSuchType, article: &str) -> usize {
            article.len()
        }
    }
    #[cached]
    fn parameter<T: Clone + Eq + std::hash::Hash + Send + Sync + 'static, #[cfg(any())] U: NoSuchTrait>(
        of: T,
    ) -> usize {
        size_of_val(&of)
    }
    #[cfg(debug_assertions)]
    let both = (either(1, 2), either(1, 3));
    #[cfg(not(debug_assertions))]
    let both = (either(1, "a"), either(1, "b"));
    assert_eq!((both, either::stats().loads), ((1, 1), 1));
    assert_eq!((one(1, 2), one(1, 2), one(1, 3), one::peek(1, 2)), (12, 12, 13, Some(12)));
    assert_eq!((Shop::price("ab"), Shop::price_peek("ab")), (2, Some(2)));
    assert_eq!((parameter(1_u8), parameter(1_u64), parameter::stats().loads), (1, 8, 2));
}

#[test]
fn raw_names() {
    #[cached(key = (r#type, r#in.len()), bypass = r#if)]
    fn r#match(r#type: &str, r#in: Vec<u8>, r#if: bool) -> usize {
        r#type.len() + r#in.len() + usize::from(r#if)
    }
    #[derive(Clone, PartialEq, Eq, Hash)]
    #[allow(non_camel_case_types, reason = "a raw name")]
    struct r#struct(u32);
    #[cached]
    impl r#struct {
        #[cached]
        fn r#fn(&self, r#fn: u32) -> u32 {
            self.0 + r#fn
        }
    }
    assert_eq!((r#match("a", vec![1], false), r#match("a", vec![2], false), r#match("a", vec![], true)), (2, 2, 2));
    assert_eq!((r#match::stats().loads, r#match::stats().bypasses), (1, 1));
    assert_eq!((r#struct(1).r#fn(2), r#struct(1).fn_peek(2), r#struct::fn_stats().loads), (3, Some(3), 1));
}

#[test]
fn arguments_that_shadow_and_patterns() {
    struct Pair {
        left: u32,
        right: u32,
    }
    #[cached]
    fn nothing(_: u32, (): ()) -> u32 {
        1
    }
    #[cached]
    fn taken_apart((mut a, [b, ..]): (u32, [u32; 3]), mut text: String, &n: &u32) -> String {
        a += b + n;
        text.push('!');
        format!("{text}{a}")
    }
    #[cached(key = 0)]
    fn of_a_struct(Pair { left, right: mut r }: Pair) -> u32 {
        r += left;
        r
    }
    #[cached]
    fn by_ref(ref text: String, whole @ (a, _): (u32, u32)) -> usize {
        text.len() + (whole.1 + a) as usize
    }
    for _ in 0..2 {
        assert_eq!((nothing(1, ()), nothing(2, ())), (1, 1));
        assert_eq!(taken_apart((1, [2, 3, 4]), "a".into(), &5), "a!8");
        assert_eq!(of_a_struct(Pair { left: 1, right: 2 }), 3);
        assert_eq!(by_ref("ab".into(), (1, 2)), 5);
    }
    assert_eq!((nothing::stats().loads, taken_apart::stats().loads, by_ref::stats().loads), (2, 1, 1));
}
