//! Bytes and text of 1 MB: a hit beside the bare read and one copy of what it found.

use super::{BARE, Engine, MEMOKIT, all_hits, is_wanted};
use memokit::{Error, Key};
use memokit_benches::{Contender, Random, take_turns};
use redis::Connection;
use std::hint::black_box;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

const SIZE: usize = 1_000_000;
/// Live entries of each kind.
const ENTRIES: u64 = 50;
const ROUNDS: usize = 41;
/// How many times the bare read a hit may take.
const FILE_BAR: f64 = 1.5;
const REDIS_BAR: f64 = 1.2;

fn bytes(id: u64) -> Vec<u8> {
    super::LOADS.fetch_add(1, Ordering::Relaxed);
    let mut random = Random::new(id);
    (0..SIZE).map(|_| random.next().to_le_bytes()[0]).collect()
}

fn text(id: u64) -> String {
    super::LOADS.fetch_add(1, Ordering::Relaxed);
    format!("page {id}: lorem ipsum ").chars().cycle().take(SIZE).collect()
}

/// Functions as a user would write them.
macro_rules! functions {
    ($($cache:tt $codec:ident: $name:ident gives $load:ident -> $value:ty;)+) => {$(
        #[memokit::cached(cache = $cache, local = false, codec = $codec)]
        fn $name(id: u64) -> $value {
            $load(id)
        }
    )+};
}

functions! {
    "file" Postcard: file_bytes gives bytes -> Vec<u8>;
    "file" Postcard: file_text gives text -> String;
    "file" MessagePack: file_bytes_in_messagepack gives bytes -> Vec<u8>;
    "file" MessagePack: file_text_in_messagepack gives text -> String;
    "file" Json: file_text_in_json gives text -> String;
    "redis" Postcard: redis_bytes gives bytes -> Vec<u8>;
    "redis" Postcard: redis_text gives text -> String;
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

pub(super) fn file(folder: &Path) -> Outcome {
    file_of("bytes", folder, file_bytes, file_bytes::key)?;
    file_of("text", folder, file_text, file_text::key)?;
    file_of("bytes in MessagePack", folder, file_bytes_in_messagepack, file_bytes_in_messagepack::key)?;
    file_of("text in MessagePack", folder, file_text_in_messagepack, file_text_in_messagepack::key)?;
    file_of("text in JSON", folder, file_text_in_json, file_text_in_json::key)
}

fn ids(thread: usize, calls: u64) -> impl Iterator<Item = u64> {
    let mut random = Random::new(thread as u64);
    (0..calls).map(move |_| random.next() % ENTRIES)
}

fn file_of<V: AsRef<[u8]>>(
    kind: &str,
    folder: &Path,
    call: fn(u64) -> V,
    key: impl Fn(u64) -> Result<Key, Error>,
) -> Outcome {
    let title = format!("File, 1 MB of {kind}");
    if !is_wanted(&title) {
        return Ok(());
    }
    let bare = Engine::open(&folder.join(format!("bare 1 MB {kind}")))?;
    let mut keys = Vec::new();
    for id in 0..ENTRIES {
        let key = key(id)?.text().to_owned();
        bare.set(&key, call(id).as_ref())?;
        keys.push(key);
    }
    let key_of = |id| &keys[usize::try_from(id).unwrap_or(0)];
    let contenders = [
        Contender::new(MEMOKIT, |thread, calls| ids(thread, calls).for_each(|id| drop(black_box(call(id))))),
        Contender::new(BARE, |thread, calls| {
            ids(thread, calls).for_each(|id| drop(black_box(bare.read(key_of(id), <[u8]>::to_vec))));
        }),
    ];
    let loads = super::LOADS.load(Ordering::Relaxed);
    let measured = take_turns(&contenders, 1, ROUNDS);
    all_hits(&title, loads)?;
    println!("\n### {title}\n\n{}", measured.table(&[BARE]));
    println!("{}", measured.bar(MEMOKIT, BARE, FILE_BAR));
    Ok(())
}

pub(super) fn redis(connection: &Mutex<Connection>) -> Outcome {
    redis_of("bytes", connection, redis_bytes)?;
    redis_of("text", connection, redis_text)
}

fn redis_of<V: AsRef<[u8]>>(kind: &str, connection: &Mutex<Connection>, call: fn(u64) -> V) -> Outcome {
    let title = format!("Redis, 1 MB of {kind}");
    if !is_wanted(&title) {
        return Ok(());
    }
    let key_of = |id| format!("{kind}:{id}");
    for id in 0..ENTRIES {
        let mut connection = connection.lock().expect("nobody panics with it");
        redis::cmd("SET").arg(key_of(id)).arg(call(id).as_ref()).exec(&mut *connection)?;
    }
    let read = |id| {
        let mut connection = connection.lock().expect("nobody panics with it");
        redis::cmd("GET").arg(key_of(id)).query::<Vec<u8>>(&mut *connection).expect("an answer")
    };
    let contenders = [
        Contender::new(MEMOKIT, |thread, calls| ids(thread, calls).for_each(|id| drop(black_box(call(id))))),
        Contender::new(BARE, |thread, calls| ids(thread, calls).for_each(|id| drop(black_box(read(id))))),
    ];
    let loads = super::LOADS.load(Ordering::Relaxed);
    let measured = take_turns(&contenders, 1, ROUNDS);
    all_hits(&title, loads)?;
    println!("\n### {title}\n\n{}", measured.table(&[BARE]));
    println!("{}", measured.bar(MEMOKIT, BARE, REDIS_BAR));
    Ok(())
}
