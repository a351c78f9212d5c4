//! The memory cache: the contract of a backend under a mock clock, its bound, and its upkeep.

use memo_backends::MemoryCache;
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
