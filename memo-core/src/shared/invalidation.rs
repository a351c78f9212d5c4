//! What an invalidation tells a backend, and what a backend tells of those that were: for authors of backends.
//!
//! A backend numbers its invalidations. A value carries the highest number that its process had seen *before* the load
//! of the value began, and is void once a later number is recorded for its function or one of its tags. So no clock of
//! one machine is compared with that of another, and a number that is too low is always safe: the value is taken for
//! invalidated, never wrongly for valid.

use crate::error::{Error, ErrorKind};
use std::borrow::Cow;
use std::time::Duration;

/// The longest name of a function or a tag that a backend must take, in bytes of UTF-8.
pub const MAX_NAME_BYTES: usize = 400;

/// The highest number that a backend may give: up to it they are exact also where they are floating point numbers, as in
/// Redis.
pub const MAX_SEQUENCE: u64 = (1 << 53) - 1;

/// The name under which the invalidations of a whole function are recorded. `prefix` is what the keys of its entries
/// begin with ([`Prefix::as_str`](crate::key::Prefix::as_str)), so that a backend may also drop these entries.
///
/// ```
/// # use memo_core as memokit;
/// assert_eq!(memokit::invalidation::function_name("memo:shop/price:0:"), "f:memo:shop/price:0:");
/// ```
#[must_use]
pub fn function_name(prefix: &str) -> String {
    bounded("f:", prefix)
}

/// The name under which the invalidations of a tag are recorded. One that would be longer than [`MAX_NAME_BYTES`] is a
/// digest instead.
///
/// ```
/// # use memo_core as memokit;
/// assert_eq!(memokit::invalidation::tag_name("user:7"), "t:user:7");
/// assert!(memokit::invalidation::tag_name(&"x".repeat(10_000)).len() < memokit::invalidation::MAX_NAME_BYTES);
/// ```
#[must_use]
pub fn tag_name(tag: &str) -> String {
    bounded("t:", tag)
}

/// `kind` is a letter and a colon; a digest has a `#` in place of the colon, so it is no other name.
fn bounded(kind: &str, text: &str) -> String {
    if kind.len() + text.len() <= MAX_NAME_BYTES {
        return [kind, text].concat();
    }
    format!("{}#{}", &kind[..1], blake3::hash(text.as_bytes()).to_hex())
}

/// What the keys of a function's entries begin with, from the name of its invalidations; `None` for a tag.
///
/// ```
/// # use memo_core as memokit;
/// assert_eq!(memokit::invalidation::prefix_of(&memokit::invalidation::function_name("memo:shop/price:0:")), Some("memo:shop/price:0:"));
/// assert_eq!(memokit::invalidation::prefix_of("t:user:7"), None);
/// ```
#[must_use]
pub fn prefix_of(name: &str) -> Option<&str> {
    name.strip_prefix("f:").filter(|prefix| !prefix.is_empty())
}

/// What one invalidation drops: see [`Cache::invalidate`](crate::Cache::invalidate).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invalidation<'a> {
    /// Entries to be dropped at once. Each leaves a tombstone with the number.
    pub keys: &'a [&'a str],
    /// Functions ([`function_name`]) and tags ([`tag_name`]) for which the number is recorded.
    pub names: &'a [&'a str],
    /// The highest number that the caller has seen. A backend that knows no number as high has lost data.
    pub seen: u64,
    /// Who tells of it on the bus, so that it knows its own message: see [`bus::Message`](crate::bus::Message).
    pub sender: u64,
    /// How long tombstones stay at least: longer than any load takes.
    pub keep: Duration,
}

impl Invalidation<'_> {
    /// An error unless all keys and names are some that a backend takes; backends call it before they touch anything.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::invalidation::Invalidation;
    ///
    /// assert!(Invalidation { keys: &["a"], names: &["t:b"], ..Invalidation::default() }.check().is_ok());
    /// assert!(Invalidation { keys: &[""], ..Invalidation::default() }.check().is_err());
    /// ```
    pub fn check(&self) -> Result<(), Error> {
        self.keys.iter().try_for_each(|key| crate::check_key(key))?;
        check_records(self.names, self.seen)
    }
}

