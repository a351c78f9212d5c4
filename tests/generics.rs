//! Generic functions: every instantiation has entries of its own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, reason = "the forms are what is tested")]

use memokit::cached;
use std::any::type_name;
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

/// What a value needs to be an argument that is part of a key.
trait Plain: Clone + Eq + Hash + Send + Sync + 'static {}
impl<T: Clone + Eq + Hash + Send + Sync + 'static> Plain for T {}

#[test]
fn type_parameters_of_arguments() {
    #[cached]
    fn show<A: Plain + Debug, B: Plain + Debug>(a: A, b: B) -> String {
        format!("{a:?} {b:?}")
    }
    for _ in 0..2 {
        assert_eq!(
            (show(1_u8, 2_u8), show(1_u8, "2"), show("1", 2_u8)),
            ("1 2".into(), "1 \"2\"".into(), "\"1\" 2".into())
        );
        assert_eq!(show(String::from("1"), [2, 3]), "\"1\" [2, 3]");
    }
    assert_eq!((show::stats().loads, show::stats().hits()), (4, 4));
    assert!(show::contains(1_u8, 2_u8) && !show::contains(1_u16, 2_u8));
    assert_eq!(show::peek(1_u8, "2"), Some("1 \"2\"".into()));
}

#[test]
fn type_parameters_that_no_argument_mentions() {
    #[cached]
    fn size<T>(times: usize) -> usize {
        size_of::<T>() * times
    }
    #[cached]
    fn unsized_name<T: ?Sized>() -> &'static str {
        type_name::<T>()
    }
    for _ in 0..2 {
        assert_eq!((size::<u8>(3), size::<u64>(3), size::<[u8; 7]>(3)), (3, 24, 21));
        assert_eq!((unsized_name::<str>(), unsized_name::<[u8]>()), ("str", "[u8]"));
    }
    assert_eq!((size::stats().loads, size::stats().entries), (3, 3));
    assert!(size::invalidate::<u8>(3));
    assert!(!size::contains::<u8>(3) && size::contains::<u64>(3));
    size::put::<u8>(3, 99);
    assert_eq!((size::<u8>(3), size::<u64>(3), size::refresh::<u8>(3)), (99, 24, 3));
}

#[test]
fn type_parameters_of_returned_values() {
    #[cached]
    fn parse<T>(text: &str) -> Result<T, T::Err>
    where
        T: std::str::FromStr + Clone + Send + Sync + 'static,
        T::Err: 'static,
    {
        text.parse()
    }
    #[cached]
    fn default<T: Default + Clone + Send + Sync + 'static>() -> T {
        T::default()
    }
    for _ in 0..2 {
        assert_eq!((parse::<u8>("1"), parse::<i64>("1"), parse::<String>("1")), (Ok(1), Ok(1), Ok("1".into())));
        assert!(parse::<u8>("300").is_err());
        assert_eq!((default::<u8>(), default::<String>(), default::<Option<u8>>()), (0, String::new(), None));
    }
    assert_eq!((parse::stats().entries, default::stats().entries), (3, 3));
}

#[test]
fn const_parameters() {
    #[cached]
    fn times<const N: u32, const ODD: bool>(n: u32) -> u32 {
        N * n + u32::from(ODD)
    }
    #[cached]
    fn of_array<T: Plain, const N: usize>(list: [T; N]) -> usize {
        list.len()
    }
    #[cached]
    fn letter<const C: char>() -> String {
        C.into()
    }
    for _ in 0..2 {
        assert_eq!((times::<1, false>(5), times::<2, false>(5), times::<2, true>(5)), (5, 10, 11));
        assert_eq!((of_array([1, 2]), of_array([1, 2, 3]), of_array::<u8, 0>([])), (2, 3, 0));
        assert_eq!((letter::<'a'>(), letter::<'b'>()), ("a".into(), "b".into()));
    }
    assert_eq!([times::stats().loads, of_array::stats().loads, letter::stats().loads], [3, 3, 2]);
    assert!(times::invalidate::<2, true>(5));
    assert!(times::contains::<2, false>(5));
}

