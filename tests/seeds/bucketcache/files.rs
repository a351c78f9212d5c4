//! The folder: where it is, what is in it, what happens to bytes that are no entry, and which codecs there are.

use super::{bucket, in_folder};
use memokit::codec::{Bincode, Codec, Json, MessagePack, Postcard};
use memokit::{Bucket, Cache, Error, ErrorKind, FileCache};
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// There, one level. Here as many as are missing.
#[test]
fn the_folder_is_made_where_it_is_missing() {
    let folder = crate::support::folder("bucketcache-made").join("a").join("b");
    let cache = FileCache::open(&folder).unwrap();
    assert_eq!(cache.path().canonicalize().unwrap(), folder.canonicalize().unwrap());
    let bucket: Bucket<u32> = Bucket::new(Arc::new(cache), "bucket");
    bucket.set("k", &1).unwrap();
    assert_eq!(bucket.get("k").unwrap(), Some(1));
}

/// There a `TypeError` or a failure at the first write.
#[test]
fn a_path_that_is_no_folder_is_an_error_at_once() {
    let file = crate::support::folder("bucketcache-no-folder");
    std::fs::write(&file, "a file").unwrap();
    let error = FileCache::open(&file).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config, "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "a file", "it is left alone");
}

/// Beside pickle, JSON and `MessagePack` there.
fn codec_keeps<C: Codec>(name: &str) {
    let folder = crate::support::folder(&format!("bucketcache-codec-{name}"));
    let value = || (1_u64, "ä".to_owned(), vec![Some(0.5_f64), None]);
    in_folder(&folder).codec::<C>().set("k", &value()).unwrap();
    assert_eq!(in_folder(&folder).codec::<C>().get("k").unwrap(), Some(value()));
}

#[test]
fn json_messagepack_and_binary_codecs_keep_values() {
    codec_keeps::<Postcard>("postcard");
    codec_keeps::<Json>("json");
    codec_keeps::<MessagePack>("messagepack");
    codec_keeps::<Bincode>("bincode");
}

/// There by the name of the backend in the file's name, so that both have their entry. Here the entry says who wrote it: one
/// key has one entry, and what another codec wrote is not there.
#[test]
fn a_codec_never_reads_what_another_wrote() {
    let bucket: Bucket<u32> = bucket("codecs");
    let json = bucket.clone().codec::<Json>();
    bucket.set("k", &1).unwrap();
    assert_eq!((bucket.get("k").unwrap(), json.get("k").unwrap()), (Some(1), None));
    json.set("k", &2).unwrap();
    assert_eq!((bucket.get("k").unwrap(), json.get("k").unwrap()), (None, Some(2)));
}

/// `Backend`, the class to derive from.
#[test]
fn a_codec_of_ones_own() {
    struct Reversed;
    impl Codec for Reversed {
        const ID: u8 = 211;
        const NAME: &'static str = "reversed";

        fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
            let start = out.len();
            Postcard::encode(value, out)?;
            out[start..].reverse();
            Ok(())
        }

        fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
            Postcard::decode(&bytes.iter().rev().copied().collect::<Vec<u8>>())
        }
    }
    let bucket = bucket("own codec").codec::<Reversed>();
    bucket.set("k", &"ab".to_owned()).unwrap();
    let [key] = bucket.keys().unwrap().try_into().unwrap();
    assert_eq!(bucket.get("k").unwrap().as_deref(), Some("ab"));
    assert!(key.starts_with("memo:bucket:0:"));
}

/// There, what can't be unpickled or parsed is a miss (`BackendLoadError`).
#[test]
fn bytes_that_can_not_be_read_are_not_there() {
    let cache: Arc<dyn Cache> = Arc::new(FileCache::open(crate::support::folder("bucketcache-corrupt")).unwrap());
    let bucket: Bucket<String> = Bucket::new(Arc::clone(&cache), "bucket");
    bucket.set("k", &"value".to_owned()).unwrap();
    let [key] = bucket.keys().unwrap().try_into().unwrap();
    let good = cache.get(&key).unwrap().unwrap();
    for place in 0..good.len() {
        let mut bad = good.clone();
        bad[place] ^= 0x10;
        cache.set(&key, &bad, None).unwrap();
        assert_eq!(bucket.get("k").unwrap(), None, "byte {place}");
    }
    cache.set(&key, &good[..good.len() - 1], None).unwrap();
    assert_eq!(bucket.get("k").unwrap(), None, "cut off");
    assert_eq!(bucket.get_or_insert_with("k", || "new".into()).unwrap(), "new");
    assert_eq!(bucket.get("k").unwrap().as_deref(), Some("new"));
}

/// There, other exceptions of a load go to the caller: a folder that can't be read, for example. So they do here.
#[test]
fn a_failing_cache_is_an_error_of_the_dictionary() {
    use crate::support::probe::{Op, Probe, Step};
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(Arc::clone(&probe) as Arc<dyn Cache>, "bucket");
    bucket.set("k", &1).unwrap();
    probe.rule(|op, _| if op == Op::Read { Step::Fail(ErrorKind::Backend) } else { Step::Go });
    assert_eq!(bucket.get("k").unwrap_err().kind(), ErrorKind::Backend);
    assert!(bucket.get_or_insert_with("k", || 2).is_err(), "and nothing is written over what is there");
    probe.be_good();
    assert_eq!(bucket.get("k").unwrap(), Some(1));
}

/// There, a value that the backend can't write is an error that leaves an empty file.
#[test]
fn a_value_that_can_not_be_written_leaves_the_old_one() {
    let bucket = bucket("unwritable").codec::<Json>();
    bucket.set("k", &1.5_f64).unwrap();
    assert_eq!(bucket.set("k", &f64::INFINITY).unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(bucket.get("k").unwrap(), Some(1.5));
}

/// Two buckets of one folder.
#[test]
fn buckets_of_one_folder_are_kept_apart_by_their_prefix() {
    let cache: Arc<dyn Cache> = Arc::new(FileCache::open(crate::support::folder("bucketcache-two")).unwrap());
    let (one, two): (Bucket<u32>, Bucket<u32>) = (Bucket::new(Arc::clone(&cache), "one"), Bucket::new(cache, "two"));
    one.set("k", &1).unwrap();
    two.set("k", &2).unwrap();
    assert_eq!((one.clear().unwrap(), one.get("k").unwrap(), two.get("k").unwrap()), (1, None, Some(2)));
}
