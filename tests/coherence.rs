//! Four processes that read, refresh and invalidate what they share on a Redis server: by key, by tag and by function. Every
//! read is checked afterwards against the invalidations that were complete before it.
//!
//! The other processes are this test binary, run again with a part to play.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{cached, invalidate_tag};
use std::collections::HashMap;
use std::env;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;

/// The Redis database of this test binary.
const NUMBER: u8 = 13;
const PART: &str = "MEMOKIT_TEST_PART";
const FOLDER: &str = "MEMOKIT_TEST_FOLDER";
const ADDRESS: &str = "MEMOKIT_TEST_ADDRESS";
const OPERATIONS: &str = "MEMOKIT_TEST_OPERATIONS";

const PROCESSES: u64 = 4;
/// Threads of a process; the first one also changes things.
const THREADS: u64 = 2;
const KEYS: u64 = 64;
const GROUPS: u64 = 8;
/// After so long, another process has heard of an invalidation, if the machine lets it run.
const HEARD: u64 = 100_000_000;
/// Who wakes so much too late was held up.
const HELD_UP: u64 = 20_000_000;

/// Where the truth is: a version for each key, which one process raises and all read.
static SOURCE: LazyLock<File> = LazyLock::new(|| {
    let path = PathBuf::from(env::var(FOLDER).unwrap()).join("source");
    File::options().read(true).write(true).create(true).truncate(false).open(path).unwrap()
});

fn version(key: u64) -> u64 {
    let mut bytes = [0; 8];
    SOURCE.read_exact_at(&mut bytes, key * 8).unwrap();
    u64::from_le_bytes(bytes)
}

fn raise(key: u64) -> u64 {
    let version = version(key) + 1;
    SOURCE.write_all_at(&version.to_le_bytes(), key * 8).unwrap();
    version
}

#[cached(cache = "coherent", tags = [tag_of(key)])]
fn with_copies(key: u64) -> u64 {
    version(key)
}

#[cached(cache = "coherent", local = false)]
fn without_copies(key: u64) -> u64 {
    memokit::tag(tag_of(key));
    version(key)
}

fn tag_of(key: u64) -> String {
    format!("group {}", key % GROUPS)
}

/// The process that changes a key, and all of its group.
fn owner(key: u64) -> u64 {
    key % GROUPS % PROCESSES
}

fn has_copies(key: u64) -> bool {
    key < KEYS / 2
}

/// Nanoseconds on a clock that all processes read alike.
fn now() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

/// What happened, as three numbers: the key and whether it was a read; the version; the time. Of a read that is when it began, of
/// an invalidation when it had returned.
#[derive(Clone, Copy, Debug)]
struct Event {
    key: u64,
    is_read: bool,
    version: u64,
    at: u64,
}

impl Event {
    fn to_bytes(self) -> [u8; 24] {
        let mut bytes = [0; 24];
        let numbers = [self.key << 1 | u64::from(self.is_read), self.version, self.at];
        bytes.chunks_exact_mut(8).zip(numbers).for_each(|(place, n)| place.copy_from_slice(&n.to_le_bytes()));
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let number = |at: usize| u64::from_le_bytes(bytes[at * 8..][..8].try_into().unwrap());
        Event { key: number(0) >> 1, is_read: number(0) & 1 == 1, version: number(1), at: number(2) }
    }
}

/// A time in which a process was held up: from when to when.
#[derive(Clone, Copy)]
struct Stall(u64, u64);

/// When this process is held up, until it is told to stop.
fn stalls(stop: &AtomicBool) -> Vec<Stall> {
    let mut stalls = Vec::new();
    while !stop.load(Relaxed) {
        let from = now();
        thread::sleep(Duration::from_millis(1));
        let to = now();
        if to - from > HELD_UP {
            stalls.push(Stall(from, to));
        }
    }
    stalls
}

