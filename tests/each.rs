//! `each`: a function of several ids has an entry for each of them, and runs its body for those that are missing.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::unnecessary_wraps, clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::needless_pass_by_value, reason = "samples of what users write")]

use memokit::cached;
use std::collections::{BTreeMap, HashMap};
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};

/// The ids that each run of a body was given.
type Runs<I = u64> = Mutex<Vec<Vec<I>>>;

fn ran<I: Clone>(runs: &Runs<I>, ids: &[I]) {
    runs.lock().unwrap().push(ids.to_vec());
}

/// The runs since the last call of this.
fn runs<I>(runs: &Runs<I>) -> Vec<Vec<I>> {
    std::mem::take(&mut runs.lock().unwrap())
}

fn map<const N: usize>(ids: [u64; N]) -> HashMap<u64, u64> {
    ids.into_iter().map(|id| (id, id * id)).collect()
}

#[test]
fn the_body_runs_once_for_the_ids_that_are_missing() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    assert_eq!(squares(&[3, 1]), map([1, 3]));
    assert_eq!(squares(&[1, 2, 3, 4]), map([1, 2, 3, 4]));
    assert_eq!(squares(&[4, 3, 2, 1]), map([1, 2, 3, 4]));
    assert_eq!(runs(&RUNS), [vec![3, 1], vec![2, 4]], "in the order in which they were asked for");
    let stats = squares::stats();
    assert_eq!((stats.local_hits, stats.misses, stats.loads, stats.entries), (6, 4, 4, 4), "each id counts");
}

#[tokio::test]
async fn so_does_an_async_one() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    async fn squares(ids: &[u64]) -> HashMap<u64, u64> {
        tokio::task::yield_now().await;
        ran(&RUNS, ids);
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    assert_eq!(squares(&[3, 1]).await, map([1, 3]));
    let task = tokio::spawn(async { squares(&[1, 2]).await });
    assert_eq!(task.await.unwrap(), map([1, 2]), "its future can be sent");
    assert_eq!(squares(&[2, 3]).await, map([2, 3]));
    assert_eq!(runs(&RUNS), [vec![3, 1], vec![2]]);
}

#[test]
fn an_id_that_is_named_twice_is_loaded_once() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids, single_flight = false)]
    fn apart(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    assert_eq!(squares(&[2, 1, 2, 2, 1]), map([1, 2]));
    assert_eq!(apart(&[2, 1, 2, 2, 1]), map([1, 2]));
    assert_eq!(runs(&RUNS), [vec![2, 1], vec![2, 1]]);
    assert_eq!((squares::stats().misses, apart::stats().misses), (2, 2));
    squares::refresh(&[1, 1, 1]);
    assert_eq!(runs(&RUNS), [vec![1]]);
}

#[test]
fn no_ids_run_no_body() {
    #[cached(each = ids)]
    fn never(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
        Err(format!("{ids:?}"))
    }
    assert_eq!(never(&[]), Ok(HashMap::new()));
    assert_eq!(never::refresh(&[]), Ok(HashMap::new()));
    assert!(!never::invalidate(&[]) && never::contains(&[]), "all of none");
    assert_eq!(never::peek(&[]), HashMap::new());
}

#[test]
fn an_id_without_a_value_is_looked_for_again() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    fn even(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        ids.iter().filter(|id| *id % 2 == 0).map(|id| (*id, id * id)).collect()
    }
    assert_eq!(even(&[1, 2]), map([2]));
    assert_eq!(even(&[1, 2]), map([2]));
    assert_eq!(runs(&RUNS), [vec![1, 2], vec![1]]);
    assert!(even::contains(&[2]) && !even::contains(&[1, 2]));
}

