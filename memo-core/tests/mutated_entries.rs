//! Damaged and hostile entries: whatever is done to the bytes, reading them is a miss or a value, never a panic, and
//! never another value unless the one who changed them made the checksum fit.
#![cfg(all(feature = "json", feature = "messagepack", feature = "bincode"))]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod random;

use memo_core::codec::{Bincode, Codec, Json, MessagePack, Postcard};
use memo_core::entry::{Header, read, schema_of, write};
use random::Random;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::Duration;
use twox_hash::XxHash3_64;

const KEY: &str = "memo:shop/price:0:1b";
const ROUNDS: u32 = 100_000;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Nothing,
    Number(i64),
    Real(f64),
    Letter(char),
    Text(String),
    Maybe(Option<Box<Value>>),
    List(Vec<Value>),
    Table(BTreeMap<String, Value>),
    Record { id: u16, name: String, bytes: Vec<u8> },
}

fn value(random: &mut Random, depth: u32) -> Value {
    match random.below(if depth == 0 { 5 } else { 9 }) {
        0 => Value::Nothing,
        1 => Value::Number(random.next().cast_signed() >> random.below(64)),
        2 => Value::Real(f64::from(i32::from_le_bytes([random.byte(), 1, 2, random.byte()])) / 3.0),
        3 => Value::Letter(char::from(random.byte())),
        4 => Value::Text("caf\u{e9} ".repeat(random.below(20))),
        5 => Value::Maybe((random.below(2) == 0).then(|| Box::new(value(random, depth - 1)))),
        6 => Value::List((0..random.below(5)).map(|_| value(random, depth - 1)).collect()),
        7 => Value::Table((0..random.below(4)).map(|n| (format!("key {n}"), value(random, depth - 1))).collect()),
        _ => Value::Record { id: 513, name: "tea".to_owned(), bytes: vec![7; random.below(30)] },
    }
}

fn entry<C: Codec>(random: &mut Random, value: &Value) -> Vec<u8> {
    let header = Header {
        codec: C::ID,
        schema: schema_of::<Value>(),
        created: 1_800_000_000_000,
        fresh_until: (random.below(2) == 0).then_some(1_800_000_060_000),
        keep_until: None,
        load_cost: Duration::from_millis(3),
        tag_sequence: 9,
        tags: (0..random.below(3)).map(|n| format!("tag {n}")).collect(),
    };
    write(KEY, &header, &mut |out| C::encode(value, out)).unwrap()
}

fn mutate(random: &mut Random, bytes: &mut Vec<u8>, other: &[u8]) {
    match random.below(8) {
        0 => {
            let at = random.below(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        1 => bytes.truncate(random.below(bytes.len())),
        2 => {
            let at = random.below(bytes.len());
            bytes[at] = [0, 1, 0x7f, 0x80, 0xfd, 0xff][random.below(6)];
        }
        3 => {
            // The head of one entry and the tail of another.
            bytes.truncate(random.below(bytes.len()));
            bytes.extend_from_slice(&other[random.below(other.len())..]);
        }
        4 => {
            let at = random.below(bytes.len());
            let end = bytes.len().min(at + 1 + random.below(16));
            bytes[at..end].iter_mut().for_each(|byte| *byte = random.byte());
        }
        5 => {
            let at = random.below(bytes.len());
            bytes.insert(at, random.byte());
        }
        6 => {
            // Where the lengths and the count of tags are.
            let at = (56 + random.below(24)).min(bytes.len() - 1);
            bytes[at] = bytes[at].wrapping_add(random.byte());
        }
        _ => {
            *bytes = (0..random.below(200)).map(|_| random.byte()).collect();
        }
    }
    if bytes.is_empty() {
        bytes.push(0);
    }
}

/// Makes lengths and checksum fit what the payload has become.
fn mend(bytes: &mut Vec<u8>, original: &[u8], payload: &[u8]) {
    let header = read(KEY, original).unwrap().header;
    *bytes = write(KEY, &header, &mut |out| {
        out.extend_from_slice(payload);
        Ok(())
    })
    .unwrap();
}

fn reseal(bytes: &mut [u8]) {
    if let Some((covered, sum)) = bytes.split_last_chunk_mut::<8>() {
        *sum = XxHash3_64::oneshot_with_seed(XxHash3_64::oneshot(KEY.as_bytes()), covered).to_le_bytes();
    }
}

/// What comes of it doesn't matter, as long as something does.
fn decode_as_anything<C: Codec>(payload: &[u8], round: u32) {
    let _ = C::decode::<Value>(payload);
    match round % 6 {
        0 => drop(C::decode::<String>(payload)),
        1 => drop(C::decode::<Vec<u8>>(payload)),
        2 => drop(C::decode::<HashMap<String, Option<Value>>>(payload)),
        3 => drop(C::decode::<(u8, Option<f64>, [u16; 3], char)>(payload)),
        4 => drop(C::decode::<HashSet<i128>>(payload)),
        _ => drop(C::decode::<Vec<Vec<Vec<String>>>>(payload)),
    }
}

/// How many times longer than usual: `cargo xtask deep` says so.
fn effort() -> u32 {
    std::env::var("MEMOKIT_TEST_EFFORT").map_or(1, |effort| effort.parse().expect("MEMOKIT_TEST_EFFORT is a number"))
}

fn survives<C: Codec>(seed: u64) {
    let mut random = Random(seed);
    let rounds = ROUNDS * effort();
    let mut hits = 0;
    let mut decoded = 0;
    for round in 0..rounds / 4 {
        let (value, other) = (value(&mut random, 4), value(&mut random, 3));
        let good = entry::<C>(&mut random, &value);
        let other = entry::<C>(&mut random, &other);
        assert_eq!(C::decode::<Value>(read(KEY, &good).unwrap().payload).unwrap(), value);

        let mut bytes = good.clone();
        for _ in 0..=random.below(3) {
            mutate(&mut random, &mut bytes, &other);
        }
        if let Ok(entry) = read(KEY, &bytes) {
            // The checksum held: the bytes are a whole entry, changed back or never changed.
            assert!(bytes == good || bytes == other, "a damaged entry passed");
            assert!(C::decode::<Value>(entry.payload).is_ok());
            hits += 1;
        }

        // An enemy who can compute the checksum.
        if round % 2 == 0 {
            let mut payload = read(KEY, &good).unwrap().payload.to_vec();
            payload.push(0);
            mutate(&mut random, &mut payload, &other);
            mend(&mut bytes, &good, &payload);
        } else {
            reseal(&mut bytes);
        }
        if let Ok(entry) = read(KEY, &bytes) {
            decode_as_anything::<C>(entry.payload, round);
            decoded += 1;
        }
    }
    assert!(hits < rounds / 40, "{}: hardly any mutation is none", C::NAME);
    assert!(decoded > rounds / 8, "{}: the decoder saw too little", C::NAME);
}

#[test]
fn mutated_entries_in_postcard() {
    survives::<Postcard>(1);
}

#[test]
fn mutated_entries_in_json() {
    survives::<Json>(2);
}

#[test]
fn mutated_entries_in_messagepack() {
    survives::<MessagePack>(3);
}

#[test]
fn mutated_entries_in_bincode() {
    survives::<Bincode>(4);
}
