//! The ways to write JSON and `MessagePack`: picked by name, and read by each other.
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::codec::{CompactMessagePack, Json, MessagePack, PrettyJson};
use memokit::{Bucket, Cache, MemoryCache, cached, register};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Profile {
    name: String,
    born: u16,
    tags: Vec<Option<u8>>,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Plain,
    Number(u64),
    Pair(u8, String),
    Named { first: i64, second: Option<bool> },
}

fn profiles() -> Vec<Profile> {
    let kinds =
        [Kind::Plain, Kind::Number(7), Kind::Pair(1, "b".into()), Kind::Named { first: -1, second: Some(true) }];
    let profile = |kind| Profile { name: "Ada\n".into(), born: 1815, tags: vec![None, Some(3)], kind };
    kinds.into_iter().map(profile).collect()
}

#[test]
fn a_bucket_reads_what_its_sibling_wrote() {
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new());
    let bucket: Bucket<Vec<Profile>> = Bucket::new(Arc::clone(&cache), "profiles");
    let (json, pretty) = (bucket.clone().codec::<Json>(), bucket.clone().codec::<PrettyJson>());
    let (named, compact) = (bucket.clone().codec::<MessagePack>(), bucket.codec::<CompactMessagePack>());
    let size = || cache.get(&json.keys().unwrap()[0]).unwrap().unwrap().len();

    json.set("k", &profiles()).unwrap();
    let small = size();
    assert_eq!(pretty.get("k").unwrap(), Some(profiles()));
    pretty.set("k", &profiles()).unwrap();
    assert!(size() > small);
    assert_eq!((json.get("k").unwrap(), named.get("k").unwrap()), (Some(profiles()), None));

    named.set("k", &profiles()).unwrap();
    let large = size();
    assert_eq!(compact.get("k").unwrap(), Some(profiles()));
    compact.set("k", &profiles()).unwrap();
    assert!(size() < large);
    assert_eq!((named.get("k").unwrap(), json.get("k").unwrap()), (Some(profiles()), None));
}

#[cached(cache = "codec options", codec = PrettyJson, local = false)]
fn pretty(n: u32) -> (u32, String) {
    (n, "tea".to_owned())
}

#[cached(cache = "codec options", codec = CompactMessagePack, local = false)]
fn compact(n: u32) -> Profile {
    profiles().swap_remove(n as usize)
}

#[test]
fn a_function_names_them_without_an_import_of_its_own() {
    mod inner {
        #[memokit::cached(cache = "codec options", codec = PrettyJson, local = false)]
        pub(super) fn without_import(n: u32) -> Option<u32> {
            Some(n)
        }
    }
    let cache: Arc<dyn Cache> = Arc::new(MemoryCache::new());
    register("codec options", Arc::clone(&cache));
    for _ in 0..2 {
        assert_eq!(pretty(1), (1, "tea".to_owned()));
        assert_eq!(compact(3), profiles()[3]);
        assert_eq!(inner::without_import(4), Some(4));
    }
    assert_eq!((pretty::stats().shared_hits, compact::stats().shared_hits), (1, 1));
    let bytes = cache.get(pretty::key(1).unwrap().text()).unwrap().unwrap();
    assert!(bytes.windows(8).any(|some| some == b"\n  \"tea\""), "{}", String::from_utf8_lossy(&bytes));
}