#[test]
fn with_cache_none_it_is_remembered_that_there_is_no_value() {
    static RUNS: Runs = Mutex::new(Vec::new());
    static ALL: AtomicBool = AtomicBool::new(false);
    #[cached(each = ids, cache_none = true)]
    fn even(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        ids.iter().filter(|id| *id % 2 == 0 || ALL.load(SeqCst)).map(|id| (*id, id * id)).collect()
    }
    assert_eq!(even(&[1, 2]), map([2]));
    ALL.store(true, SeqCst);
    assert_eq!(even(&[1, 2]), map([2]));
    assert_eq!(even::stats().local_hits, 2);
    assert!(even::contains(&[1, 2]), "what is known of 1 is that it is not there");
    assert_eq!(even::peek(&[1, 2]), map([2]));
    assert!(even::invalidate(&[1]));
    assert_eq!(even(&[1, 2]), map([1, 2]));
    assert_eq!(runs(&RUNS), [vec![1, 2], vec![1]]);
}

#[test]
fn what_nobody_asked_for_is_neither_returned_nor_stored() {
    #[cached(each = ids)]
    fn generous(ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().flat_map(|id| [(*id, id * id), (id + 100, 0)]).collect()
    }
    assert_eq!(generous(&[1, 2]), map([1, 2]));
    assert_eq!(generous::peek(&[1, 2, 101, 102]), map([1, 2]));
}

#[test]
fn an_error_stores_nothing() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> std::io::Result<HashMap<u64, u64>> {
        ran(&RUNS, ids);
        if FAILS.load(SeqCst) {
            return Err(std::io::Error::other("down"));
        }
        Ok(ids.iter().map(|id| (*id, id * id)).collect())
    }
    assert_eq!(squares(&[1]).unwrap(), map([1]));
    FAILS.store(true, SeqCst);
    assert_eq!(squares(&[1, 2, 3]).unwrap_err().to_string(), "down");
    assert_eq!(squares(&[1]).unwrap(), map([1]), "what was there stays");
    assert!(squares::refresh(&[1]).is_err());
    FAILS.store(false, SeqCst);
    assert_eq!(squares(&[1, 2, 3]).unwrap(), map([1, 2, 3]));
    assert_eq!(runs(&RUNS), [vec![1], vec![2, 3], vec![1], vec![2, 3]]);
    let stats = squares::stats();
    assert_eq!((stats.loads, stats.load_errors), (6, 3), "{stats:?}");
}

#[test]
fn a_panic_leaves_nothing_behind() {
    static PANICS: AtomicBool = AtomicBool::new(true);
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> HashMap<u64, u64> {
        assert!(!PANICS.load(SeqCst), "the body fails");
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    assert!(catch_unwind(|| squares(&[1, 2])).is_err());
    PANICS.store(false, SeqCst);
    assert_eq!(squares(&[1, 2]), map([1, 2]));
}

#[test]
fn other_arguments_are_part_of_every_key_unless_they_are_ignored() {
    struct Database(u64);
    #[cached(each = ids, ignore = database)]
    fn prices(database: &mut Database, shop: &str, ids: &[u64], currency: String) -> BTreeMap<u64, String> {
        database.0 += 1;
        ids.iter().map(|id| (*id, format!("{shop} {id} {currency}"))).collect()
    }
    let mut database = Database(0);
    let mut ask = |shop: &str, ids: &[u64], currency: &str| {
        let values: Vec<String> = prices(&mut database, shop, ids, currency.into()).into_values().collect();
        (values.join(", "), database.0)
    };
    assert_eq!(ask("a", &[1, 2], "EUR"), ("a 1 EUR, a 2 EUR".into(), 1));
    assert_eq!(ask("a", &[1], "USD"), ("a 1 USD".into(), 2));
    assert_eq!(ask("b", &[1], "EUR"), ("b 1 EUR".into(), 3));
    assert_eq!(ask("a", &[2, 1], "EUR"), ("a 1 EUR, a 2 EUR".into(), 3));
    assert!(prices::invalidate(&mut Database(0), "a", &[2], "EUR".into()));
    assert_eq!(ask("a", &[2, 1], "EUR"), ("a 1 EUR, a 2 EUR".into(), 4));
    let price = BTreeMap::from([(9, String::from("given"))]);
    prices::put(&mut Database(0), "a", "EUR".into(), price);
    assert_eq!(ask("a", &[9], "EUR"), ("given".into(), 4));
}

#[test]
fn extra_is_part_of_every_key() {
    static TENANT: AtomicU64 = AtomicU64::new(1);
    #[cached(each = ids, extra = TENANT.load(SeqCst))]
    fn of_tenant(ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, TENANT.load(SeqCst))).collect()
    }
    assert_eq!(of_tenant(&[7]), HashMap::from([(7, 1)]));
    TENANT.store(2, SeqCst);
    assert_eq!(of_tenant(&[7]), HashMap::from([(7, 2)]));
    assert_eq!(of_tenant::stats().misses, 2);
}

