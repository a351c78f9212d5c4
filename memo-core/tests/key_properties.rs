//! What keys promise for any value: different values have different digests, equal ones the same.
#![cfg(feature = "shared")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::ErrorKind;
use memo_core::key::{Digest, MAX_DEPTH};
use proptest::collection::{btree_map, btree_set, vec};
use proptest::prelude::*;
use serde::Serialize;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Value {
    Nothing,
    Flag(bool),
    Byte(u8),
    Small(i16),
    Number(u64),
    Letter(char),
    Text(String),
    Maybe(Option<Box<Value>>),
    List(Vec<Value>),
    Pair(Box<Value>, Box<Value>),
    Table(BTreeMap<String, Value>),
    Record { id: u8, name: String, rest: Vec<u8> },
}

/// The same without a name around each value, so that neighbours run into each other if they can.
#[derive(Serialize)]
#[serde(untagged)]
enum Bare<'a> {
    Nothing,
    Flag(bool),
    Byte(u8),
    Small(i16),
    Number(u64),
    Letter(char),
    Text(&'a str),
    Maybe(Option<Box<Bare<'a>>>),
    List(Vec<Bare<'a>>),
    Pair(Box<Bare<'a>>, Box<Bare<'a>>),
    Table(BTreeMap<&'a str, Bare<'a>>),
    Record { id: u8, name: &'a str, rest: &'a [u8] },
}

fn bare(value: &Value) -> Bare<'_> {
    match value {
        Value::Nothing => Bare::Nothing,
        Value::Flag(v) => Bare::Flag(*v),
        Value::Byte(v) => Bare::Byte(*v),
        Value::Small(v) => Bare::Small(*v),
        Value::Number(v) => Bare::Number(*v),
        Value::Letter(v) => Bare::Letter(*v),
        Value::Text(v) => Bare::Text(v),
        Value::Maybe(v) => Bare::Maybe(v.as_deref().map(|v| Box::new(bare(v)))),
        Value::List(v) => Bare::List(v.iter().map(bare).collect()),
        Value::Pair(a, b) => Bare::Pair(Box::new(bare(a)), Box::new(bare(b))),
        Value::Table(v) => Bare::Table(v.iter().map(|(k, v)| (k.as_str(), bare(v))).collect()),
        Value::Record { id, name, rest } => Bare::Record { id: *id, name, rest },
    }
}

/// Few leaves that differ little, so that equal and nearly equal values are common.
fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nothing),
        any::<bool>().prop_map(Value::Flag),
        (0_u8..3).prop_map(Value::Byte),
        (0_i16..3).prop_map(Value::Small),
        (0_u64..3).prop_map(Value::Number),
        prop_oneof![Just('\0'), Just('\u{1}'), Just('a')].prop_map(Value::Letter),
        "[a\\x00\\x01#]{0,3}".prop_map(Value::Text),
        ((0_u8..2), "[ab]{0,2}", vec(0_u8..2, 0..3)).prop_map(|(id, name, rest)| Value::Record { id, name, rest }),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone().prop_map(Box::new)).prop_map(Value::Maybe),
            vec(inner.clone(), 0..4).prop_map(Value::List),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Value::Pair(Box::new(a), Box::new(b))),
            btree_map("[ab]{0,2}", inner, 0..3).prop_map(Value::Table),
        ]
    })
}

/// How many times longer than usual: `cargo xtask deep` says so.
fn effort() -> u32 {
    std::env::var("MEMOKIT_TEST_EFFORT").map_or(1, |effort| effort.parse().expect("MEMOKIT_TEST_EFFORT is a number"))
}

fn digest<T: Serialize + ?Sized>(value: &T) -> Digest {
    Digest::of(value).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000 * effort()))]

    #[test]
    fn different_values_have_different_digests(one in values(), other in values()) {
        prop_assert_eq!(digest(&one) == digest(&other), one == other);
        prop_assert_eq!(digest(&bare(&one)) == digest(&bare(&other)), one == other);
    }

    #[test]
    fn neighbours_do_not_run_into_each_other(some in vec(values(), 0..4), other in vec(values(), 0..4)) {
        let (flat, rest): (Vec<_>, Vec<_>) = (some.iter().map(bare).collect(), other.iter().map(bare).collect());
        prop_assert_eq!(digest(&flat) == digest(&rest), some == other);
    }

    #[test]
    fn strings_keep_their_ends(a in "[ab]{0,3}", b in "[ab]{0,3}", c in "[ab]{0,3}", d in "[ab]{0,3}") {
        prop_assert_eq!(digest(&(&a, &b)) == digest(&(&c, &d)), (&a, &b) == (&c, &d));
    }

    #[test]
    fn sets_and_maps_have_no_order(set in btree_set(any::<u16>(), 0..40), map in btree_map(any::<u16>(), any::<u8>(), 0..40)) {
        // Two sets of one content and different random seeds iterate differently.
        let (one, other): (HashSet<u16>, HashSet<u16>) = (set.iter().copied().collect(), set.iter().rev().copied().collect());
        prop_assert_eq!(digest(&one), digest(&other));
        let (some, rest): (HashMap<u16, u8>, HashMap<u16, u8>) = (map.clone().into_iter().collect(), map.clone().into_iter().rev().collect());
        prop_assert_eq!(digest(&some), digest(&rest));
        prop_assert_eq!(digest(&some), digest(&map));
    }

    #[test]
    fn floats_count_by_their_bits(a in any::<f64>(), b in any::<f64>()) {
        prop_assert_eq!(digest(&a) == digest(&b), a.to_bits() == b.to_bits());
    }
}

