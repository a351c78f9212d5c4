//! Invalidations in a folder that several processes share and that survives them. The child is this test binary, run
//! again with the name of the folder in its environment. Nobody moves the clock here: tombstones end by it.
#![cfg(all(feature = "file", unix))]

use memo_backends::FileCache;
use memo_core::Cache;
use memo_core::invalidation::{Invalidation, Stored, function_name, tag_name};
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

const KEEP: Duration = Duration::from_secs(60);

fn truth(cache: &FileCache) -> Result<i64, memo_core::Error> {
    cache.increment("truth", 0, None)
}

fn number(bytes: &[u8]) -> i64 {
    String::from_utf8_lossy(bytes).parse().expect("a number")
}

/// The part of a child; nothing when the tests are run as such.
#[test]
fn child() -> Outcome {
    let Ok(part) = std::env::var("MEMOKIT_TEST_PART") else { return Ok(()) };
    let cache = FileCache::builder(std::env::var("MEMOKIT_TEST_FOLDER")?).max_bytes(64 << 20).build()?;
    match part.as_str() {
        "store" => store_until_the_end(&cache),
        "ask" => ask_until_the_end(&cache),
        part => Err(format!("no part {part}").into()),
    }
}

fn spawn(part: &str, folder: &Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["--exact", "child", "--test-threads=1"])
        .envs([("MEMOKIT_TEST_PART", part.as_ref()), ("MEMOKIT_TEST_FOLDER", folder.as_os_str())])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
}

/// Whether a child goes on: until it is told to end, or its parent has gone.
fn goes_on(cache: &FileCache, parent: u32) -> Result<bool, memo_core::Error> {
    Ok(std::os::unix::process::parent_id() == parent && cache.get("end")?.is_none())
}

/// Loads and stores until it is told to end.
fn store_until_the_end(cache: &FileCache) -> Outcome {
    let parent = std::os::unix::process::parent_id();
    let (mut stored, mut refused) = (0, 0);
    while goes_on(cache, parent)? {
        let since = cache.records(&[], 0)?.sequence;
        let loaded = truth(cache)?;
        // Invalidations come in between.
        std::thread::yield_now();
        match cache.store("key", loaded.to_string().as_bytes(), None, since)? {
            Stored::Stored => stored += 1,
            Stored::Refused { sequence } => {
                assert!(sequence > since);
                refused += 1;
            }
        }
        cache.set("stored and refused", format!("{stored} {refused}").as_bytes(), None)?;
    }
    Ok(())
}

#[test]
fn no_process_stores_what_another_has_invalidated() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(64 << 20).build()?;
    let children = [spawn("store", folder.path())?, spawn("store", folder.path())?];
    while cache.get("stored and refused")?.is_none() {
        std::thread::yield_now();
    }
    for _ in 0..3_000 {
        let changed = cache.increment("truth", 1, None)?;
        cache.invalidate(&Invalidation { keys: &["key"], keep: KEEP, ..Invalidation::default() })?;
        if let Some(bytes) = cache.get("key")? {
            assert!(number(&bytes) >= changed, "{bytes:?} after {changed} was invalidated");
        }
    }
    cache.set("end", b"", None)?;
    for mut child in children {
        assert!(child.wait()?.success());
    }
    if let Some(bytes) = cache.get("key")? {
        assert_eq!(number(&bytes), truth(&cache)?);
    }
    Ok(())
}

/// Asks what is recorded, in the words of [`no_process_overlooks_what_another_has_recorded`].
fn ask_until_the_end(cache: &FileCache) -> Outcome {
    let function = function_name("asked:");
    let told = |key| Ok::<_, memo_core::Error>(cache.get(key)?.map_or(0, |bytes| number(&bytes).cast_unsigned()));
    let (parent, mut asked) = (std::os::unix::process::parent_id(), 0);
    while goes_on(cache, parent)? {
        let (sequence, void) = (told("sequence")?, told("void")?);
        // Twice: the second time nothing was read in between.
        for _ in 0..2 {
            let records = cache.records(&[&function], 0)?;
            assert!(records.sequence >= sequence, "{} was given, and it is {} here", sequence, records.sequence);
            assert!(records.numbers[0] >= void, "{void} was recorded, and it is {} here", records.numbers[0]);
        }
        asked += 1;
        if asked == 100 || void > 0 {
            cache.set(if void > 0 { "void seen" } else { "asking" }, b"", None)?;
        }
    }
    Ok(())
}

