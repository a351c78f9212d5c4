//! Cached methods and associated functions, and functions in unusual places.
#![allow(clippy::unnecessary_wraps, unused_braces, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::trivially_copy_pass_by_ref, clippy::unused_self, reason = "the receivers are what is tested")]

use memokit::cached;
use std::hash::Hash;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Square(u32);

impl Square {
    #[cached]
    fn area(&self) -> u32 {
        self.0 * self.0
    }

    #[cached(timeout = "1h")]
    fn scaled(&self, by: u32, unit: &str) -> String {
        format!("{}{unit}", self.0 * by)
    }

    #[cached]
    fn by_arc(self: &Arc<Self>, n: u32) -> u32 {
        self.0 + n
    }
}

#[test]
fn self_is_part_of_the_key() {
    let (two, three) = (Square(2), Square(3));
    for _ in 0..2 {
        assert_eq!((two.area(), three.area()), (4, 9));
    }
    assert_eq!((Square::area_stats().loads, Square::area_stats().hits()), (2, 2));
    assert_eq!(Square(2).area_peek(), Some(4), "an equal value is the same key");
}

#[test]
fn companions_stand_beside_the_method() {
    let square = Square(2);
    assert_eq!(square.scaled(3, "m"), "6m");
    assert_eq!(square.scaled_peek(3, "m"), Some("6m".into()));
    assert!(square.scaled_contains(3, "m") && !square.scaled_contains(3, "k"));
    assert!(square.scaled_invalidate(3, "m"));
    assert!(!square.scaled_contains(3, "m"));
    assert_eq!(square.scaled_refresh(3, "m"), "6m");
    square.scaled_put(4, "m", "put".into());
    assert_eq!(square.scaled(4, "m"), "put");
    assert_eq!(square.scaled_uncached(4, "m"), "8m");
    Square::scaled_invalidate_all();
    assert_eq!(Square::scaled_stats().entries, 0);
}

#[test]
fn self_may_be_a_reference_to_an_arc() {
    let square = Arc::new(Square(2));
    assert_eq!((square.by_arc(1), square.by_arc(1), Arc::new(Square(2)).by_arc(1)), (3, 3, 3));
    assert_eq!(Square::by_arc_stats().loads, 1);
    assert!(square.by_arc_invalidate(1));
}

/// Can't be hashed, compared or cloned.
struct Service {
    id: u64,
    calls: AtomicU32,
    weight: f64,
}

impl Service {
    fn new(id: u64) -> Self {
        Service { id, calls: AtomicU32::new(0), weight: 1.5 }
    }

    #[cached(key = self.id)]
    fn by_id(&self) -> String {
        self.calls.fetch_add(1, SeqCst);
        format!("{} {}", self.id, self.weight)
    }

    #[cached(key = (self.id, page))]
    fn page(&self, page: u32) -> u64 {
        self.id * 100 + u64::from(page)
    }

    #[cached(ignore = self)]
    fn without_self(&self, n: u32) -> u64 {
        self.id + u64::from(n)
    }

    #[cached(ignore = [self, twice])]
    fn of_nothing(&self, twice: bool) -> u64 {
        if twice { self.id * 2 } else { self.id }
    }

    #[cached(ignore = self)]
    fn counts(&mut self, n: u32) -> u32 {
        *self.calls.get_mut() += 1;
        n
    }

    #[cached(key = self.id)]
    fn consumes(self) -> f64 {
        self.weight
    }
}

#[test]
fn a_key_may_name_a_part_of_self() {
    let (one, same, two) = (Service::new(1), Service::new(1), Service::new(2));
    assert_eq!((one.by_id(), same.by_id(), two.by_id()), ("1 1.5".into(), "1 1.5".into(), "2 1.5".into()));
    assert_eq!([one.calls, same.calls, two.calls].map(|calls| calls.load(SeqCst)), [1, 0, 1]);
    assert_eq!((Service::new(1).page(2), Service::new(1).page(3), Service::new(1).page(2)), (102, 103, 102));
    assert_eq!(Service::page_stats().loads, 2);
    assert!(Service::new(1).by_id_invalidate());
}

