//! Stored entries that were damaged at random, read back through the public door: a miss, never a panic, never a wrong
//! value. The same damage in every run.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

#[path = "../memo-core/tests/random/mod.rs"]
mod random;

use memokit::codec::{Bincode, Codec, Json, MessagePack, Postcard};
use memokit::{Bucket, Cache, MemoryCache, cached};
use random::Random;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// For each codec: half through a cached function, half through a bucket.
const ROUNDS: u64 = 100_000;

static CACHE: LazyLock<Arc<MemoryCache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

fn cache() -> Arc<dyn Cache> {
    Arc::clone(&*CACHE) as Arc<dyn Cache>
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Nothing,
    Number(i64),
    Text(String),
    Record { id: u16, tags: Vec<String>, table: BTreeMap<u8, Option<f32>>, inner: Option<Box<Value>> },
}

fn value(n: u64) -> Value {
    match n % 4 {
        0 => Value::Nothing,
        1 => Value::Number(-i64::try_from(n).unwrap() << (n % 30)),
        2 => Value::Text("caf\u{e9} ".repeat(usize::try_from(n % 9).unwrap())),
        _ => Value::Record {
            id: 513,
            tags: vec!["tea".to_owned(); usize::try_from(n % 3).unwrap()],
            table: (0..3).map(|key| (key, (!n.is_multiple_of(5)).then_some(0.5))).collect(),
            inner: (n > 8).then(|| Box::new(value(n / 2))),
        },
    }
}

impl Random {
    fn damage(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        let at = self.below(bytes.len());
        match self.below(8) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, self.byte()),
            2 => bytes.extend_from_slice(&other[..self.below(other.len())]),
            // The head of one entry and the tail of another.
            3 => {
                bytes.truncate(at);
                bytes.extend_from_slice(&other[self.below(other.len())..]);
            }
            4 => *bytes = (0..self.below(200)).map(|_| self.byte()).collect(),
            5 => *bytes = other.to_vec(),
            _ if bytes.is_empty() => {}
            6 => bytes[at] ^= 1 << self.below(8),
            _ => bytes[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][self.below(6)],
        }
    }
}

/// Damages what is stored under `key` and reads it `ROUNDS / 2` times. `read` gets the number of the value that must
/// come back, if any does; whether one did.
fn survives(seed: u64, key: &dyn Fn(u64) -> String, store: &dyn Fn(u64), read: &dyn Fn(u64) -> bool) {
    let mut random = Random(seed);
    let mut unchanged = 0;
    let numbers = 0..40;
    numbers.clone().for_each(store);
    let good: Vec<Vec<u8>> = numbers.map(|n| CACHE.get(&key(n)).unwrap().unwrap()).collect();
    for _ in 0..ROUNDS / 2 {
        let (n, other) = (random.below(good.len()), random.below(good.len()));
        let mut bytes = good[n].clone();
        for _ in 0..=random.below(3) {
            random.damage(&mut bytes, &good[other]);
        }
        let number = u64::try_from(n).unwrap();
        CACHE.set(&key(number), &bytes, None).unwrap();
        let hit = read(number);
        assert_eq!(hit, bytes == good[n], "seed {seed}, value {n}: {bytes:x?}");
        unchanged += u64::from(hit);
    }
    assert!(unchanged < ROUNDS / 20, "hardly any damage is none");
}

fn through_a_bucket<C: Codec>(seed: u64) {
    let bucket: Bucket<Value, C> = Bucket::new(cache(), C::NAME).codec();
    let keys: Vec<String> = (0..40_u64)
        .map(|n| {
            bucket.set(&n, &value(n)).unwrap();
            let key = bucket.keys().unwrap().pop().unwrap();
            assert!(bucket.remove(&n).unwrap());
            key
        })
        .collect();
    survives(seed, &|n| keys[usize::try_from(n).unwrap()].clone(), &|n| bucket.set(&n, &value(n)).unwrap(), &|n| {
        match bucket.get(&n).unwrap() {
            Some(found) => {
                assert_eq!(found, value(n));
                true
            }
            None => false,
        }
    });
}

/// The tests of one codec, each with a seed of its own.
macro_rules! with_codec {
    ($name:ident, $codec:ident, $seed:literal) => {
        mod $name {
            use super::*;

            #[cached(cache = cache(), codec = $codec, local = false)]
            fn find(n: u64) -> Value {
                value(n)
            }

            #[test]
            fn a_cached_function_survives() {
                survives(
                    $seed,
                    &|n| find::key(n).unwrap().text().to_owned(),
                    &|n| assert_eq!(find(n), value(n)),
                    &|n| {
                        let hits = find::stats().shared_hits;
                        assert_eq!(find(n), value(n));
                        find::stats().shared_hits > hits
                    },
                );
                let stats = find::stats();
                assert_eq!(stats.rejected + stats.shared_hits, ROUNDS / 2);
                assert_eq!((stats.loads, stats.backend_errors), (stats.rejected + 40, 0));
            }

            #[test]
            fn a_bucket_survives() {
                through_a_bucket::<$codec>($seed + 100);
            }
        }
    };
}

with_codec!(postcard, Postcard, 1);
with_codec!(json, Json, 2);
with_codec!(messagepack, MessagePack, 3);
with_codec!(bincode, Bincode, 4);