/// What was over by then is heard of at this time: [`HEARD`] before it, and before that as long as the process was held up in
/// between.
fn heard_by(at: u64, stalls: &[Stall]) -> u64 {
    let begun = stalls.partition_point(|Stall(from, _)| *from < at);
    let before = stalls[..begun].iter().rev();
    before
        .fold(at.saturating_sub(HEARD), |by, Stall(from, to)| if *to > by { by.saturating_sub(to - from) } else { by })
}

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

fn read(random: &mut Random) -> Event {
    let key = random.below(KEYS);
    let at = now();
    let version = match (random.below(50), has_copies(key)) {
        (0, true) => with_copies::refresh(key).unwrap(),
        (0, false) => without_copies::refresh(key).unwrap(),
        (_, true) => with_copies(key),
        (_, false) => without_copies(key),
    };
    Event { key, is_read: true, version, at }
}

/// Changes the truth of some keys of this process and invalidates them.
fn change(part: u64, random: &mut Random) -> Vec<Event> {
    let own: Vec<u64> = (0..KEYS).filter(|key| owner(*key) == part).collect();
    let key = own[usize::try_from(random.below(own.len() as u64)).unwrap()];
    let kind = random.below(8);
    let keys: Vec<u64> = match kind {
        0 => own,
        1 | 2 => own.into_iter().filter(|one| tag_of(*one) == tag_of(key)).collect(),
        _ => vec![key],
    };
    let versions: Vec<u64> = keys.iter().map(|key| raise(*key)).collect();
    match kind {
        0 => {
            with_copies::invalidate_all().unwrap();
            without_copies::invalidate_all().unwrap();
        }
        1 | 2 => invalidate_tag(tag_of(key)).unwrap(),
        _ if has_copies(key) => drop(with_copies::invalidate(key).unwrap()),
        _ => drop(without_copies::invalidate(key).unwrap()),
    }
    let at = now();
    let events = keys.into_iter().zip(versions);
    events.map(|(key, version)| Event { key, is_read: false, version, at }).collect()
}

/// The part of a child; nothing when the tests are run as such.
#[test]
fn child() {
    let Ok(part) = env::var(PART) else { return };
    let part: u64 = part.parse().unwrap();
    let operations: u64 = env::var(OPERATIONS).unwrap().parse().unwrap();
    memokit::register("coherent", Arc::new(support::patient(env::var(ADDRESS).unwrap())));
    let run = |thread: u64| {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ (part << 8 | thread));
        let mut events = Vec::new();
        for _ in 0..operations {
            if thread == 0 && random.below(20) == 0 {
                events.append(&mut change(part, &mut random));
            } else {
                events.push(read(&mut random));
            }
        }
        events
    };
    let stop = AtomicBool::new(false);
    let (events, stalls): (Vec<Event>, Vec<Stall>) = thread::scope(|scope| {
        let stalls = scope.spawn(|| stalls(&stop));
        let threads: Vec<_> = (0..THREADS).map(|thread| scope.spawn(move || run(thread))).collect();
        let ended: Vec<_> = threads.into_iter().map(thread::ScopedJoinHandle::join).collect();
        stop.store(true, Relaxed);
        (ended.into_iter().flat_map(Result::unwrap).collect(), stalls.join().unwrap())
    });
    let folder = PathBuf::from(env::var(FOLDER).unwrap());
    let bytes: Vec<u8> = events.into_iter().flat_map(Event::to_bytes).collect();
    std::fs::write(folder.join(format!("events {part}")), bytes).unwrap();
    let bytes: Vec<u8> = stalls.into_iter().flat_map(|Stall(from, to)| [from, to]).flat_map(u64::to_le_bytes).collect();
    std::fs::write(folder.join(format!("stalls {part}")), bytes).unwrap();
}

/// The invalidations of one key by one process: when each had returned, and the highest version so far, in order.
#[derive(Default)]
struct Done(Vec<(u64, u64)>);

