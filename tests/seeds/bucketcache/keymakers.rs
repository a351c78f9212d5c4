//! `KeyMaker`: what of a key counts, and the options of backends.

use super::bucket;
use memokit::codec::{CompactMessagePack, Json, MessagePack, PrettyJson};
use memokit::key::Digest;
use memokit::{Error, ErrorKind, KeyMaker};
use serde::{Deserialize, Serialize};

struct User {
    id: u64,
    last_seen: std::cell::Cell<u64>,
}

/// A class with `make_key` there. Here a closure, for types that are no data or hold more than what counts.
#[test]
fn a_key_maker_says_what_of_a_key_counts() {
    let bucket = bucket("key maker").with_keys(|user: &User| user.id);
    let user = |id| User { id, last_seen: 5.into() };
    let ann = user(1);
    bucket.set(&ann, &"Ann".to_owned()).unwrap();
    ann.last_seen.set(6);
    assert_eq!(bucket.get(&ann).unwrap().as_deref(), Some("Ann"));
    assert_eq!((bucket.get(&user(1)).unwrap().as_deref(), bucket.get(&user(2)).unwrap()), (Some("Ann"), None));
}

#[test]
fn a_key_maker_may_fail() {
    struct OfOurs;
    impl KeyMaker<str> for OfOurs {
        fn digest(&self, host: &str) -> Result<Digest, Error> {
            if !host.ends_with(".example") {
                return Err(Error::new(ErrorKind::Key, format!("making a key of {host}")));
            }
            Digest::of(&host.to_lowercase())
        }
    }
    let bucket = bucket("failing maker").with_key_maker(OfOurs);
    bucket.set("A.example", &1).unwrap();
    assert_eq!(bucket.get("a.example").unwrap(), Some(1));
    assert_eq!(bucket.get("b.org").unwrap_err().kind(), ErrorKind::Key);
}

/// `StreamingDefaultKeyMaker`, there through a file: here every key is hashed while it is serialized. That it takes no memory
/// is measured in `bucket_large_keys`.
#[test]
fn a_large_key_is_a_key() {
    let bucket = bucket("large key");
    let large = |last| (0..1_000_000_u32).chain([last]).collect::<Vec<_>>();
    bucket.set(&large(1), &1).unwrap();
    assert_eq!((bucket.get(&large(1)).unwrap(), bucket.get(&large(2)).unwrap()), (Some(1), None));
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tea {
    grams: u8,
    name: String,
}

/// The options of a backend (`JSONConfig(indent=…)`, `MessagePackConfig(…)`) are codecs of their own; those of one format read
/// each other's entries.
#[test]
fn codecs_have_options() {
    let bucket = bucket("codec options");
    let tea = || Tea { grams: 3, name: "ä".into() };
    let (json, pretty) = (bucket.clone().codec::<Json>(), bucket.clone().codec::<PrettyJson>());
    pretty.set("k", &tea()).unwrap();
    assert_eq!((json.get("k").unwrap(), pretty.get("k").unwrap()), (Some(tea()), Some(tea())));
    let (named, compact) = (bucket.clone().codec::<MessagePack>(), bucket.codec::<CompactMessagePack>());
    compact.set("k", &tea()).unwrap();
    assert_eq!((named.get("k").unwrap(), json.get("k").unwrap()), (Some(tea()), None));
}
