//! `delete_memoized`, `delete_memoized_verhash`, `delete_cached`, `clear`.

use crate::{Runs, cache};
use memokit::cached;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

#[test]
fn delete_memoized_with_arguments_drops_one_call() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(a: u32, b: u32) -> u32 {
        a + b + 100 * RUNS.up()
    }
    assert_eq!((f(5, 2), f(5, 3)), (107, 208));
    assert!(f::invalidate(5, 2));
    assert_eq!((f(5, 2), f(5, 3)), (307, 208));
}

#[test]
fn delete_memoized_without_arguments_drops_all_calls() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> u32 {
        n + 100 * RUNS.up()
    }
    #[cached]
    fn other(n: u32) -> u32 {
        n
    }
    assert_eq!((f(1), f(2), other(1)), (101, 202, 1));
    f::invalidate_all();
    assert_eq!((f(1), f(2), other::contains(1)), (301, 402, true));
}

/// There, a new version token for the function: each call reads the token first, and where the token expires the function
/// loses its cache. Here a number is recorded, which all processes are told of, so a call reads no more than before. Old
/// entries stay on the server until they expire or are stored anew, as they do there.
#[test]
fn dropped_entries_are_served_to_nobody() {
    let redis = cache("redis");
    #[cached(cache = "redis", prefix = "flask: all", timeout = "1h")]
    fn f(n: u32) -> u32 {
        n
    }
    let clock = memokit::testing::MockClock::install();
    let keys: Vec<_> = (0..20).map(|n| (f(n), f::key(n).unwrap()).1).collect();
    assert!(keys.iter().all(|key| redis.get(key.text()).unwrap().is_some()));
    f::invalidate_all().unwrap();
    assert!((0..20).all(|n| !f::contains(n).unwrap()));
    assert!((0..20).all(|n| f::explain(n).backend_error().is_none() && !f::explain(n).would_hit()));
    drop(clock);
}

struct Adder {
    id: u32,
    by: u32,
}

static RUNS: Runs = Runs::new();

#[cached]
impl Adder {
    #[cached(key = self.id)]
    fn total(&self) -> u32 {
        self.by + 100 * RUNS.up()
    }

    #[cached]
    fn make(id: u32) -> String {
        format!("adder {id}")
    }
}

/// `delete_memoized(adder.total)` and `delete_memoized(Adder.total)`.
#[test]
fn a_method_is_deleted_for_one_instance_or_for_all() {
    let adders = [1, 2, 3].map(|id| Adder { id, by: id });
    let values = adders.each_ref().map(Adder::total);
    assert!(adders[0].total_invalidate());
    assert_ne!(adders[0].total(), values[0]);
    assert_eq!([adders[1].total(), adders[2].total()], [values[1], values[2]]);
    Adder::total_invalidate_all();
    assert!(adders.iter().all(|adder| !adder.total_contains()));
}

/// `delete_memoized(adder.shifted)` of a method that takes arguments: there a new token for the instance. Here the key has such a
/// number, where the program keeps it with the instance. Old entries stay until they expire or are evicted.
#[test]
fn all_calls_of_one_instance_are_outdated_by_its_generation() {
    struct Shelf {
        id: u32,
        generation: AtomicU32,
    }
    impl Shelf {
        #[cached(key = (self.id, self.generation.load(SeqCst), n))]
        fn book(&self, n: u32) -> String {
            format!("book {n} of shelf {}, run {}", self.id, RUNS.up())
        }
    }
    let [one, two] = [1, 2].map(|id| Shelf { id, generation: AtomicU32::new(0) });
    let values = |shelf: &Shelf| [1, 2, 3].map(|n| shelf.book(n));
    let (of_one, of_two) = (values(&one), values(&two));
    assert_eq!((values(&one), values(&two)), (of_one.clone(), of_two.clone()));
    one.generation.fetch_add(1, SeqCst);
    assert!(values(&one).iter().zip(&of_one).all(|(new, old)| new != old));
    assert_eq!(values(&two), of_two);
}

#[test]
fn a_function_of_a_class_is_deleted_by_its_arguments() {
    assert_eq!(Adder::make(1), "adder 1");
    assert!(Adder::make_invalidate(1));
    assert!(!Adder::make_invalidate(1));
}

/// `delete_cached`, since 2.5: whether there was something.
#[test]
fn deletion_says_whether_there_was_something() {
    #[cached(key = path.trim_end_matches('/'))]
    fn view(path: &str) -> String {
        path.to_owned()
    }
    view("/a/");
    assert!(view::invalidate("/a"));
    assert!(!view::invalidate("/a"));
}

/// There, a value that was being loaded meanwhile is stored after the deletion.
#[test]
fn a_value_that_is_being_loaded_is_not_stored_after_its_deletion() {
    use crate::support::gate::Gate;
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn f(n: u32) -> u32 {
        GATE.pass();
        n
    }
    std::thread::scope(|scope| {
        let loading = scope.spawn(|| f(1));
        GATE.arrived(1);
        f::invalidate_all();
        GATE.open();
        assert_eq!(loading.join().unwrap(), 1);
    });
    assert!(!f::contains(1));
}
