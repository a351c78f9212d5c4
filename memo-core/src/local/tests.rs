//! The typed door and what stands behind it, through the operations that memos use.

use super::engine::SWEEP_AFTER;
use super::*;
use crate::epoch;
use foldhash::fast::FixedState;
use std::hash::BuildHasher;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::Arc;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "keys are passed so")]
fn hash(key: &u32) -> u64 {
    FixedState::default().hash_one(key)
}

fn fresh<V>(value: V) -> Entry<V> {
    Entry { value, created: clock::now(), deadline: Tick::NEVER, marks: None }
}

/// Stores an entry; how many were evicted.
fn store<V: Clone + Send + Sync + 'static>(local: &Local<u32, V>, key: u32, entry: Entry<V>) -> usize {
    let pin = epoch::pin();
    let evicted = local.engine().insert(&pin, hash(&key), local.node(hash(&key), key, entry, Duration::ZERO)).evicted();
    drop(pin);
    local.engine().free_sometimes(hash(&key));
    evicted
}

fn found<V: Clone + Send + Sync + 'static>(local: &Local<u32, V>, key: u32) -> Option<V> {
    match local.get(&epoch::pin(), hash(&key), &key) {
        Looked::Fresh(entry) => Some(entry.value),
        Looked::Expired | Looked::Nothing => None,
    }
}

fn removed<V: Clone + Send + Sync + 'static>(local: &Local<u32, V>, hash: u64, key: u32) -> bool {
    local.engine().remove(&epoch::pin(), hash, &key, &|_| true).is_some()
}

fn bounded<V: Clone + Send + Sync + 'static>(capacity: usize) -> Local<u32, V> {
    Local::new(Bound::Entries(NonZeroUsize::new(capacity).expect("not zero")), None, false)
}

#[test]
fn without_a_capacity_nothing_is_evicted() {
    let local = Local::new(Bound::None, None, false);
    for key in 0..50_000 {
        assert_eq!(store(&local, key, fresh(key)), 0);
    }
    assert_eq!(local.engine().len(), 50_000);
    assert!((0..50_000).all(|key| found(&local, key) == Some(key)));
    assert!((50_000..60_000).all(|key| found(&local, key).is_none()));
}

#[test]
fn a_capacity_bounds_the_entries_and_is_used() {
    for capacity in [1, 2, 3, 7, 100, 5_000, 10_000, 100_000] {
        let local = bounded(capacity);
        for key in 0..2 * u32::try_from(capacity).expect("small") + 100 {
            store(&local, key, fresh(key));
            assert!(local.engine().len() <= capacity, "{} entries with a capacity of {capacity}", local.engine().len());
        }
        assert!(
            local.engine().len() == capacity,
            "only {} entries with a capacity of {capacity}",
            local.engine().len()
        );
        let found = (0..2 * u32::try_from(capacity).expect("small") + 100).filter(|key| found(&local, *key).is_some());
        assert_eq!(found.count(), capacity);
    }
}

#[test]
fn what_is_evicted_is_told_once() {
    let local = bounded(10);
    let mut told = Vec::new();
    for key in 0..100 {
        let pin = epoch::pin();
        let went = local.engine().insert(&pin, hash(&key), local.node(hash(&key), key, fresh(key), Duration::ZERO));
        went.tell(&mut |seen, cause| told.push((*local.gone(seen, cause).key, *local.gone(seen, cause).value)));
    }
    told.extend((0..100).filter(|key| found(&local, *key).is_some()).map(|key| (key, key)));
    told.sort_unstable();
    assert_eq!(told, (0..100).map(|key| (key, key)).collect::<Vec<_>>());
}

#[test]
fn expired_entries_are_swept_out_as_others_are_stored() {
    let local = Local::new(Bound::None, None, false);
    for key in 0..u32::try_from(SWEEP_AFTER).expect("small") {
        store(&local, key, Entry { value: 0, created: clock::now(), deadline: clock::now(), marks: None });
    }
    local.engine().sweep_sometimes(&epoch::pin(), &mut |_| ());
    assert_eq!(local.engine().len(), 0);
}

