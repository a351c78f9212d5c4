//! `@bucket`, `@bucket(method=…, nocache=…, ignore=…)` and `@f.callback`.

use crate::{Runs, SECOND, cache};
use memokit::testing::MockClock;
use memokit::{CallInfo, Level, cached};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

#[cached(cache = "file", prefix = "bucketcache sum", local = false)]
fn sum(a: u32, b: u32) -> u32 {
    SUMS.up();
    a + b
}

static SUMS: Runs = Runs::new();

#[test]
fn a_decorated_function_is_read_from_its_file() {
    let _file = cache("file");
    assert_eq!((sum(1, 2), sum(1, 2), SUMS.count()), (3, 3, 1));
    assert_eq!((sum(2, 1), SUMS.count()), (3, 2));
    assert_eq!(sum::stats().shared_hits, 1);
}

mod first {
    #[memokit::cached(cache = "file")]
    pub(super) fn same(n: u32) -> String {
        format!("first {n}")
    }
}

mod second {
    #[memokit::cached(cache = "file")]
    pub(super) fn same(n: u32) -> String {
        format!("second {n}")
    }
}

/// There, functions of one name and signature in two modules collide.
#[test]
fn functions_of_one_name_and_signature_do_not_collide() {
    let _file = cache("file");
    assert_eq!((first::same(1), second::same(1)), ("first 1".into(), "second 1".into()));
    assert_eq!((first::same(1), second::same(1)), ("first 1".into(), "second 1".into()));
}

mod before {
    #[memokit::cached(cache = "file", prefix = "bucketcache signature", local = false)]
    pub(super) fn f(a: u32) -> u32 {
        a
    }
}

mod with_another_argument {
    #[memokit::cached(cache = "file", prefix = "bucketcache signature", local = false)]
    pub(super) fn f(a: u32, b: u32) -> u32 {
        a + b + 10
    }
}

mod with_another_type {
    #[memokit::cached(cache = "file", prefix = "bucketcache signature", local = false)]
    pub(super) fn f(a: i64) -> u32 {
        u32::try_from(a).unwrap() + 20
    }
}

mod with_another_value {
    #[memokit::cached(cache = "file", prefix = "bucketcache signature", local = false)]
    pub(super) fn f(a: u32) -> String {
        format!("text {a}")
    }
}

/// As there, where names, defaults and annotations are in the key. Here the types of the arguments and of the value are;
/// their names are not, so renaming one loses nothing.
#[test]
fn a_changed_signature_does_not_find_the_old_entries() {
    let _file = cache("file");
    assert_eq!(before::f(1), 1);
    assert_eq!(with_another_argument::f(1, 0), 11);
    assert_eq!(with_another_type::f(1), 21);
    assert_eq!(with_another_value::f(1), "text 1");
}

mod version_1 {
    #[memokit::cached(cache = "file", prefix = "bucketcache version", version = 1, local = false)]
    pub(super) fn f(a: u32) -> u32 {
        a
    }
}

mod version_2 {
    #[memokit::cached(cache = "file", prefix = "bucketcache version", version = 2, local = false)]
    pub(super) fn f(a: u32) -> u32 {
        a * 2
    }
}

/// What no signature shows.
#[test]
fn a_changed_meaning_is_a_new_version() {
    let _file = cache("file");
    assert_eq!((version_1::f(5), version_2::f(5), version_1::f(5)), (5, 10, 5));
}

#[test]
fn ignored_arguments_are_no_part_of_the_key() {
    static RUNS: Runs = Runs::new();
    #[cached(ignore = [log, verbose])]
    fn f(n: u32, log: &mut Vec<u32>, verbose: bool) -> u32 {
        RUNS.up();
        log.push(n);
        if verbose { n } else { n + 1 }
    }
    let mut log = Vec::new();
    assert_eq!((f(1, &mut log, true), f(1, &mut log, false), RUNS.count()), (1, 1, 1));
    assert_eq!(log, [1], "the body ran once");
}

/// `nocache='again'`: there too the value of such a call is stored.
#[test]
fn nocache_runs_the_body_and_stores() {
    static RUNS: Runs = Runs::new();
    #[cached(refresh = again)]
    fn f(n: u32, again: bool) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1, false), f(1, false)), (11, 11));
    assert_eq!((f(1, true), f(1, false)), (12, 12));
}

/// What the word promises: neither looked up nor stored.
#[test]
fn bypass_runs_the_body_and_stores_nothing() {
    static RUNS: Runs = Runs::new();
    #[cached(bypass = nocache)]
    fn f(n: u32, nocache: bool) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1, true), f(1, false), f(1, true), f(1, false)), (11, 12, 13, 12));
}

