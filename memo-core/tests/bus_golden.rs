//! Messages go between processes of different builds: these are the examples of `docs/bus-format.md`, whose bytes were
//! computed from that page.
#![cfg(feature = "shared")]
#![allow(clippy::unwrap_used, reason = "a test that fails says where")]

use memo_core::ErrorKind;
use memo_core::bus::{Message, Unreadable};
use memo_core::invalidation::{function_name, tag_name};

const INVALIDATED: &str = "4d425553 01 000000 efcdab8967452301 2a00000000000000 03000000 \
    01 1600 6d656d6f3a73686f702f70726963653a323a36306134 02 1400 663a6d656d6f3a73686f702f70726963653a323a \
    02 0500 743ac3a961";
const WOKEN: &str = "4d425553 01 000000 0100000000000000 0000000000000000 01000000 03 0100 6b";
const SHORTEST: &str = "4d425553 01 000000 0000000000000000 0000000000000000 00000000";

fn bytes_of(input: &str) -> Vec<u8> {
    let digits: String = input.split_whitespace().collect();
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap()).collect()
}

fn is_written_and_read(message: &Message<'_>, bytes: &str) {
    assert_eq!(message.encode().unwrap(), bytes_of(bytes));
    assert_eq!(Message::decode(&bytes_of(bytes)).as_ref(), Ok(message));
}

#[test]
fn messages_are_those_of_the_specification() {
    let (function, tag) = (function_name("memo:shop/price:2:"), tag_name("\u{e9}a"));
    let invalidated = Message {
        sender: 0x0123_4567_89ab_cdef,
        sequence: 42,
        keys: vec!["memo:shop/price:2:60a4"],
        names: vec![&function, &tag],
        woken: vec![],
    };
    is_written_and_read(&invalidated, INVALIDATED);
    is_written_and_read(&Message { sender: 1, woken: vec!["k"], ..Message::default() }, WOKEN);
    is_written_and_read(&Message::default(), SHORTEST);
}

#[test]
fn long_names_are_those_of_the_specification() {
    let tag = tag_name(&"x".repeat(399));
    assert_eq!(tag, format!("t#{}", blake3::hash("x".repeat(399).as_bytes()).to_hex()));
    assert_eq!(tag_name(&"x".repeat(398)), format!("t:{}", "x".repeat(398)));
}

#[test]
fn whatever_is_not_written_so_is_refused() {
    let whole = bytes_of(INVALIDATED);
    for cut in 0..whole.len() {
        let expected = if cut < 8 { Unreadable::Version } else { Unreadable::Malformed };
        assert_eq!(Message::decode(&whole[..cut]), Err(expected), "cut after {cut} bytes");
    }
    let with = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        bytes
    };
    for (at, byte) in [(0, b'N'), (4, 0), (4, 2), (5, 1), (7, 1)] {
        assert_eq!(Message::decode(&with(at, byte)), Err(Unreadable::Version), "byte {at}");
    }
    // Too great a sequence, other counts, no kind and an unknown one, out of order, another length, no UTF-8.
    for (at, byte) in [(22, 0x20), (24, 2), (24, 4), (27, 1), (28, 0), (28, 4), (28, 3), (29, 1), (30, 1), (31, 0xff)] {
        assert_eq!(Message::decode(&with(at, byte)), Err(Unreadable::Malformed), "byte {at}");
    }
    let longer: Vec<u8> = whole.iter().copied().chain([0]).collect();
    assert_eq!(Message::decode(&longer), Err(Unreadable::Malformed));
    // A count that no memory would hold.
    let mut vast = bytes_of(SHORTEST);
    vast[24..28].fill(0xff);
    assert_eq!(Message::decode(&vast), Err(Unreadable::Malformed));
}

#[test]
fn a_text_that_is_no_key_is_told_and_not_cut() {
    let long = "x".repeat(65_536);
    let message = Message { keys: vec![&long], ..Message::default() };
    assert_eq!(message.encode().unwrap_err().kind(), ErrorKind::Key);
}
