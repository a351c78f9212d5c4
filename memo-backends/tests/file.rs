//! The file cache under a mock clock: the contract of a backend, its bound, handles and reopening.
#![cfg(feature = "file")]

use memo_backends::FileCache;
use memo_core::invalidation::{Invalidation, Stored};
use memo_core::testing::{MockClock, conformance};
use memo_core::{Cache, ErrorKind, TimeToLive, Want};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

#[test]
fn keeps_the_contract() -> Outcome {
    let clock = MockClock::install();
    let folder = tempfile::tempdir()?;
    let cache: Arc<dyn Cache> = Arc::new(FileCache::open(folder.path())?);
    conformance::check(&cache, &mut |span| clock.advance(span), &conformance::block_on);
    Ok(())
}

#[test]
fn entries_outlive_the_handle() -> Outcome {
    let clock = MockClock::install();
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    cache.set("for ever", b"1", None)?;
    cache.set("long", b"2", Some(Duration::from_millis(60_500)))?;
    cache.set("short", b"3", Some(Duration::from_millis(500)))?;
    drop(cache);
    clock.advance(Duration::from_millis(500));
    let cache = FileCache::open(folder.path())?;
    let keys = ["for ever", "long", "short"];
    assert_eq!(cache.get_many(&keys)?, [Some(b"1".to_vec()), Some(b"2".to_vec()), None]);
    let mut left = None;
    cache.read("long", Want::BytesAndTimeToLive, &mut |found| left = Some(found.time_to_live))?;
    assert_eq!(left, Some(TimeToLive::Left(Duration::from_secs(60))), "to the millisecond");
    Ok(())
}

#[test]
fn tombstones_end_and_are_dropped() -> Outcome {
    let clock = MockClock::install();
    let (folder, keep) = (tempfile::tempdir()?, Duration::from_secs(60));
    let cache = FileCache::builder(folder.path()).max_bytes(64 << 20).build()?;
    let data = folder.path().join("entries/data.mdb");
    let mut sizes = Vec::new();
    for round in 0..6 {
        // Below the bound on their number, so that only their end makes them go.
        let keys: Vec<String> = (0..5_000).map(|number| format!("{round}:{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        for some in keys.chunks(500) {
            cache.invalidate(&Invalidation { keys: some, keep, ..Invalidation::default() })?;
        }
        let sequence = cache.records(&[], 0)?.sequence;
        assert_eq!(cache.store(keys[4_999], b"old", None, sequence - 1)?, Stored::Refused { sequence });
        clock.advance(keep);
        assert_eq!(cache.store(keys[4_999], b"v", None, 0)?, Stored::Stored);
        sizes.push(data.metadata()?.len());
    }
    assert!(sizes[5] * 2 < sizes[1] * 3, "{sizes:?}");
    Ok(())
}

#[test]
fn two_handles_share_a_folder() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("made/on/the/way");
    let first = FileCache::open(&path)?;
    let second = FileCache::builder(path.join("../way")).max_bytes(1 << 20).build()?;
    assert_eq!(first.path(), second.path());
    first.set("k", b"v", None)?;
    assert_eq!(second.get("k")?.as_deref(), Some(&b"v"[..]));
    drop(first);
    second.set("k", b"w", None)?;
    assert_eq!(second.clone().get("k")?.as_deref(), Some(&b"w"[..]));
    Ok(())
}

#[test]
fn a_folder_is_opened_and_closed_by_many_threads() -> Outcome {
    let folder = tempfile::tempdir()?;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    for _ in 0..25 {
                        FileCache::open(folder.path())?.increment("opened", 1, None)?;
                    }
                    Ok::<(), memo_core::Error>(())
                })
            })
            .collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("the thread ended"))
    })?;
    assert_eq!(FileCache::open(folder.path())?.get("opened")?.as_deref(), Some(&b"100"[..]));
    Ok(())
}

#[test]
fn a_full_folder_evicts_and_stays_within_its_bound() -> Outcome {
    const BOUND: u64 = 4 << 20;
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(BOUND).build()?;
    let value = |number: usize| {
        let size = [100, 4_000, 300, 60_000, 0, 500_000][number % 6];
        vec![number.to_le_bytes()[0]; size]
    };
    for number in 0..3_000 {
        let key = format!("{}:{number}", number % 7);
        cache.set(&key, &value(number), None)?;
        assert!(cache.get(&key)?.is_some(), "what was just stored is there");
    }
    let disk = std::fs::metadata(cache.path().join("entries/data.mdb"))?.len();
    assert!(disk <= BOUND, "{disk} bytes on the disk");
    let mut of_function = [0; 7];
    cache.scan("", &mut |key| of_function[usize::from(key.as_bytes()[0] - b'0')] += 1)?;
    assert!(of_function.iter().all(|count| *count > 0), "no function lost all of its entries: {of_function:?}");
    for number in 0..3_000 {
        if let Some(bytes) = cache.get(&format!("{}:{number}", number % 7))? {
            assert_eq!(bytes, value(number));
        }
    }
    Ok(())
}

#[test]
fn an_entry_over_a_quarter_is_refused_and_changes_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(1 << 20).build()?;
    cache.set("k", b"old", None)?;
    let error = cache.set("k", &vec![0; 300_000], None).expect_err("more than a quarter");
    assert_eq!(error.kind(), ErrorKind::Full);
    assert_eq!(cache.get("k")?.as_deref(), Some(&b"old"[..]));
    for _ in 0..20 {
        cache.set("large", &vec![1; 240_000], None)?;
        assert!(cache.touch("large", Some(Duration::from_secs(9)))?);
    }
    Ok(())
}

#[test]
fn settings_out_of_range_are_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let kind = |builder: memo_backends::file::FileCacheBuilder| builder.build().expect_err("out of range").kind();
    assert_eq!(kind(FileCache::builder(folder.path()).max_bytes(1_000)), ErrorKind::Config);
    assert_eq!(kind(FileCache::builder(folder.path()).max_bytes(u64::MAX)), ErrorKind::Config);
    assert_eq!(kind(FileCache::builder(folder.path()).sync_every(Duration::ZERO)), ErrorKind::Config);
    Ok(())
}
