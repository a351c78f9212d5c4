//! Sealed caches under cached functions and buckets, on every backend.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::invalidation::{Invalidation, Stored};
use memokit::testing::conformance;
use memokit::{Bucket, Cache, Compression, NextCall, Sealed, Secret, SharedState, cached};
use std::sync::{Arc, Once};
use std::thread;
use std::time::Duration;
use tokio::runtime::Runtime;

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 7;

const SECRET: &str = "0f8fad5bd9cb469fa16570867728950e";
const OTHER: &str = "7c9e6679742540de944be07fc1f90ae7";

fn signed(cache: &Arc<dyn Cache>, secret: &str) -> Sealed {
    Sealed::over(Arc::clone(cache)).signed(Secret::new(secret).unwrap())
}

/// Registers, for each backend, a signed and a compressed cache over it, and one with everything.
fn register() {
    static DONE: Once = Once::new();
    DONE.call_once(|| {
        support::register(NUMBER);
        for name in support::BACKENDS {
            let cache = memokit::cache(name).unwrap();
            memokit::register(format!("{name} signed"), Arc::new(signed(&cache, SECRET)));
            let both = signed(&cache, SECRET).compressed(Compression::zstd(3).unwrap());
            memokit::register(format!("{name} both"), Arc::new(both));
            let compressed = Sealed::over(cache).compressed(Compression::lz4());
            memokit::register(format!("{name} lz4"), Arc::new(compressed));
        }
    });
}