impl Done {
    fn new(mut events: Vec<(u64, u64)>) -> Self {
        events.sort_unstable();
        let mut highest = 0;
        for (_, version) in &mut events {
            highest = highest.max(*version);
            *version = highest;
        }
        Done(events)
    }

    /// The version that had to be seen at this time.
    fn by(&self, at: u64) -> u64 {
        let before = self.0.partition_point(|(done, _)| *done <= at);
        before.checked_sub(1).map_or(0, |last| self.0[last].1)
    }
}

#[test]
fn no_process_reads_what_another_invalidated_longer_ago_than_a_message_takes() {
    if env::var(PART).is_ok() {
        return;
    }
    let effort: u64 = env::var("MEMOKIT_TEST_EFFORT").map_or(1, |effort| effort.parse().unwrap());
    let operations = 6_250 * effort;
    let folder = support::folder("coherence");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("source"), vec![0; usize::try_from(KEYS * 8).unwrap()]).unwrap();
    drop(support::redis(NUMBER));
    let mut children: Vec<_> = (0..PROCESSES)
        .map(|part| {
            Command::new(env::current_exe().unwrap())
                .args(["--exact", "child", "--nocapture", "--test-threads=1"])
                .env(PART, part.to_string())
                .env(FOLDER, &folder)
                .env(ADDRESS, support::redis_url(NUMBER))
                .env(OPERATIONS, operations.to_string())
                .spawn()
                .unwrap()
        })
        .collect();
    // All of them, so that none is left running.
    let ended: Vec<bool> = children.iter_mut().map(|child| child.wait().unwrap().success()).collect();
    assert!(ended.into_iter().all(|well| well));

    let logs: Vec<Vec<Event>> = (0..PROCESSES)
        .map(|part| {
            let bytes = std::fs::read(folder.join(format!("events {part}"))).unwrap();
            bytes.chunks_exact(24).map(Event::from_bytes).collect()
        })
        .collect();
    let stalls: Vec<Vec<Stall>> = (0..PROCESSES)
        .map(|part| {
            let bytes = std::fs::read(folder.join(format!("stalls {part}"))).unwrap();
            let number = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().unwrap());
            bytes.chunks_exact(16).map(|two| Stall(number(&two[..8]), number(&two[8..]))).collect()
        })
        .collect();
    let done: HashMap<u64, Done> = (0..KEYS)
        .map(|key| {
            let own = logs[usize::try_from(owner(key)).unwrap()].iter();
            let events = own.filter(|event| !event.is_read && event.key == key);
            (key, Done::new(events.map(|event| (event.at, event.version)).collect()))
        })
        .collect();
    let (mut reads, mut old, mut worst) = (0_u64, 0_u64, 0_u64);
    for ((part, log), stalls) in (0..).zip(&logs).zip(&stalls) {
        for event in log.iter().filter(|event| event.is_read) {
            reads += 1;
            let done = &done[&event.key];
            let is_own = owner(event.key) == part;
            let needed = done.by(if is_own { event.at } else { heard_by(event.at, stalls) });
            assert!(event.version >= needed, "process {part} read {event:?}, and {needed} had to be seen");
            // How late messages are.
            if event.version < done.by(event.at) {
                old += 1;
                let at = done.0.partition_point(|(_, version)| *version <= event.version);
                worst = worst.max(event.at - done.0[at].0);
            }
        }
    }
    let invalidations: usize = done.values().map(|done| done.0.len()).sum();
    let stalls: usize = stalls.iter().map(Vec::len).sum();
    println!("{reads} reads, {invalidations} invalidated versions; {old} reads by up to {} us late", worst / 1_000);
    println!("held up {stalls} times");
    // One operation in forty changes something, four or five versions on average. So the checker saw what was to be done.
    let all = operations * THREADS * PROCESSES;
    assert!(reads > all / 10 * 9 && invalidations as u64 > all / 20, "of {all} operations");
}
