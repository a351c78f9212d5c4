//! What others can do to sealed values: with a secret, nothing but make them misses.
#![cfg(all(feature = "lz4", feature = "zstd", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod sealed_support;

use memo_core::codec::{Codec, Postcard};
use memo_core::entry::{self, Header, Reject};
use memo_core::testing::conformance;
use memo_core::{Cache, Compression, Error, ErrorKind, Sealed, Secret};
use sealed_support::{Random, Shelf, effort, sealed};
use std::sync::Arc;

const KEY: &str = "memo:shop/price:0:1b";
const OTHER_KEY: &str = "memo:shop/price:0:2c";
const OURS: [u8; 32] = *b"0f8fad5bd9cb469fa16570867728950e";
const THEIRS: [u8; 32] = *b"0f8fad5bd9cb469fa16570867728950f";

fn secret(bytes: [u8; 32]) -> Secret {
    Secret::new(bytes).unwrap()
}

fn entry(key: &str, value: &str) -> Vec<u8> {
    let header = Header { codec: Postcard::ID, created: 1_800_000_000_000, ..Header::default() };
    entry::write(key, &header, &mut |out| Postcard::encode(value, out)).unwrap()
}

/// What a function would make of it.
fn found(cache: &Sealed, key: &str) -> Result<String, Reject> {
    let bytes = cache.get(key).unwrap().unwrap();
    let mut read = None;
    cache.read(key, memo_core::Want::Bytes, &mut |found| read = Some(found.bytes.to_vec())).unwrap();
    assert_eq!(read.as_ref(), Some(&bytes), "both ways to read find the same");
    let value = entry::read(key, &bytes)?;
    Ok(Postcard::decode(value.payload).unwrap())
}

fn signing(shelf: &Arc<Shelf>) -> [Sealed; 3] {
    let cache = || sealed(shelf).signed(secret(OURS));
    [
        cache(),
        cache().compressed(Compression::lz4().above(100)),
        cache().compressed(Compression::zstd(1).unwrap().above(100)),
    ]
}

#[test]
fn only_the_own_secret_is_believed() {
    let shelf = Arc::new(Shelf::default());
    let value = "tea ".repeat(100);
    for cache in signing(&shelf) {
        for stranger in [sealed(&shelf).signed(secret(THEIRS)), sealed(&shelf)] {
            stranger.set(KEY, &entry(KEY, &value), None).unwrap();
            assert_eq!(found(&cache, KEY), Err(Reject::Signature));
            cache.set(KEY, &entry(KEY, &value), None).unwrap();
            assert_eq!(found(&cache, KEY).as_ref(), Ok(&value));
            assert_eq!(found(&stranger, KEY), Err(Reject::Signature));
        }
        assert_eq!(cache.get_many(&[KEY, OTHER_KEY]).unwrap(), [Some(entry(KEY, &value)), None]);
    }
}

#[test]
fn a_signed_value_is_bound_to_its_key() {
    let shelf = Arc::new(Shelf::default());
    for cache in signing(&shelf) {
        // Bytes of no entry: nothing in them names the key.
        for value in [&b"tea"[..], &[7; 5000]] {
            cache.set(KEY, value, None).unwrap();
            assert_eq!(cache.get(KEY).unwrap().unwrap(), value);
            let stored = shelf.get(KEY).unwrap().unwrap();
            for other in [OTHER_KEY, "memo:shop/price:0:1", "memo:shop/price:0:1bb", "M"] {
                shelf.set(other, &stored, None).unwrap();
                let bytes = cache.get(other).unwrap().unwrap();
                assert_eq!(entry::read(other, &bytes), Err(Reject::Signature));
            }
        }
        // The end of a key as the beginning of its value.
        let moved = "memo:shop/price:0:1";
        cache.set(KEY, b"tea", None).unwrap();
        let stored = shelf.get(KEY).unwrap().unwrap();
        shelf.set(moved, &[b"b", &stored[..]].concat(), None).unwrap();
        assert_eq!(entry::read(moved, &cache.get(moved).unwrap().unwrap()), Err(Reject::Signature));
    }
}