#[test]
fn invalidations_are_of_ids_or_of_all() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    squares(&[1, 2, 3]);
    assert!(squares::invalidate(&[2, 9]), "one of them was there");
    assert!(!squares::invalidate(&[2, 9]));
    squares(&[1, 2, 3]);
    squares::invalidate_all();
    assert_eq!(squares::stats().entries, 0);
    squares(&[1, 2, 3]);
    assert_eq!(runs(&RUNS), [vec![1, 2, 3], vec![2], vec![1, 2, 3]]);
}

#[test]
fn a_refresh_loads_all_its_ids_and_drops_what_is_no_longer_there() {
    static SOURCE: AtomicU64 = AtomicU64::new(1);
    #[cached(each = ids)]
    fn source(ids: &[u64]) -> HashMap<u64, u64> {
        let now = SOURCE.load(SeqCst);
        ids.iter().filter(|id| **id >= now).map(|id| (*id, now)).collect()
    }
    assert_eq!(source(&[1, 2, 3]), HashMap::from([(1, 1), (2, 1), (3, 1)]));
    SOURCE.store(2, SeqCst);
    assert_eq!(source::refresh(&[1, 2]), HashMap::from([(2, 2)]));
    assert_eq!(source::peek(&[1, 2, 3]), HashMap::from([(2, 2), (3, 1)]));
    assert_eq!(source::stats().refreshes, 2);
}

#[test]
fn values_that_are_put_are_hits() {
    #[cached(each = ids, cache_if = |square| *square > 1)]
    fn squares(ids: &[u64]) -> Result<HashMap<u64, u64>, String> {
        Err(format!("{ids:?}"))
    }
    squares::put(map([1, 2, 3]));
    assert_eq!(squares(&[3, 1]), Ok(map([1, 3])));
    assert_eq!(squares::stats().loads, 0);
    assert_eq!(squares(&[3, 4]), Err("[4]".into()));
}

/// As a type of its own, whose name does not show what it is.
type Answer<T> = Result<HashMap<u64, T>, String>;

#[test]
fn under_an_alias_peek_and_put_are_of_the_whole_result() {
    #[cached(each = ids)]
    fn squares(ids: &[u64]) -> Answer<u64> {
        ids.iter().map(|id| if *id > 9 { Err("too large".into()) } else { Ok((*id, id * id)) }).collect()
    }
    assert_eq!(squares(&[1, 2]), Ok(map([1, 2])));
    assert_eq!(squares(&[2, 10]), Err("too large".into()));
    squares::put(Ok(map([10])));
    squares::put(Err("nothing".into()));
    assert_eq!(squares::peek(&[1, 10, 11]), Ok(map([1, 10])));
}

#[test]
fn a_body_may_call_its_function_for_the_ids_it_loads() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    fn sums(ids: &[u64]) -> HashMap<u64, u64> {
        ran(&RUNS, ids);
        // Of the ids that are loaded right now, too.
        let smaller: Vec<u64> = ids.iter().filter(|id| **id > 0).map(|id| id - 1).collect();
        let smaller = sums(&smaller);
        ids.iter().map(|id| (*id, id + id.checked_sub(1).map_or(0, |id| smaller[&id]))).collect()
    }
    assert_eq!(sums(&[3, 2]), HashMap::from([(3, 6), (2, 3)]));
    assert_eq!(sums(&[0, 1, 2, 3]), HashMap::from([(0, 0), (1, 1), (2, 3), (3, 6)]));
    assert_eq!(runs(&RUNS)[0], [3, 2]);
}