/// An error for a name outside 1 to [`MAX_NAME_BYTES`] bytes, or a number above [`MAX_SEQUENCE`]; backends call it before
/// they look for records.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::invalidation::check_records;
///
/// assert!(check_records(&["t:user:7"], 12).is_ok());
/// assert!(check_records(&["t:user:7", ""], 12).is_err());
/// assert!(check_records(&["t:user:7"], u64::MAX).is_err());
/// ```
pub fn check_records(names: &[&str], seen: u64) -> Result<(), Error> {
    if let Some(name) = names.iter().find(|name| !(1..=MAX_NAME_BYTES).contains(&name.len())) {
        return Err(Error::new(ErrorKind::Key, format!("using a name of {} bytes", name.len()))
            .advise(format!("names have 1 to {MAX_NAME_BYTES} bytes; `tag_name` and `function_name` see to that")));
    }
    if seen >= MAX_SEQUENCE {
        return Err(Error::new(ErrorKind::Backend, format!("looking for records above {seen}"))
            .advise("no backend gives such a number; what did the caller take it from?"));
    }
    Ok(())
}

/// What an invalidation did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Invalidated {
    /// Its number.
    pub sequence: u64,
    /// How many of the keys were there, exactly: counted as by [`Cache::remove_many`](crate::Cache::remove_many).
    pub removed: u64,
}

/// A value that was loaded and is to be stored, unless its key was invalidated meanwhile: see
/// [`Cache::store_many`](crate::Cache::store_many).
///
/// ```
/// # use memo_core as memokit;
/// use memokit::invalidation::Loaded;
/// use std::time::Duration;
///
/// let tea = Loaded { key: "memo:price:1", bytes: b"320", timeout: Some(Duration::from_secs(60)), since: 12 };
/// let coffee = Loaded { key: "memo:price:2", bytes: b"450", ..tea };
/// # let _ = coffee;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loaded<'a> {
    /// Where it is to be.
    pub key: &'a str,
    /// The value.
    pub bytes: &'a [u8],
    /// `None` is for ever.
    pub timeout: Option<Duration>,
    /// The highest number that was seen before the load of the value began.
    pub since: u64,
}

/// What became of a value that was to be stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a value that was refused must not be kept elsewhere either"]
pub enum Stored {
    /// It is there.
    Stored,
    /// It is not: its key was invalidated after its load began.
    Refused {
        /// The number of that invalidation.
        sequence: u64,
    },
}

/// The numbers of the latest invalidations of some names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The highest number given so far; 0 if none was.
    pub sequence: u64,
    /// For each name that was asked for, in order: the number of its latest invalidation, or a higher one that voids
    /// more than would be needed; 0 is never. An entry of a lower number is void.
    pub numbers: Vec<u64>,
}

/// The name, or a short stand-in where the key of its record would be too long.
pub(super) fn short_name(name: &str, most: usize) -> Cow<'_, str> {
    if name.len() <= most {
        return Cow::Borrowed(name);
    }
    // No name has a `#` in front: they begin with their kind.
    Cow::Owned(format!("#{}", blake3::hash(name.as_bytes()).to_hex()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_bounded_and_told_apart() {
        let long = "x".repeat(MAX_NAME_BYTES);
        let fits = "x".repeat(MAX_NAME_BYTES - 2);
        assert_eq!(tag_name(&fits).len(), MAX_NAME_BYTES);
        let names = [tag_name(&long), tag_name(&fits), function_name(&long), function_name(&fits), tag_name("#")];
        for (position, name) in names.iter().enumerate() {
            assert!(check_records(&[name], 0).is_ok());
            assert!(!names[..position].contains(name), "{name}");
        }
        assert_eq!(prefix_of(&function_name(&long)), None, "a digest is no prefix");
        assert_eq!(check_records(&["t:a", &"x".repeat(401)], 0).unwrap_err().kind(), ErrorKind::Key);
    }

    #[test]
    fn a_stand_in_has_its_own_bound() {
        assert_eq!(short_name("t:a", 3), "t:a");
        assert_eq!(short_name("t:ab", 3).len(), 65);
    }
}