#[test]
fn a_sweep_whose_table_is_replaced_leaves_nothing_behind() {
    let local = Local::new(Bound::Weight(NonZeroU64::MAX), Some(|_: &u32| 1), false);
    let (expired, engine) = (clock::now(), local.engine());
    let store = |hash: u64, key: u32| {
        let entry = Entry { value: 0, created: expired, deadline: expired, marks: None };
        drop(engine.insert(&epoch::pin(), hash, local.node(hash, key, entry, Duration::ZERO)));
    };
    // In all parts of a table, more than are looked at under one pin.
    (0..10_000).for_each(|key| store(u64::from(key) << 18, key));
    let mut first = engine.sweep(expired);
    while engine.len() > 0 {
        assert!(first.some(&epoch::pin()).is_some());
    }
    // At the end of the table, which the first one has passed and the second one has not reached.
    store(u64::from(u32::MAX), 10_000);
    let mut second = engine.sweep(expired);
    assert!(second.some(&epoch::pin()).is_some_and(|some| some.is_empty()));
    let room = engine.room();
    while first.some(&epoch::pin()).is_some() {}
    assert!(engine.room() < room / 8, "it gives memory back");
    while second.some(&epoch::pin()).is_some() {}
    let mut third = engine.sweep(expired);
    while third.some(&epoch::pin()).is_some() {}
    assert_eq!(engine.len(), 0);
}

#[test]
fn a_sweep_that_ends_too_early_is_taken_up_again() {
    let local = Local::new(Bound::None, None, false);
    let expired = clock::now();
    for key in 0..10_000 {
        store(&local, key, Entry { value: 0, created: expired, deadline: expired, marks: None });
    }
    assert!(local.engine().sweep(expired).some(&epoch::pin()).is_some(), "and what used it panicked");
    assert!(local.engine().len() > 0 && local.engine().earliest() <= expired);
    let mut sweep = local.engine().sweep(expired);
    while sweep.some(&epoch::pin()).is_some() {}
    assert_eq!(local.engine().len(), 0);
}

#[test]
fn a_new_entry_takes_the_place_of_the_old_one() {
    for local in [bounded(4), Local::new(Bound::None, None, false)] {
        for round in 0..100 {
            for key in 0..4 {
                assert_eq!(store(&local, key, fresh(round)), 0);
            }
        }
        assert_eq!(local.engine().len(), 4);
        assert!((0..4).all(|key| found(&local, key) == Some(99)));
    }
}

#[test]
fn removed_entries_are_gone_and_others_stay() {
    let local = bounded(5_000);
    for key in 0..5_000 {
        store(&local, key, fresh(key));
    }
    for key in (0..5_000).step_by(2) {
        assert!(removed(&local, hash(&key), key));
        assert!(!removed(&local, hash(&key), key), "twice");
    }
    assert_eq!(local.engine().len(), 2_500);
    assert!((0..5_000).all(|key| found(&local, key) == (key % 2 == 1).then_some(key)));
    for key in (0..5_000).step_by(2) {
        assert_eq!(store(&local, key, fresh(key)), 0, "there was room for {key}");
    }
    assert!((0..5_000).all(|key| found(&local, key) == Some(key)));
}

#[test]
fn memory_returns_with_the_entries() {
    for local in [
        bounded(50_000),
        Local::new(Bound::None, None, false),
        Local::new(Bound::Entries(NonZeroUsize::new(50_000).expect("not zero")), None, true),
    ] {
        for key in 0..50_000 {
            store(&local, key, fresh(key));
        }
        assert!(local.engine().room() >= 50_000);
        for key in 0..50_000 {
            removed(&local, hash(&key), key);
        }
        for key in 0..100 {
            store(&local, key, fresh(key));
        }
        local.engine().clear(&epoch::pin());
        assert!(local.engine().room() <= 100, "room for {}", local.engine().room());
        for key in 0..1_000 {
            store(&local, key, fresh(key));
        }
        assert!((0..1_000).all(|key| found(&local, key) == Some(key)));
    }
}

