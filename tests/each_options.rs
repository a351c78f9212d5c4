//! `each` beside other options: what they say of a value, they say of each. The clock is that of the whole process, hence
//! a binary of its own, in which every test begins by stopping it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use memokit::testing::MockClock;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

type Runs = Mutex<Vec<Vec<u64>>>;

fn squares(runs: &Runs, ids: &[u64]) -> HashMap<u64, u64> {
    runs.lock().unwrap().push(ids.to_vec());
    ids.iter().map(|id| (*id, id * id)).collect()
}

/// The runs since the last call of this.
fn runs(runs: &Runs) -> Vec<Vec<u64>> {
    std::mem::take(&mut runs.lock().unwrap())
}

#[test]
fn each_id_expires_by_itself() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids, timeout = 10)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        squares(&RUNS, ids)
    }
    let clock = MockClock::install();
    load(&[1, 2]);
    clock.advance(5 * SECOND);
    load(&[2, 3]);
    clock.advance(5 * SECOND);
    load(&[1, 2, 3]);
    assert_eq!(runs(&RUNS), [vec![1, 2], vec![3], vec![1, 2]]);
    assert_eq!(load::stats().expired, 2);
    load::set_timeout(SECOND).unwrap();
    load(&[4]);
    clock.advance(SECOND);
    load(&[3, 4]);
    assert_eq!(runs(&RUNS), [vec![4], vec![4]]);
}

#[test]
fn each_value_has_a_time_of_its_own() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids, timeout_with = |square: &u64| (*square < 10).then(|| SECOND * u32::try_from(*square).unwrap()))]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        squares(&RUNS, ids)
    }
    let clock = MockClock::install();
    load(&[1, 2, 9]);
    clock.advance(SECOND);
    load(&[1, 2, 9]);
    assert_eq!(runs(&RUNS), [vec![1, 2, 9], vec![1, 9]]);
}

#[test]
fn what_is_stored_and_what_is_a_hit_is_said_of_each_value() {
    static RUNS: Runs = Mutex::new(Vec::new());
    static LEAST: AtomicU64 = AtomicU64::new(0);
    #[cached(
        each = ids,
        cache_none = true,
        cache_if = |square| square % 2 == 0,
        valid_if = |square| *square >= LEAST.load(SeqCst)
    )]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        let mut all = squares(&RUNS, ids);
        all.remove(&8);
        all
    }
    let _clock = MockClock::install();
    load(&[1, 2, 4, 8]);
    load(&[1, 2, 4, 8]);
    assert_eq!(runs(&RUNS), [vec![1, 2, 4, 8], vec![1]], "1 is not stored, and that there is no 8 is");
    LEAST.store(10, SeqCst);
    assert_eq!(load(&[2, 4, 8]), HashMap::from([(2, 4), (4, 16)]));
    assert_eq!(runs(&RUNS), [vec![2]]);
    assert_eq!(load::stats().refused, 1);
    assert_eq!(load::peek(&[2, 4]), HashMap::from([(4, 16)]));
}

#[test]
fn bounds_are_of_the_entries_of_ids() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids, capacity = 64)]
    fn bounded(ids: &[u64]) -> HashMap<u64, u64> {
        squares(&RUNS, ids)
    }
    #[cached(each = ids, weigh = |square| *square, max_weight = 100, cache_none = true)]
    fn weighed(ids: &[u64]) -> HashMap<u64, u64> {
        let mut all = squares(&RUNS, ids);
        all.remove(&3);
        all
    }
    #[cached(each = ids, capacity = 64, evict = "cost")]
    fn by_cost(ids: &[u64]) -> HashMap<u64, u64> {
        squares(&RUNS, ids)
    }
    let _clock = MockClock::install();
    let ids: Vec<u64> = (0..1_000).collect();
    assert_eq!((bounded(&ids).len(), by_cost(&ids).len()), (1_000, 1_000));
    for stats in [bounded::stats(), by_cost::stats()] {
        assert!(stats.entries <= 64 && stats.evicted >= 900, "{stats:?}");
    }
    assert_eq!(weighed(&[3, 4, 5, 11]).len(), 3);
    let stats = weighed::stats();
    assert_eq!((stats.weight, stats.too_heavy, stats.entries), (1 + 16 + 25, 1, 3), "that there is no 3 weighs 1");
}

#[test]
fn bypass_and_refresh_are_said_of_a_call() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids, bypass = ids.len() > 3, refresh = force)]
    fn load(ids: &[u64], force: bool) -> HashMap<u64, u64> {
        squares(&RUNS, ids)
    }
    let _clock = MockClock::install();
    load(&[1, 2], false);
    load(&[2, 1], true);
    load(&[1, 2, 3, 4], false);
    load(&[1, 2, 3], false);
    assert_eq!(runs(&RUNS), [vec![1, 2], vec![2, 1], vec![1, 2, 3, 4], vec![3]]);
    let stats = load::stats();
    assert_eq!((stats.bypasses, stats.refreshes, stats.local_hits), (1, 2, 2));
}

#[test]
fn a_companion_and_a_version_have_names_of_their_own() {
    #[cached(each = ids, companion = all, version = 2)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, id * id)).collect()
    }
    let _clock = MockClock::install();
    load(&[1]);
    assert!(all::invalidate(&[1]));
}

#[test]
fn tags_of_the_body_are_those_of_each_id_it_loaded() {
    static RUNS: Runs = Mutex::new(Vec::new());
    #[cached(each = ids)]
    fn load(ids: &[u64]) -> HashMap<u64, u64> {
        memokit::tag(format!("with {}", ids[0]));
        squares(&RUNS, ids)
    }
    #[cached]
    fn sum(n: u64) -> u64 {
        load(&[n, n + 1]).values().sum()
    }
    let _clock = MockClock::install();
    assert_eq!((sum(1), sum(3)), (5, 25));
    runs(&RUNS);
    memokit::invalidate_tag("with 1").unwrap();
    assert!(!sum::contains(1) && sum::contains(3));
    load(&[1, 2, 3]);
    assert_eq!(runs(&RUNS), [vec![1, 2]]);
}
