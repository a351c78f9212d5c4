//! Arguments of every form, as parts of a key: two different calls never share an entry.
#![allow(clippy::boxed_local, clippy::uninlined_format_args, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, clippy::trivially_copy_pass_by_ref, reason = "the forms are what is tested")]
#![allow(clippy::ref_option, clippy::ptr_arg, reason = "the forms are what is tested")]

use memokit::cached;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

/// Calls twice for each argument, and expects one load for each and the right value every time.
macro_rules! loads_once_for_each {
    ($function:ident: $($argument:expr => $value:expr),+ $(,)?) => {{
        let mut arguments = 0;
        for _ in 0..2 {
            arguments = 0;
            $(
                assert_eq!($function($argument), $value);
                arguments += 1;
            )+
        }
        let stats = $function::stats();
        assert_eq!((stats.loads, stats.hits(), stats.entries), (arguments, arguments, arguments));
    }};
}

#[test]
fn by_value() {
    #[cached]
    fn int(n: i64) -> i64 {
        n + 1
    }
    #[cached]
    fn string(text: String) -> usize {
        text.len()
    }
    #[cached]
    fn vec(list: Vec<u8>) -> usize {
        list.len()
    }
    #[cached]
    fn option(n: Option<u32>) -> u32 {
        n.unwrap_or(99)
    }
    #[cached]
    fn tuple(pair: (u8, String)) -> String {
        format!("{}{}", pair.0, pair.1)
    }
    #[cached]
    fn array(list: [u8; 3]) -> u8 {
        list[0]
    }
    #[cached]
    fn map(map: BTreeMap<u8, u8>) -> usize {
        map.len()
    }
    #[cached]
    fn shared(text: Arc<str>) -> usize {
        text.len()
    }
    #[cached]
    fn boxed(text: Box<str>) -> usize {
        text.len()
    }
    #[cached]
    fn unit((): ()) -> u8 {
        1
    }
    loads_once_for_each!(int: 1 => 2, -1 => 0, i64::MAX - 1 => i64::MAX);
    loads_once_for_each!(string: String::new() => 0, "ab".into() => 2, "ab\0".into() => 3);
    loads_once_for_each!(vec: vec![] => 0, vec![0] => 1, vec![0, 0] => 2);
    loads_once_for_each!(option: None => 99, Some(0) => 0, Some(99) => 99);
    loads_once_for_each!(tuple: (1, "2".into()) => "12", (12, String::new()) => "12");
    loads_once_for_each!(array: [0; 3] => 0, [0, 0, 1] => 0);
    loads_once_for_each!(map: BTreeMap::new() => 0, [(1, 2)].into() => 1, [(2, 1)].into() => 1);
    loads_once_for_each!(shared: "a".into() => 1, "b".into() => 1);
    loads_once_for_each!(boxed: "a".into() => 1, "b".into() => 1);
    loads_once_for_each!(unit: () => 1);
}

#[test]
fn by_reference() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Point(i32, i32);
    type Name<'a> = &'a str;

    #[cached]
    fn text(text: &str) -> usize {
        text.len()
    }
    #[cached]
    fn alias(name: Name<'_>) -> usize {
        name.len()
    }
    #[cached]
    fn slice(list: &[u16]) -> usize {
        list.len()
    }
    #[cached]
    fn int(n: &u64) -> u64 {
        *n
    }
    #[cached]
    fn strukt(point: &Point) -> i32 {
        point.0 - point.1
    }
    #[cached]
    fn owned(text: &String, list: &Vec<u8>) -> usize {
        text.len() + list.len()
    }
    #[cached]
    fn path(path: &std::path::Path) -> usize {
        path.components().count()
    }
    loads_once_for_each!(text: "" => 0, "a" => 1, "b" => 1, &String::from("ab") => 2);
    loads_once_for_each!(alias: "a" => 1, "b" => 1);
    loads_once_for_each!(slice: &[] => 0, &[0] => 1, &[0, 0] => 2, &[1] => 1, &vec![2; 300] => 300);
    loads_once_for_each!(int: &0 => 0, &u64::MAX => u64::MAX);
    loads_once_for_each!(strukt: &Point(1, 2) => -1, &Point(2, 1) => 1);
    assert_eq!(owned(&"a".into(), &vec![1]) + owned(&"a".into(), &vec![1]) + owned(&"a".into(), &vec![2]), 6);
    assert_eq!(owned::stats().loads, 2);
    loads_once_for_each!(path: "/a/b".as_ref() => 3, "a/b".as_ref() => 2);
}

