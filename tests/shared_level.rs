//! Cached functions with a shared level, on every backend by one body.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::{CallInfo, Level, cached};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 8;

#[derive(Debug, PartialEq)]
struct NotClone;

/// The same functions and tests for one backend.
macro_rules! on {
    ($backend:ident, $cache:literal) => {
        mod $backend {
            use super::*;

            fn raw() -> std::sync::Arc<dyn memokit::Cache> {
                support::register(NUMBER);
                memokit::cache($cache).unwrap()
            }

            #[cached(cache = $cache, capacity = 1)]
            fn in_front(n: u32) -> u32 {
                n * 2
            }

            #[test]
            fn a_value_is_found_after_the_local_copy_is_gone() {
                let _cache = raw();
                assert_eq!((in_front(1), in_front(1)), (2, 2));
                assert_eq!(in_front::stats().local_hits, 1);
                for pusher in 10..20 {
                    in_front(pusher);
                }
                assert_eq!(in_front::stats().entries, 1);
                assert_eq!(in_front(1), 2);
                let stats = in_front::stats();
                assert_eq!((stats.local_hits, stats.shared_hits, stats.loads), (1, 1, 11));
                assert_eq!(in_front(1), 2);
                assert_eq!(in_front::stats().local_hits, 2, "the shared hit filled the local level");
            }

            #[cached(cache = $cache, local = false)]
            fn no_copy(name: &str, n: Option<u8>) -> Option<String> {
                n.map(|n| format!("{name}{n}"))
            }

            #[cached(cache = $cache, local = false)]
            fn tagged(n: u32) -> u32 {
                memokit::tag(concat!("far ", $cache));
                n
            }

            #[cached]
            fn around(n: u32) -> u32 {
                tagged(n) + 1
            }

            #[test]
            fn a_shared_hit_hands_on_its_tags() {
                let _cache = raw();
                tagged(1);
                assert_eq!((around(1), tagged::stats().shared_hits), (2, 1));
                memokit::invalidate_tag(concat!("far ", $cache)).unwrap();
                assert!(!around::contains(1));
            }

            #[test]
            fn without_a_local_level_every_hit_is_a_shared_one() {
                let cache = raw();
                assert_eq!(no_copy("a", Some(1)).unwrap(), "a1");
                assert_eq!(no_copy("a", Some(1)).unwrap(), "a1");
                assert_eq!((no_copy("a", None), no_copy("a", None)), (None, None), "a missing value is an answer");
                let stats = no_copy::stats();
                assert_eq!((stats.local_hits, stats.shared_hits, stats.loads, stats.entries), (0, 2, 2, 0));
                assert!(cache.remove(no_copy::key("a", Some(1)).unwrap().text()).unwrap());
                assert_eq!(no_copy("a", Some(1)).unwrap(), "a1");
                assert_eq!(no_copy::stats().loads, 3);
            }

            #[cached(cache = $cache, local = false)]
            fn fallible(n: u32) -> Result<u32, NotClone> {
                if n == 0 { Err(NotClone) } else { Ok(n) }
            }

            #[test]
            fn an_error_is_not_stored() {
                let cache = raw();
                assert_eq!((fallible(0), fallible(0)), (Err(NotClone), Err(NotClone)));
                assert_eq!(cache.get(fallible::key(0).unwrap().text()).unwrap(), None);
                assert_eq!((fallible(1), fallible(1)), (Ok(1), Ok(1)));
                let stats = fallible::stats();
                assert_eq!((stats.loads, stats.load_errors, stats.shared_hits), (3, 2, 1));
                fallible::put(0, 5).unwrap();
                assert_eq!(fallible::peek(0).unwrap(), Some(5));
                assert_eq!(fallible::refresh(0).unwrap(), Err(NotClone));
                assert_eq!(fallible(0), Ok(5), "a refresh that failed left the old value");
            }

            static ANSWER: AtomicU32 = AtomicU32::new(1);

            #[cached(cache = $cache)]
            fn answer(n: u32) -> u32 {
                n * 100 + ANSWER.load(SeqCst)
            }

            #[cached(cache = $cache)]
            fn answer_of_another(n: u32) -> u32 {
                n
            }

            #[test]
            fn operations_reach_both_levels() {
                let cache = raw();
                let stored = |n| cache.get(answer::key(n).unwrap().text()).unwrap().is_some();
                assert!(!answer::invalidate(1).unwrap(), "there was nothing");
                assert_eq!(answer::peek(1).unwrap(), None);
                assert_eq!(answer(1), 101);
                assert!(stored(1) && answer::contains(1).unwrap());
                ANSWER.store(2, SeqCst);
                assert_eq!((answer(1), answer::peek(1).unwrap()), (101, Some(101)));
                assert!(answer::invalidate(1).unwrap(), "there was something");
                assert!(!stored(1) && !answer::contains(1).unwrap());
                assert!(!answer::invalidate(1).unwrap(), "there was nothing any more");
                assert_eq!(answer(1), 102);
                ANSWER.store(3, SeqCst);
                assert_eq!(answer::refresh(1).unwrap(), 103);
                assert_eq!((answer(1), answer::uncached(2)), (103, 203));
                assert!(!stored(2), "`uncached` stores nothing");
                answer::put(2, 7).unwrap();
                assert_eq!((answer(2), stored(2)), (7, true));
                // Only the shared copy is there, then only the local one.
                let bytes = cache.get(answer::key(2).unwrap().text()).unwrap().unwrap();
                answer::invalidate(2).unwrap();
                cache.set(answer::key(2).unwrap().text(), &bytes, None).unwrap();
                assert_eq!((answer::peek(2).unwrap(), answer::contains(2).unwrap()), (Some(7), true));
                assert!(answer::invalidate(2).unwrap());
                answer(2);
                assert!(cache.remove(answer::key(2).unwrap().text()).unwrap());
                assert!(answer::invalidate(2).unwrap());

                answer(5);
                answer_of_another(5);
                answer::invalidate_all().unwrap();
                assert!(!answer::contains(5).unwrap() && !answer::contains(1).unwrap());
                assert!(answer_of_another::contains(5).unwrap(), "another function's entries stay");
                assert!(cache.remove(answer_of_another::key(5).unwrap().text()).unwrap());
                let mut left = 0;
                let prefix = answer::key(5).unwrap().text().rsplit_once(':').unwrap().0.to_owned();
                // On a server, void entries stay where they are until they expire or are stored anew.
                if cache.capabilities().name != "redis" {
                    cache.scan(&prefix, &mut |_| left += 1).unwrap();
                }
                assert_eq!(left, 0);
            }

            type Seen = (Option<Level>, Option<String>, bool, bool);
            static SEEN: Mutex<Vec<Seen>> = Mutex::new(Vec::new());

            fn see(call: &CallInfo<'_>) {
                assert!(call.function().ends_with("::watched"));
                let key = call.key().map(|key| key.text().to_owned());
                SEEN.lock().unwrap().push((
                    call.level(),
                    key,
                    call.age().is_some() && call.time_to_expiry().is_some(),
                    call.load_time().is_some(),
                ));
            }

            #[cached(cache = $cache, timeout = "1h", on_hit = see, on_miss = see)]
            fn watched(n: u32) -> u32 {
                n
            }

            #[test]
            fn hooks_see_the_key_and_the_level() {
                let cache = raw();
                let key = watched::key(1).unwrap().text().to_owned();
                watched(1);
                let bytes = cache.get(&key).unwrap().unwrap();
                watched::invalidate(1).unwrap();
                cache.set(&key, &bytes, Some(std::time::Duration::from_secs(60))).unwrap();
                watched(1);
                watched(1);
                let seen = std::mem::take(&mut *SEEN.lock().unwrap());
                let expected = [
                    (None, Some(key.clone()), false, true),
                    (Some(Level::Shared), Some(key.clone()), true, false),
                    // Made because the hook asked: a local hit does not pay for a key that nobody asks for.
                    (Some(Level::Local), Some(key), true, false),
                ];
                assert_eq!(seen, expected);
            }

            #[cached(cache = $cache, local = false)]
            async fn task(name: String) -> Result<u64, NotClone> {
                if name.is_empty() { Err(NotClone) } else { Ok(name.len() as u64) }
            }

            #[tokio::test]
            async fn tasks_use_the_shared_level_too() {
                let _cache = raw();
                let all = tokio::spawn(async {
                    let name = || "abc".to_owned();
                    assert!(!task::invalidate(name()).await.unwrap());
                    assert_eq!((task(name()).await, task(name()).await), (Ok(3), Ok(3)));
                    assert_eq!(task(String::new()).await, Err(NotClone));
                    let stats = task::stats();
                    assert_eq!((stats.shared_hits, stats.loads, stats.load_errors), (1, 2, 1));
                    task::put(name(), 9).await.unwrap();
                    assert_eq!(task::peek(name()).await.unwrap(), Some(9));
                    assert_eq!(task::refresh(name()).await.unwrap(), Ok(3));
                    assert!(task::contains(name()).await.unwrap());
                    assert!(task::invalidate(name()).await.unwrap());
                    assert!(!task::contains(name()).await.unwrap());
                    assert_eq!(task(name()).await, Ok(3));
                    task::invalidate_all().await.unwrap();
                    assert_eq!(task::peek(name()).await.unwrap(), None);
                });
                all.await.unwrap();
            }
        }
    };
}

on!(memory, "memory");
on!(file, "file");
on!(redis, "redis");