#[test]
fn what_looks_alike_is_different() {
    let all = [
        digest(&1_u8),
        digest(&1_i8),
        digest(&1_u64),
        digest("1"),
        digest(&'1'),
        digest(&true),
        digest(&Some(1_u8)),
        digest(&Some(Some(1_u8))),
        digest(&None::<u8>),
        digest(&()),
        digest(""),
        digest(&[0_u8; 0]),
        digest(&Vec::<u8>::new()),
        digest(&HashSet::<u8>::new()),
        digest(&HashMap::<u8, u8>::new()),
        digest(&HashSet::from([1_u8])),
        digest(&(1_u8,)),
        digest(&vec![1_u8]),
        digest(&0.0_f64),
        digest(&-0.0_f64),
        digest(&f64::NAN),
        digest(&0.0_f32),
        Digest::of_instance("", &1_u8).unwrap(),
        Digest::of_instance("a", &1_u8).unwrap(),
    ];
    let different: HashSet<_> = all.iter().collect();
    assert_eq!(different.len(), all.len());
}

#[test]
fn sets_are_found_wherever_they_are() {
    #[derive(Serialize)]
    struct Newtype<'a>(&'a HashSet<u32>);
    #[derive(Serialize)]
    enum Choice<'a> {
        Set(&'a HashSet<u32>),
        Named { set: &'a HashSet<u32> },
    }

    let one: HashSet<u32> = (0..200).collect();
    let other: HashSet<u32> = (0..200).rev().collect();
    assert!(!one.iter().eq(other.iter()), "two seeds, two orders");
    assert_eq!(digest(&one), digest(&other));
    assert_eq!(digest(&&one), digest(&&other));
    assert_eq!(digest(&(1, &one)), digest(&(1, &other)));
    assert_eq!(digest(&Some(&one)), digest(&Some(&other)));
    assert_eq!(digest(&vec![&one]), digest(&vec![&other]));
    assert_eq!(digest(&Newtype(&one)), digest(&Newtype(&other)));
    assert_eq!(digest(&Choice::Set(&one)), digest(&Choice::Set(&other)));
    assert_eq!(digest(&Choice::Named { set: &one }), digest(&Choice::Named { set: &other }));
    assert_eq!(digest(&HashMap::from([(1, &one)])), digest(&HashMap::from([(1, &other)])));
    assert_eq!(digest(&Cow::Borrowed(&one)), digest(&Cow::Borrowed(&other)));
    assert_eq!(digest(&Box::new(one.clone())), digest(&Box::new(other.clone())));
    let sets = |set: &HashSet<u32>| HashSet::from([set.iter().copied().collect::<BTreeSet<u32>>()]);
    assert_eq!(digest(&sets(&one)), digest(&sets(&other)));
}

#[test]
fn structs_of_different_names_are_different_even_where_serde_hides_the_variant() {
    #[derive(Serialize)]
    struct Metres {
        length: u8,
    }
    #[derive(Serialize)]
    struct Feet {
        length: u8,
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Height {
        Metric(Metres),
        Imperial(Feet),
    }
    let (metric, imperial) = (Height::Metric(Metres { length: 2 }), Height::Imperial(Feet { length: 2 }));
    assert_ne!(digest(&metric), digest(&imperial));
}

#[test]
fn owned_and_borrowed_are_one() {
    assert_eq!(digest("tea"), digest(&String::from("tea")));
    assert_eq!(digest("tea"), digest(&Cow::Borrowed("tea")));
    assert_eq!(digest(&[1_u8, 2][..]), digest(&vec![1_u8, 2]));
    assert_eq!(digest(&(&1_u8, &&"a")), digest(&(1_u8, "a")));
    assert_eq!(digest(&Box::new(1)), digest(&1));
}

#[test]
fn long_values_stream() {
    let long = "x".repeat(16 << 20);
    assert_ne!(digest(&long), digest(&long[1..]));
    assert_eq!(digest(&long), digest(&long.clone()));
    let numbers: Vec<u64> = (0..100_000).collect();
    let mut changed = numbers.clone();
    assert_eq!(digest(&numbers), digest(&changed));
    changed[99_999] ^= 1;
    assert_ne!(digest(&numbers), digest(&changed));
}

#[derive(Serialize)]
enum Nested {
    End,
    List(Vec<Nested>),
    Map(HashMap<u8, Nested>),
}

#[test]
fn deep_values_are_refused_before_the_stack_ends() {
    let list = |depth: u32| (0..depth).fold(Nested::End, |inner, _| Nested::List(vec![inner]));
    let map = |depth: u32| (0..depth).fold(Nested::End, |inner, _| Nested::Map(HashMap::from([(1, inner)])));
    // The top is one level, and each list or map two: the variant's content, and its element.
    let most = (MAX_DEPTH - 1) / 2;
    assert_ne!(digest(&list(most)), digest(&list(most - 1)));
    assert_ne!(digest(&map(most)), digest(&map(most - 1)));
    for value in [list(most + 1), map(most + 1), list(2000)] {
        let error = Digest::of(&value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Key);
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(cause.contains("deeper than 256"), "{cause}");
    }
}

#[test]
fn a_value_that_refuses_to_serialize_is_an_error_with_its_cause() {
    struct Refuses;
    impl Serialize for Refuses {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("the moon is wrong"))
        }
    }
    let error = Digest::of(&(1, Refuses)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key);
    assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "the moon is wrong");
    assert!(error.to_string().contains("Refuses"), "{error}");
}
