//! Messages between processes that share a backend: `docs/bus-format.md` is the specification.

pub use super::listener::{Listener, Snapshot, Subscription};

use super::invalidation::MAX_SEQUENCE;
use crate::error::{Error, ErrorKind};
use std::fmt;
use std::ops::Range;

const MAGIC: [u8; 4] = *b"MBUS";
const VERSION: u8 = 1;
/// Up to the items.
const FIXED: usize = 28;

/// What an item is, by its first byte.
const KEY: u8 = 1;
const NAME: u8 = 2;
const WOKEN: u8 = 3;

/// What happened to entries of a backend, for the processes that keep copies of them or wait for them. It never holds a
/// value.
///
/// ```
/// use memo_core::bus::Message;
///
/// let message = Message { sender: 7, sequence: 12, keys: vec!["memo:a:0:1"], ..Message::default() };
/// let bytes = message.encode()?;
/// assert_eq!(Message::decode(&bytes), Ok(message));
/// # Ok::<(), memo_core::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// Who sent it: a random number of a process's connection to the backend. Its own message comes back to it and tells
    /// it nothing.
    pub sender: u64,
    /// The number of the invalidation; 0 where nothing was invalidated.
    pub sequence: u64,
    /// Keys that were invalidated.
    pub keys: Vec<&'a str>,
    /// Functions and tags that were invalidated, by their names: see [`function_name`](crate::invalidation::function_name)
    /// and [`tag_name`](crate::invalidation::tag_name).
    pub names: Vec<&'a str>,
    /// Keys of which a load has ended, for those who wait for it.
    pub woken: Vec<&'a str>,
}

/// Why bytes are no message: whoever gets such bytes must take it that anything may have been invalidated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Unreadable {
    /// A message of another version of the format, or none at all.
    Version,
    /// It was cut off, or a length, a kind or a text in it is wrong.
    Malformed,
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Unreadable::Version => "no message of version 1",
            Unreadable::Malformed => "a damaged message",
        })
    }
}

impl std::error::Error for Unreadable {}

impl<'a> Message<'a> {
    /// Where [`encode`](Message::encode) writes the sequence, for a server that sets it as it gives the number.
    ///
    /// ```
    /// use memo_core::bus::Message;
    ///
    /// let mut bytes = Message::default().encode()?;
    /// bytes[Message::SEQUENCE].copy_from_slice(&7_u64.to_le_bytes());
    /// assert_eq!(Message::decode(&bytes).unwrap().sequence, 7);
    /// # Ok::<(), memo_core::Error>(())
    /// ```
    pub const SEQUENCE: Range<usize> = 16..24;

    /// The bytes to publish.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Key`] for a text of more than 65,535 bytes, which is no key and no name.
    pub fn encode(&self) -> Result<Vec<u8>, Error> {
        let items = [(KEY, &self.keys), (NAME, &self.names), (WOKEN, &self.woken)];
        let items = || items.iter().flat_map(|(kind, texts)| texts.iter().map(|text| (*kind, *text)));
        let mut out = Vec::with_capacity(FIXED + items().map(|(_, text)| 3 + text.len()).sum::<usize>());
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(&self.sender.to_le_bytes());
        out.extend_from_slice(&self.sequence.to_le_bytes());
        let unfit = || Error::new(ErrorKind::Key, "writing a message of the bus").advise("a text in it is too long");
        out.extend_from_slice(&u32::try_from(items().count()).map_err(|_| unfit())?.to_le_bytes());
        for (kind, text) in items() {
            out.push(kind);
            out.extend_from_slice(&u16::try_from(text.len()).map_err(|_| unfit())?.to_le_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        Ok(out)
    }

    /// The message in these bytes. No bytes make it panic, and it takes memory in proportion to their length.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] for all bytes that [`encode`](Message::encode) doesn't write.
    pub fn decode(bytes: &'a [u8]) -> Result<Message<'a>, Unreadable> {
        let (head, rest) = bytes.split_first_chunk::<8>().ok_or(Unreadable::Version)?;
        if head[..4] != MAGIC || head[4..] != [VERSION, 0, 0, 0] {
            return Err(Unreadable::Version);
        }
        read(Reader(rest)).ok_or(Unreadable::Malformed)
    }
}

fn read(mut rest: Reader<'_>) -> Option<Message<'_>> {
    let (sender, sequence) = (u64::from_le_bytes(rest.array()?), u64::from_le_bytes(rest.array()?));
    let mut message = Message { sender, sequence, ..Message::default() };
    let mut last = 0;
    for _ in 0..u32::from_le_bytes(rest.array()?) {
        let [kind] = rest.array()?;
        let text = rest.text()?;
        let texts = match kind {
            KEY => &mut message.keys,
            NAME => &mut message.names,
            WOKEN => &mut message.woken,
            _ => return None,
        };
        texts.push(text);
        // One order, so that a message has one spelling.
        if kind < last {
            return None;
        }
        last = kind;
    }
    (rest.0.is_empty() && sequence <= MAX_SEQUENCE).then_some(message)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (first, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*first)
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = usize::from(u16::from_le_bytes(self.array()?));
        let (text, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