#[test]
fn a_secret_is_changed_without_a_miss() {
    let shelf = Arc::new(Shelf::default());
    let steps = [
        Secret::new(OURS).unwrap(),
        Secret::new(OURS).unwrap().or(THEIRS).unwrap(),
        Secret::new(THEIRS).unwrap().or(OURS).unwrap(),
        Secret::new(THEIRS).unwrap(),
    ];
    let caches = steps.map(|secret| sealed(&shelf).signed(secret));
    for (before, after) in caches.iter().zip(&caches[1..]) {
        for (writer, reader) in [(before, after), (after, before)] {
            writer.set(KEY, &entry(KEY, "tea"), None).unwrap();
            assert_eq!(found(reader, KEY).as_deref(), Ok("tea"), "two steps at once in a fleet");
        }
    }
    // The second secret signs nothing.
    caches[1].set(KEY, &entry(KEY, "tea"), None).unwrap();
    assert_eq!(found(&caches[0], KEY).as_deref(), Ok("tea"));
    assert_eq!(found(&caches[3], KEY), Err(Reject::Signature));
}

#[test]
fn secrets_are_long_enough_and_stay_secret() {
    for short in ["", "x", "fifteen letters"] {
        let error = Secret::new(short).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(short.is_empty() || !format!("{error} {error:?}").contains("fifteen"));
        assert!(secret(OURS).or(short).is_err());
    }
    let secret = Secret::new("sixteen  letters").unwrap().or("sixteen other ones").unwrap();
    let shown = format!("{secret:?} {:?} {:#?}", secret, sealed(&Arc::default()).signed(secret.clone()));
    assert!(!shown.contains("letters") && !shown.contains("other"), "{shown}");
    assert!(!shown.contains("Key"), "{shown}");
    assert!(shown.contains("signed: true"), "{shown}");
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    match random.below(7) {
        0 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        1 => bytes.truncate(random.below(bytes.len())),
        2 => {
            // The head of one value and the tail of another.
            bytes.truncate(random.below(bytes.len()));
            bytes.extend_from_slice(&other[random.below(other.len())..]);
        }
        3 => {
            let at = random.below(bytes.len());
            bytes.insert(at, random.byte());
        }
        4 => {
            // The header.
            let at = random.below(16.min(bytes.len()));
            bytes[at] = [0, 1, 2, 0x80, 0x81, 0xff][random.below(6)];
        }
        5 => {
            let at = random.below(bytes.len());
            bytes.remove(at);
        }
        _ => *bytes = (0..random.below(200)).map(|_| random.byte()).collect(),
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// Changes stored values at random, and returns how many were rejected for each reason.
fn survives(seed: u64, make: impl Fn(&Arc<Shelf>) -> Sealed) -> Vec<&'static str> {
    let mut random = Random(seed);
    let shelf = Arc::new(Shelf::default());
    let cache = make(&shelf);
    let mut reasons = Vec::new();
    for _ in 0..10_000 * effort() {
        let (one, two) = (random.text(), random.text());
        let stored = [(KEY, &one), (OTHER_KEY, &two)].map(|(key, value)| {
            cache.set(key, &entry(key, value), None).unwrap();
            assert_eq!(found(&cache, key).as_ref(), Ok(value));
            shelf.get(key).unwrap().unwrap()
        });
        let mut changed = stored[0].clone();
        for _ in 0..=random.below(2) {
            mutate(&mut random, &mut changed, &stored[1]);
        }
        shelf.set(KEY, &changed, None).unwrap();
        match found(&cache, KEY) {
            Ok(value) => assert!(changed == stored[0] && value == one, "a changed value was believed"),
            Err(reject) => reasons.push(reject.reason()),
        }
    }
    assert!(reasons.len() > 9_000, "hardly any mutation is none");
    reasons
}

#[test]
fn mutated_signed_values_are_misses() {
    let count = |make: fn(&Arc<Shelf>) -> Sealed, seed| {
        let reasons = survives(seed, make);
        let signature = reasons.iter().filter(|reason| **reason == "signature").count();
        // What is left of a value by chance may be a number, which is no entry.
        assert!(signature + 5 > reasons.len(), "{signature} of {}", reasons.len());
    };
    count(|shelf| sealed(shelf).signed(secret(OURS)), 1);
    count(|shelf| sealed(shelf).signed(secret(OURS)).compressed(Compression::lz4().above(0)), 2);
    count(|shelf| sealed(shelf).signed(secret(OURS)).compressed(Compression::zstd(1).unwrap().above(0)), 3);
}

#[test]
fn mutated_compressed_values_are_misses() {
    for (seed, compression) in [(4, Compression::lz4()), (5, Compression::zstd(1).unwrap())] {
        let reasons = survives(seed, |shelf| sealed(shelf).compressed(compression.above(0)));
        assert!(reasons.iter().filter(|reason| **reason == "checksum").count() > 3_000);
    }
}

/// One who can compute the checksum, since there is no secret.
#[test]
fn hostile_bodies_are_misses() {
    let shelf = Arc::new(Shelf::default());
    let cache = sealed(&shelf).max_bytes(1 << 20);
    let mut random = Random(6);
    let mut values = 0;
    for round in 0..10_000 * effort() {
        let method = 1 + round % 2;
        let compression = if method == 1 { Compression::lz4() } else { Compression::zstd(1).unwrap() };
        let text = random.text().repeat(1 + random.below(5));
        sealed(&shelf).compressed(compression.above(0)).set(KEY, text.as_bytes(), None).unwrap();
        let mut bytes = shelf.get(KEY).unwrap().unwrap();
        if !bytes.starts_with(b"MEMO\x81") {
            continue;
        }
        bytes.truncate(bytes.len() - 8);
        let mut body = bytes.split_off(16);
        mutate(&mut random, &mut body, text.as_bytes());
        bytes.extend_from_slice(&body);
        if random.below(4) == 0 {
            let at = 8 + random.below(3);
            bytes[at] = random.byte();
        }
        let seed = twox_hash::XxHash3_64::oneshot(KEY.as_bytes());
        bytes.extend_from_slice(&twox_hash::XxHash3_64::oneshot_with_seed(seed, &bytes).to_le_bytes());
        shelf.set(KEY, &bytes, None).unwrap();
        let opened = cache.get(KEY).unwrap().unwrap();
        let length = u64::from_le_bytes(bytes[8..16].try_into().unwrap());
        // A refusal, or a value as long as it says.
        match &opened[..] {
            [b'M', b'E', b'M', b'O', 0, 6 | 7] => {}
            value => {
                assert_eq!(value.len() as u64, length);
                assert!(value.len() <= 1 << 20);
                values += 1;
            }
        }
    }
    assert!(values > 500, "the unpackers saw too little: {values}");
}

#[test]
fn what_is_unpacked_is_bounded() {
    let shelf = Arc::new(Shelf::default());
    let value = vec![b'z'; 3 << 20];
    for compression in [Compression::lz4(), Compression::zstd(3).unwrap()] {
        let cache = sealed(&shelf).compressed(compression);
        cache.set(KEY, &value, None).unwrap();
        let stored = shelf.get(KEY).unwrap().unwrap();
        assert!((3 << 10..16 << 10).contains(&stored.len()), "in proportion: {}", stored.len());
        assert_eq!(cache.get(KEY).unwrap().unwrap(), value);

        let small = sealed(&shelf).max_bytes(value.len() - 1);
        assert_eq!(entry::read(KEY, &small.get(KEY).unwrap().unwrap()), Err(Reject::TooLarge));
        // It writes nothing that it would not read.
        let small = small.compressed(compression);
        small.set(KEY, &value, None).unwrap();
        assert_eq!(shelf.get(KEY).unwrap().unwrap(), value);
        assert_eq!(small.get(KEY).unwrap().unwrap(), value);

        // A bomb: the same frame says that it is the largest value.
        let mut bomb = stored[..stored.len() - 8].to_vec();
        bomb[8..16].copy_from_slice(&(64_u64 << 20).to_le_bytes());
        let seed = twox_hash::XxHash3_64::oneshot(KEY.as_bytes());
        bomb.extend_from_slice(&twox_hash::XxHash3_64::oneshot_with_seed(seed, &bomb).to_le_bytes());
        shelf.set(KEY, &bomb, None).unwrap();
        let reject = entry::read(KEY, &cache.get(KEY).unwrap().unwrap()).unwrap_err();
        assert_eq!(reject == Reject::TooLarge, stored.len() < 60 << 10, "{reject}");
    }
}

#[test]
fn compression_can_be_turned_on_and_off_over_a_full_store() {
    let shelf = Arc::new(Shelf::default());
    let value = "tea ".repeat(1000);
    let caches = [
        sealed(&shelf),
        sealed(&shelf).compressed(Compression::lz4()),
        sealed(&shelf).compressed(Compression::zstd(3).unwrap()),
    ];
    for writer in &caches {
        writer.set(KEY, &entry(KEY, &value), None).unwrap();
        for reader in &caches {
            assert_eq!(found(reader, KEY).as_ref(), Ok(&value));
        }
    }
    // To one without, it is an entry of another version.
    assert_eq!(entry::read(KEY, &shelf.get(KEY).unwrap().unwrap()), Err(Reject::Version));
}

#[test]
fn what_does_not_get_smaller_is_stored_as_it_is() {
    let shelf = Arc::new(Shelf::default());
    let mut random = Random(7);
    let noise: Vec<u8> = (0..10_000).map(|_| random.byte()).collect();
    for compression in [Compression::lz4(), Compression::zstd(3).unwrap()] {
        let cache = sealed(&shelf).compressed(compression);
        for value in [&noise[..], &b"a".repeat(1023)] {
            cache.set(KEY, value, None).unwrap();
            assert_eq!(shelf.get(KEY).unwrap().unwrap(), value);
        }
        cache.set(KEY, &b"a".repeat(1024), None).unwrap();
        assert!(shelf.get(KEY).unwrap().unwrap().len() < 100);
    }
}

#[test]
fn values_are_compared_in_whatever_form_they_were_sealed() {
    let shelf = Arc::new(Shelf::default());
    let value = "tea ".repeat(100);
    let writers = [
        sealed(&shelf).signed(secret(OURS)),
        sealed(&shelf).signed(secret(THEIRS)),
        sealed(&shelf).signed(secret(OURS)).compressed(Compression::lz4().above(0)),
        sealed(&shelf).signed(secret(THEIRS)).compressed(Compression::zstd(1).unwrap().above(0)),
    ];
    let cache = sealed(&shelf).signed(secret(OURS).or(THEIRS).unwrap());
    for writer in &writers {
        let set = || writer.set(KEY, value.as_bytes(), None).unwrap();
        set();
        assert!(!cache.remove_if(KEY, b"coffee").unwrap());
        assert!(cache.remove_if(KEY, value.as_bytes()).unwrap());
        assert!(!cache.remove_if(KEY, value.as_bytes()).unwrap());
        set();
        conformance::block_on(Box::pin(async {
            assert!(!cache.remove_if_async(KEY, b"coffee").await.unwrap());
            assert!(cache.remove_if_async(KEY, value.as_bytes()).await.unwrap());
            assert!(!cache.remove_if_async(KEY, value.as_bytes()).await.unwrap());
        }));
    }
    // The value of a stranger is nobody's.
    let theirs = sealed(&shelf).signed(secret(THEIRS));
    let ours = sealed(&shelf).signed(secret(OURS));
    theirs.set(KEY, b"tea", None).unwrap();
    assert!(!ours.remove_if(KEY, b"tea").unwrap());
    assert!(theirs.remove_if(KEY, b"tea").unwrap());
}

#[test]
fn failures_of_the_store_are_handed_on() {
    let cache = sealed(&Arc::default()).signed(secret(OURS));
    let kind = |error: Result<(), Error>| error.unwrap_err().kind();
    assert_eq!(kind(cache.set("", b"tea", None)), ErrorKind::Key);
    assert_eq!(kind(cache.get("").map(drop)), ErrorKind::Key);
    assert_eq!(kind(cache.increment(KEY, 1, None).map(drop)), ErrorKind::Unsupported);
}
