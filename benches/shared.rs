//! What a hit in a shared level costs: Redis and the file cache through `#[cached]`, beside the same read by hand.
//!
//! `cargo bench --bench shared`, or with `-- "1 MB"` the tables with that in their titles. It starts a Redis server of its
//! own, or uses the one in `MEMOKIT_TEST_REDIS`. How to read the tables is in `README.md`.
#![allow(missing_docs, reason = "a program")]

#[path = "shared/large.rs"]
mod large;
#[path = "../memo-backends/tests/support/server.rs"]
mod server;

use heed::types::Bytes;
use heed::{CommitOrAbort, Database, EnvFlags, EnvOpenOptions};
use memokit::{FileCache, RedisCache};
use memokit_benches::{Contender, Measured, Random, is_measuring, take_turns};
use redis::Connection;
use redis::aio::MultiplexedConnection;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use server::{Server, find_program};
use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::{env, path::Path};
use tokio::runtime::Runtime;

/// Live entries of each size.
const ENTRIES: u64 = 2_000;
const ROUNDS: usize = 101;
const TASKS: u64 = 64;

const MEMOKIT: &str = "memokit";
const BY_HAND: &str = "by hand";
/// The file cache's keys, made beforehand, and its entries, undoubted.
const BARE: &str = "the bare engine";

/// Where the payload begins in what the file cache stores, see `docs/file-layout.md` and `docs/entry-format.md`.
const PAYLOAD: usize = 16 + 66;

/// Runs of any contender's body. Every measured call is a hit, which this proves.
static LOADS: AtomicU64 = AtomicU64::new(0);

/// What a service would store: a few fields and a text that makes up its size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Page<const SIZE: usize> {
    id: u64,
    title: String,
    text: String,
}

impl<const SIZE: usize> Page<SIZE> {
    fn load(id: u64) -> Self {
        LOADS.fetch_add(1, Ordering::Relaxed);
        let title = format!("page {id}");
        let text = "lorem ipsum ".chars().cycle().take(SIZE - title.len() - 8).collect();
        Page { id, title, text }
    }
}

/// Functions as a user would write them.
macro_rules! functions {
    ($($cache:tt: $(($async:ident))? $name:ident of $size:literal;)+) => {$(
        #[memokit::cached(cache = $cache, local = false)]
        $($async)? fn $name(id: u64) -> Page<$size> {
            Page::load(id)
        }
    )+};
}

functions! {
    "file": file_100 of 100;
    "file": file_1_000 of 1_000;
    "file": file_4_000 of 4_000;
    "redis": redis_100 of 100;
    "redis": redis_10_000 of 10_000;
    "redis": (async) redis_async_100 of 100;
    "redis": (async) redis_async_10_000 of 10_000;
}

/// What a query gives: as much as a [`Page`], of many small parts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Row {
    id: u64,
    name: String,
    price: f64,
    tags: Vec<String>,
}

fn rows(id: u64, count: u64) -> Vec<Row> {
    LOADS.fetch_add(1, Ordering::Relaxed);
    let row = |n| Row {
        id: n,
        name: format!("article {n} of {id}"),
        price: 9.95,
        tags: vec!["new".into(), "in stock".into(), "blue".into()],
    };
    (0..count).map(row).collect()
}

#[memokit::cached(cache = "file", local = false)]
fn file_rows(id: u64) -> Vec<Row> {
    rows(id, 16)
}

#[memokit::cached(cache = "file", local = false)]
fn file_more_rows(id: u64) -> Vec<Row> {
    rows(id, 64)
}