#[test]
fn optional_references() {
    #[cached]
    fn text(text: Option<&str>) -> Option<usize> {
        text.map(str::len)
    }
    #[cached]
    fn slice(list: Option<&[u8]>) -> Option<usize> {
        list.map(<[u8]>::len)
    }
    #[cached]
    fn int(n: Option<&u32>) -> u32 {
        n.copied().unwrap_or(7)
    }
    #[cached]
    fn by_ref(text: &Option<String>) -> usize {
        text.as_ref().map_or(9, String::len)
    }
    loads_once_for_each!(text: None => None, Some("") => Some(0), Some("None") => Some(4));
    loads_once_for_each!(slice: None => None, Some(&[]) => Some(0), Some(&[0]) => Some(1));
    loads_once_for_each!(int: None => 7, Some(&7) => 7, Some(&0) => 0);
    loads_once_for_each!(by_ref: &None => 9, &Some(String::new()) => 0);
}

#[test]
fn a_cow_is_its_content() {
    #[cached]
    fn text(text: Cow<'_, str>) -> usize {
        text.len()
    }
    #[cached]
    fn bytes(list: Cow<'_, [u8]>) -> usize {
        list.len()
    }
    assert_eq!((text("ab".into()), text(String::from("ab").into()), text("ba".into())), (2, 2, 2));
    assert_eq!(text::stats().loads, 2);
    assert_eq!((bytes(Cow::Borrowed(&[1])), bytes(Cow::Owned(vec![1])), bytes(Cow::Owned(vec![2]))), (1, 1, 1));
    assert_eq!(bytes::stats().loads, 2);
}

