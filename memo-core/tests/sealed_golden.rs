//! Sealed values outlive the process: these are the examples of `docs/entry-format.md`, which were made from that page by
//! other implementations of BLAKE3, XXH3, LZ4 and Zstandard.
#![cfg(all(feature = "lz4", feature = "zstd", feature = "testing"))]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

mod sealed_support;

use memo_core::{Cache, Compression, Sealed, Secret, entry};
use sealed_support::{Shelf, sealed};
use std::sync::Arc;

const KEY: &str = "memo:shop/price:2:60a4314111e16bbb152a4ee13d545ee4631d5d3f9750076fb0fef33ab2b86d46";
const SECRET: &str = "correct horse battery staple";

const SIGNED: &str = "4d454d4f 81 00 0100 0300000000000000 746561 \
    e3218dbd6e15d1b6de12d824fa06fb8cd067b4ed5871813203b9766505300fc3";
const LZ4: &str = "4d454d4f 81 01 0000 2900000000000000 2f616202000f506162656e64 71026795a8a7d479";
const ZSTD: &str = "4d454d4f 81 02 0000 c800000000000000 28b52ffd20c84306007a 1149cc6c74abc7f2";
const SIGNED_ZSTD: &str = "4d454d4f 81 02 0100 c800000000000000 28b52ffd20c84306007a \
    145453303f97cdec0635111e4a3735166fd855d860f5609b9f04333498a48c3d";

