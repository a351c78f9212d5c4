//! Four writers on one folder, of which one after the other is killed in the middle of whatever it does.
//!
//! The children are this test binary, run again with the name of the folder in its environment.
#![cfg(all(feature = "file", unix))]

use memo_backends::FileCache;
use memo_core::Cache;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

const WRITERS: usize = 4;
const KILLS: u64 = 200;
const KEYS: u64 = 120;
/// Small enough that writers evict all the time.
const BOUND: u64 = 8 << 20;
const LENGTHS: [usize; 7] = [10, 200, 1_500, 3_000, 20_000, 100_000, 300_000];

/// The same numbers for the same seed: xorshift64*.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }
}

fn key(number: u64) -> String {
    format!("key:{}", number % KEYS)
}

fn checksum(bytes: &[u8]) -> u64 {
    // FNV-1a, over words for speed in an unoptimized build.
    let words = bytes.chunks(8).map(|chunk| chunk.iter().fold(0_u64, |word, byte| word << 8 | u64::from(*byte)));
    words.fold(0xcbf2_9ce4_8422_2325, |sum, word| (sum ^ word).wrapping_mul(0x0100_0000_01b3))
}

/// Says which key it is for, has a content that differs from write to write, and a checksum over all.
fn value(key: &str, seed: u64) -> Vec<u8> {
    let mut random = Random(seed | 1);
    let length = LENGTHS[usize::try_from(random.below(7)).unwrap_or(0)];
    let mut value = format!("{key} ").into_bytes();
    let filler = random.next().to_le_bytes();
    value.extend(filler.iter().cycle().take(length));
    value.extend(checksum(&value).to_le_bytes());
    value
}

/// Panics if the bytes are torn, or of another key.
fn verify(found_under: &str, bytes: &[u8]) {
    let (covered, sum) = bytes.split_last_chunk::<8>().expect("a value");
    assert_eq!(checksum(covered), u64::from_le_bytes(*sum), "a torn value under {found_under}");
    let name = format!("{found_under} ");
    assert!(covered.starts_with(name.as_bytes()), "the value of another key under {found_under}");
}

fn open(folder: &Path) -> Result<FileCache, memo_core::Error> {
    FileCache::builder(folder).max_bytes(BOUND).sync_every(Duration::from_millis(20)).build()
}

fn spawn(folder: &Path, seed: u64) -> std::io::Result<Child> {
    Command::new(std::env::current_exe()?)
        .args(["--exact", "writer", "--nocapture", "--test-threads=1"])
        .env("MEMOKIT_TEST_FOLDER", folder)
        .env("MEMOKIT_TEST_SEED", seed.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
}

/// The part of a child; nothing when the tests are run as such. It ends only by being killed.
#[test]
fn writer() -> Outcome {
    let Ok(folder) = std::env::var("MEMOKIT_TEST_FOLDER") else { return Ok(()) };
    let mut random = Random(std::env::var("MEMOKIT_TEST_SEED")?.parse::<u64>()? | 1);
    let parent = std::os::unix::process::parent_id();
    let mut cache = open(folder.as_ref())?;
    // A child whose parent has gone gets another one, and goes too.
    while std::os::unix::process::parent_id() == parent {
        let key = key(random.next());
        match random.below(16) {
            0 => drop(cache.remove(&key)?),
            1 => drop(cache.prune()?),
            2 => drop(cache.add(&key, &value(&key, random.next()), None)?),
            3 => drop(cache.touch(&key, Some(Duration::from_secs(60)))?),
            4 if random.below(8) == 0 => {
                // Opens and closes too are interrupted.
                drop(cache);
                cache = open(folder.as_ref())?;
            }
            5..=9 => cache.set(&key, &value(&key, random.next()), None)?,
            _ => cache.read(&key, memo_core::Want::Bytes, &mut |found| verify(&key, found.bytes))?,
        }
    }
    Ok(())
}

#[test]
fn two_hundred_kills_leave_whole_entries_and_no_files_behind() -> Outcome {
    let folder = tempfile::tempdir()?;
    let mut random = Random(0x5eed);
    let mut children = Vec::new();
    for _ in 0..WRITERS {
        children.push(spawn(folder.path(), random.next())?);
    }
    let cache = open(folder.path())?;
    let (mut killed, mut read) = (0, 0_u64);
    // Longer, where writers are killed before they get to write.
    while killed < KILLS || (read <= KILLS && killed < 10 * KILLS) {
        // What is killed where is the subject: at a moment of its own each time, the start of a process included.
        thread::sleep(Duration::from_micros(random.below(60_000)));
        let some = usize::try_from(random.below(WRITERS as u64))?;
        kill(&mut children[some])?;
        killed += 1;
        children[some] = spawn(folder.path(), random.next())?;
        for _ in 0..8 {
            let key = key(random.next());
            cache.read(&key, memo_core::Want::Bytes, &mut |found| {
                verify(&key, found.bytes);
                read += 1;
            })?;
        }
    }
    // The last ones at once, with nobody left to take over.
    drop(cache);
    children.iter_mut().try_for_each(kill)?;
    assert!(read > KILLS, "only {read} reads found something");

    let cache = open(folder.path())?;
    let mut keys = Vec::new();
    cache.scan("", &mut |key| keys.push(key.to_owned()))?;
    assert!(!keys.is_empty());
    for key in &keys {
        verify(key, &cache.get(key)?.ok_or("a scanned key without a value")?);
    }
    assert_eq!(cache.prune()?.corrupt, 0);
    assert!(cache.set_aside()?.is_empty(), "nothing was in doubt");
    cache.set("after all", b"v", None)?;
    drop(cache);

    assert_eq!(names(folder.path())?, ["door.lock", "entries", "readers.lock", "state", "users.lock", "writers.lock"]);
    assert_eq!(names(&folder.path().join("entries"))?, ["data.mdb", "lock.mdb", "uses"]);
    assert!(fs::read_to_string(folder.path().join("state"))?.contains("\nmark clean\n"));
    assert!(fs::metadata(folder.path().join("entries/data.mdb"))?.len() <= BOUND);
    Ok(())
}

fn kill(child: &mut Child) -> Outcome {
    if let Some(status) = child.try_wait()? {
        return Err(format!("a writer ended by itself: {status}").into());
    }
    child.kill()?;
    child.wait()?;
    Ok(())
}

fn names(folder: &Path) -> Result<Vec<String>, Box<dyn Error>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}