fn main() -> ExitCode {
    if !is_measuring() {
        println!("shared: nothing to see without measuring; run `cargo bench --bench shared`");
        return ExitCode::SUCCESS;
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shared: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<(), Box<dyn Error>> {
    file()?;
    let (_server, url) = server()?;
    sync_redis(&url)?;
    async_redis(&url)?;
    Ok(())
}

/// The server in the environment, else one of our own that ends with the result.
fn server() -> Result<(Option<Server>, String), Box<dyn Error>> {
    if let Ok(url) = env::var("MEMOKIT_TEST_REDIS") {
        return Ok((None, url));
    }
    let program = find_program().ok_or(
        "no Redis server: run `cargo xtask bench`, which installs one where it can, or install redis-server or \
         valkey, or set MEMOKIT_REDIS_SERVER to the program or MEMOKIT_TEST_REDIS to the address of a running server",
    )?;
    let server = Server::start(&program)?;
    let url = server.url();
    Ok((Some(server), url))
}

/// Calls with keys in no order.
fn ids(thread: usize, calls: u64) -> impl Iterator<Item = u64> {
    let mut random = Random::new(thread as u64);
    (0..calls).map(move |_| random.next() % ENTRIES)
}

/// The key that somebody who does it by hand would write.
fn key_by_hand(id: u64) -> String {
    format!("page:{id}")
}

/// Whether the command line asks for this table; it asks for all if it names none.
fn is_wanted(title: &str) -> bool {
    let mut named = env::args().skip(1).filter(|argument| !argument.starts_with('-')).peekable();
    named.peek().is_none() || named.any(|part| title.contains(&part))
}

fn report(title: &str, measured: &Measured, bar: f64) {
    println!("\n### {title}\n\n{}", measured.table(&[BY_HAND]));
    println!("{}", measured.bar(MEMOKIT, BY_HAND, bar));
}

fn all_hits(title: &str, before: u64) -> Result<(), String> {
    let loads = LOADS.load(Ordering::Relaxed) - before;
    if loads == 0 { Ok(()) } else { Err(format!("{title}: {loads} of the measured calls were misses")) }
}

// ---- file

fn file() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    memokit::register("file", std::sync::Arc::new(FileCache::open(folder.path().join("memokit"))?));
    file_of("100 B", folder.path(), file_100, file_100::key)?;
    file_of("1 KB", folder.path(), file_1_000, file_1_000::key)?;
    file_of("4 KB", folder.path(), file_4_000, file_4_000::key)?;
    file_of("1 KB in 16 rows", folder.path(), file_rows, file_rows::key)?;
    file_of("4 KB in 64 rows", folder.path(), file_more_rows, file_more_rows::key)?;
    large::file(folder.path())
}

/// LMDB with nothing around it, set up as the file cache sets it up.
struct Engine {
    environment: heed::Env,
    entries: Database<'static, Bytes, Bytes>,
}

impl Engine {
    fn open(path: &Path) -> Result<Self, Box<dyn Error>> {
        std::fs::create_dir(path)?;
        let mut options = EnvOpenOptions::new();
        options.map_size(256 << 20);
        #[expect(unsafe_code, reason = "heed asks its caller to keep others from the mapped file")]
        // SAFETY: the folder was made for this process a moment ago, and nobody else knows of it.
        let environment = unsafe { options.flags(EnvFlags::NO_SYNC).open(path)? };
        let opened = environment.open_databases_and_commit(environment.read_txn()?, |opener, txn| {
            opener.open_database::<Bytes, Bytes>(txn, None).map(CommitOrAbort::<_, ()>::Commit)
        })?;
        let entries = opened.unwrap_commit().ok_or("every environment has an unnamed database")?;
        Ok(Engine { environment, entries })
    }

    fn set(&self, key: &str, bytes: &[u8]) -> heed::Result<()> {
        let mut txn = self.environment.write_txn()?;
        self.entries.put(&mut txn, key.as_bytes(), bytes)?;
        txn.commit()
    }

    fn read<T>(&self, key: &str, look: impl FnOnce(&[u8]) -> T) -> T {
        let txn = self.environment.read_txn().expect("a reader's place");
        look(self.entries.get(&txn, key.as_bytes()).expect("a read").expect("a hit"))
    }
}

fn file_of<V: Serialize + DeserializeOwned>(
    size: &str,
    folder: &Path,
    call: fn(u64) -> V,
    key: impl Fn(u64) -> Result<memokit::Key, memokit::Error>,
) -> Result<(), Box<dyn Error>> {
    let title = format!("File, {size}");
    if !is_wanted(&title) {
        return Ok(());
    }
    let by_hand = Engine::open(&folder.join(format!("by hand {size}")))?;
    let bare = Engine::open(&folder.join(format!("bare {size}")))?;
    let mut keys = Vec::new();
    for id in 0..ENTRIES {
        let page = call(id);
        by_hand.set(&key_by_hand(id), &postcard::to_stdvec(&page)?)?;
        let key = key(id)?.text().to_owned();
        let entry = memokit::cache("file")?.get(&key)?.ok_or("it was stored a line ago")?;
        // In front of an entry the file cache keeps its times.
        bare.set(&key, &[&[0; 16], entry.as_slice()].concat())?;
        keys.push(key);
    }

    let key_of = |id| &keys[usize::try_from(id).unwrap_or(0)];
    let decode = |bytes: &[u8]| postcard::from_bytes::<V>(bytes).expect("what was stored");
    let contenders = [
        Contender::new(MEMOKIT, |thread, calls| ids(thread, calls).for_each(|id| drop(black_box(call(id))))),
        Contender::new(BARE, |thread, calls| {
            ids(thread, calls).for_each(|id| {
                drop(black_box(bare.read(key_of(id), |stored| decode(&stored[PAYLOAD..]))));
            });
        }),
        Contender::new(BY_HAND, |thread, calls| {
            ids(thread, calls).for_each(|id| drop(black_box(by_hand.read(&key_by_hand(id), decode))));
        }),
        Contender::new("by hand, copied before decoding", |thread, calls| {
            ids(thread, calls).for_each(|id| {
                let bytes = by_hand.read(&key_by_hand(id), <[u8]>::to_vec);
                drop(black_box(decode(&bytes)));
            });
        }),
    ];
    let loads = LOADS.load(Ordering::Relaxed);
    let measured = take_turns(&contenders, 1, ROUNDS);
    all_hits(&title, loads)?;
    println!("\n### {title}\n\n{}", measured.table(&[BARE, BY_HAND]));
    println!("{}", measured.bar(MEMOKIT, BARE, 1.3));
    Ok(())
}

// ---- Redis, blocking

fn sync_redis(url: &str) -> Result<(), Box<dyn Error>> {
    memokit::register("redis", std::sync::Arc::new(RedisCache::connect(url)?));
    let connection = Mutex::new(redis::Client::open(url)?.get_connection()?);
    sync_redis_of("100 B", &connection, redis_100)?;
    sync_redis_of("10 KB", &connection, redis_10_000)?;
    large::redis(&connection)
}

fn sync_redis_of<const SIZE: usize>(
    size: &str,
    connection: &Mutex<Connection>,
    call: fn(u64) -> Page<SIZE>,
) -> Result<(), Box<dyn Error>> {
    let title = format!("Redis, {size}");
    if !is_wanted(&title) {
        return Ok(());
    }
    fill_by_hand::<SIZE>(connection, call)?;
    let read = |id| {
        let mut connection = connection.lock().expect("nobody panics with it");
        let bytes: Vec<u8> = redis::cmd("GET").arg(key_of::<SIZE>(id)).query(&mut *connection).expect("an answer");
        postcard::from_bytes::<Page<SIZE>>(&bytes).expect("what was stored")
    };
    let contenders = [
        Contender::new(MEMOKIT, |thread, calls| ids(thread, calls).for_each(|id| drop(black_box(call(id))))),
        Contender::new(BY_HAND, |thread, calls| ids(thread, calls).for_each(|id| drop(black_box(read(id))))),
    ];
    let loads = LOADS.load(Ordering::Relaxed);
    let measured = take_turns(&contenders, 1, ROUNDS);
    all_hits(&title, loads)?;
    report(&title, &measured, 1.15);
    Ok(())
}

fn key_of<const SIZE: usize>(id: u64) -> String {
    format!("page:{SIZE}:{id}")
}

fn fill_by_hand<const SIZE: usize>(
    connection: &Mutex<Connection>,
    call: fn(u64) -> Page<SIZE>,
) -> Result<(), Box<dyn Error>> {
    let mut connection = connection.lock().expect("nobody panics with it");
    for id in 0..ENTRIES {
        let page = call(id);
        redis::cmd("SET").arg(key_of::<SIZE>(id)).arg(postcard::to_stdvec(&page)?).exec(&mut *connection)?;
    }
    Ok(())
}

// ---- Redis, tasks

fn async_redis(url: &str) -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let connection = runtime.block_on(redis::Client::open(url)?.get_multiplexed_async_connection())?;
    async_redis_of("100 B", &runtime, &connection, redis_async_100)?;
    async_redis_of("10 KB", &runtime, &connection, redis_async_10_000)
}

