//! What signing and compressing cost and save: bytes in the store, and the time of a write and of a read in memory.
//!
//! `cargo bench --bench sealed`. How to read the tables is in `README.md`.
#![allow(missing_docs, reason = "a program")]

use memokit::codec::{Codec, Json, Postcard};
use memokit::{Bucket, Cache, Compression, Found, MemoryCache, Sealed, Secret, Want};
use memokit_benches::{Contender, Random, is_measuring, take_turns};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::hint::black_box;
use std::process::ExitCode;
use std::sync::Arc;

const ROUNDS: usize = 31;
const KEY: &str = "memo:bench::sealed:0:60a4314111e16bbb152a4ee13d545ee4631d5d3f9750076fb0fef33ab2b86d46";
/// About 300 B to 800 KB in Postcard.
const ROWS: [usize; 5] = [4, 16, 64, 1_000, 10_000];

/// What a query gives. No two are alike, as texts and numbers of a table are not.
#[derive(Serialize, Deserialize)]
struct Row {
    id: u64,
    reference: String,
    name: String,
    price: f64,
    tags: Vec<String>,
}

const WORDS: [&str; 16] = [
    "blue",
    "large",
    "cotton",
    "shirt",
    "in stock",
    "new",
    "chair",
    "oak",
    "lamp",
    "steel",
    "bottle",
    "green",
    "small",
    "set of four",
    "table",
    "returned",
];

fn rows(count: usize) -> Vec<Row> {
    let mut random = Random::new(7);
    let mut word = move || WORDS[usize::try_from(random.next() % 16).unwrap_or(0)].to_owned();
    let mut random = Random::new(8);
    let row = |_| Row {
        id: random.next() % 10_000_000,
        reference: format!("{:016x}", random.next()),
        name: format!("{} {} {}", word(), word(), word()),
        price: f64::from(u32::try_from(random.next() % 100_000).unwrap_or(0)) / 100.0,
        tags: (0..random.next() % 4).map(|_| word()).collect(),
    };
    (0..count).map(row).collect()
}

fn main() -> ExitCode {
    if !is_measuring() {
        println!("sealed: nothing to see without measuring; run `cargo bench --bench sealed`");
        return ExitCode::SUCCESS;
    }
    match of::<Postcard>().and_then(|()| of::<Json>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sealed: {error}");
            ExitCode::FAILURE
        }
    }
}

fn entry<C: Codec>(count: usize) -> Result<Vec<u8>, memokit::Error> {
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new());
    let bucket = Bucket::new(Arc::clone(&cache), "entry").codec::<C>();
    bucket.set("key", &rows(count))?;
    Ok(bucket.keys()?.first().map(|key| cache.get(key)).transpose()?.flatten().unwrap_or_default())
}

fn of<C: Codec>() -> Result<(), Box<dyn Error>> {
    for count in ROWS {
        let value = entry::<C>(count)?;
        println!("\n### {}, {count} rows, {} bytes\n", C::NAME, value.len());
        let stores: Vec<(&'static str, Arc<MemoryCache>, Arc<dyn Cache>)> = ways()?
            .into_iter()
            .map(|(name, over)| {
                let store = Arc::new(MemoryCache::new());
                let cache = over(store.clone());
                (name, store, cache)
            })
            .collect();
        for (_, _, cache) in &stores {
            cache.set(KEY, &value, None)?;
        }
        let writes = stores.iter().map(|(name, _, cache)| {
            let value = &value;
            Contender::new(name, move |_, calls| {
                (0..calls).for_each(|_| cache.set(KEY, black_box(value), None).expect("room"));
            })
        });
        let reads = stores.iter().map(|(name, _, cache)| {
            Contender::new(name, move |_, calls| {
                (0..calls).for_each(|_| {
                    let mut visit = |found: Found<&[u8]>| _ = black_box(found.bytes);
                    cache.read(KEY, Want::Bytes, &mut visit).expect("a hit");
                });
            })
        });
        let writes = take_turns(&writes.collect::<Vec<_>>(), 1, ROUNDS);
        let reads = take_turns(&reads.collect::<Vec<_>>(), 1, ROUNDS);
        println!("| | bytes | write, us | read, us |\n|---|--:|--:|--:|");
        for (name, store, _) in &stores {
            let bytes = store.get(KEY)?.map_or(0, |bytes| bytes.len());
            println!("| {name} | {bytes} | {:.1} | {:.1} |", writes.median(name) / 1e3, reads.median(name) / 1e3);
        }
    }
    Ok(())
}

type Over = Box<dyn Fn(Arc<dyn Cache>) -> Arc<dyn Cache>>;

fn ways() -> Result<Vec<(&'static str, Over)>, memokit::Error> {
    let secret = Secret::new("0f8fad5bd9cb469fa16570867728950e")?;
    let both = secret.clone();
    let fast = Compression::zstd(1)?.above(0);
    let usual = Compression::zstd(3)?.above(0);
    Ok(vec![
        ("as it is", Box::new(|cache| cache)),
        ("signed", Box::new(move |cache| Arc::new(Sealed::over(cache).signed(secret.clone())))),
        ("LZ4", Box::new(|cache| Arc::new(Sealed::over(cache).compressed(Compression::lz4().above(0))))),
        ("Zstandard 1", Box::new(move |cache| Arc::new(Sealed::over(cache).compressed(fast)))),
        ("Zstandard 3", Box::new(move |cache| Arc::new(Sealed::over(cache).compressed(usual)))),
        (
            "signed, Zstandard 1",
            Box::new(move |cache| Arc::new(Sealed::over(cache).signed(both.clone()).compressed(fast))),
        ),
    ])
}
