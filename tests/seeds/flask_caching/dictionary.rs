//! `cache.get`, `set`, `add`, `has`, `delete`, `get_many`, `set_many`, `get_dict`, `delete_many`, `inc`, `dec`, `unlink`,
//! `clear`: one contract on every backend, where there each has its own.

use crate::{SECOND, cache};
use memokit::testing::MockClock;
use memokit::{Bucket, ErrorKind};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// An empty bucket of the backend, whose entries no other test shares.
fn bucket<V>(backend: &str, name: &str) -> Bucket<V> {
    let bucket = Bucket::new(cache(backend), &format!("flask {name}"));
    bucket.clear().unwrap();
    bucket
}

fn get_and_set(backend: &str) {
    let cache = bucket(backend, "get and set");
    assert_eq!(cache.get("hi").unwrap(), None);
    cache.set("hi", &"hello".to_owned()).unwrap();
    assert_eq!(cache.get("hi").unwrap().as_deref(), Some("hello"));
    cache.set("hi", &"bye".to_owned()).unwrap();
    assert_eq!(cache.get("hi").unwrap().as_deref(), Some("bye"));
}

fn add_does_not_overwrite(backend: &str) {
    let cache = bucket(backend, "add");
    assert!(cache.add("hi", &1).unwrap());
    assert!(!cache.add("hi", &2).unwrap());
    assert_eq!(cache.get("hi").unwrap(), Some(1));
}

fn has_says_whether_it_is_there(backend: &str) {
    let cache = bucket(backend, "has");
    assert!(!cache.contains("hi").unwrap());
    cache.set("hi", &()).unwrap();
    assert!(cache.contains("hi").unwrap());
}

/// There it depends on the backend whether the deletion of a missing key is true.
fn delete_is_true_where_there_was_something(backend: &str) {
    let cache = bucket(backend, "delete");
    cache.set("hi", &1).unwrap();
    assert_eq!((cache.remove("hi").unwrap(), cache.remove("hi").unwrap()), (true, false));
}

fn get_many_has_a_place_for_each_key(backend: &str) {
    let cache = bucket(backend, "get many");
    cache.set_many([("a", &1), ("c", &3)]).unwrap();
    assert_eq!(cache.get_many(["a", "b", "c", "a"]).unwrap(), [Some(1), None, Some(3), Some(1)]);
}

fn get_dict_is_get_many_beside_its_keys(backend: &str) {
    let cache = bucket(backend, "get dict");
    cache.set_many([("a", &1), ("c", &3)]).unwrap();
    let keys = ["a", "b", "c"];
    let dict: HashMap<&str, Option<u32>> = keys.into_iter().zip(cache.get_many(keys).unwrap()).collect();
    assert_eq!(dict, HashMap::from([("a", Some(1)), ("b", None), ("c", Some(3))]));
}

/// There the list of deleted keys, among which a missing one counts as deleted.
fn delete_many_and_unlink_count_what_was_there(backend: &str) {
    let cache = bucket(backend, "delete many");
    cache.set_many([("a", &1), ("b", &2), ("c", &3)]).unwrap();
    assert_eq!(cache.remove_many(["a", "missing", "c"]).unwrap(), 2);
    assert_eq!((cache.get("b").unwrap(), cache.remove_many(["a", "b"]).unwrap()), (Some(2), 1));
}

fn inc_and_dec_count(backend: &str) {
    let cache: Bucket<()> = bucket(backend, "inc and dec");
    assert_eq!((cache.increment("n", 1).unwrap(), cache.increment("n", 10).unwrap()), (1, 11));
    assert_eq!(cache.increment("n", -1).unwrap(), 10);
}

/// There, Redis empties its whole database or all keys of a pattern.
fn clear_empties_one_prefix(backend: &str) {
    let (cache, other) = (bucket(backend, "clear"), bucket(backend, "clear*"));
    cache.set_many([("a", &1), ("b", &2)]).unwrap();
    other.set("a", &3).unwrap();
    assert_eq!(cache.clear().unwrap(), 2);
    assert_eq!((cache.get("a").unwrap(), other.get("a").unwrap()), (None, Some(3)));
}

fn a_timeout_of_zero_is_refused(backend: &str) {
    let cache = bucket(backend, "zero");
    assert_eq!(cache.set_with_timeout("a", &1, Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
}

fn get_or_set_loads_once(backend: &str) {
    let cache = bucket(backend, "get or set");
    let loads = AtomicU32::new(0);
    let load = || loads.fetch_add(1, SeqCst);
    assert_eq!((cache.get_or_insert_with("a", load).unwrap(), cache.get_or_insert_with("a", load).unwrap()), (0, 0));
    assert_eq!(loads.load(SeqCst), 1);
}

macro_rules! on_every_backend {
    ($($test:ident)*) => {
        mod memory { $(#[test] fn $test() { super::$test("memory"); })* }
        mod file { $(#[test] fn $test() { super::$test("file"); })* }
        mod redis { $(#[test] fn $test() { super::$test("redis"); })* }
    };
}

on_every_backend!(
    get_and_set
    add_does_not_overwrite
    has_says_whether_it_is_there
    delete_is_true_where_there_was_something
    get_many_has_a_place_for_each_key
    get_dict_is_get_many_beside_its_keys
    delete_many_and_unlink_count_what_was_there
    inc_and_dec_count
    clear_empties_one_prefix
    a_timeout_of_zero_is_refused
    get_or_set_loads_once
);

/// On Redis the server's clock counts, which no test moves.
#[test]
fn a_default_timeout_and_one_for_a_single_value() {
    let clock = MockClock::install();
    for backend in ["memory", "file"] {
        let cache = bucket(backend, "timeouts").timeout(10 * SECOND).unwrap();
        cache.set("default", &1).unwrap();
        cache.set_with_timeout("longer", &2, 20 * SECOND).unwrap();
        assert!(cache.add("added", &3).unwrap());
        clock.advance(10 * SECOND);
        assert_eq!(cache.get_many(["default", "longer", "added"]).unwrap(), [None, Some(2), None]);
        assert!(cache.add("default", &4).unwrap(), "what has expired is not there");
        clock.advance(10 * SECOND);
        assert_eq!(cache.get("longer").unwrap(), None);
    }
}

#[tokio::test]
async fn the_dictionary_in_async_functions() {
    let cache: Bucket<u32> = bucket("redis", "async");
    cache.set_async("a", &1).await.unwrap();
    assert!(!cache.add_async("a", &2).await.unwrap());
    assert_eq!(cache.get_many_async(["a", "b"]).await.unwrap(), [Some(1), None]);
    assert_eq!(cache.remove_many_async(["a", "b"]).await.unwrap(), 1);
}
