//! What there is, without a look at the values.

use super::value::Stored;
use super::{FileCache, PAGE, env};
use memo_core::entry::{self, Header, Reject};
use memo_core::{Error, MAX_KEY_BYTES, TimeToLive, Want};
use std::ops::Bound;
use std::time::Duration;

/// What [`FileCache::entries`] tells of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EntryInfo {
    /// The key.
    pub key: String,
    /// The bytes of the value, as they were stored.
    pub bytes: usize,
    /// How long ago it was stored.
    pub age: Duration,
    /// How long it still has.
    pub time_to_live: TimeToLive,
    /// What `#[cached]` functions and buckets say about their values: how long the load took, tags and more. The reason
    /// where the value is something else, such as a number or what was stored through [`Cache`](memo_core::Cache) by hand.
    pub header: Result<Header, Reject>,
}

impl EntryInfo {
    /// How long the value took to load, if that is known.
    #[must_use]
    pub fn load_cost(&self) -> Option<Duration> {
        self.header.as_ref().ok().map(|header| header.load_cost)
    }

    /// The tags of the value.
    #[must_use]
    pub fn tags(&self) -> &[String] {
        self.header.as_ref().map_or(&[], |header| &header.tags)
    }
}

impl FileCache {
    /// Shows every live entry whose key starts with `prefix`, in the order of the keys, without reading its value: of a
    /// large one, only the page it begins in is touched. It holds a thousand at a time, no lock, and counts as no use of
    /// an entry. `visit` may use the cache.
    ///
    /// # Errors
    ///
    /// Those of the folder, as [`ErrorKind::Backend`](memo_core::ErrorKind::Backend).
    ///
    /// ```
    /// # use memo_backends::FileCache;
    /// # use memo_core::Cache;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let cache = FileCache::open(folder.path())?;
    /// cache.set("greeting", b"hello", None)?;
    /// let mut bytes = 0;
    /// cache.entries("", |entry| {
    ///     println!("{} of {} bytes, {:?} old", entry.key, entry.bytes, entry.age);
    ///     bytes += entry.bytes;
    /// })?;
    /// assert_eq!(bytes, 5);
    /// # Ok(())
    /// # }
    /// ```
    pub fn entries(&self, prefix: &str, mut visit: impl FnMut(&EntryInfo)) -> Result<(), Error> {
        let failed = |error| env::translate(error, self.attempted(&format!("listing {prefix}")));
        let mut after = None::<String>;
        while prefix.len() <= MAX_KEY_BYTES {
            let (found, last) = self.some_entries(prefix, after.as_deref()).map_err(failed)?;
            // The snapshot has ended, so a visitor that takes long keeps no old page from being used again.
            found.iter().for_each(&mut visit);
            if last.is_none() {
                break;
            }
            after = last;
        }
        Ok(())
    }

    /// The next live entries, and the key behind which to go on.
    fn some_entries(&self, prefix: &str, after: Option<&str>) -> heed::Result<(Vec<EntryInfo>, Option<String>)> {
        let max_age = self.store.room().max_age();
        let start = match (after, prefix) {
            (Some(after), _) => Bound::Excluded(after.as_bytes()),
            (None, "") => Bound::Unbounded,
            (None, prefix) => Bound::Included(prefix.as_bytes()),
        };
        let txn = self.store.snapshot()?;
        let mut found = Vec::new();
        let range = (start, Bound::Unbounded);
        for (number, entry) in self.store.opened().entries.range(&txn, &range)?.enumerate() {
            let (key, stored) = entry?;
            // Keys of our own are no UTF-8, and lie behind all others.
            let Ok(key) = std::str::from_utf8(key) else { break };
            if !key.starts_with(prefix) {
                break;
            }
            if let Some(stored) = Stored::live(stored, max_age) {
                found.push(EntryInfo {
                    key: key.to_owned(),
                    bytes: stored.bytes.len(),
                    age: stored.age(),
                    time_to_live: stored.time_to_live(Want::BytesAndTimeToLive, max_age),
                    header: entry::read_header(stored.bytes),
                });
            }
            if number + 1 == PAGE {
                let last = key.to_owned();
                return Ok((found, Some(last)));
            }
        }
        Ok((found, None))
    }
}
