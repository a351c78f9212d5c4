//! The dictionary: `b[k]`, `b[k] = v`, `del b[k]`, `k in b`, and what a key can be.

use super::{bucket, in_folder};
use crate::{MILLI, SECOND};
use memokit::testing::MockClock;
use memokit::{Bucket, ErrorKind};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;

#[test]
fn set_get_contains_delete() {
    let bucket = bucket("dictionary");
    assert!(!bucket.contains("k").unwrap());
    bucket.set("k", &vec![1, 2]).unwrap();
    assert!(bucket.contains("k").unwrap());
    assert_eq!(bucket.get("k").unwrap(), Some(vec![1, 2]));
    bucket.set("k", &vec![3]).unwrap();
    assert_eq!(bucket.get("k").unwrap(), Some(vec![3]));
    assert!(bucket.remove("k").unwrap());
    assert!(!bucket.contains("k").unwrap());
}

/// There a `KeyError`, also from `del`.
#[test]
fn what_is_not_there_is_none_and_no_error() {
    let bucket: Bucket<u32> = bucket("missing");
    assert_eq!(bucket.get("k").unwrap(), None);
    assert!(!bucket.remove("k").unwrap());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: f32 },
    Path(Vec<(f64, f64)>),
}

#[test]
fn keys_and_values_are_of_any_type() {
    let bucket = bucket("any type");
    let key = |id| (id, "text", Some([1.5_f32, 2.5]), BTreeMap::from([("a", vec![()])]));
    let values = [Shape::Point, Shape::Circle { radius: 0.5 }, Shape::Path(vec![(0.0, 1.0)])];
    for (id, value) in values.iter().enumerate() {
        bucket.set(&key(id), value).unwrap();
    }
    for (id, value) in values.into_iter().enumerate() {
        assert_eq!(bucket.get(&key(id)).unwrap(), Some(value));
    }
}

/// There by sorting the keys of the JSON that the key is made of.
#[test]
fn the_order_of_a_map_does_not_matter() {
    let bucket = bucket("order");
    let forward: HashMap<u32, &str> = (0..50).map(|n| (n, "x")).collect();
    let backward: BTreeMap<u32, &str> = (0..50).rev().map(|n| (n, "x")).collect();
    bucket.set(&forward, &1).unwrap();
    assert_eq!(bucket.get(&backward).unwrap(), Some(1));
    let (unsorted, reversed): (HashSet<u32>, HashSet<u32>) = ((0..50).collect(), (0..50).rev().collect());
    bucket.set(&unsorted, &2).unwrap();
    assert_eq!(bucket.get(&reversed).unwrap(), Some(2));
    assert_eq!(bucket.get(&(0..50).collect::<Vec<u32>>()).unwrap(), None, "a list is no set");
}

/// There, an object counts as its `__dict__`, whatever its class: here a struct counts as its fields in their order. Two types
/// whose values mean different things belong into buckets of their own.
#[test]
fn a_struct_counts_as_its_content() {
    #[derive(Serialize)]
    struct User {
        id: u32,
        name: &'static str,
    }
    let bucket = bucket("struct");
    bucket.set(&User { id: 1, name: "a" }, &1).unwrap();
    assert_eq!(bucket.get(&User { id: 1, name: "a" }).unwrap(), Some(1));
    assert_eq!(bucket.get(&User { id: 1, name: "b" }).unwrap(), None);
    assert_eq!(bucket.get(&User { id: 2, name: "a" }).unwrap(), None);
}

/// There, an object that nothing else fits is a key by its `repr`. Here `Serialize` says what the key is; where it fails, so
/// does the operation.
#[test]
fn a_key_that_can_not_be_made_is_an_error() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _serializer: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("it has no content"))
        }
    }
    let bucket: Bucket<u32> = bucket("refuses");
    let error = bucket.set(&Refuses, &1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("it has no content"));
}

/// There, the text of a `KeyError` is cut to 80 letters. Here no error has the key in it, only its digest.
#[test]
fn errors_stay_short_and_show_no_key() {
    let bucket: Bucket<f64> = bucket("errors");
    let long = "secret ".repeat(10_000);
    let error = bucket.clone().codec::<memokit::codec::Json>().set(&long, &f64::NAN).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Codec);
    assert!(error.to_string().len() < 300 && !error.to_string().contains("secret"), "{error}");
}

#[test]
fn entries_expire_after_the_lifetime() {
    let clock = MockClock::install();
    let bucket = bucket("lifetime").timeout(10 * SECOND).unwrap();
    bucket.set("k", &1).unwrap();
    clock.advance(9_999 * MILLI);
    assert_eq!(bucket.get("k").unwrap(), Some(1));
    clock.advance(MILLI);
    assert_eq!(bucket.get("k").unwrap(), None);
    assert!(!bucket.contains("k").unwrap() && !bucket.remove("k").unwrap());
}

#[test]
fn set_begins_a_new_lifetime() {
    let clock = MockClock::install();
    let bucket = bucket("set again").timeout(10 * SECOND).unwrap();
    bucket.set("k", &1).unwrap();
    clock.advance(9 * SECOND);
    bucket.set("k", &2).unwrap();
    clock.advance(9 * SECOND);
    assert_eq!(bucket.get("k").unwrap(), Some(2));
    clock.advance(SECOND);
    assert_eq!(bucket.get("k").unwrap(), None);
}

/// There a lifetime of zero is for ever too, and a negative one an error. A `Duration` is never negative.
#[test]
fn without_a_lifetime_entries_stay_and_zero_is_an_error() {
    let clock = MockClock::install();
    let bucket: Bucket<u32> = bucket("for ever");
    bucket.set("k", &1).unwrap();
    clock.advance(Duration::from_secs(100 * 365 * 86_400));
    assert_eq!(bucket.get("k").unwrap(), Some(1));
    assert_eq!(bucket.timeout(Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
}

/// There, two threads that share a bucket race, and two processes tear each other's files.
#[test]
fn threads_share_a_bucket() {
    let bucket: Bucket<String> = bucket("threads");
    let long = |n: u32| n.to_string().repeat(1000);
    std::thread::scope(|scope| {
        for n in 0..4 {
            let bucket = &bucket;
            scope.spawn(move || {
                for _ in 0..50 {
                    bucket.set("k", &long(n)).unwrap();
                    let seen = bucket.get("k").unwrap().unwrap();
                    assert!((0..4).any(|n| seen == long(n)), "neither torn nor mixed");
                }
            });
        }
    });
}

#[test]
fn a_bucket_can_be_opened_again() {
    let folder = crate::support::folder("bucketcache-again");
    {
        let bucket = in_folder(&folder);
        bucket.set(&("k", 1), &"v".to_owned()).unwrap();
    }
    assert_eq!(in_folder::<String>(&folder).get(&("k", 1)).unwrap().as_deref(), Some("v"));
}