/// The same functions and tests for one backend.
macro_rules! on {
    ($backend:ident, $plain:literal, $signed:literal, $both:literal, $lz4:literal) => {
        mod $backend {
            use super::*;

            fn plain() -> Arc<dyn Cache> {
                register();
                memokit::cache($plain).unwrap()
            }

            #[cached(cache = $signed, local = false)]
            fn price(item: &str) -> u64 {
                item.len() as u64
            }

            #[test]
            fn a_value_that_is_not_signed_is_a_miss() {
                let store = plain();
                assert_eq!((price("tea"), price("tea")), (3, 3));
                assert_eq!((price::stats().shared_hits, price::stats().loads), (1, 1));
                let key = price::key("tea").unwrap();
                let ours = store.get(key.text()).unwrap().unwrap();

                // What one who can write to the store would like it to be.
                price::put("tea", 1_000_000).unwrap();
                let wanted = memokit::cache($signed).unwrap().get(key.text()).unwrap().unwrap();
                let forged = |secret| {
                    signed(&store, secret).set(key.text(), &wanted, None).unwrap();
                    store.get(key.text()).unwrap().unwrap()
                };
                let mut flipped = ours.clone();
                flipped[40] ^= 1;
                for (number, forged) in
                    [wanted.clone(), forged(OTHER), flipped, vec![], b"7".to_vec()].iter().enumerate()
                {
                    store.set(key.text(), forged, None).unwrap();
                    let reason = if forged == b"7" { "too short" } else { "signature" };
                    let explained = price::explain("tea");
                    let rejected = matches!(explained.shared(), SharedState::Rejected { reason: seen } if *seen == reason);
                    assert!(rejected, "{number}: {explained:?}");
                    let before = price::stats();
                    assert_eq!(price("tea"), 3, "{number}");
                    let after = price::stats();
                    assert_eq!((after.rejected, after.loads), (before.rejected + 1, before.loads + 1), "{number}");
                    assert_eq!(after.backend_errors, 0);
                    assert_eq!(price("tea"), 3);
                    assert_eq!(price::stats().shared_hits, after.shared_hits + 1, "and it was stored anew");
                }

                // Another call's value.
                assert_eq!(price("coffee"), 6);
                let coffee = store.get(price::key("coffee").unwrap().text()).unwrap().unwrap();
                store.set(key.text(), &coffee, None).unwrap();
                assert_eq!(price("tea"), 3);
            }

            #[cached(cache = $both, local = false)]
            async fn page(number: u32) -> String {
                format!("page {number} ").repeat(1000)
            }

            #[tokio::test]
            async fn an_async_function_signs_and_compresses() {
                let store = plain();
                let expected = "page 1 ".repeat(1000);
                assert_eq!(page(1).await, expected);
                assert_eq!(page(1).await, expected);
                assert_eq!((page::stats().shared_hits, page::stats().loads), (1, 1));
                let key = page::key(1).unwrap();
                let mut stored = store.get(key.text()).unwrap().unwrap();
                assert!(stored.len() < 300, "{} bytes", stored.len());
                *stored.last_mut().unwrap() ^= 1;
                store.set(key.text(), &stored, None).unwrap();
                assert_eq!(page(1).await, expected);
                assert_eq!((page::stats().rejected, page::stats().loads), (1, 2));
                assert!(page::invalidate(1).await.unwrap());
                assert!(store.get(key.text()).unwrap().is_none());
            }

            #[cached(cache = $lz4)]
            fn bytes(length: usize) -> Vec<u8> {
                (0..7).cycle().take(length).collect()
            }

            #[test]
            fn only_large_values_are_compressed() {
                let store = plain();
                for (length, compressed) in [(10, false), (5_000_000, true)] {
                    let expected: Vec<u8> = bytes(length);
                    let stored = store.get(bytes::key(length).unwrap().text()).unwrap().unwrap();
                    assert_eq!(stored.len() < length, compressed);
                    assert_eq!(bytes::peek(length).unwrap().unwrap(), expected);
                }
            }

            #[cached(cache = $signed, store_result = false)]
            fn once(n: u32) -> u32 {
                n
            }

            #[test]
            fn a_mark_is_signed_too() {
                let store = plain();
                assert_eq!((once(1), once(1)), (Some(1), None));
                // One of a stranger does not keep the body from running.
                let key = once::key(1).unwrap();
                once::invalidate(1).unwrap();
                store.set(key.text(), b"mark", None).unwrap();
                assert_eq!((once(1), once(1)), (Some(1), None));
            }

            #[test]
            fn values_are_stored_and_compared_under_the_seal() {
                let store = plain();
                for name in [$signed, $both, $lz4] {
                    let cache = memokit::cache(name).unwrap();
                    let (key, value) = (format!("compared:{name}"), "tea ".repeat(1000));
                    let value = value.as_bytes();
                    assert!(matches!(cache.store(&key, value, None, 0).unwrap(), Stored::Stored));
                    assert_ne!(store.get(&key).unwrap().unwrap(), value);
                    assert_eq!(cache.get(&key).unwrap().unwrap(), value);
                    let keep = Duration::from_secs(60);
                    let minute = Some(keep);
                    assert!(!cache.touch_if(&key, b"coffee", minute).unwrap());
                    assert!(cache.touch_if(&key, value, minute).unwrap());
                    // Stored in another form, as by a process with other settings.
                    signed(&store, SECRET).set(&key, value, None).unwrap();
                    assert_eq!(cache.touch_if(&key, value, minute).unwrap(), name != $lz4);
                    assert_eq!(cache.remove_if(&key, value).unwrap(), name != $lz4);
                    cache.set(&key, value, None).unwrap();
                    let what = Invalidation { keys: &[&key], keep, ..Invalidation::default() };
                    let sequence = cache.invalidate(&what).unwrap().sequence;
                    assert!(store.get(&key).unwrap().is_none());
                    let late = cache.store(&key, value, None, sequence - 1).unwrap();
                    assert!(matches!(late, Stored::Refused { .. }), "loaded before the invalidation");
                    assert!(matches!(cache.store(&key, value, None, sequence).unwrap(), Stored::Stored));
                    assert_eq!(cache.get(&key).unwrap().unwrap(), value);
                }
            }

            #[test]
            fn a_bucket_is_sealed() {
                let store = plain();
                for name in [$signed, $both, $lz4] {
                    let cache = memokit::cache(name).unwrap();
                    let bucket: Bucket<String> =
                        Bucket::new(Arc::clone(&cache), name).in_memory(100, Duration::from_secs(60)).unwrap();
                    let plain: Bucket<String> = Bucket::new(Arc::clone(&store), name);
                    let long = "tea ".repeat(1000);
                    bucket.set_many([(1, &long), (2, &"tea".to_owned())]).unwrap();
                    assert!(bucket.add(&3, &long).unwrap() && !bucket.add(&3, &long).unwrap());
                    assert_eq!(
                        bucket.get_many([1, 2, 3, 4]).unwrap(),
                        [Some(&long), Some(&"tea".to_owned()), Some(&long), None].map(|value| value.cloned())
                    );
                    assert_eq!(bucket.get(&1).unwrap().unwrap(), long);
                    assert_eq!(plain.get(&1).unwrap(), None);
                    assert_eq!((bucket.increment(&5, 2).unwrap(), bucket.increment(&5, 40).unwrap()), (2, 42));

                    // What strangers left is pruned where there is a secret; numbers are not, nor what is ours.
                    plain.set(&6, &"theirs".to_owned()).unwrap();
                    let signs = name != $lz4;
                    assert_eq!(bucket.get(&6).unwrap().is_some(), !signs);
                    assert_eq!(bucket.prune().unwrap().corrupt, u64::from(signs));
                    assert_eq!(bucket.increment(&5, 0).unwrap(), 42);
                    // Those without the seal leave it alone.
                    assert_eq!(plain.prune().unwrap().entries, 0);
                    assert_eq!(bucket.get(&3).unwrap().unwrap(), long);
                    assert!(bucket.clear().unwrap() >= 4);
                }
            }
        }
    };
}

on!(memory, "memory", "memory signed", "memory both", "memory lz4");
on!(file, "file", "file signed", "file both", "file lz4");
on!(redis, "redis", "redis signed", "redis both", "redis lz4");

#[cached(cache = "memory signed", local = false)]
fn explained(n: u32) -> u32 {
    n
}

#[test]
fn the_next_call_after_a_refusal_is_a_miss() {
    register();
    explained(1);
    memokit::cache("memory").unwrap().set(explained::key(1).unwrap().text(), &[7; 100], None).unwrap();
    let explanation = explained::explain(1);
    assert_eq!(explanation.next_call(), NextCall::Load, "{explanation:?}");
    assert!(explanation.to_string().contains("signature"), "{explanation}");
}

#[test]
fn a_sealed_redis_cache_keeps_the_contract() {
    let runtime = Runtime::new().unwrap();
    let store: Arc<dyn Cache> = Arc::new(support::redis(6));
    let cache: Arc<dyn Cache> = Arc::new(signed(&store, SECRET).compressed(Compression::zstd(1).unwrap().above(0)));
    conformance::check(&cache, &mut thread::sleep, &|future| runtime.block_on(future));
}