#[test]
fn self_may_be_ignored() {
    assert_eq!((Service::new(1).without_self(5), Service::new(2).without_self(5)), (6, 6));
    assert_eq!((Service::new(1).of_nothing(false), Service::new(2).of_nothing(true)), (1, 1));
    let mut service = Service::new(1);
    assert_eq!((service.counts(1), service.counts(1), *service.calls.get_mut()), (1, 1, 1));
}

#[test]
fn self_by_value_with_a_key() {
    assert_eq!([Service::new(1).consumes(), Service::new(1).consumes()].map(f64::to_bits), [1.5_f64.to_bits(); 2]);
    assert_eq!(Service::consumes_stats().hits(), 1);
}

#[cached]
impl Square {
    #[cached]
    fn of(side: u32) -> Self {
        Square(side)
    }

    /// Not cached, in the same block.
    fn side(self) -> u32 {
        self.0
    }

    #[memokit::cached(timeout = 60)]
    pub(crate) fn perimeter(&self) -> u32 {
        self.side() * Self::CORNERS
    }

    const CORNERS: u32 = 4;
}

#[test]
fn associated_functions_in_a_cached_impl() {
    assert_eq!((Square::of(3), Square::of(3)), (Square(3), Square(3)));
    assert_eq!((Square::of_stats().loads, Square::of_stats().hits()), (1, 1));
    assert_eq!(Square::of_peek(3), Some(Square(3)));
    assert!(Square::of_invalidate(3));
    assert_eq!(Square::of_refresh(4), Square(4));
    Square::of_put(5, Square(50));
    assert_eq!((Square::of(5), Square::of_uncached(5)), (Square(50), Square(5)));
    Square::of_invalidate_all();
    assert!(!Square::of_contains(5));
    assert_eq!((Square(2).perimeter(), Square(2).perimeter_peek()), (8, Some(8)));
}

mod two_types_of_one_generic_impl {
    use super::*;
    use std::fmt::Debug;
    use std::marker::PhantomData;

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Holder<T>(T);

    impl<T: Clone + Eq + Hash + Debug + Send + Sync + 'static> Holder<T> {
        #[cached]
        fn show(&self) -> String {
            format!("{}: {:?}", std::any::type_name::<T>(), self.0)
        }

        #[cached(ignore = self)]
        fn name(&self, n: u32) -> String {
            format!("{} {n}", std::any::type_name::<T>())
        }

        #[cached(ignore = self)]
        fn convert<U: 'static>(&self) -> String {
            format!("{} to {}", std::any::type_name::<T>(), std::any::type_name::<U>())
        }
    }

    struct Sized<T: ?::core::marker::Sized, const N: usize>(PhantomData<T>);

    #[cached]
    impl<T: ?::core::marker::Sized, const N: usize> Sized<T, N> {
        #[cached]
        fn length(n: usize) -> usize {
            N * n
        }

        #[cached]
        fn name(n: usize) -> String {
            format!("{} {n}", std::any::type_name::<T>())
        }
    }

    #[test]
    fn never_share() {
        for _ in 0..2 {
            assert_eq!((Holder(1_u8).show(), Holder(1_u64).show()), ("u8: 1".into(), "u64: 1".into()));
            assert_eq!((Holder(1_u8).name(1), Holder(1_u64).name(1)), ("u8 1".into(), "u64 1".into()));
            assert_eq!(Holder(1_u8).convert::<u16>(), "u8 to u16");
            assert_eq!(Holder(1_u8).convert::<u32>(), "u8 to u32");
            assert_eq!(Holder(1_u16).convert::<u32>(), "u16 to u32");
            assert_eq!((Sized::<u8, 1>::length(5), Sized::<u8, 2>::length(5)), (5, 10));
            assert_eq!((Sized::<u8, 1>::name(5), Sized::<str, 1>::name(5)), ("u8 5".into(), "str 5".into()));
        }
        Holder::<u8>::name_invalidate_all();
        assert!(!Holder(1_u64).name_contains(1), "of all types at once");
    }

    struct Borrowing<'a> {
        text: &'a str,
    }

    impl<'a> Borrowing<'a> {
        #[cached(key = (self.text, other))]
        fn join(&self, other: &'a str) -> String {
            format!("{}{other}", self.text)
        }
    }

    #[test]
    fn a_type_with_a_lifetime() {
        let text = String::from("a");
        let short = Borrowing { text: &text };
        assert_eq!((short.join("b"), Borrowing { text: "a" }.join("b")), ("ab".into(), "ab".into()));
        assert_eq!(Borrowing::join_stats().loads, 1);
    }
}

