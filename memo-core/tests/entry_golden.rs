//! Entries outlive the process: this is the example of `docs/entry-format.md`, whose bytes were written by hand from
//! that page, with a checksum from another implementation of XXH3.
#![cfg(feature = "shared")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::codec::{Codec, Postcard};
use memo_core::entry::{Header, Reject, read, schema_of, write};
use memo_core::{Error, ErrorKind};
use std::time::Duration;

const KEY: &str = "memo:shop/price:2:60a4314111e16bbb152a4ee13d545ee4631d5d3f9750076fb0fef33ab2b86d46";

const ENTRY: &str = "4d454d4f 01 01 0000 50f7c1222b37c189 00505c18a3010000 603a5d18a3010000 40ce6118a3010000 \
    3930000000000000 0700000000000000 0200 0500 7573657273 0300 c3a961 0400000000000000 03746561 399cf0d0acd9e4c1";

const SHORTEST: &str = "4d454d4f 01 03 0000 0000000000000000 0000000000000000 0000000000000000 0000000000000000 \
    0000000000000000 0000000000000000 0000 0000000000000000 c41170a3aae9c64a";

fn header() -> Header {
    Header {
        codec: 1,
        schema: schema_of::<String>(),
        created: 1_800_000_000_000,
        fresh_until: Some(1_800_000_060_000),
        keep_until: Some(1_800_000_360_000),
        load_cost: Duration::from_micros(12_345),
        tag_sequence: 7,
        tags: vec!["users".to_owned(), "\u{e9}a".to_owned()],
    }
}

fn bytes_of(input: &str) -> Vec<u8> {
    let digits: String = input.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[expect(clippy::unnecessary_wraps, reason = "the signature of a payload")]
fn empty(_: &mut Vec<u8>) -> Result<(), Error> {
    Ok(())
}

#[test]
fn entries_are_those_of_the_specification() {
    let written = write(KEY, &header(), &mut |out| Postcard::encode("tea", out)).unwrap();
    assert_eq!(written, bytes_of(ENTRY));
    let bytes = bytes_of(ENTRY);
    let entry = read(KEY, &bytes).unwrap();
    assert_eq!(entry.header, header());
    assert_eq!(Postcard::decode::<String>(entry.payload).unwrap(), "tea");
}

#[test]
fn the_shortest_entry_is_that_of_the_specification() {
    let header = Header { codec: 3, ..Header::default() };
    assert_eq!(write(KEY, &header, &mut empty).unwrap(), bytes_of(SHORTEST));
    assert_eq!(read(KEY, &bytes_of(SHORTEST)).unwrap().header, header);
    assert_eq!(bytes_of(SHORTEST).len(), 74);
}

#[test]
fn each_fault_has_its_reason() {
    let good = bytes_of(ENTRY);
    let with = |at: usize, byte: u8| {
        let mut bytes = good.clone();
        bytes[at] = byte;
        bytes
    };
    let reason = |bytes: &[u8]| read(KEY, bytes).unwrap_err().reason();
    assert_eq!(reason(b""), "too short");
    assert_eq!(reason(&good[..73]), "too short");
    assert_eq!(reason(&with(0, b'm')), "magic");
    assert_eq!(reason(&with(4, 2)), "version");
    assert_eq!(reason(&with(6, 1)), "flags");
    assert_eq!(reason(&with(7, 0x80)), "flags");
    assert_eq!(reason(&with(57, 0xff)), "length");
    assert_eq!(reason(&with(70, 0xff)), "length");
    assert_eq!(reason(&good[..good.len() - 1]), "length");
    assert_eq!(reason(&[&good[..], b"\0"].concat()), "length");
    assert_eq!(reason(&with(5, 2)), "checksum");
    assert_eq!(reason(&with(good.len() - 1, 0)), "checksum");
    assert_eq!(read("memo:shop/price:2:other", &good), Err(Reject::Checksum));
}

#[test]
fn a_tag_that_is_no_text_is_a_miss() {
    let mut bytes = bytes_of(ENTRY);
    let end = bytes.len() - 8;
    let tag = bytes.windows(5).position(|five| five == b"users").unwrap();
    bytes[tag] = 0xff;
    let seed = twox_hash::XxHash3_64::oneshot(KEY.as_bytes());
    let sum = twox_hash::XxHash3_64::oneshot_with_seed(seed, &bytes[..end]).to_le_bytes();
    bytes[end..].copy_from_slice(&sum);
    assert_eq!(read(KEY, &bytes), Err(Reject::Tag));
}

#[test]
fn numbers_at_their_ends_are_kept() {
    let header = Header {
        codec: 255,
        schema: u64::MAX,
        created: u64::MAX,
        fresh_until: Some(u64::MAX),
        keep_until: Some(0),
        load_cost: Duration::MAX,
        tag_sequence: u64::MAX,
        tags: vec![String::new(), "x".repeat(65_535)],
    };
    let bytes = write(KEY, &header, &mut empty).unwrap();
    // A time of 0 would read as "never".
    let read_back = Header { keep_until: Some(1), load_cost: Duration::from_micros(u64::MAX), ..header };
    assert_eq!(read(KEY, &bytes).unwrap().header, read_back);
}

#[test]
fn what_does_not_fit_is_an_error() {
    let long = Header { tags: vec!["x".repeat(65_536)], ..Header::default() };
    let many = Header { tags: vec![String::new(); 65_536], ..Header::default() };
    for header in [long, many] {
        assert_eq!(write(KEY, &header, &mut empty).unwrap_err().kind(), ErrorKind::Codec);
    }
    let cut = write(KEY, &Header::default(), &mut |out| {
        out.clear();
        Ok(())
    });
    assert_eq!(cut.unwrap_err().kind(), ErrorKind::Codec);
    let failing = write(KEY, &Header::default(), &mut |_| Err(Error::new(ErrorKind::Full, "testing")));
    assert_eq!(failing.unwrap_err().kind(), ErrorKind::Full);
}
