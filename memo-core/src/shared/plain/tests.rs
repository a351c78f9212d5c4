//! That this path and serde write and read the same, and what it refuses.

use super::super::value::{from_bytes, to_bytes};
use super::*;
use crate::codec::Postcard;
use crate::entry;
use crate::memo::door::Lineage;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::time::Duration;

const LENGTHS: [usize; 18] =
    [0, 1, 15, 31, 32, 127, 128, 250, 251, 255, 256, 8_191, 8_192, 8_193, 16_384, 65_535, 65_536, 300_000];

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 7 % 251).to_le_bytes()[0]).collect()
}

/// Text with characters of each width, so that some of them lie across the end of a block.
fn text(length: usize) -> String {
    "aé€😀z".chars().cycle().take(length).collect()
}

/// A value under a codec, stored the one way and the other.
fn stored<V: Serialize + 'static, C: Codec>(value: &V) -> (Vec<u8>, Vec<u8>) {
    let plain = to_bytes::<V, C>("key", value, None, Duration::ZERO, &Lineage::default()).expect("plain");
    let header = entry::read("key", &plain).expect("whole").header;
    let serde = entry::write("key", &header, &mut |out| C::encode(value, out)).expect("by serde");
    (plain, serde)
}

fn round_trips<V: Serialize + DeserializeOwned + PartialEq + Debug + 'static, C: Codec>(value: &V, same: bool) {
    let (plain, serde) = stored::<V, C>(value);
    assert_eq!(plain == serde, same, "{}", C::NAME);
    for bytes in [plain, serde] {
        let entry = Unverified::read(&bytes).expect("its parts add up");
        // A list of numbers is for serde.
        let numbers = C::FRAMING == Framing::MessagePack && matches!(entry.payload()[0], 0x90..=0x9f | 0xdc | 0xdd);
        assert_eq!(decode::<V, C>("key", &entry).is_some(), !numbers, "{}", C::NAME);
        assert_eq!(from_bytes::<V, C>("key", &bytes).map(|(value, _)| value).as_ref(), Ok(value));
        assert_eq!(from_bytes::<V, C>("other", &bytes).map(drop), Err(Reject::Checksum));
    }
}

fn by<C: Codec>(bytes_are_the_same: bool) {
    for length in LENGTHS {
        round_trips::<Vec<u8>, C>(&bytes(length), bytes_are_the_same);
        round_trips::<Box<[u8]>, C>(&bytes(length).into(), bytes_are_the_same);
        round_trips::<String, C>(&text(length), true);
        round_trips::<String, C>(&"a".repeat(length), true);
        round_trips::<Box<str>, C>(&text(length).into(), true);
    }
}

#[test]
fn postcard_is_written_as_by_serde() {
    by::<Postcard>(true);
}

#[test]
#[cfg(feature = "bincode")]
fn bincode_is_written_as_by_serde() {
    by::<crate::codec::Bincode>(true);
}

#[test]
#[cfg(feature = "messagepack")]
fn messagepack_has_bin_and_reads_lists_of_numbers() {
    by::<crate::codec::MessagePack>(false);
    by::<crate::codec::CompactMessagePack>(false);
    let (plain, _) = stored::<Vec<u8>, crate::codec::MessagePack>(&vec![1, 2, 200]);
    assert_eq!(entry::read("key", &plain).map(|entry| entry.payload), Ok(&[0xc4, 3, 1, 2, 200][..]));
}

#[test]
fn shared_bytes_are_plain() {
    let mut out = Vec::new();
    assert!(encode::<Arc<[u8]>, Postcard>(&Arc::from([5, 6]), &mut out));
    assert!(encode::<Arc<str>, Postcard>(&Arc::from("tea"), &mut out));
    assert_eq!(out, b"\x02\x05\x06\x03tea");
    assert_eq!(make_of_bytes::<Arc<[u8]>>(vec![5, 6]).as_deref(), Some(&[5, 6][..]));
    assert_eq!(make_of_text::<Arc<str>>("tea".to_owned()).as_deref(), Some("tea"));
}

#[test]
fn others_take_serde() {
    let mut out = Vec::new();
    assert!(!encode::<Vec<i8>, Postcard>(&vec![1], &mut out));
    assert!(!encode::<Option<Vec<u8>>, Postcard>(&None, &mut out));
    assert!(out.is_empty());
}

#[test]
fn a_damaged_entry_is_refused_wherever_the_damage_is() {
    for value in ["", "tea", &text(9_000)] {
        let (plain, _) = stored::<String, Postcard>(&value.to_owned());
        for at in (0..plain.len()).filter(|at| *at < 120 || at % 97 == 0 || *at > plain.len() - 12) {
            let mut damaged = plain.clone();
            damaged[at] ^= 0x04;
            assert!(from_bytes::<String, Postcard>("key", &damaged).is_err(), "byte {at} of {}", plain.len());
        }
        for length in (0..plain.len()).filter(|length| *length < 120 || length % 97 == 0) {
            assert!(from_bytes::<String, Postcard>("key", &plain[..length]).is_err());
        }
    }
}

/// Under a right checksum, as somebody else may have written it.
fn of_payload<V: DeserializeOwned + Debug + 'static>(payload: &[u8]) -> Result<V, Reject> {
    let header = entry::Header { codec: Postcard::ID, schema: entry::schema_of::<V>(), ..entry::Header::default() };
    let bytes = entry::write("key", &header, &mut |out| {
        out.extend_from_slice(payload);
        Ok(())
    });
    from_bytes::<V, Postcard>("key", &bytes.expect("an entry")).map(|(value, _)| value)
}

#[test]
fn what_is_no_text_or_has_another_length_is_refused() {
    assert_eq!(of_payload::<String>(b"\x03\xff\xfe\xfd"), Err(Reject::Decode));
    // Within a character, and at the end of a block with more than a character can have behind it.
    assert_eq!(of_payload::<String>(b"\x02\xe2\x82"), Err(Reject::Decode));
    let long = [&b"\x80\x80\x01"[..], &vec![0x80; 16_384]].concat();
    assert_eq!(of_payload::<String>(&long), Err(Reject::Decode));
    assert_eq!(of_payload::<Vec<u8>>(&long), Ok(vec![0x80; 16_384]));
    for payload in [&b""[..], b"\x02a", b"\x02abc", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", b"\x80"] {
        assert_eq!(of_payload::<Vec<u8>>(payload), Err(Reject::Decode), "{payload:?}");
        assert_eq!(of_payload::<String>(payload), Err(Reject::Decode), "{payload:?}");
    }
    // A longer way to write a length, which postcard reads.
    assert_eq!(of_payload::<Vec<u8>>(b"\x81\x00a"), Ok(b"a".to_vec()));
}
