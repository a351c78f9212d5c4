//! Borrowed and owned forms of known arguments hash and compare alike, and what is equal is one key.

use super::*;
use crate::lookup::{AnyArg as _, Borrowed};
use equivalent::Equivalent;
use std::hash::BuildHasher;

/// The part, its owned form, and that both hash alike and find each other.
macro_rules! fits {
    ($argument:expr => $owned:expr) => {{
        let argument = $argument;
        let parts = (Arg(&argument).part(), ());
        let owned = crate::lookup::Parts::to_owned(parts);
        assert_eq!(owned.0, $owned, stringify!($argument));
        let state = foldhash::fast::RandomState::default();
        assert_eq!(state.hash_one(Borrowed(parts)), state.hash_one(&owned), stringify!($argument));
        assert!(Borrowed(parts).equivalent(&owned), stringify!($argument));
    }};
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Other(u8);

#[test]
fn borrowed_and_owned_forms_hash_and_compare_alike() {
    let text = String::from("text");
    fits!(7_u64 => 7);
    fits!(true => true);
    fits!(text.as_str() => "text");
    fits!(&text.as_str() => "text");
    fits!(Some(text.as_str()) => Some(String::from("text")));
    fits!(&Some(text.as_str()) => Some(String::from("text")));
    fits!(None::<f32> => None);
    fits!((text.as_str(), 3_u32) => (String::from("text"), 3));
    fits!([1_u8, 2, 3].as_slice() => [1, 2, 3]);
    fits!([1_u16, 2, 3] => [1, 2, 3]);
    fits!(vec![("a", Some('b')), ("c", None)] => [(String::from("a"), Some('b')), (String::from("c"), None)]);
    fits!(Cow::Borrowed("text") => "text");
    fits!(&Cow::<[u8]>::Owned(vec![1]) => [1]);
    fits!(Some(Cow::Borrowed("text")) => Some(String::from("text")));
    fits!(Path::new("/a//b") => Path::new("/a/b"));
    fits!(Box::<str>::from("text") => "text");
    fits!(Arc::<str>::from("text") => Arc::<str>::from("text"));
    fits!(((), (1_i8, (false, [[0_i64; 2]; 2]))) => ((), (1, (false, [[0; 2]; 2]))));
    fits!(1.5_f64 => ByBits(1.5));
    fits!(Some(&f32::NAN) => Some(ByBits(f32::NAN)));
    fits!([0.0_f64, -0.0].as_slice() => [ByBits(0.0), ByBits(-0.0)]);
    fits!((1_u8, f64::INFINITY) => (1, ByBits(f64::INFINITY)));
}

#[test]
fn types_of_others_are_taken_as_they_are() {
    fits!(Other(1) => Other(1));
    fits!(&Other(1) => Other(1));
    fits!(Some(&Other(1)) => Some(Other(1)));
    fits!(Cow::Borrowed(&Other(1)) => Other(1));
    fits!((Other(1), 2_u8) => (Other(1), 2));
    fits!([Other(1)].as_slice() => [Other(1)]);
}

#[test]
fn floats_are_their_bits() {
    let nan = f64::from_bits(f64::NAN.to_bits() + 1);
    assert!(f64::NAN.matches(&f64::NAN.to_key()));
    assert!(!f64::NAN.matches(&nan.to_key()));
    assert!(!(0.0_f32).matches(&(-0.0_f32).to_key()));
    assert!(!Some(0.0_f64).matches(&None));
    assert!(![1.0_f64].as_slice().matches(&vec![ByBits(1.0); 2]));
}