#[test]
fn keys_of_one_hash_are_kept_apart() {
    let local = Local::<u32, u32>::new(Bound::None, None, false);
    for key in 0..300 {
        let pin = epoch::pin();
        local.engine().insert(&pin, 7, local.node(7, key, fresh(key), Duration::ZERO));
    }
    let get = |key: u32| match local.get(&epoch::pin(), 7, &key) {
        Looked::Fresh(entry) => Some(entry.value),
        _ => None,
    };
    assert!((0..300).all(|key| get(key) == Some(key)));
    assert!((0..300).step_by(3).all(|key| removed(&local, 7, key)));
    assert!((0..300).all(|key| get(key) == (key % 3 != 0).then_some(key)));
}

#[test]
fn values_are_dropped_when_their_entry_goes() {
    let value = Arc::new(());
    let local = bounded(100);
    let stored = || Arc::strong_count(&value) - 1;
    for key in 0..1_000 {
        store(&local, key, fresh(Arc::clone(&value)));
        // Other tests read at the same time, so what is removed may wait.
        assert!(stored() >= 100.min(key as usize + 1));
    }
    let pin = epoch::pin();
    local.engine().clear(&pin);
    assert_eq!(local.engine().len(), 0);
    local.engine().free_now();
    assert!(stored() >= 100, "what is being read is freed");
    drop(pin);
    let wait = || {
        std::thread::yield_now();
        local.engine().free_now();
        stored() == 0
    };
    assert!((0..1_000_000).any(|_| wait()), "{} are left", stored());
}