fn async_redis_of<const SIZE: usize, F>(
    size: &str,
    runtime: &Runtime,
    connection: &MultiplexedConnection,
    call: fn(u64) -> F,
) -> Result<(), Box<dyn Error>>
where
    F: Future<Output = Page<SIZE>> + Send + 'static,
{
    let title = format!("Redis, {size}, {TASKS} tasks (per call, all tasks together)");
    if !is_wanted(&title) {
        return Ok(());
    }
    for id in 0..ENTRIES {
        let page = postcard::to_stdvec(&runtime.block_on(call(id)))?;
        let set = redis::cmd("SET").arg(key_of::<SIZE>(id)).arg(page).to_owned();
        runtime.block_on(set.exec_async(&mut connection.clone()))?;
    }
    let contenders = [
        Contender::new(MEMOKIT, |_, calls| {
            in_tasks(runtime, calls, || {
                // In the task, as users do and as by hand: a call that is made before is moved there.
                move |id| async move { drop(black_box(call(id).await)) }
            });
        }),
        Contender::new(BY_HAND, |_, calls| {
            in_tasks(runtime, calls, || {
                let connection = connection.clone();
                move |id| {
                    let mut connection = connection.clone();
                    async move {
                        let get = redis::cmd("GET").arg(key_of::<SIZE>(id)).to_owned();
                        let bytes: Vec<u8> = get.query_async(&mut connection).await.expect("an answer");
                        drop(black_box(postcard::from_bytes::<Page<SIZE>>(&bytes).expect("what was stored")));
                    }
                }
            });
        }),
    ];
    let loads = LOADS.load(Ordering::Relaxed);
    let measured = take_turns(&contenders, 1, ROUNDS);
    all_hits(&title, loads)?;
    report(&title, &measured, 1.1);
    Ok(())
}

/// Makes the calls in [`TASKS`] tasks at once.
fn in_tasks<C, F>(runtime: &Runtime, calls: u64, caller: impl Fn() -> C)
where
    C: Fn(u64) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    runtime.block_on(async {
        let share = calls.div_ceil(TASKS);
        let tasks: Vec<_> = (0..TASKS)
            .map(|task| {
                let call = caller();
                tokio::spawn(async move {
                    let mut random = Random::new(task);
                    for _ in 0..share {
                        call(random.next() % ENTRIES).await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.expect("no panic");
        }
    });
}
