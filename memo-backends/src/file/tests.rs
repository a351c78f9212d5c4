//! What only shows inside: expired entries leave the folder, and sweeps go on where others stopped.

use super::*;
use memo_core::invalidation::Loaded;
use memo_core::{Cache as _, Want};
use std::error::Error;

type Outcome = Result<(), Box<dyn Error>>;

/// In 1970.
const EXPIRED: Times = Times { expiry: 1, stored: 0 };

/// Entries in the folder, expired or not.
fn stored(cache: &FileCache) -> Result<usize, Box<dyn Error>> {
    let txn = cache.store.snapshot()?;
    Ok(cache.page(&txn, "", "")?.len())
}

#[test]
fn expired_entries_are_swept_by_later_writes_of_any_handle() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    for number in 0..400 {
        cache.set(&format!("expired {number:03}"), b"v", None)?;
    }
    cache.store.write(100_000, String::new, |txn| {
        (0..400).try_for_each(|number| Ok(cache.put(txn, &format!("expired {number:03}"), b"old", EXPIRED)?))
    })?;
    assert_eq!(stored(&cache)?, 400);
    drop(cache);
    // One write each, as by processes that end soon.
    for _ in 0..60 {
        FileCache::open(folder.path())?.set("zzz", b"live", None)?;
    }
    let cache = FileCache::open(folder.path())?;
    assert_eq!(stored(&cache)?, 1);
    assert_eq!(cache.get("zzz")?.as_deref(), Some(&b"live"[..]));
    Ok(())
}

#[test]
fn values_stored_together_are_one_transaction() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(1 << 20).build()?;
    let transactions = || cache.store.opened().env.info().last_txn_id;
    let keys: Vec<String> = (0..100).map(|number| format!("key {number}")).collect();
    let mut entries: Vec<Loaded<'_>> =
        keys.iter().map(|key| Loaded { key, bytes: b"v", timeout: None, since: 0 }).collect();
    let before = transactions();
    assert!(cache.store_many(&entries).iter().all(Result::is_ok));
    assert_eq!(transactions(), before + 1);

    // Those that can't be stored keep the others neither out nor apart.
    let (large, some) = (vec![0; 300_000], vec![1; 20_000]);
    entries[7].bytes = &large;
    entries[9].key = "";
    let stored = cache.store_many(&entries);
    assert_eq!(transactions(), before + 2);
    let kind = |at: usize| stored[at].as_ref().err().map(memo_core::Error::kind);
    assert_eq!((stored.len(), kind(7), kind(9)), (100, Some(ErrorKind::Full), Some(ErrorKind::Key)));
    assert_eq!(stored.iter().filter(|one| one.is_err()).count(), 2);

    // No transaction holds more than there is room for: so many drive out those before them, and fail for none.
    for entry in &mut entries {
        entry.bytes = &some;
    }
    entries[9].key = "key 9";
    assert!(cache.store_many(&entries).iter().all(Result::is_ok));
    assert!(transactions() > before + 10 && cache.get("key 99")?.is_some());
    Ok(())
}

#[test]
fn a_full_folder_drops_expired_entries_before_others() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(1 << 20).build()?;
    for number in 0..100 {
        cache.set(&format!("live {number}"), &[1; 3_000], None)?;
    }
    for number in 0..8 {
        let key = format!("expired {number}");
        cache.store.write(100_000, String::new, |txn| Ok(cache.put(txn, &key, &vec![2; 25_000], EXPIRED)?))?;
    }
    cache.set("new", &vec![3; 60_000], None)?;
    for number in 0..100 {
        assert!(cache.get(&format!("live {number}"))?.is_some(), "{number}");
    }
    Ok(())
}

#[test]
fn damaged_values_are_misses_that_a_write_replaces() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    cache.store.write(100, String::new, |txn| Ok(cache.store.opened().entries.put(txn, b"k", b"short")?))?;
    assert_eq!(cache.get("k")?, None);
    assert!(!cache.remove("k")?);
    assert!(cache.add("k", b"whole", None)?);
    assert_eq!(cache.get("k")?.as_deref(), Some(&b"whole"[..]));
    Ok(())
}

#[test]
fn a_visitor_may_write_and_a_scan_may_read() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    cache.set("k", b"lent", None)?;
    let mut seen = Vec::new();
    cache.scan("", &mut |key| seen.push((key.to_owned(), cache.get(key))))?;
    assert!(matches!(&seen[..], [(key, Ok(Some(bytes)))] if key == "k" && bytes == b"lent"));
    cache.read("k", Want::Bytes, &mut |found| {
        cache.set("k", b"new", None).expect("a write beside a read");
        assert_eq!(found.bytes, b"lent", "a snapshot");
    })?;
    assert_eq!(cache.get("k")?.as_deref(), Some(&b"new"[..]));
    Ok(())
}
