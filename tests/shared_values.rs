//! Codecs, and bytes under a function's key that are no value of it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::codec::{Codec, Postcard};
use memokit::{Cache, Error, ErrorKind, MemoryCache, cached};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

static CACHE: LazyLock<Arc<MemoryCache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

fn cache() -> Arc<dyn Cache> {
    Arc::clone(&*CACHE) as Arc<dyn Cache>
}

/// Postcard, with every bit turned over.
struct Inverted;

impl Codec for Inverted {
    const ID: u8 = 200;
    const NAME: &'static str = "inverted";

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        let start = out.len();
        Postcard::encode(value, out)?;
        out[start..].iter_mut().for_each(|byte| *byte = !*byte);
        Ok(())
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        Postcard::decode(&bytes.iter().map(|byte| !byte).collect::<Vec<u8>>())
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Symbol {
    name: String,
    addresses: Vec<(u64, Option<i8>)>,
    sections: BTreeMap<String, f64>,
    raw: [u8; 4],
}

fn symbol(name: &str) -> Option<Symbol> {
    (!name.is_empty()).then(|| Symbol {
        name: name.to_owned(),
        addresses: vec![(u64::MAX, None), (0, Some(-1))],
        sections: [("text".to_owned(), 0.1), ("é".to_owned(), -0.0)].into(),
        raw: *b"\x7fELF",
    })
}

/// A function of one prefix for each codec: their keys are the same, their bytes are not.
macro_rules! with_codec {
    ($name:ident, $codec:path) => {
        mod $name {
            use super::*;
            #[allow(unused_imports, reason = "the library's own are known by their bare names")]
            use memokit::codec::*;

            #[cached(cache = cache(), codec = $codec, local = false)]
            fn find(name: &str) -> Option<Symbol> {
                symbol(name)
            }

            #[cached(cache = cache(), codec = $codec, local = false, prefix = "any codec")]
            pub(super) fn shared(name: &str) -> Option<Symbol> {
                symbol(name)
            }

            #[test]
            fn values_come_back_as_they_were() {
                for name in ["main", "", "ünïcödé"] {
                    assert_eq!((find(name), find(name)), (symbol(name), symbol(name)));
                }
                let stats = find::stats();
                assert_eq!((stats.loads, stats.shared_hits, stats.rejected, stats.backend_errors), (3, 3, 0, 0));
            }

            #[cached(cache = cache(), codec = $codec, local = false)]
            fn damaged(name: &str) -> Option<Symbol> {
                symbol(name)
            }

            #[test]
            fn bytes_that_are_no_value_are_a_miss() {
                let key = damaged::key("damaged").unwrap();
                damaged("damaged");
                let good = CACHE.get(key.text()).unwrap().unwrap();
                let before = damaged::stats();
                let mut bad: Vec<Vec<u8>> = vec![Vec::new(), b"{}".to_vec(), vec![0xff; 1_000]];
                bad.extend((0..good.len()).step_by(3).map(|length| good[..length].to_vec()));
                bad.extend((0..good.len()).map(|at| {
                    let mut bytes = good.clone();
                    bytes[at] = bytes[at].wrapping_add(1);
                    bytes
                }));
                let (other, doubled) = (damaged::key("other").unwrap(), [good.clone(), good.clone()].concat());
                damaged("other");
                bad.extend([doubled, CACHE.get(other.text()).unwrap().unwrap()]);
                for bytes in &bad {
                    CACHE.set(key.text(), bytes, None).unwrap();
                    assert_eq!(damaged::peek("damaged").unwrap(), None);
                    assert_eq!(damaged("damaged"), symbol("damaged"));
                    assert_eq!(CACHE.get(key.text()).unwrap().unwrap().len(), good.len(), "it is stored anew");
                }
                let after = damaged::stats();
                assert_eq!(after.loads - before.loads, bad.len() as u64 + 1);
                assert!(after.rejected - before.rejected >= bad.len() as u64);
                assert_eq!(damaged("damaged"), symbol("damaged"));
                assert_eq!(damaged::stats().shared_hits, after.shared_hits + 1);
            }
        }
    };
}

with_codec!(postcard, Postcard);
with_codec!(json, Json);
with_codec!(messagepack, MessagePack);
with_codec!(bincode, Bincode);
with_codec!(own, super::Inverted);

#[test]
fn no_codec_reads_what_another_wrote() {
    let functions: [fn(&str) -> Option<Symbol>; 5] =
        [postcard::shared, json::shared, messagepack::shared, bincode::shared, own::shared];
    for writer in functions {
        for reader in functions {
            assert_eq!((writer("x"), reader("x")), (symbol("x"), symbol("x")));
        }
    }
    assert_eq!(postcard::shared::key("x").unwrap(), own::shared::key("x").unwrap());
    let read = [postcard::shared::stats(), json::shared::stats(), messagepack::shared::stats(), own::shared::stats()];
    for stats in read {
        assert!(stats.rejected >= 4 && stats.shared_hits >= 1, "{stats:?}");
    }
}

#[cached(cache = cache(), codec = Json, local = false)]
fn not_a_number(n: u32) -> f64 {
    f64::from(n) / 0.0
}

#[test]
fn a_value_that_the_codec_can_not_hold_is_returned_and_not_stored() {
    assert!(not_a_number(1).is_infinite() && not_a_number(1).is_infinite());
    let stats = not_a_number::stats();
    assert_eq!((stats.loads, stats.backend_errors, stats.shared_hits), (2, 2, 0));
    assert_eq!(not_a_number::put(1, f64::NAN).unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(not_a_number::refresh(1).unwrap_err().kind(), ErrorKind::Codec);
    not_a_number::put(1, 0.1 + 0.2).unwrap();
    assert_eq!(not_a_number(1).to_bits(), (0.1_f64 + 0.2).to_bits());
}

#[cached(cache = cache(), local = false)]
fn bytes_of(length: usize) -> Vec<u8> {
    vec![length.to_le_bytes()[0]; length]
}

#[cached(cache = cache(), local = false)]
fn unit(n: u8) {
    let _ = n;
}

#[test]
fn large_and_empty_values_are_stored_too() {
    for length in [0, 1, 1_000, 3_000_000] {
        assert_eq!(bytes_of(length), bytes_of(length));
    }
    assert_eq!(bytes_of::stats().shared_hits, 4);
    unit(1);
    unit(1);
    assert_eq!((unit::stats().loads, unit::stats().shared_hits), (1, 1));
}
