//! Every codec reads back what it wrote, refuses what it can't, and survives what it is given.
#![cfg(all(feature = "json", feature = "messagepack", feature = "bincode"))]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::ErrorKind;
use memo_core::codec::{Bincode, Codec, CompactMessagePack, Json, MAX_DEPTH, MessagePack, Postcard, PrettyJson};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::net::IpAddr;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Value {
    Nothing,
    Flag(bool),
    Number(i64),
    Wide(u128),
    Real(f64),
    Single(f32),
    Letter(char),
    Text(String),
    Maybe(Option<Box<Value>>),
    List(Vec<Value>),
    Pair(Box<Value>, u8),
    Table(BTreeMap<String, Value>),
    Record { id: u16, name: String, bytes: Vec<u8>, from: IpAddr },
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nothing),
        any::<bool>().prop_map(Value::Flag),
        any::<i64>().prop_map(Value::Number),
        any::<u128>().prop_map(Value::Wide),
        any::<f64>().prop_map(Value::Real),
        any::<f32>().prop_map(Value::Single),
        any::<char>().prop_map(Value::Letter),
        any::<String>().prop_map(Value::Text),
        (any::<u16>(), any::<String>(), vec(any::<u8>(), 0..40), any::<IpAddr>())
            .prop_map(|(id, name, bytes, from)| Value::Record { id, name, bytes, from }),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone().prop_map(Box::new)).prop_map(Value::Maybe),
            vec(inner.clone(), 0..4).prop_map(Value::List),
            (inner.clone(), any::<u8>()).prop_map(|(value, n)| Value::Pair(Box::new(value), n)),
            btree_map(any::<String>(), inner, 0..3).prop_map(Value::Table),
        ]
    })
}

fn bytes<C: Codec, T: Serialize + ?Sized>(value: &T) -> Vec<u8> {
    let mut out = b"before".to_vec();
    C::encode(value, &mut out).unwrap();
    assert_eq!(&out[..6], b"before");
    out.split_off(6)
}

fn refused<C: Codec, T: Serialize + ?Sized>(value: &T) -> String {
    let mut out = b"before".to_vec();
    let error = C::encode(value, &mut out).unwrap_err();
    assert_eq!((error.kind(), &out[..]), (ErrorKind::Codec, &b"before"[..]));
    std::error::Error::source(&error).unwrap().to_string()
}

fn same<C: Codec, T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let bytes = bytes::<C, T>(value);
    assert_eq!(C::decode::<T>(&bytes).unwrap(), *value, "{}", C::NAME);
    for more in [&b"\0"[..], b"\x01", b"\x91", b"\xc1", b"!", b"\xcd\x01"] {
        assert!(C::decode::<T>(&[&bytes, more].concat()).is_err(), "{} took trailing bytes", C::NAME);
    }
    assert!(bytes.is_empty() || C::decode::<T>(&bytes[..bytes.len() - 1]).is_err(), "{} took a part", C::NAME);
}

/// Two ways to write one format: each entry of one is an entry of the other.
fn siblings<A: Codec, B: Codec, T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    assert_eq!(A::ID, B::ID);
    same::<B, T>(value);
    assert_eq!(A::decode::<T>(&bytes::<B, T>(value)).unwrap(), *value, "{} of a sibling", A::NAME);
    assert_eq!(B::decode::<T>(&bytes::<A, T>(value)).unwrap(), *value, "{} of a sibling", B::NAME);
}

fn same_in_all<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    same::<Postcard, T>(value);
    same::<Json, T>(value);
    same::<MessagePack, T>(value);
    same::<Bincode, T>(value);
    siblings::<Json, PrettyJson, T>(value);
    siblings::<MessagePack, CompactMessagePack, T>(value);
}

fn odd(value: &Value) -> bool {
    match value {
        Value::Real(v) => !v.is_finite(),
        Value::Single(v) => !v.is_finite(),
        Value::Maybe(v) => v.as_deref().is_some_and(odd),
        Value::List(v) => v.iter().any(odd),
        Value::Pair(v, _) => odd(v),
        Value::Table(v) => v.values().any(odd),
        _ => false,
    }
}

