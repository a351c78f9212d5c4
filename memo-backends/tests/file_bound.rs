//! What a full folder evicts, and how old its entries get.
#![cfg(feature = "file")]

use memo_backends::FileCache;
use memo_backends::file::Evict;
use memo_core::entry::{self, Header};
use memo_core::testing::MockClock;
use memo_core::{Cache, ErrorKind, TimeToLive, Want};
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

const BOUND: u64 = 4 << 20;

fn open(folder: &Path) -> Result<FileCache, memo_core::Error> {
    FileCache::builder(folder).max_bytes(BOUND).build()
}

/// Keys of two functions, in an order that has nothing to do with their use.
fn key(number: usize) -> String {
    format!("f{}:{:016x}", number % 2, number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// How many of the keys are there; a scan is no use of them.
fn there(cache: &FileCache, keys: std::ops::Range<usize>) -> Result<usize, memo_core::Error> {
    let mut found = std::collections::HashSet::new();
    cache.scan("", &mut |key| {
        found.insert(key.to_owned());
    })?;
    Ok(keys.filter(|number| found.contains(&key(*number))).count())
}

/// Writes entries of one length until the folder was filled several times over, and reads the first ones all along. The
/// part of those, and of all others, that is there in the end.
fn fill_and_read(length: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let cache = open(folder.path())?;
    let bound = usize::try_from(BOUND)?;
    let hot = bound / 10 / (length + 100);
    let all = 3 * bound / length;
    for number in 0..all {
        cache.set(&key(number), &vec![1; length], None)?;
        if number >= hot {
            // Each of them in turn, many times before as many others as fit are written.
            for read in 0..4 {
                cache.get(&key((number * 4 + read) % hot))?;
            }
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let part = |found: usize, of: usize| found as f64 / of as f64;
    Ok((part(there(&cache, 0..hot)?, hot), part(there(&cache, hot..all)?, all - hot)))
}

/// As long as one reads, the pages that others gave back since it began can't be used again.
#[test]
fn a_write_to_a_full_folder_waits_for_a_reader_that_was_held_up() -> Outcome {
    const LENGTH: usize = 3_000;
    let folder = tempfile::tempdir()?;
    let cache = open(folder.path())?;
    cache.set("read", b"value", None)?;
    let (written, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let written_by_then = || written.load(Ordering::Relaxed);
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let result = (0..).take_while(|_| !stop.load(Ordering::Relaxed)).try_for_each(|number| {
                cache.set(&key(number), &[1; LENGTH], None)?;
                written.fetch_add(1, Ordering::Relaxed);
                Ok::<_, memo_core::Error>(())
            });
            stop.store(true, Ordering::Relaxed);
            result
        });
        let read = cache.read("read", Want::Bytes, &mut |_| {
            // Until the writer gets no further.
            loop {
                let before = written_by_then();
                thread::sleep(Duration::from_millis(40));
                if (before > 50 && before == written_by_then()) || stop.load(Ordering::Relaxed) {
                    return;
                }
            }
        });
        let stuck = written_by_then();
        while !stop.load(Ordering::Relaxed) && written_by_then() < stuck + 100 {
            thread::sleep(Duration::from_millis(1));
        }
        stop.store(true, Ordering::Relaxed);
        Ok(read.and(writer.join().expect("no panic"))?)
    })
}

#[test]
fn what_is_used_stays_and_what_is_not_goes() -> Outcome {
    // Entries that share pages, that nearly fill one, and that have pages of their own.
    for length in [120, 700, 1_900, 6_000, 50_000] {
        let (hot, cold) = fill_and_read(length)?;
        assert!(hot >= 0.97, "{length} bytes: {hot} of the hot ones are there");
        assert!(cold > 0.04, "{length} bytes: the folder is full of others, too: {cold}");
    }
    Ok(())
}

#[test]
fn the_oldest_use_goes_first_whatever_was_written_first() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = open(folder.path())?;
    for number in 0..240 {
        cache.set(&key(number), &[1; 9_000], None)?;
    }
    // The first third is used all along, the second once, and the last one not at all.
    (0..160).try_for_each(|number| cache.get(&key(number)).map(drop))?;
    for number in 240..340 {
        cache.set(&key(number), &[1; 9_000], None)?;
        (0..80).try_for_each(|number| cache.get(&key(number)).map(drop))?;
    }
    let (first, second, third) = (there(&cache, 0..80)?, there(&cache, 80..160)?, there(&cache, 160..240)?);
    assert_eq!(first, 80, "{second}, {third}");
    assert!(third < second, "{second} of those that were used later, {third} of the others");
    Ok(())
}

/// The part of a child; nothing when the tests are run as such.
#[test]
#[cfg(unix)]
fn reader() -> Outcome {
    let Ok(folder) = std::env::var("MEMOKIT_TEST_FOLDER") else { return Ok(()) };
    let cache = FileCache::builder(folder).max_bytes(BOUND).sync_every(Duration::from_millis(1)).build()?;
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        (0..40).try_for_each(|number| cache.get(&key(number)).map(drop))?;
        std::thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}

