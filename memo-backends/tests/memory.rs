//! The memory cache: the contract of a backend under a mock clock, its bound, and its upkeep.

use memo_backends::MemoryCache;
use memo_core::invalidation::{Invalidation, Loaded, Stored, function_name, tag_name};
use memo_core::testing::{MockClock, conformance};
use memo_core::{Cache, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn keeps_the_contract() {
    let clock = MockClock::install();
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new());
    conformance::check(&cache, &mut |span| clock.advance(span), &conformance::block_on);
}

#[test]
fn keeps_the_contract_with_a_bound() {
    let clock = MockClock::install();
    let cache = Arc::new(MemoryCache::builder().max_bytes(16 << 20).build());
    let shared: Arc<dyn Cache> = cache.clone();
    conformance::check(&shared, &mut |span| clock.advance(span), &conformance::block_on);
    assert!(cache.is_empty());
}

#[test]
fn stays_within_its_bound() -> Result<(), memo_core::Error> {
    let cache = MemoryCache::builder().max_bytes(100_000).build();
    for number in 0..5_000 {
        let key = number.to_string();
        cache.set(&key, &[7; 500], None)?;
        assert!(cache.bytes() <= 100_000, "{} bytes", cache.bytes());
        assert!(cache.get(&key)?.is_some(), "what was just stored is not the one to go");
    }
    assert!(cache.len() > 120, "{} entries", cache.len());
    let kept = (4_500..5_000).filter(|number| matches!(cache.get(&number.to_string()), Ok(Some(_)))).count();
    assert!(kept * 10 > cache.len() * 8, "the oldest go first: {kept} of {} are of the last 500", cache.len());
    Ok(())
}

#[test]
fn an_entry_over_the_bound_is_refused_and_changes_nothing() -> Result<(), memo_core::Error> {
    let cache = MemoryCache::builder().max_bytes(1_000).build();
    cache.set("k", b"old", None)?;
    let error = cache.set("k", &[0; 2_000], None).expect_err("twice the bound");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(cache.get("k")?.as_deref(), Some(&b"old"[..]));
    let loaded = |key, bytes| Loaded { key, bytes, timeout: None, since: 0 };
    let stored = cache.store_many(&[loaded("a", b"1"), loaded("b", &[0; 2_000]), loaded("c", b"3")]);
    assert_eq!(stored.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
    // One that fits only alone drives out the others.
    cache.set("large", &[0; 800], None)?;
    assert_eq!(cache.get("k")?, None);
    assert!(cache.get("large")?.is_some());
    Ok(())
}

#[test]
fn expired_entries_do_not_stay() -> Result<(), memo_core::Error> {
    let clock = MockClock::install();
    let cache = MemoryCache::new();
    for number in 0..1_000 {
        cache.set(&number.to_string(), &[0; 1_000], Some(Duration::from_secs(1)))?;
    }
    assert_eq!(cache.len(), 1_000);
    clock.advance(Duration::from_secs(2));
    assert!(cache.is_empty());
    for number in 0..1_000 {
        cache.set(&format!("new {number}"), b"v", None)?;
    }
    assert!(cache.bytes() < 200_000, "{} bytes after as many writes as there were entries", cache.bytes());
    Ok(())
}

#[test]
fn a_visitor_may_take_its_time() -> Result<(), memo_core::Error> {
    let cache = MemoryCache::new();
    cache.set("k", b"lent", None)?;
    let mut seen = Vec::new();
    cache.read("k", memo_core::Want::Bytes, &mut |found| {
        // Writers of the same key do not wait for a reader that is still looking.
        std::thread::scope(|scope| scope.spawn(|| cache.set("k", b"new", None)).join())
            .expect("the writer ended")
            .expect("the writer stored");
        seen = found.bytes.to_vec();
    })?;
    assert_eq!(seen, b"lent");
    assert_eq!(cache.get("k")?.as_deref(), Some(&b"new"[..]));
    Ok(())
}

#[test]
fn an_invalidation_voids_what_it_names_and_nothing_else() -> Result<(), memo_core::Error> {
    let cache = MemoryCache::new();
    assert_eq!(cache.records(&["t:a"], 0)?.numbers, [0], "never");
    let (a, b) = (tag_name("a"), tag_name("b"));
    let first = cache.invalidate(&Invalidation { names: &[&a], ..Invalidation::default() })?.sequence;
    let second = cache.invalidate(&Invalidation { names: &[&b], ..Invalidation::default() })?.sequence;
    let records = cache.records(&[&a, &b, "t:c"], second)?;
    assert_eq!((records.sequence, records.numbers), (second, vec![first, second, 0]));
    Ok(())
}

#[test]
fn invalidating_a_function_frees_its_entries() -> Result<(), memo_core::Error> {
    let cache = MemoryCache::new();
    for key in ["memo:f:0:1", "memo:f:0:2", "memo:fg:0:1"] {
        cache.set(key, b"v", None)?;
    }
    let name = function_name("memo:f:0:");
    let done = cache.invalidate(&Invalidation { names: &[&name], ..Invalidation::default() })?;
    assert_eq!(done.removed, 0, "keys alone are counted");
    assert_eq!(cache.len(), 1);
    assert!(cache.get("memo:fg:0:1")?.is_some());
    Ok(())
}

#[test]
fn what_is_remembered_of_invalidations_is_bounded_and_ends() -> Result<(), memo_core::Error> {
    let clock = MockClock::install();
    let cache = MemoryCache::builder().max_bytes(1 << 20).build();
    let keep = Duration::from_secs(60);
    let numbers: Vec<u64> = (0..5_000)
        .map(|number| {
            let (key, tag) = (format!("k{number}"), tag_name(&number.to_string()));
            let done =
                cache.invalidate(&Invalidation { keys: &[&key], names: &[&tag], keep, ..Invalidation::default() });
            done.map(|done| done.sequence)
        })
        .collect::<Result<_, _>>()?;
    for (position, number) in numbers.iter().enumerate() {
        let stored = cache.store(&format!("k{position}"), b"old", None, number - 1)?;
        assert!(matches!(stored, Stored::Refused { sequence } if sequence >= *number), "{position}: {stored:?}");
        assert!(cache.records(&[&tag_name(&position.to_string())], 0)?.numbers[0] >= *number);
    }
    assert_eq!(cache.bytes(), 0, "no entry");
    // The youngest tombstones were kept by name; their time ends.
    assert_eq!(cache.store("another", b"v", None, 4_999)?, Stored::Stored);
    clock.advance(keep);
    assert_eq!(cache.store("k4999", b"v", None, 4_998)?, Stored::Stored);
    Ok(())
}

#[test]
fn a_clear_of_everything_is_no_reason_to_forget_invalidations() -> Result<(), memo_core::Error> {
    let _clock = MockClock::install();
    let cache = MemoryCache::new();
    cache.set("k", b"v", None)?;
    let tag = tag_name("a");
    let what =
        Invalidation { names: &[&tag], keys: &["gone"], keep: Duration::from_secs(1), ..Invalidation::default() };
    let sequence = cache.invalidate(&what)?.sequence;
    assert_eq!(cache.clear("")?, 1);
    assert_eq!(cache.records(&[&tag], 0)?.numbers, [sequence]);
    assert_eq!(cache.store("gone", b"old", None, 0)?, Stored::Refused { sequence });
    Ok(())
}