proptest! {
    #[test]
    fn values_come_back_the_same(value in values().prop_filter("JSON has none", |value| !odd(value))) {
        same_in_all(&value);
    }

    #[test]
    fn reals_come_back_to_the_bit(bits in any::<u64>(), small in any::<u32>()) {
        let (real, single) = (f64::from_bits(bits), f32::from_bits(small));
        prop_assert_eq!(Postcard::decode::<f64>(&bytes::<Postcard, _>(&real)).unwrap().to_bits(), bits);
        prop_assert_eq!(MessagePack::decode::<f64>(&bytes::<MessagePack, _>(&real)).unwrap().to_bits(), bits);
        prop_assert_eq!(Bincode::decode::<f64>(&bytes::<Bincode, _>(&real)).unwrap().to_bits(), bits);
        if real.is_finite() && single.is_finite() {
            prop_assert_eq!(Json::decode::<f64>(&bytes::<Json, _>(&real)).unwrap().to_bits(), bits);
            prop_assert_eq!(Json::decode::<f32>(&bytes::<Json, _>(&single)).unwrap().to_bits(), small);
        }
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..60)) {
        let _ = Postcard::decode::<Value>(&bytes);
        let _ = Json::decode::<Value>(&bytes);
        let _ = MessagePack::decode::<Value>(&bytes);
        let _ = Bincode::decode::<Value>(&bytes);
    }
}

#[test]
fn plain_values_come_back_the_same() {
    same_in_all(&String::from("tea"));
    same_in_all(&vec![0_u8, 255]);
    same_in_all(&vec![1_u128, u128::MAX]);
    same_in_all(&(i128::MIN, -0.5, 'x'));
    same_in_all(&BTreeMap::from([(1_u8, Some("a".to_owned())), (2, None)]));
    same_in_all(&Result::<u8, String>::Err("no".to_owned()));
    same_in_all(&Some(Value::Nothing));
}

#[test]
fn options_that_would_be_lost_are_refused() {
    #[derive(Serialize)]
    struct Unit;
    #[derive(Serialize)]
    struct Wrap<T>(T);

    for cause in [
        refused::<Json, _>(&Some(None::<u8>)),
        refused::<MessagePack, _>(&Some(None::<u8>)),
        refused::<Json, _>(&(1, vec![Some(())])),
        refused::<MessagePack, _>(&Some(Wrap(Unit))),
        refused::<CompactMessagePack, _>(&Some(Wrap(Unit))),
        refused::<PrettyJson, _>(&Some(None::<u8>)),
        refused::<Json, _>(&Wrap(Some(Wrap(None::<u8>)))),
        refused::<Json, _>(&BTreeMap::from([("a", Some(None::<u8>))])),
    ] {
        assert!(cause.contains("None"), "{cause}");
    }
    same::<Postcard, _>(&Some(None::<u8>));
    same::<Bincode, _>(&Some(None::<u8>));
    same::<Postcard, _>(&(1, Some(Some(())), None::<()>));
    for number in [f64::NAN, f64::INFINITY] {
        assert!(refused::<Json, _>(&vec![number]).contains("NaN"));
    }
    assert!(refused::<Json, _>(&f32::NEG_INFINITY).contains("NaN"));
}

#[test]
fn fields_left_out_are_refused_where_they_would_shift_the_rest() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Sparse {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        b: u8,
    }
    let full = vec![Sparse { a: Some(1), b: 2 }];
    same_in_all(&full);
    // Unchecked, postcard reads these as [(None, 1), (None, 0)].
    let sparse = vec![Sparse { a: None, b: 0 }, Sparse { a: Some(0), b: 0 }];
    assert!(refused::<Postcard, _>(&sparse).contains("`a`"));
    assert!(refused::<Bincode, _>(&sparse).contains("`a`"));
    assert!(refused::<CompactMessagePack, _>(&sparse).contains("`a`"));
    same::<Json, _>(&sparse);
    same::<MessagePack, _>(&sparse);
}

