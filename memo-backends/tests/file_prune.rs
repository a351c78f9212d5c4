//! What is there for nothing, what is listed without being read, and what is left alone.
#![cfg(feature = "file")]

use memo_backends::FileCache;
use memo_core::entry::{self, Header, Reject};
use memo_core::testing::MockClock;
use memo_core::{Cache, ErrorKind, TimeToLive};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

fn entry_of(key: &str, length: usize) -> Result<Vec<u8>, memo_core::Error> {
    let header = Header {
        created: 1_800_000_000_000,
        load_cost: Duration::from_millis(12),
        tags: vec!["users".into(), "user:1".into()],
        ..Header::default()
    };
    entry::write(key, &header, &mut |out| {
        out.resize(out.len() + length, 1);
        Ok(())
    })
}

#[test]
fn expired_and_damaged_entries_are_pruned_and_counted() -> Outcome {
    let clock = MockClock::install();
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    for number in 0..2_500 {
        let key = format!("memo:f:0:{number}");
        let entry = entry_of(&key, 100)?;
        let timeout = (number % 2 == 0).then_some(Duration::from_secs(60));
        cache.set(&key, &entry, timeout)?;
    }
    let length = entry_of("", 100)?.len() as u64;
    let damage = |key: &str, at: usize| {
        let mut entry = entry_of(key, 100)?;
        entry[at] ^= 1;
        cache.set(key, &entry, None)
    };
    damage("memo:f:0:1", 90)?;
    damage("memo:f:0:3", 20)?;
    cache.set("memo:f:0:5", &entry_of("memo:f:0:5", 100)?[..100], None)?;
    // Of another key, as by somebody who renames what is stored.
    cache.set("memo:f:0:7", &entry_of("memo:f:0:9", 100)?, None)?;
    clock.advance(Duration::from_secs(60));

    let pruned = cache.prune()?;
    assert_eq!((pruned.entries, pruned.corrupt), (1_254, 4));
    assert_eq!(pruned.bytes, 1_253 * length + 100);
    assert_eq!(cache.prune()?, memo_core::Pruned::default(), "nothing is left to prune");
    let mut live = 0;
    cache.scan("", &mut |_| live += 1)?;
    assert_eq!(live, 1_246);
    Ok(())
}

#[test]
fn what_is_no_entry_of_this_version_is_left_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    let mut newer = entry_of("newer", 10)?;
    newer[4] = 9;
    let mut flagged = entry_of("flagged", 10)?;
    flagged[6] = 1;
    let foreign = [("by hand", &b"hello"[..]), ("empty", b""), ("newer", &newer), ("flagged", &flagged)];
    for (key, bytes) in foreign {
        cache.set(key, bytes, None)?;
    }
    cache.increment("a number", 5, None)?;
    assert_eq!(cache.prune()?, memo_core::Pruned::default());
    for (key, bytes) in foreign {
        assert_eq!(cache.get(key)?.as_deref(), Some(bytes), "{key}");
    }
    assert_eq!(cache.increment("a number", 1, None)?, 6);
    Ok(())
}

#[test]
fn entries_are_listed_with_what_is_known_of_them() -> Outcome {
    let clock = MockClock::install();
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    cache.set("memo:f:1", &entry_of("memo:f:1", 100)?, Some(Duration::from_secs(60)))?;
    cache.set("memo:f:2", &entry_of("memo:f:2", 500_000)?, None)?;
    cache.set("memo:f:expired", b"x", Some(Duration::from_secs(5)))?;
    cache.set("memo:g:1", b"by hand", None)?;
    clock.advance(Duration::from_secs(20));

    let mut found = BTreeMap::new();
    cache.entries("memo:f:", |entry| {
        // It holds nothing that would keep its visitor from this.
        assert!(cache.get(&entry.key).is_ok_and(|bytes| bytes.is_some()));
        found.insert(entry.key.clone(), entry.clone());
    })?;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["memo:f:1", "memo:f:2"]);
    let (one, two) = (&found["memo:f:1"], &found["memo:f:2"]);
    assert_eq!((one.age, two.age), (Duration::from_secs(20), Duration::from_secs(20)));
    assert_eq!(one.time_to_live, TimeToLive::Left(Duration::from_secs(40)));
    assert_eq!(two.time_to_live, TimeToLive::Forever);
    assert_eq!((one.bytes, two.bytes), (entry_of("", 100)?.len(), entry_of("", 500_000)?.len()));
    assert_eq!(one.load_cost(), Some(Duration::from_millis(12)));
    assert_eq!(two.tags(), ["users", "user:1"]);

    let mut foreign = None;
    cache.entries("memo:g:", |entry| foreign = Some(entry.clone()))?;
    let foreign = foreign.ok_or("it was not listed")?;
    assert_eq!((foreign.header.as_ref(), foreign.load_cost(), foreign.tags().len()), (Err(&Reject::TooShort), None, 0));
    Ok(())
}