#[test]
fn where_one_argument_ends_and_the_next_begins_matters() {
    #[cached]
    fn join(a: &str, b: &str) -> String {
        format!("{a}|{b}")
    }
    #[cached]
    fn join_owned(a: String, b: String) -> String {
        format!("{a}|{b}")
    }
    #[cached]
    fn join_lists(a: &[u8], b: &[u8]) -> String {
        format!("{a:?}{b:?}")
    }
    #[cached]
    fn join_options(a: Option<&str>, b: Option<&str>) -> String {
        format!("{a:?}{b:?}")
    }
    for _ in 0..2 {
        assert_eq!((join("ab", "c"), join("a", "bc")), ("ab|c".into(), "a|bc".into()));
        assert_eq!((join("", "abc"), join("abc", "")), ("|abc".into(), "abc|".into()));
        assert_eq!(join_owned("ab".into(), "c".into()), "ab|c");
        assert_eq!(join_owned("a".into(), "bc".into()), "a|bc");
        assert_eq!((join_lists(&[1], &[2, 3]), join_lists(&[1, 2], &[3])), ("[1][2, 3]".into(), "[1, 2][3]".into()));
        assert_eq!(join_options(Some("a"), None), r#"Some("a")None"#);
        assert_eq!(join_options(None, Some("a")), r#"NoneSome("a")"#);
    }
    assert_eq!([join::stats().loads, join_owned::stats().loads, join_lists::stats().loads], [4, 2, 2]);
}

#[test]
fn the_order_of_arguments_matters() {
    #[cached]
    fn minus(a: i32, b: i32) -> i32 {
        a - b
    }
    assert_eq!((minus(1, 2), minus(2, 1), minus(1, 2)), (-1, 1, -1));
}

#[test]
fn no_arguments() {
    #[cached]
    fn nothing() -> String {
        "answer".into()
    }
    assert_eq!((nothing(), nothing()), ("answer".into(), "answer".into()));
    assert_eq!((nothing::stats().loads, nothing::stats().hits()), (1, 1));
    assert_eq!(nothing::peek(), Some("answer".into()));
    assert!(nothing::invalidate());
}

#[test]
fn fifteen_arguments() {
    #[cached]
    #[allow(clippy::too_many_arguments, clippy::many_single_char_names, reason = "this many are tested")]
    fn many(
        a: u8,
        b: u16,
        c: u32,
        d: u64,
        e: i8,
        f: i16,
        g: i32,
        h: i64,
        i: &str,
        j: String,
        k: bool,
        l: char,
        m: Option<&str>,
        n: &[u8],
        o: u128,
    ) -> String {
        format!("{a}{b}{c}{d}{e}{f}{g}{h}{i}{j}{k}{l}{m:?}{n:?}{o}")
    }
    let call = |o| many(1, 2, 3, 4, 5, 6, 7, 8, "9", "10".into(), true, 'l', None, &[1], o);
    assert_eq!(call(1), "12345678910truelNone[1]1");
    assert_eq!((call(1), call(2)), ("12345678910truelNone[1]1".into(), "12345678910truelNone[1]2".into()));
    assert_eq!((many::stats().loads, many::stats().hits()), (2, 1));
    assert!(many::invalidate(1, 2, 3, 4, 5, 6, 7, 8, "9", "10".into(), true, 'l', None, &[1], 2));
}

#[test]
fn mutable_and_pattern_arguments() {
    struct Pair {
        left: u32,
        right: u32,
    }

    #[cached]
    fn count_down(mut n: u32, mut text: String) -> String {
        while n > 0 {
            text.push('.');
            n -= 1;
        }
        text
    }
    #[cached]
    fn tuple((a, b): (u32, u32), [first, .., last]: [u32; 3]) -> u32 {
        a * 1000 + b * 100 + first * 10 + last
    }
    #[cached(key = 1)]
    fn strukt(Pair { left, right }: Pair) -> u32 {
        left + right
    }
    #[cached]
    fn unused(_: u32, n: u32) -> u32 {
        n
    }
    #[cached]
    fn bound(whole @ (a, _): (u32, u32)) -> u32 {
        whole.1 * 10 + a
    }
    assert_eq!((count_down(2, "a".into()), count_down(2, "a".into())), ("a..".into(), "a..".into()));
    assert_eq!(count_down::stats().loads, 1);
    assert_eq!((tuple((1, 2), [3, 0, 4]), tuple((2, 1), [3, 0, 4])), (1234, 2134));
    assert_eq!((tuple((1, 2), [3, 0, 4]), tuple::stats().hits()), (1234, 1));
    assert_eq!((strukt(Pair { left: 1, right: 2 }), strukt(Pair { left: 9, right: 9 })), (3, 3));
    assert_eq!((unused(1, 5), unused(2, 5)), (5, 5));
    assert_eq!(unused::stats().loads, 2, "an argument without a name is part of the key");
    assert_eq!((bound((1, 2)), bound((2, 1))), (21, 12));
}

#[test]
fn arguments_with_the_names_of_keywords_and_of_the_function() {
    #[cached(ignore = r#match)]
    fn raw(r#type: &str, r#match: f32) -> String {
        format!("{type}{}", r#match)
    }
    #[cached]
    fn r#loop(r#loop: u32) -> u32 {
        r#loop + 1
    }
    #[cached]
    fn value(value: u32, key: u32, guard: u32) -> u32 {
        value + key + guard
    }
    assert_eq!((raw("a", 1.5), raw("a", 2.5), raw("b", 2.5)), ("a1.5".into(), "a1.5".into(), "b2.5".into()));
    assert_eq!((r#loop(1), r#loop::peek(1)), (2, Some(2)));
    assert_eq!((value(1, 2, 3), value::peek(1, 2, 3), value::peek(3, 2, 1)), (6, Some(6), None));
}

/// What is not part of the key may be of any type, also one that never leaves its thread.
#[test]
fn ignored_arguments_need_not_be_send() {
    #[cached(ignore = log)]
    fn logged(log: Rc<std::cell::Cell<u32>>, n: u32) -> u32 {
        log.set(log.get() + 1);
        n
    }
    let log = Rc::default();
    assert_eq!((logged(Rc::clone(&log), 1), logged(Rc::clone(&log), 1)), (1, 1));
    assert_eq!(log.get(), 1);
}

mod one {
    #[memokit::cached]
    pub(super) fn same_name(n: u32) -> u32 {
        n + 1
    }
}

mod two {
    #[memokit::cached]
    pub(super) fn same_name(n: u32) -> u32 {
        n + 2
    }
}

#[test]
fn functions_of_one_name_never_share() {
    #[cached]
    fn same_name(n: u32) -> u32 {
        n + 3
    }
    fn inner() -> u32 {
        #[cached]
        fn same_name(n: u32) -> u32 {
            n + 4
        }
        same_name(0)
    }
    for _ in 0..2 {
        assert_eq!((one::same_name(0), two::same_name(0), same_name(0), inner()), (1, 2, 3, 4));
    }
    one::same_name::invalidate_all();
    assert!(two::same_name::contains(0) && same_name::contains(0));
}

#[test]
fn a_number_and_its_text_never_share() {
    #[cached]
    fn number(n: u32) -> String {
        format!("number {n}")
    }
    #[cached]
    fn text(n: &str) -> String {
        format!("text {n}")
    }
    #[cached]
    fn either<T: std::fmt::Display + Clone + Eq + std::hash::Hash + Send + Sync + 'static>(n: T) -> String {
        format!("{} {n}", std::any::type_name::<T>())
    }
    for _ in 0..2 {
        assert_eq!((number(1), text("1")), ("number 1".into(), "text 1".into()));
        assert_eq!((either(1_u8), either(1_u16), either("1")), ("u8 1".into(), "u16 1".into(), "&str 1".into()));
    }
}

#[test]
fn an_argument_of_an_unnamed_type() {
    use std::fmt::Display;
    use std::hash::Hash;
    #[cached]
    fn bounded(value: impl Display + Clone + Eq + Hash + Send + Sync + 'static) -> String {
        format!("{value} of {} bytes", size_of_val(&value))
    }
    #[cached(key = value.to_string())]
    fn keyed(value: impl Display) -> usize {
        size_of_val(&value)
    }
    #[cached(ignore = value)]
    fn ignored(value: impl Display) -> usize {
        size_of_val(&value)
    }
    for _ in 0..2 {
        assert_eq!((bounded(1_u8), bounded(1_u64)), ("1 of 1 bytes".into(), "1 of 8 bytes".into()));
        assert_eq!((keyed(1_u8), keyed(1_u64)), (1, 8));
        assert_eq!((ignored(1_u8), ignored(1_u64)), (1, 8));
    }
}