/// A process that only reads takes part in what stays.
#[test]
#[cfg(unix)]
fn uses_of_another_process_count() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = open(folder.path())?;
    for number in 0..40 {
        cache.set(&key(number), &[1; 5_000], None)?;
    }
    let mut child = Command::new(std::env::current_exe()?)
        .args(["--exact", "reader", "--test-threads=1"])
        .env("MEMOKIT_TEST_FOLDER", folder.path())
        .stdout(Stdio::null())
        .spawn()?;
    let uses = folder.path().join("entries/uses");
    for number in 40..6_000 {
        cache.set(&key(number), &[1; 5_000], None)?;
        // The reader is given time to read what was written meanwhile, and is seen to have told of it.
        if number % 100 == 0 {
            let (before, mut tries) = (std::fs::read(&uses)?, 0);
            while std::fs::read(&uses)? == before {
                tries += 1;
                assert!(tries < 10_000, "the reader tells nothing");
                // Time goes on with each write.
                cache.set("a moment later", b"v", None)?;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
    child.kill()?;
    child.wait()?;
    let stayed = there(&cache, 0..40)?;
    assert!(stayed >= 36, "{stayed} of 40 are there");
    Ok(())
}

fn entry_of(key: &str, cost: Duration, length: usize) -> Result<Vec<u8>, memo_core::Error> {
    let header = Header { load_cost: cost, ..Header::default() };
    entry::write(key, &header, &mut |out| {
        out.resize(out.len() + length, 1);
        Ok(())
    })
}

#[test]
fn by_load_cost_what_took_long_stays() -> Outcome {
    for length in [300, 8_000] {
        let folder = tempfile::tempdir()?;
        let cache = FileCache::builder(folder.path()).max_bytes(BOUND).evict(Evict::LoadCost).build()?;
        let bound = usize::try_from(BOUND)?;
        let (dear, all) = (bound / 10 / (length + 200), 4 * bound / length);
        for number in 0..all {
            let cost = if number < dear { Duration::from_secs(5) } else { Duration::from_millis(1) };
            cache.set(&key(number), &entry_of(&key(number), cost, length)?, None)?;
        }
        let stayed = there(&cache, 0..dear)?;
        assert!(stayed * 100 >= dear * 97, "{length} bytes: {stayed} of {dear} are there, and nobody used them");
    }
    Ok(())
}

#[test]
fn no_entry_gets_older_than_the_bound() -> Outcome {
    let clock = MockClock::install();
    let folder = tempfile::tempdir()?;
    let day = Duration::from_secs(86_400);
    let cache = open(folder.path())?;
    cache.set("before it was asked for", b"1", None)?;
    let bounded = FileCache::builder(folder.path()).max_bytes(BOUND).max_age(day).build()?;
    for (key, timeout) in [("for ever", None), ("a week", Some(7 * day)), ("an hour", Some(day / 24))] {
        bounded.set(key, b"1", timeout)?;
    }
    let left = |key: &str| {
        let mut left = None;
        bounded.read(key, Want::BytesAndTimeToLive, &mut |found| left = Some(found.time_to_live))?;
        Ok::<_, memo_core::Error>(left)
    };
    assert_eq!(left("for ever")?, Some(TimeToLive::Left(day)), "copies of it must not outlive it");
    assert_eq!(left("a week")?, Some(TimeToLive::Left(day)));
    assert_eq!(left("an hour")?, Some(TimeToLive::Left(day / 24)));
    bounded.increment("a number", 1, None)?;
    clock.advance(day / 2);
    assert!(bounded.touch("for ever", Some(30 * day))?, "it gets no younger by that");
    bounded.increment("a number", 1, None)?;
    assert_eq!(left("for ever")?, Some(TimeToLive::Left(day / 2)));
    clock.advance(day / 2);
    for key in ["before it was asked for", "for ever", "a week", "an hour", "a number"] {
        assert_eq!(bounded.get(key)?, None, "{key}");
        assert_eq!(cache.get(key)?, None, "the strictest of all handles counts");
    }
    assert!(bounded.add("for ever", b"2", None)?);
    assert_eq!(bounded.get("for ever")?.as_deref(), Some(&b"2"[..]));
    bounded.prune()?;
    let mut keys = Vec::new();
    bounded.scan("", &mut |key| keys.push(key.to_owned()))?;
    assert_eq!(keys, ["for ever"]);

    // Another process that was told nothing sees what is there.
    bounded.set("late", b"1", None)?;
    drop((cache, bounded));
    clock.advance(2 * day);
    assert!(open(folder.path())?.get("late")?.is_some());
    assert_eq!(FileCache::builder(folder.path()).max_age(day).build()?.get("late")?, None);
    Ok(())
}

#[test]
fn an_age_of_nothing_is_refused() -> Outcome {
    let folder = tempfile::tempdir()?;
    let error = FileCache::builder(folder.path()).max_age(Duration::ZERO).build().expect_err("nothing");
    assert_eq!(error.kind(), ErrorKind::Config);
    Ok(())
}