#[test]
fn no_process_overlooks_what_another_has_recorded() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).max_bytes(64 << 20).build()?;
    let mut child = spawn("ask", folder.path())?;
    let wait_for = |key, child: &mut Child| -> Outcome {
        while cache.get(key)?.is_none() {
            if let Some(status) = child.try_wait()? {
                return Err(format!("the child ended: {status}").into());
            }
            std::thread::yield_now();
        }
        Ok(())
    };
    wait_for("asking", &mut child)?;
    for _ in 0..3_000 {
        let done = cache.invalidate(&Invalidation { keys: &["key"], keep: KEEP, ..Invalidation::default() })?;
        cache.set("sequence", done.sequence.to_string().as_bytes(), None)?;
    }
    let (function, other) = (function_name("asked:"), function_name("other:"));
    // Now there is something to look for, first of another function.
    cache.invalidate(&Invalidation { names: &[&other], keep: KEEP, ..Invalidation::default() })?;
    let done = cache.invalidate(&Invalidation { names: &[&function], keep: KEEP, ..Invalidation::default() })?;
    cache.set("void", done.sequence.to_string().as_bytes(), None)?;
    wait_for("void seen", &mut child)?;
    cache.set("end", b"", None)?;
    assert!(child.wait()?.success());
    Ok(())
}

fn open(path: &Path, max_bytes: u64) -> Result<FileCache, memo_core::Error> {
    FileCache::builder(path).max_bytes(max_bytes).build()
}

#[test]
fn records_and_tombstones_outlive_the_handle() -> Outcome {
    let folder = tempfile::tempdir()?;
    let tag = tag_name("a");
    let what = Invalidation { keys: &["k"], names: &[&tag], keep: KEEP, ..Invalidation::default() };
    let sequence = open(folder.path(), 1 << 20)?.invalidate(&what)?.sequence;
    let cache = open(folder.path(), 1 << 20)?;
    assert_eq!(cache.records(&[&tag, "t:b"], 0)?.numbers, [sequence, 0]);
    assert_eq!(cache.store("k", b"old", None, sequence - 1)?, Stored::Refused { sequence });
    assert_eq!(cache.clear("")?, 0, "they are no entries");
    assert_eq!(cache.records(&[&tag], 0)?.numbers, [sequence]);
    Ok(())
}

#[test]
fn a_folder_that_was_removed_voids_what_is_older() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("cache");
    let (tag, mut seen) = (tag_name("a"), 0);
    for _ in 0..3 {
        seen = open(&path, 1 << 20)?.invalidate(&Invalidation { names: &[&tag], ..Invalidation::default() })?.sequence;
    }
    std::fs::remove_dir_all(&path)?;
    let cache = open(&path, 1 << 20)?;
    let records = cache.records(&[&tag, "t:b"], seen)?;
    assert_eq!((records.sequence, records.numbers), (seen + 1, vec![seen + 1; 2]));
    Ok(())
}

#[test]
fn a_small_folder_keeps_few_and_voids_more() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = open(folder.path(), 256 << 10)?;
    cache.set("entry", &[7; 10_000], None)?;
    let mut given = Vec::new();
    for position in 0..2_000 {
        let (key, tag) = (format!("k{position}"), tag_name(&position.to_string()));
        let what = Invalidation { keys: &[&key], names: &[&tag], keep: KEEP, ..Invalidation::default() };
        given.push(cache.invalidate(&what)?.sequence);
    }
    for (position, number) in given.iter().enumerate() {
        let stored = cache.store(&format!("k{position}"), b"old", None, number - 1)?;
        assert!(matches!(stored, Stored::Refused { sequence } if sequence >= *number), "{position}: {stored:?}");
        assert!(cache.records(&[&tag_name(&position.to_string())], 0)?.numbers[0] >= *number);
    }
    assert!(cache.get("entry")?.is_some(), "entries have their room beside them");
    cache.set("another", &[7; 10_000], None)?;
    Ok(())
}

#[test]
fn invalidating_a_function_drops_its_entries() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = open(folder.path(), 1 << 20)?;
    for key in ["memo:f:0:1", "memo:f:0:2", "memo:fg:0:1"] {
        cache.set(key, b"v", None)?;
    }
    let name = function_name("memo:f:0:");
    cache.invalidate(&Invalidation { names: &[&name], ..Invalidation::default() })?;
    let mut left = Vec::new();
    cache.scan("", &mut |key| left.push(key.to_owned()))?;
    assert_eq!(left, ["memo:fg:0:1"]);
    Ok(())
}
