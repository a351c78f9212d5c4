//! Where a function can stand: in bodies, blocks, constants, macros, and beside things of its name.

use memokit::cached;

mod area {
    use memokit::cached;

    #[cached]
    pub(super) fn area(n: u32) -> u32 {
        n + 1
    }

    pub(super) mod deeper {
        #[memokit::cached]
        pub(in super::super) fn area(n: u32) -> u32 {
            super::area(n) + 1
        }
    }
}

/// A module, a function and a type would all be called `area`.
#[cached(companion = area_cache)]
fn area(n: u32) -> u32 {
    n
}

#[test]
fn modules_and_functions_of_one_name() {
    assert_eq!((area(1), area::area(1), area::deeper::area(1)), (1, 2, 3));
    assert_eq!((area_cache::peek(1), area::area::peek(1), area::deeper::area::peek(1)), (Some(1), Some(2), Some(3)));
}

trait Answer {
    fn answer(&self) -> u32;
}

struct Oracle;

const _: () = {
    #[cached]
    fn question(n: u32) -> u32 {
        n + 41
    }

    impl Answer for Oracle {
        fn answer(&self) -> u32 {
            question(1) + u32::from(question::contains(1)) - 1
        }
    }

    #[cached]
    impl Oracle {
        #[cached]
        fn asked(n: u32) -> u32 {
            n * 2
        }
    }
};

#[test]
fn in_a_nameless_constant() {
    assert_eq!((Oracle.answer(), Oracle.answer(), Oracle::asked(4), Oracle::asked_peek(4)), (42, 42, 8, Some(8)));
}

#[test]
fn in_bodies_of_functions_closures_and_of_itself() {
    let closure = |n| {
        #[cached]
        fn inside(n: u32) -> u32 {
            #[cached]
            fn inside(n: u32) -> u32 {
                n + 1
            }
            inside(n) * 10 + u32::from(inside::contains(n))
        }
        (inside(n), inside::peek(n))
    };
    assert_eq!((closure(1), closure(1)), ((21, Some(21)), (21, Some(21))));
    async fn later() -> u32 {
        #[cached]
        async fn inside(n: u32) -> u32 {
            n
        }
        inside(3).await
    }
    assert_eq!(super::now(later()), 3);
    static FROM_A_STATIC: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
        #[cached]
        fn inside() -> u32 {
            5
        }
        inside()
    });
    assert_eq!(*FROM_A_STATIC, 5);
}

macro_rules! function {
    ($(#[$attribute:meta])* $vis:vis fn $name:ident<$parameter:ident>($($argument:ident: $ty:ty),*) -> $returned:ty $body:block) => {
        $(#[$attribute])*
        #[cached]
        $vis fn $name<$parameter>($($argument: $ty),*) -> $returned $body
    };
}

function! {
    /// Documented outside.
    pub(crate) fn sized<T>(text: &str, pair: (f64, &str)) -> String {
        format!("{text}{}{}{}", pair.0, pair.1, size_of::<T>())
    }
}

macro_rules! options {
    ($name:ident, $key:expr, $time:expr, $ignored:ident, $companion:ident, $ty:path, $argument:pat => $product:expr, $lifetime:lifetime) => {
        #[cached(key = $key, timeout = $time, companion = $companion)]
        fn $name<$lifetime>(text: &$lifetime str, n: u32, $ignored: $ty) -> Option<u32> {
            let inner = $ignored;
            Some(inner.into_iter().sum::<u32>() + n + u32::from(text == "a"))
        }

        #[cached]
        fn of_a_pattern($argument: (u32, u32)) -> u32 {
            $product
        }
    };
}

options!(summed, 7, std::time::Duration::from_secs(5), list, summed_cache, Vec::<u32>, (left, right) => left * right, 'a);

/// `$n` and the macro's own `n` are two names.
macro_rules! hygienic {
    ($name:ident, $n:ident, $body:expr) => {
        #[cached]
        fn $name($n: u32, n: u32) -> u32 {
            let doubled = n * 2;
            $body + doubled
        }

        #[cached(ignore = n)]
        fn ignoring($n: u32, n: u32) -> u32 {
            $n * 10 + n
        }
    };
}

macro_rules! methods {
    ($ty:ident, $self:ident, $($name:ident => $body:expr),*) => {
        #[cached]
        impl $ty {
            $(
                #[cached]
                fn $name(&$self) -> u32 {
                    $body
                }
            )*

            #[cached]
            fn made(n: u32) -> Self {
                $ty(n)
            }
        }
    };
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Number(u32);

methods!(Number, self, twice => self.0 * 2, thrice => self.twice() + self.0);

#[test]
fn written_by_a_macro() {
    hygienic!(mixed, m, m * 100);
    for _ in 0..2 {
        assert_eq!((sized::<u8>("a", (0.5, "b")), sized::<u16>("a", (0.5, "b"))), ("a0.5b1".into(), "a0.5b2".into()));
        assert_eq!((summed("a", 1, vec![2]), of_a_pattern((2, 3))), (Some(4), 6));
        assert_eq!((mixed(1, 2), mixed(2, 1)), (104, 202));
        assert_eq!((ignoring(1, 2), ignoring(1, 3)), (12, 12));
        assert_eq!((Number(2).thrice(), Number::made(4)), (6, Number(4)));
    }
    assert_eq!((sized::stats().loads, summed_cache::stats().loads, mixed::stats().loads), (2, 1, 2));
    assert_eq!((Number::thrice_stats().loads, Number::twice_stats().loads, ignoring::stats().loads), (1, 1, 1));
    assert!(Number(2).twice_contains());
}
