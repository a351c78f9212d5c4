//! Values that are bytes or text and nothing else, written and read without serde, at the speed of memory.
//!
//! serde hands a `Vec<u8>` on byte by byte, which costs twenty times what copying it does. And of a large value every
//! pass costs as much as the copy: so the bytes are summed, looked at for UTF-8 and copied in one pass, in blocks that
//! stay in the processor's first cache. What is written is what serde reads, and the other way round; the one
//! difference is `MessagePack`, whose bytes are `bin` here and were a list of numbers, which is still read.

use super::codec::Codec;
use super::entry::{Reject, Unverified};
use std::any::Any;
use std::sync::Arc;

/// How a format frames plain bytes and text. Named by [`Codec::FRAMING`].
#[doc(hidden)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// Not known: serde does it.
    Serde,
    /// The length in groups of seven bits, then the bytes: postcard.
    Groups,
    /// The length in one byte, or a mark and 2, 4 or 8 bytes, then the bytes: bincode.
    Marked,
    /// `bin` and `str` of `MessagePack`.
    MessagePack,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Bytes,
    Text,
}

/// Most in one step, which was the fastest of 512 bytes to 128 KiB: with its copy it fits well into the first cache.
const BLOCK: usize = 4 << 10;

/// From here on bincode is asked, which bounds the length.
const LONGEST: usize = 32 << 20;

/// Appends the value as its codec does, if it is plain and the codec says how. Whether it did.
pub(super) fn encode<V: 'static, C: Codec>(value: &V, out: &mut Vec<u8>) -> bool {
    let Some((kind, bytes)) = look(value) else { return false };
    if C::FRAMING == Framing::Serde || bytes.len() > LONGEST {
        return false;
    }
    // The checksum comes behind it.
    out.reserve(9 + bytes.len() + size_of::<u64>());
    C::FRAMING.begin(kind, bytes.len(), out);
    out.extend_from_slice(bytes);
    true
}

/// The value of an entry, verified; `None` if it takes serde, and then nothing is verified yet.
pub(super) fn decode<V: 'static, C: Codec>(key: &str, entry: &Unverified<'_>) -> Option<Result<V, Reject>> {
    if C::FRAMING == Framing::Serde {
        return None;
    }
    let kind = kind_of::<V>()?;
    let (start, length) = C::FRAMING.length(kind, entry.payload())?;
    if entry.payload().len() - start != length || length > LONGEST {
        return None;
    }
    match kind {
        Kind::Bytes => copy::<Vec<u8>>(key, entry, start)?.map(make_of_bytes).transpose(),
        Kind::Text => copy::<String>(key, entry, start)?.map(make_of_text).transpose(),
    }
}

/// The types, and what each is made of. In one place, so that what is written is also read.
macro_rules! plain_types {
    ($($make:ident: $made:ty, $kind:ident => $($type:ty),*;)*) => {
        fn kind_of<V: 'static>() -> Option<Kind> {
            let slot: &dyn Any = &None::<V>;
            $($(if slot.is::<Option<$type>>() {
                return Some(Kind::$kind);
            })*)*
            None
        }

        fn look<V: 'static>(value: &V) -> Option<(Kind, &[u8])> {
            let value: &dyn Any = value;
            $($(if let Some(plain) = value.downcast_ref::<$type>() {
                return Some((Kind::$kind, AsRef::<[u8]>::as_ref(&**plain)));
            })*)*
            None
        }

        $(fn $make<V: 'static>(content: $made) -> Option<V> {
            let mut made = None::<V>;
            let slot: &mut dyn Any = &mut made;
            $(if let Some(slot) = slot.downcast_mut::<Option<$type>>() {
                *slot = Some(content.into());
                return made;
            })*
            None
        })*
    };
}

plain_types! {
    make_of_bytes: Vec<u8>, Bytes => Vec<u8>, Box<[u8]>, Arc<[u8]>;
    make_of_text: String, Text => String, Box<str>, Arc<str>;
}