#[test]
fn a_local_level_that_goes_drops_what_it_holds() {
    let value = Arc::new(());
    let local = bounded(100);
    for key in 0..1_000 {
        store(&local, key, fresh(Arc::clone(&value)));
    }
    drop(local);
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn weights_are_bounded_together() {
    let local = Local::new(Bound::Weight(NonZeroU64::new(1_000).expect("not zero")), Some(|value: &u64| *value), false);
    for key in 0..1_000 {
        store(&local, key, fresh(u64::from(key % 90)));
        assert!(local.weight() <= 1_000);
    }
    assert!(local.weight() > 900, "{}", local.weight());
    store(&local, 1, fresh(1_000));
    assert_eq!((local.engine().len(), found(&local, 1)), (1, Some(1_000)), "all of the bound is for whatever comes");
    let pin = epoch::pin();
    let too_heavy = local.engine().insert(&pin, hash(&1), local.node(hash(&1), 1, fresh(1_001), Duration::ZERO));
    assert!(too_heavy.is_too_heavy());
    assert_eq!((local.engine().len(), local.weight()), (0, 0), "nor is what it would have replaced served any more");
}

#[test]
fn weights_may_be_as_large_as_they_can_be_told() {
    for by_cost in [false, true] {
        let bound = Bound::Weight(NonZeroU64::MAX);
        let local = Local::new(bound, Some(|value: &u64| *value), by_cost);
        for round in 0..20 {
            for key in 0..10 {
                store(&local, key, fresh((1 << 60) + round));
                found(&local, key);
            }
        }
        assert_eq!((local.engine().len(), local.weight() >> 60), (7, 7), "by cost: {by_cost}");
    }
}

/// Calls of a function with these keys, each of which loads what is not there; how many were hits.
fn hits(local: &Local<u32, u32>, keys: impl IntoIterator<Item = u32>) -> usize {
    let mut hits = 0;
    for key in keys {
        match found(local, key) {
            Some(_) => hits += 1,
            None => _ = store(local, key, fresh(key)),
        }
    }
    hits
}

#[test]
fn a_loop_over_more_than_there_is_room_for_hits_all_the_same() {
    let local = bounded(500);
    let rounds = |n: u32| (0..n).flat_map(|_| 0..1_000);
    hits(&local, rounds(10));
    let hits = hits(&local, rounds(10));
    assert!(hits > 4_000, "{hits} of 10,000, of which 5,000 can be");
}

#[test]
fn a_scan_does_not_empty_what_is_in_use() {
    let local = bounded(1_000);
    let working = |n: u32| (0..n).flat_map(|_| 0..500);
    hits(&local, working(10));
    hits(&local, 10_000..30_000);
    let hits = hits(&local, working(1));
    assert!(hits > 450, "{hits} of 500 are left");
}

#[test]
fn what_is_used_now_takes_the_place_of_what_was() {
    let local = bounded(1_000);
    let working = |first: u32, n: u32| (0..n).flat_map(move |_| first..first + 900);
    hits(&local, working(0, 20));
    hits(&local, working(10_000, 20));
    let hits = hits(&local, working(10_000, 1));
    assert!(hits > 850, "{hits} of 900");
}

#[test]
fn an_entry_that_is_loaded_again_is_worth_what_that_cost() {
    let local = Local::new(Bound::Entries(NonZeroUsize::new(10).expect("not zero")), None, true);
    let load = |key: u32, cost: Duration| {
        let pin = epoch::pin();
        drop(local.engine().insert(&pin, hash(&key), local.node(hash(&key), key, fresh(key), cost)));
    };
    let (dear, cheap) = (Duration::from_millis(100), Duration::from_micros(1));
    (0..10).for_each(|key| load(key, if key == 3 { cheap } else { dear }));
    load(3, dear);
    load(4, cheap);
    (10..13).for_each(|key| load(key, dear));
    assert_eq!((found(&local, 3), found(&local, 4)), (Some(3), None));
}

#[test]
fn readers_and_writers_meet() {
    #[derive(Clone)]
    struct Whole(Box<u32>, Box<u32>);
    let local = bounded::<Whole>(500);
    let rounds = if cfg!(debug_assertions) { 20_000 } else { 200_000 };
    std::thread::scope(|scope| {
        for thread in 0..4_u32 {
            let local = &local;
            scope.spawn(move || {
                let mut random = thread + 1;
                for _ in 0..rounds {
                    random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let key = (random >> 16) % 1_000;
                    match random >> 8 & 7 {
                        0 => _ = removed(local, hash(&key), key),
                        1 | 2 => _ = store(local, key, fresh(Whole(Box::new(key), Box::new(!key)))),
                        _ => {
                            if let Some(Whole(one, other)) = found(local, key) {
                                assert_eq!((*one, *other), (key, !key));
                            }
                        }
                    }
                }
            });
        }
    });
    assert!(local.engine().len() <= 500);
}

#[cfg(feature = "shared")]
#[test]
fn entries_in_front_of_a_cache_are_void_by_their_names_whoever_stored_them() {
    use crate::invalidations::{Name, latest, record};
    use crate::tags::Tags;

    let names = |key: u32, link| [Name::key(&format!("local:{key}")), Name::function("local:"), Name::link(link)];
    let marked =
        |key, link, tags: Tags| Entry { marks: Marks::new(latest(), Some(names(key, link)), tags), ..fresh(key) };
    let local = bounded(100);
    // Of two caches, since a name may be given to another one.
    let fill = || {
        for key in 0..30 {
            let tags = if key % 3 == 2 { ["local"].into_iter().collect() } else { Tags::default() };
            // Some can expire, which makes them of another kind.
            let deadline = if key % 5 == 0 { clock::now().after(Duration::from_secs(3600)) } else { Tick::NEVER };
            store(&local, key, Entry { deadline, ..marked(key, 1_000_000 + u64::from(key % 2), tags) });
        }
    };
    let there = || (0..30).filter(|key| found(&local, *key) == Some(*key)).collect::<Vec<u32>>();
    let all: Vec<u32> = (0..30).collect();
    fill();
    assert_eq!(there(), all);
    record([Name::key("local:7"), Name::key("local:8")]);
    assert_eq!(there(), all.iter().copied().filter(|key| ![7, 8].contains(key)).collect::<Vec<_>>());
    for (void, left) in [
        (Name::link(1_000_001), all.iter().copied().filter(|key| key % 2 == 0).collect::<Vec<_>>()),
        (Name::link(1_000_000), all.iter().copied().filter(|key| key % 2 == 1).collect()),
        (Name::tag("local"), all.iter().copied().filter(|key| key % 3 != 2).collect()),
        (Name::function("local:"), Vec::new()),
    ] {
        fill();
        record([void]);
        assert_eq!(there(), left);
        assert_eq!(local.engine().len(), 30, "they go when they are asked for or replaced");
    }
}