mod other_places {
    use super::*;

    #[test]
    fn a_function_in_a_block_inside_of_a_function() {
        let mut values = Vec::new();
        for n in 0..4 {
            #[cached]
            fn inside(n: u32) -> u32 {
                n / 2
            }
            values.push(inside(n / 2));
            assert!(inside::contains(n / 2));
        }
        assert_eq!(values, [0, 0, 0, 0]);
        {
            use self::elsewhere::imported;
            assert_eq!((imported(1), imported::peek(1)), (2, Some(2)));
        }
    }

    mod elsewhere {
        use memokit::cached;

        #[cached]
        pub(super) fn imported(n: u32) -> u32 {
            n + helper()
        }

        fn helper() -> u32 {
            1
        }
    }

    #[test]
    fn a_cached_function_inside_of_a_cached_function() {
        #[cached]
        fn outer(n: u32) -> u32 {
            #[cached]
            fn inner(n: u32) -> u32 {
                n + 1
            }
            inner(n) + inner(n) + u32::try_from(inner::stats().hits()).unwrap() * 100
        }
        assert_eq!((outer(1), outer(1)), (104, 104));
    }

    macro_rules! doubled {
        ($vis:vis $name:ident, $argument:ident: $ty:ty, $seconds:literal) => {
            #[cached(timeout = $seconds, ignore = trace)]
            $vis fn $name($argument: $ty, trace: bool) -> $ty {
                let _ = trace;
                let twice = 2;
                $argument * twice
            }
        };
    }

    doubled!(pub(super) double_small, small: u8, 100);
    doubled!(double_large, large: u64, "1h");

    macro_rules! cached_by {
        ($name:ident, $n:ident, $key:expr, $time:expr, $prefix:literal, $body:block) => {
            #[cached(key = $key, timeout = $time, prefix = $prefix, capacity = 5)]
            fn by_expression($name: &str, $n: u32) -> Result<u32, String> $body
        };
    }

    cached_by!(name, n, (name, n / 10), 3600, "methods/by_expression", { Ok(name.len().try_into().unwrap_or(n)) });

    macro_rules! given_methods {
        ($($method:tt)*) => {
            impl Square {
                #[cached]
                $($method)*
            }
        };
    }

    given_methods! {
        fn half(&self, n: u32) -> u32 {
            self.0 / 2 + n
        }
    }

    #[test]
    fn functions_that_a_macro_defines() {
        assert_eq!((double_small(2, true), double_small(2, false), double_large(2, true)), (4, 4, 4));
        assert_eq!((double_small::stats().hits(), double_large::stats().hits()), (1, 0));
        assert_eq!((Square(6).half(1), Square(6).half_peek(1)), (4, Some(4)));
        assert_eq!((by_expression("a", 1), by_expression("a", 2), by_expression("ab", 2)), (Ok(1), Ok(1), Ok(2)));
        assert_eq!(by_expression::stats().hits(), 1);
    }
}