#[test]
fn types_may_gain_fields_where_fields_have_names() {
    #[derive(Serialize)]
    struct Old {
        a: u8,
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct New {
        a: u8,
        #[serde(default)]
        b: Option<u8>,
    }
    let new = New { a: 1, b: None };
    assert_eq!(Json::decode::<New>(&bytes::<Json, _>(&Old { a: 1 })).unwrap(), new);
    assert_eq!(MessagePack::decode::<New>(&bytes::<MessagePack, _>(&Old { a: 1 })).unwrap(), new);
    // A new one at the end is missing at the end.
    assert_eq!(CompactMessagePack::decode::<New>(&bytes::<CompactMessagePack, _>(&Old { a: 1 })).unwrap(), new);
    assert_eq!(MessagePack::decode::<New>(&bytes::<CompactMessagePack, _>(&Old { a: 1 })).unwrap(), new);
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Chain {
    End,
    Link(Box<Chain>),
}

fn chain(depth: u32) -> Chain {
    (1..depth).fold(Chain::End, |rest, _| Chain::Link(Box::new(rest)))
}

fn depth_is_bounded<C: Codec>(hostile: &[u8]) {
    same::<C, _>(&chain(MAX_DEPTH - 1));
    assert!(refused::<C, _>(&chain(MAX_DEPTH + 1)).contains("deeper"));
    assert!(C::decode::<Chain>(hostile).is_err());
}

#[test]
fn depth_is_bounded_in_postcard() {
    depth_is_bounded::<Postcard>(&vec![1; 1_000_000]);
    same::<Postcard, _>(&chain(MAX_DEPTH));
}

#[test]
fn depth_is_bounded_in_bincode() {
    depth_is_bounded::<Bincode>(&vec![1; 1_000_000]);
    same::<Bincode, _>(&chain(MAX_DEPTH));
}

#[test]
fn depth_is_bounded_in_json() {
    depth_is_bounded::<Json>("{\"Link\":".repeat(100_000).as_bytes());
    assert!(Json::decode::<Vec<Value>>("[".repeat(100_000).as_bytes()).is_err());
}

#[test]
fn depth_is_bounded_in_messagepack() {
    depth_is_bounded::<MessagePack>(&b"\x81\xa4Link".repeat(100_000));
    same::<MessagePack, _>(&chain(MAX_DEPTH));
    assert!(MessagePack::decode::<Chain>(&vec![0x91; 100_000]).is_err());
    assert!(MessagePack::decode::<Value>(&b"\x81\xa4List\x91".repeat(100_000)).is_err());
}

#[test]
fn lengths_that_lie_cost_neither_memory_nor_time() {
    // Each claims about 2^62 bytes or elements.
    let varint = b"\xff\xff\xff\xff\xff\xff\xff\xff\x3f";
    let bincode = b"\xfd\xff\xff\xff\xff\xff\xff\xff\x3f";
    for bytes in [&varint[..], bincode] {
        assert!(Postcard::decode::<Vec<()>>(bytes).is_err());
        assert!(Postcard::decode::<Vec<u64>>(bytes).is_err());
        assert!(Postcard::decode::<String>(bytes).is_err());
        assert!(Bincode::decode::<Vec<()>>(bytes).is_err());
        assert!(Bincode::decode::<Vec<u64>>(bytes).is_err());
        assert!(Bincode::decode::<String>(bytes).is_err());
        assert!(Bincode::decode::<HashMap<(), u8>>(bytes).is_err());
    }
    assert!(MessagePack::decode::<Vec<u64>>(b"\xdd\xff\xff\xff\xff").is_err());
    assert!(MessagePack::decode::<String>(b"\xdb\xff\xff\xff\xff").is_err());
    same::<Postcard, _>(&vec![(); 1000]);
    same::<Bincode, _>(&vec![(); 1000]);
}

#[test]
fn errors_do_not_quote_what_was_stored() {
    fn told<C: Codec>() {
        let error = C::decode::<u8>(&bytes::<C, _>("a secret")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Codec);
        assert!(!format!("{error:?} {error}").contains("secret"), "{error:?}");
    }
    told::<Postcard>();
    told::<Json>();
    told::<MessagePack>();
    told::<Bincode>();
}

#[test]
fn numbers_of_every_width_fit_the_limit_of_bincode() {
    // Counted at their width in memory these are 160 MB, stored they are 10.
    let small = vec![1_u128; 10_000_000];
    let bytes = bytes::<Bincode, _>(&small);
    assert_eq!(Bincode::decode::<Vec<u128>>(&bytes).unwrap().len(), small.len());
}
