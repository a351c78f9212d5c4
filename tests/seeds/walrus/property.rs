//! `@cache.cached_property(key_fn, timeout)`.

use crate::{Runs, cache};
use memokit::cached;

static RUNS: Runs = Runs::new();

struct Clock {
    name: String,
}

impl Clock {
    #[cached(cache = "redis", local = false, prefix = "walrus property", key = self.name)]
    fn now(&self) -> (String, u32) {
        (self.name.clone(), RUNS.up())
    }
}

fn clock(name: &str) -> Clock {
    Clock { name: name.to_owned() }
}

/// There, the key has the address of the instance too, so an equal one misses, and after a collection of garbage another
/// instance may hit. Here the key is what `key` names.
#[test]
fn a_getter_is_a_cached_property_of_each_instance() {
    let _redis = cache("redis");
    let (a, b) = (clock("a"), clock("b"));
    let (first, other) = (a.now(), b.now());
    assert_ne!(first, other);
    assert_eq!((a.now(), b.now()), (first.clone(), other.clone()));
    assert_eq!(clock("a").now(), first, "an equal instance hits");

    // `del a.now`
    assert!(a.now_invalidate().unwrap());
    assert!(!a.now_invalidate().unwrap());
    assert_ne!(a.now(), first);
    assert_eq!(b.now(), other, "the other instance's value stays");

    // There, `a.now = …` is an error.
    a.now_put(("a".into(), 99)).unwrap();
    assert_eq!(a.now(), ("a".into(), 99));
}

/// There, the class gives the descriptor. Here, what needs no instance is asked of the type.
#[test]
fn what_is_about_all_instances_is_asked_of_the_type() {
    struct Shelf {
        boards: u32,
    }
    impl Shelf {
        #[cached(key = self.boards)]
        fn size(&self) -> u32 {
            self.boards * 7
        }
    }
    let shelves = [1, 2].map(|boards| Shelf { boards });
    assert_eq!(shelves.each_ref().map(Shelf::size), [7, 14]);
    assert_eq!(Shelf::size_stats().loads, 2);
    Shelf::size_invalidate_all();
    assert!(shelves.iter().all(|shelf| !shelf.size_contains()));
}
