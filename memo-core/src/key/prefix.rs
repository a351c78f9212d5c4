//! The part of a key that is the same for all calls of one function.

use super::{Digest, Key};
use std::fmt;
use std::fmt::Write as _;

/// The longest escaped prefix, in bytes: with the version and the digest a key stays below 220.
pub const MAX_PREFIX_BYTES: usize = 128;

/// What is kept of a prefix that is too long: with `~` and 32 digits it has [`MAX_PREFIX_BYTES`].
const KEPT_BYTES: usize = 95;
const HASH_DIGITS: usize = 32;

/// The name and the version of a function's entries: `memo:{prefix}:{version}:`.
///
/// In the name `::` is written `/`; letters, digits, `_`, `-` and `.` stay; every other byte is `%` and two digits.
/// So the text of one prefix never begins with that of another, and clearing one function's entries by their prefix
/// touches no other's. A longer name than [`MAX_PREFIX_BYTES`] ends in a hash of the whole instead.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::key::Prefix;
///
/// assert_eq!(Prefix::new("shop::price", 0).as_str(), "memo:shop/price:0:");
/// assert_eq!(Prefix::new("caf\u{e9}: today", 7).as_str(), "memo:caf%C3%A9%3A%20today:7:");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Prefix {
    text: Box<str>,
}

impl Prefix {
    /// The prefix of this name; version 0 is that of a function which states none.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::Prefix;
    ///
    /// assert_ne!(Prefix::new("price", 1), Prefix::new("price", 2));
    /// assert!(Prefix::new(&"x".repeat(10_000), u32::MAX).as_str().len() < 150);
    /// ```
    #[must_use]
    pub fn new(prefix: &str, version: u32) -> Prefix {
        Prefix { text: format!("memo:{}:{version}:", bounded(prefix)).into_boxed_str() }
    }

    /// What the text of every key of this prefix begins with, and that of no other.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::{Digest, Prefix};
    ///
    /// let prefix = Prefix::new("price", 0);
    /// assert!(prefix.key(&Digest::of("tea")?).text().starts_with(prefix.as_str()));
    /// # Ok::<(), memokit::Error>(())
    /// ```
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The key of the arguments with this digest.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::{Digest, Prefix};
    ///
    /// let digest = Digest::of("tea")?;
    /// assert_eq!(Prefix::new("price", 0).key(&digest).text(), format!("memo:price:0:{digest}"));
    /// # Ok::<(), memokit::Error>(())
    /// ```
    #[must_use]
    pub fn key(&self, digest: &Digest) -> Key {
        let digits = blake3::Hash::from_bytes(*digest.as_bytes()).to_hex();
        let mut text = String::with_capacity(self.text.len() + digits.len());
        text.push_str(&self.text);
        text.push_str(&digits);
        Key { text: text.into_boxed_str() }
    }
}

impl AsRef<str> for Prefix {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", self.text)
    }
}

fn bounded(prefix: &str) -> String {
    let mut text = escaped(prefix);
    if text.len() > MAX_PREFIX_BYTES {
        // An escape is three bytes long: one that begins in the last two kept bytes would be cut.
        let cut = text[KEPT_BYTES - 2..KEPT_BYTES].find('%').map_or(KEPT_BYTES, |at| KEPT_BYTES - 2 + at);
        text.truncate(cut);
        text.push('~');
        text.push_str(&blake3::hash(prefix.as_bytes()).to_hex()[..HASH_DIGITS]);
    }
    text
}

fn escaped(prefix: &str) -> String {
    let mut text = String::with_capacity(prefix.len());
    let mut rest = prefix.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b':' if after.first() == Some(&b':') => {
                text.push('/');
                rest = &after[1..];
            }
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.' | b'-' => text.push(char::from(byte)),
            _ => drop(write!(text, "%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that fails says where")]

    use super::*;
    use proptest::prelude::*;

    fn unescaped(text: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&byte, after)) = rest.split_first() {
            rest = after;
            match byte {
                b'/' => bytes.extend(b"::"),
                b'%' => {
                    let digits = std::str::from_utf8(&after[..2]).unwrap();
                    bytes.push(u8::from_str_radix(digits, 16).unwrap());
                    rest = &after[2..];
                }
                _ => bytes.push(byte),
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    fn names() -> impl Strategy<Value = String> {
        prop_oneof![any::<String>(), "[a:/%~ \u{e9}]{0,20}", "[a-c:]{0,6}", "[a:%\u{e9}]{80,200}"]
    }

    proptest! {
        #[test]
        fn the_name_can_be_read_back(name in names()) {
            prop_assert_eq!(unescaped(&escaped(&name)), name);
        }

        #[test]
        fn no_prefix_begins_another(one in names(), other in names(), a in 0_u32..30, b in 0_u32..30) {
            let (first, second) = (Prefix::new(&one, a), Prefix::new(&other, b));
            prop_assert_eq!(first == second, one == other && a == b);
            prop_assert_eq!(second.as_str().starts_with(first.as_str()), first == second);
        }

        #[test]
        fn the_text_is_short_and_plain(name in names()) {
            let text = bounded(&name);
            prop_assert!(text.len() <= MAX_PREFIX_BYTES);
            prop_assert!(text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/_.-%~".contains(&b)));
        }

        #[test]
        fn no_escape_is_cut(lead in 0_usize..6, name in "[\u{e9}:a]{60,120}") {
            let text = bounded(&format!("{}{name}", "a".repeat(lead)));
            let kept = text.split('~').next().unwrap();
            for (at, _) in kept.match_indices('%') {
                prop_assert!(at + 3 <= kept.len(), "{}", text);
            }
        }
    }

    #[test]
    fn colons_pair_from_the_left() {
        assert_eq!(escaped("a:::b"), "a/%3Ab");
        assert_eq!(escaped("a::::b"), "a//b");
        assert_eq!(escaped("a/b:c%d~e"), "a%2Fb%3Ac%25d%7Ee");
    }

    #[test]
    fn the_longest_key_fits_every_backend() {
        let digest = Digest::of(&()).unwrap();
        let key = Prefix::new(&"\u{e9}".repeat(500), u32::MAX).key(&digest);
        assert!(key.text().len() < 220);
        crate::check_key(key.text()).unwrap();
    }
}