impl Framing {
    #[expect(clippy::cast_possible_truncation, reason = "each length is compared with the width it is written in")]
    fn begin(self, kind: Kind, length: usize, out: &mut Vec<u8>) {
        let short = u8::try_from(length).ok();
        match (self, kind) {
            (Framing::Serde, _) => {}
            (Framing::Groups, _) => {
                let mut left = length;
                while left > 0x7f {
                    out.push(left as u8 | 0x80);
                    left >>= 7;
                }
                out.push(left as u8);
            }
            (Framing::Marked, _) => match length {
                0..=250 => out.push(length as u8),
                251..=0xffff => {
                    out.push(251);
                    out.extend_from_slice(&(length as u16).to_le_bytes());
                }
                _ => {
                    out.push(252);
                    out.extend_from_slice(&(length as u32).to_le_bytes());
                }
            },
            (Framing::MessagePack, Kind::Text) if length < 32 => out.push(0xa0 | length as u8),
            (Framing::MessagePack, kind) => {
                let mark = if kind == Kind::Text { 0xd9 } else { 0xc4 };
                if let Some(length) = short {
                    out.extend_from_slice(&[mark, length]);
                } else if let Ok(length) = u16::try_from(length) {
                    out.push(mark + 1);
                    out.extend_from_slice(&length.to_be_bytes());
                } else {
                    out.push(mark + 2);
                    out.extend_from_slice(&(length as u32).to_be_bytes());
                }
            }
        }
    }

    /// Where the content starts, and how long it is said to be; `None` if that is not written as it is here.
    fn length(self, kind: Kind, payload: &[u8]) -> Option<(usize, usize)> {
        let number = |width: usize, little: bool| {
            let digits = payload.get(1..=width)?;
            let digit = |number: u64, digit: &u8| number << 8 | u64::from(*digit);
            let number = if little { digits.iter().rev().fold(0, digit) } else { digits.iter().fold(0, digit) };
            Some((1 + width, usize::try_from(number).ok()?))
        };
        let first = *payload.first()?;
        match (self, kind, first) {
            (Framing::Groups, ..) => {
                let mut length = 0_usize;
                for (place, group) in payload.iter().take(4).enumerate() {
                    length |= usize::from(group & 0x7f) << (7 * place);
                    if group & 0x80 == 0 {
                        return Some((place + 1, length));
                    }
                }
                None
            }
            (Framing::Marked, _, 0..=250) => Some((1, usize::from(first))),
            (Framing::Marked, _, 251) => number(2, true),
            (Framing::Marked, _, 252) => number(4, true),
            (Framing::MessagePack, Kind::Text, 0xa0..=0xbf) => Some((1, usize::from(first & 0x1f))),
            (Framing::MessagePack, Kind::Text, 0xd9) | (Framing::MessagePack, Kind::Bytes, 0xc4) => number(1, false),
            (Framing::MessagePack, Kind::Text, 0xda) | (Framing::MessagePack, Kind::Bytes, 0xc5) => number(2, false),
            (Framing::MessagePack, Kind::Text, 0xdb) | (Framing::MessagePack, Kind::Bytes, 0xc6) => number(4, false),
            _ => None,
        }
    }
}

/// What takes the content block by block.
trait Content: Sized {
    fn with_room(length: usize) -> Self;
    /// Where a block of `content` that may end at `end` ends.
    fn cut(content: &[u8], end: usize) -> usize;
    /// Whether it could.
    fn take(&mut self, block: &[u8]) -> bool;
}

impl Content for Vec<u8> {
    fn with_room(length: usize) -> Self {
        Vec::with_capacity(length)
    }

    fn cut(_: &[u8], end: usize) -> usize {
        end
    }

    fn take(&mut self, block: &[u8]) -> bool {
        self.extend_from_slice(block);
        true
    }
}

impl Content for String {
    fn with_room(length: usize) -> Self {
        String::with_capacity(length)
    }

    /// Not within a character, which goes on for three bytes at most.
    fn cut(content: &[u8], end: usize) -> usize {
        let within = |at: &usize| content.get(*at).is_some_and(|byte| byte & 0xc0 == 0x80);
        (end.saturating_sub(3)..=end).rev().find(|at| !within(at)).unwrap_or(end)
    }

    fn take(&mut self, block: &[u8]) -> bool {
        simdutf8::basic::from_utf8(block).map(|text| self.push_str(text)).is_ok()
    }
}

/// The content behind the frame, if it is of its kind and the entry is whole. `None` is for serde to tell why not.
fn copy<T: Content>(key: &str, entry: &Unverified<'_>, start: usize) -> Option<Result<T, Reject>> {
    let mut rest = &entry.payload()[start..];
    let mut content = T::with_room(rest.len());
    let mut sum = entry.checksum(key, start);
    while !rest.is_empty() {
        let (block, behind) = rest.split_at(T::cut(rest, rest.len().min(BLOCK)));
        sum.add(block);
        if !content.take(block) {
            return None;
        }
        rest = behind;
    }
    Some(sum.is_right().then_some(content).ok_or(Reject::Checksum))
}

#[cfg(test)]
mod tests;