#[test]
fn listings_of_many_entries_come_whole_and_in_order() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    for number in 0..2_000 {
        cache.set(&format!("k{number:04}"), b"v", None)?;
    }
    for (prefix, count) in [("", 2_000), ("k", 2_000), ("k1", 1_000), ("k15", 100), ("l", 0), ("k0000", 1)] {
        let mut keys = Vec::new();
        cache.entries(prefix, |entry| keys.push(entry.key.clone()))?;
        assert_eq!(keys.len(), count, "{prefix}");
        assert!(keys.is_sorted());
        assert!(keys.iter().all(|key| key.starts_with(prefix)));
    }
    Ok(())
}

fn file_bytes(folder: &Path) -> std::io::Result<u64> {
    Ok(fs::metadata(folder.join("entries/data.mdb"))?.len())
}

#[test]
fn space_is_given_back_when_the_folder_is_next_opened_alone() -> Outcome {
    let clock = MockClock::install();
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    for number in 0..2_000 {
        let timeout = (number % 10 != 0).then_some(Duration::from_secs(1));
        cache.set(&format!("k{number}"), &vec![7; 5_000], timeout)?;
    }
    clock.advance(Duration::from_secs(1));
    assert_eq!(cache.prune()?.entries, 1_800);
    let before = file_bytes(folder.path())?;
    drop(cache);
    // As a process leaves it that is killed while it gives space back.
    fs::write(folder.path().join("entries/data.mdb.compacted"), "the beginning")?;
    let cache = FileCache::open(folder.path())?;
    let after = file_bytes(folder.path())?;
    assert!(after * 4 < before, "{before} bytes, then {after}");
    for number in (0..2_000).step_by(10) {
        assert_eq!(cache.get(&format!("k{number}"))?.as_deref(), Some(&[7; 5_000][..]));
    }
    assert!(cache.set_aside()?.is_empty());
    let compacted = folder.path().join("entries/data.mdb.compacted");
    assert!(!compacted.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(folder.path().join("entries/data.mdb"))?.permissions().mode() & 0o777, 0o600);
    }
    // It goes on as before, and is clean at the end.
    cache.set("new", b"v", None)?;
    drop(cache);
    assert!(fs::read_to_string(folder.path().join("state"))?.contains("\nmark clean\n"));
    fs::write(&compacted, "the beginning")?;
    let cache = FileCache::open(folder.path())?;
    assert_eq!(cache.get("new")?.as_deref(), Some(&b"v"[..]));
    assert!(!compacted.exists(), "also where there is nothing to give back");
    Ok(())
}

#[test]
fn files_of_others_in_the_folder_are_left_alone() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(1 << 20).build()?;
    let foreign = ["notes.txt", ".hidden", "entries/data.txt", "entries.set-aside", "memo:f:0:1", "uses"];
    for name in foreign {
        fs::write(folder.path().join(name), name)?;
    }
    fs::create_dir(folder.path().join("a folder"))?;
    for number in 0..2_000 {
        cache.set(&format!("k{number}"), &[1; 2_000], Some(Duration::from_secs(1)))?;
    }
    cache.prune()?;
    cache.clear("")?;
    drop(cache);
    drop(FileCache::open(folder.path())?);
    for name in foreign {
        assert_eq!(fs::read(folder.path().join(name))?, name.as_bytes());
    }
    assert!(folder.path().join("a folder").is_dir());
    Ok(())
}

/// Keys are keys of a database, whatever they look like.
#[test]
fn no_key_leaves_the_folder() -> Outcome {
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("cache");
    let cache = FileCache::open(&folder)?;
    let listing = |path: &Path| -> Result<Vec<_>, Box<dyn Error>> {
        let mut names = fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<std::io::Result<Vec<_>>>()?;
        names.sort();
        Ok(names)
    };
    let (around, within) = (listing(parent.path())?, listing(&folder)?);
    let keys = ["../../x", "/etc/passwd", "..", ".", "entries/data.mdb", "state", "a\0b", "C:\\x", "\u{ff}c", " "];
    for key in keys {
        cache.set(key, key.as_bytes(), None)?;
    }
    for key in keys {
        assert_eq!(cache.get(key)?.as_deref(), Some(key.as_bytes()), "{key:?}");
    }
    assert_eq!((listing(parent.path())?, listing(&folder)?), (around, within));
    for key in ["", &"x".repeat(401)] {
        assert_eq!(cache.set(key, b"v", None).map_err(|error| error.kind()), Err(ErrorKind::Key));
    }
    assert_eq!(cache.clear("../")?, 1);
    Ok(())
}