fn bytes_of(input: &str) -> Vec<u8> {
    let digits: String = input.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

#[test]
fn signed_values_are_those_of_the_specification() {
    let shelf = Arc::new(Shelf::default());
    let cache = sealed(&shelf).signed(Secret::new(SECRET).unwrap());
    cache.set(KEY, b"tea", None).unwrap();
    assert_eq!(shelf.get(KEY).unwrap().unwrap(), bytes_of(SIGNED));
    assert_eq!(cache.get(KEY).unwrap().unwrap(), b"tea");
    shelf.set(KEY, &bytes_of(SIGNED_ZSTD), None).unwrap();
    assert_eq!(cache.get(KEY).unwrap().unwrap(), [b'z'; 200]);
}

#[test]
fn compressed_values_of_the_specification_are_read() {
    let shelf = Arc::new(Shelf::default());
    let cache = sealed(&shelf);
    shelf.set(KEY, &bytes_of(LZ4), None).unwrap();
    assert_eq!(cache.get(KEY).unwrap().unwrap(), b"abababababababababababababababababababend");
    shelf.set(KEY, &bytes_of(ZSTD), None).unwrap();
    assert_eq!(cache.get(KEY).unwrap().unwrap(), [b'z'; 200]);
}

/// The header and the end are ours; the bytes between them may be others with another version of the method.
#[test]
fn compressed_values_have_the_header_of_the_specification() {
    let value = "tea and coffee, ".repeat(100);
    for (number, compression) in [(1, Compression::lz4()), (2, Compression::zstd(3).unwrap())] {
        let shelf = Arc::new(Shelf::default());
        sealed(&shelf).compressed(compression).set(KEY, value.as_bytes(), None).unwrap();
        let stored = shelf.get(KEY).unwrap().unwrap();
        assert_eq!(stored[..8], [0x4d, 0x45, 0x4d, 0x4f, 0x81, number, 0, 0]);
        assert_eq!(stored[8..16], 1600_u64.to_le_bytes());
        assert!(stored.len() < 200);
        let (covered, sum) = stored.split_last_chunk::<8>().unwrap();
        let seed = twox_hash::XxHash3_64::oneshot(KEY.as_bytes());
        assert_eq!(*sum, twox_hash::XxHash3_64::oneshot_with_seed(seed, covered).to_le_bytes());
    }
}

#[test]
fn numbers_and_small_values_have_no_envelope() {
    let shelf = Arc::new(Shelf::default());
    let cache = sealed(&shelf).compressed(Compression::lz4());
    let signing = sealed(&shelf).signed(Secret::new(SECRET).unwrap());
    for number in ["0", "7", "-7", "9223372036854775807", "-9223372036854775808"] {
        for cache in [&cache, &signing] {
            cache.set(KEY, number.as_bytes(), None).unwrap();
            assert_eq!(shelf.get(KEY).unwrap().unwrap(), number.as_bytes());
            assert_eq!(cache.get(KEY).unwrap().unwrap(), number.as_bytes());
        }
    }
    cache.set(KEY, b"tea", None).unwrap();
    assert_eq!(shelf.get(KEY).unwrap().unwrap(), b"tea");
    for text in ["", "-", "-0", "+1", "01", " 1", "1 ", "1.5", "9223372036854775808", "\u{661}"] {
        signing.set(KEY, text.as_bytes(), None).unwrap();
        assert_eq!(shelf.get(KEY).unwrap().unwrap().len(), 16 + text.len() + 32, "{text:?}");
        assert_eq!(signing.get(KEY).unwrap().unwrap(), text.as_bytes());
    }
}

/// A value that looks like an envelope is not opened as one.
#[test]
fn an_envelope_is_a_value_too() {
    let shelf = Arc::new(Shelf::default());
    for cache in [sealed(&shelf), sealed(&shelf).signed(Secret::new(SECRET).unwrap())] {
        for text in [SIGNED, LZ4, ZSTD, "4d454d4f 81"] {
            cache.set(KEY, &bytes_of(text), None).unwrap();
            assert_eq!(cache.get(KEY).unwrap().unwrap(), bytes_of(text));
        }
    }
}

#[test]
fn each_fault_has_its_reason() {
    let shelf = Arc::new(Shelf::default());
    let reason = |cache: &Sealed, bytes: &[u8]| {
        shelf.set(KEY, bytes, None).unwrap();
        entry::read(KEY, &cache.get(KEY).unwrap().unwrap()).unwrap_err().reason()
    };
    let with = |text: &str, at: usize, byte: u8| {
        let mut bytes = bytes_of(text);
        bytes[at] = byte;
        bytes
    };
    let plain = sealed(&shelf);
    assert_eq!(reason(&plain, &bytes_of(LZ4)[..15]), "too short");
    assert_eq!(reason(&plain, &bytes_of(LZ4)[..23]), "checksum");
    assert_eq!(reason(&plain, &with(LZ4, 6, 2)), "flags");
    assert_eq!(reason(&plain, &bytes_of(SIGNED)), "signature");
    assert_eq!(reason(&plain, &with(LZ4, 20, 1)), "checksum");

    let signing = sealed(&shelf).signed(Secret::new(SECRET).unwrap());
    assert_eq!(reason(&signing, b""), "signature");
    assert_eq!(reason(&signing, &bytes_of(LZ4)), "signature");
    assert_eq!(reason(&signing, &with(SIGNED, 4, 1)), "signature");

    // By one who has the secret.
    let resigned = |at: usize, byte: u8| {
        let (covered, _) = SIGNED_ZSTD.rsplit_once(' ').unwrap();
        let mut bytes = bytes_of(covered);
        bytes[at] = byte;
        let mut key = blake3::Hasher::new_derive_key("memokit 2026-11-28 authentication of sealed values");
        let mut mac = blake3::Hasher::new_keyed(key.update(SECRET.as_bytes()).finalize().as_bytes());
        mac.update(&(KEY.len() as u64).to_le_bytes()).update(KEY.as_bytes()).update(&bytes);
        bytes.extend_from_slice(mac.finalize().as_bytes());
        bytes
    };
    shelf.set(KEY, &resigned(0, b'M'), None).unwrap();
    assert_eq!(signing.get(KEY).unwrap().unwrap(), [b'z'; 200], "nothing was changed");
    assert_eq!(reason(&signing, &resigned(0, b'N')), "version");
    assert_eq!(reason(&signing, &resigned(4, 0x82)), "version");
    assert_eq!(reason(&signing, &resigned(5, 0)), "length");
    assert_eq!(reason(&signing, &resigned(5, 1)), "compression");
    assert_eq!(reason(&signing, &resigned(5, 3)), "compression");
    assert_eq!(reason(&signing, &resigned(6, 0)), "flags");
    assert_eq!(reason(&signing, &resigned(7, 1)), "flags");
    assert_eq!(reason(&signing, &resigned(8, 199)), "compression");
    assert_eq!(reason(&signing, &resigned(8, 201)), "compression");
    assert_eq!(reason(&signing, &resigned(10, 1)), "too large");
    assert_eq!(reason(&signing, &resigned(15, 0xff)), "too large");
    let bounded = sealed(&shelf).signed(Secret::new(SECRET).unwrap()).max_bytes(199);
    assert_eq!(reason(&bounded, &bytes_of(SIGNED_ZSTD)), "too large");
}