/// `method=True`: instances of equal state share their entries.
#[test]
fn methods_of_equal_instances_share_entries() {
    static RUNS: Runs = Runs::new();
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Rectangle {
        sides: [u32; 2],
    }
    impl Rectangle {
        #[cached]
        fn area(&self, unit: &str) -> String {
            RUNS.up();
            format!("{}{unit}", self.sides[0] * self.sides[1])
        }
    }
    let of = |a, b| Rectangle { sides: [a, b] };
    assert_eq!((of(2, 3).area("m"), of(2, 3).area("m"), RUNS.count()), ("6m".into(), "6m".into(), 1));
    assert_eq!((of(3, 2).area("m"), RUNS.count()), ("6m".into(), 2));
}

/// `_getsate_bucketcache_`: what of an instance counts.
#[test]
fn a_part_of_self_can_be_the_key() {
    struct Connection {
        host: String,
        sent: AtomicU32,
    }
    impl Connection {
        #[cached(key = (self.host, path))]
        fn get(&self, path: &str) -> String {
            format!("{}{path} {}", self.host, self.sent.fetch_add(1, SeqCst))
        }
    }
    let to = |host: &str| Connection { host: host.to_owned(), sent: AtomicU32::new(0) };
    let connection = to("a");
    assert_eq!((connection.get("/"), connection.get("/")), ("a/ 0".into(), "a/ 0".into()));
    assert_eq!((to("a").get("/"), to("b").get("/")), ("a/ 0".into(), "b/ 0".into()));
}

/// There with `@bucket` over or under `@property`, which is told apart.
#[test]
fn getters_are_properties() {
    static RUNS: Runs = Runs::new();
    struct Report {
        year: u32,
    }
    impl Report {
        #[cached(key = self.year)]
        fn total(&self) -> u32 {
            self.year + RUNS.up()
        }
    }
    let report = Report { year: 2000 };
    assert_eq!((report.total(), report.total()), (2001, 2001));
    assert!(report.total_invalidate());
    assert_eq!(report.total(), 2002);
}

/// There, a body that changes its arguments is an error after its value was stored under the old key. Here arguments by
/// reference can't be changed, and those by value are a key by what they were at the call.
#[test]
fn a_body_may_change_its_own_arguments() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(mut list: Vec<u32>) -> usize {
        RUNS.up();
        list.push(9);
        list.len()
    }
    assert_eq!((f(vec![1]), f(vec![1]), RUNS.count()), (2, 2, 1));
    assert!(!f::contains(vec![1, 9]));
}

type Seen = (u32, u64, u64, Duration);
static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

struct Reader {
    id: u32,
}

impl Reader {
    #[cached(timeout = 10, key = (self.id, page), on_hit = see)]
    fn read(&self, page: u64) -> u64 {
        u64::from(self.id) * 100 + page
    }
}

fn see(call: &CallInfo<'_>, (reader, page): (&Reader, &u64), returned: &u64) {
    assert!(call.function().ends_with("::read") && call.level() == Some(Level::Local));
    SEEN.lock().unwrap().push((reader.id, *page, *returned, call.time_to_expiry().unwrap()));
}

/// `@f.callback`: of hits alone, with the arguments, the instance, the value and the time of expiry.
#[test]
fn a_callback_is_told_of_hits_only() {
    let clock = MockClock::install();
    let reader = Reader { id: 7 };
    reader.read(1);
    assert!(SEEN.lock().unwrap().is_empty());
    clock.advance(3 * SECOND);
    reader.read(1);
    assert_eq!(*SEEN.lock().unwrap(), [(7, 1, 701, 7 * SECOND)]);
}

/// There, an exception that is no fault of the cache goes to the caller.
#[test]
fn a_panic_of_the_body_goes_to_the_caller() {
    #[cached]
    fn f(n: u32) -> u32 {
        assert!(n > 1, "n is {n}");
        n
    }
    let panic = std::panic::catch_unwind(|| f(1)).unwrap_err();
    assert_eq!(panic.downcast_ref::<String>().unwrap(), "n is 1");
    assert_eq!((f(2), f::contains(1)), (2, false));
}

/// There, signature and docs of the function stay visible.
#[test]
fn the_function_stays_a_function() {
    /// Adds.
    #[must_use]
    #[cached]
    fn add(a: u32, b: u32) -> u32 {
        a + b
    }
    let pointer: fn(u32, u32) -> u32 = add;
    assert_eq!((pointer(1, 2), [1, 2].map(|n| add(n, 1))), (3, [2, 3]));
}