#[test]
fn lifetimes_and_where_clauses() {
    #[cached]
    fn longest<'a, 'b: 'a, T>(a: &'a str, b: &'b str, c: T) -> String
    where
        T: Plain + AsRef<str>,
        for<'x> &'x T: Debug,
    {
        [a, b, c.as_ref()].into_iter().max_by_key(|text| text.len()).unwrap().to_owned()
    }
    #[cached]
    fn explicit<'a>(a: &'a [u8], b: Option<&'a str>) -> usize {
        a.len() + b.map_or(0, str::len)
    }
    let long = String::from("long");
    for _ in 0..2 {
        assert_eq!(longest("a", &long, "bc"), "long");
        assert_eq!(longest("a", "ab", String::from("abc")), "abc");
        assert_eq!(explicit(long.as_bytes(), Some(&long)), 8);
    }
    assert_eq!((longest::stats().loads, explicit::stats().loads), (2, 1));
}

#[test]
fn a_parameter_may_itself_be_generic() {
    #[cached]
    fn name<T: 'static>(n: u32) -> String {
        format!("{}{n}", type_name::<T>().len())
    }
    let lengths = [type_name::<Vec<u8>>(), type_name::<Vec<Vec<u8>>>(), type_name::<PhantomData<fn(u8) -> u16>>()];
    for _ in 0..2 {
        assert_eq!(name::<Vec<u8>>(0), format!("{}0", lengths[0].len()));
        assert_eq!(name::<Vec<Vec<u8>>>(0), format!("{}0", lengths[1].len()));
        assert_eq!(name::<PhantomData<fn(u8) -> u16>>(0), format!("{}0", lengths[2].len()));
    }
    assert_eq!(name::stats().loads, 3);
}

#[test]
fn a_generic_function_may_call_itself_at_another_type() {
    #[cached]
    fn depth<T: 'static>(n: u32) -> usize {
        if n == 0 { size_of::<T>() } else { depth::<u8>(n - 1) * 10 + size_of::<T>() }
    }
    assert_eq!((depth::<u64>(0), depth::<u64>(1), depth::<u64>(2)), (8, 18, 118));
    assert_eq!(depth::stats().entries, 5);
}

#[test]
fn invalidate_all_covers_all_instantiations() {
    #[cached]
    fn size<T, const N: usize>(n: usize) -> usize {
        size_of::<T>() * n * N
    }
    let call = || (size::<u8, 1>(1), size::<u16, 1>(1), size::<u16, 2>(1), size::<u64, 2>(2));
    assert_eq!(call(), (1, 2, 4, 32));
    assert_eq!(size::stats().entries, 4);
    size::invalidate_all();
    assert_eq!(size::stats().entries, 0);
    assert!(!size::contains::<u8, 1>(1) && !size::contains::<u64, 2>(2));
    assert_eq!(call(), (1, 2, 4, 32));
    assert_eq!(size::stats().loads, 8);
}

#[test]
fn a_capacity_bounds_each_instantiation() {
    #[cached(capacity = 3)]
    fn size<T>(n: usize) -> usize {
        size_of::<T>() * n
    }
    for n in 0..100 {
        assert_eq!((size::<u8>(n), size::<u16>(n)), (n, 2 * n));
    }
    assert!(size::stats().entries <= 6);
}

#[test]
fn many_instantiations_from_many_threads() {
    #[cached]
    fn size<const N: usize>(n: usize) -> usize {
        N * n
    }
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for n in (0..100).map(|n| n + thread % 2) {
                    assert_eq!((size::<1>(n), size::<2>(n), size::<3>(n)), (n, 2 * n, 3 * n));
                    assert_eq!((size::<4>(n), size::<5>(n), size::<6>(n)), (4 * n, 5 * n, 6 * n));
                }
            });
        }
    });
    assert_eq!((size::stats().loads, size::stats().entries), (606, 606));
}
