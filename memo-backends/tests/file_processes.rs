//! Several processes on one folder, and processes that are killed. The children are this test binary, run again with
//! the name of a child's part and of the folder in its environment.
#![cfg(all(feature = "file", unix))]

use memo_backends::FileCache;
use memo_core::Cache;
use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

type Outcome = Result<(), Box<dyn Error>>;

const KEYS: u64 = 200;

fn key(number: u64) -> String {
    format!("shared:{}", number % KEYS)
}

/// Says which key it is for, who wrote it and when, and has a length and a content that follow from those.
fn value(key: &str, writer: &str, number: u64) -> Vec<u8> {
    let mut value = format!("{key} {writer} {number} ").into_bytes();
    let length = [10, 200, 3_000, 9_000, 40_000][(number % 5) as usize];
    let filler = number.to_le_bytes();
    value.extend(filler.iter().cycle().take(length));
    value
}

/// Who wrote the value and when. Panics if it is torn, or of another key.
fn author(found_under: &str, bytes: &[u8]) -> (String, u64) {
    let mut parts = bytes.splitn(4, |byte| *byte == b' ').map(String::from_utf8_lossy);
    let mut part = || parts.next().expect("a part of the value").into_owned();
    let (key, writer, number) = (part(), part(), part());
    let number = number.parse().expect("the number of the write");
    assert_eq!(key, found_under);
    assert!(value(&key, &writer, number) == bytes, "a torn value under {key} of {writer}, {number}");
    (writer, number)
}

fn spawn(part: &str, name: &str, folder: &Path) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .envs([("MEMOKIT_TEST_PART", part), ("MEMOKIT_TEST_NAME", name)])
        .env("MEMOKIT_TEST_FOLDER", folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
}

/// The part of a child; nothing when the tests are run as such.
#[test]
fn child() -> Outcome {
    let Ok(part) = std::env::var("MEMOKIT_TEST_PART") else { return Ok(()) };
    let (name, folder) = (std::env::var("MEMOKIT_TEST_NAME")?, std::env::var("MEMOKIT_TEST_FOLDER")?);
    let cache = FileCache::builder(folder).max_bytes(64 << 20).build()?;
    match part.as_str() {
        "beside another" => write_beside_another(&cache, &name),
        "until killed" => write_until_killed(&cache, &name),
        part => Err(format!("no part {part}").into()),
    }
}

/// Writes and reads shared keys until it has done its share and has seen the other's values.
fn write_beside_another(cache: &FileCache, name: &str) -> Outcome {
    let (mut of_others, mut round) = (0_u64, 0_u64);
    while round < 2_000 || of_others == 0 {
        round += 1;
        assert!(round < 1_000_000, "the other's values never came");
        let own = key(round * 7);
        cache.set(&own, &value(&own, name, round), None)?;
        for other in [round, round * 3, round * 11].map(key) {
            if let Some(bytes) = cache.get(&other)? {
                of_others += u64::from(author(&other, &bytes).0 != name);
            }
        }
        cache.increment("rounds", 1, None)?;
    }
    println!("\nrounds {round}");
    Ok(())
}

/// Writes for ever, and tells the number of each write that has returned.
fn write_until_killed(cache: &FileCache, name: &str) -> Outcome {
    let mut out = std::io::stdout().lock();
    for number in 0..100_000_000 {
        let key = key(number);
        cache.set(&key, &value(&key, name, number), None)?;
        writeln!(out, "\nstored {number}")?;
    }
    Ok(())
}

/// The number behind a word on the next line that starts with it.
fn told(lines: &mut impl Iterator<Item = std::io::Result<String>>, word: &str) -> Option<u64> {
    lines.find_map(|line| line.ok()?.strip_prefix(word)?.trim().parse().ok())
}

#[test]
fn two_processes_write_and_read_at_once() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut children = [("a"), ("b")].map(|name| spawn("beside another", name, folder.path()).expect("a child"));
    let mut rounds = 0;
    for child in &mut children {
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        rounds += told(&mut lines, "rounds ").ok_or("a child ended early")?;
        // Read to the end, so that the child can write it.
        lines.for_each(drop);
        assert!(child.wait()?.success());
    }
    let cache = FileCache::open(folder.path())?;
    assert_eq!(cache.get("rounds")?, Some(rounds.to_string().into_bytes()), "no increment of either was lost");
    for key in (0..KEYS).map(key) {
        author(&key, &cache.get(&key)?.ok_or("a shared key without a value")?);
    }
    assert!(cache.set_aside()?.is_empty());
    Ok(())
}

#[test]
fn a_killed_process_loses_nothing() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut watcher = None;
    for round in 0..10_u64 {
        let mut child = spawn("until killed", &format!("round-{round}"), folder.path())?;
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        // Killed at another moment each time.
        let mut last = 0;
        for _ in 0..300 + round * 37 {
            last = told(&mut lines, "stored ").ok_or("the child ended early")?;
        }
        child.kill()?;
        child.wait()?;
        last = std::iter::from_fn(|| told(&mut lines, "stored ")).last().unwrap_or(last);

        let cache = FileCache::builder(folder.path()).max_bytes(64 << 20).build()?;
        for number in last.saturating_sub(KEYS - 1)..=last {
            let key = key(number);
            let bytes = cache.get(&key)?.ok_or_else(|| format!("write {number} was lost"))?;
            let (writer, found) = author(&key, &bytes);
            assert_eq!(writer, format!("round-{round}"));
            assert!(found >= number, "write {number} was lost, {found} is there");
        }
        cache.set("by the survivor", b"v", None)?;
        assert!(cache.remove("by the survivor")?);
        assert!(cache.set_aside()?.is_empty());
        // In every other round the folder stays open here while the next child is killed.
        watcher = (round % 2 == 0).then_some(cache);
    }
    drop(watcher);
    Ok(())
}
