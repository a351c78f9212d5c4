//! Taking out what no `get` would find.

use super::Bucket;
use super::lifetime::is_outdated;
use super::place::Place;
use crate::Error;
use crate::entry::{self, Reject};
use crate::memo::{Blocking, Io, Tasks, ready};
use std::future::Future;
use std::time::Duration;

/// What [`Bucket::prune`] removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pruned {
    /// How many entries, corrupt ones among them.
    pub entries: u64,
    /// How many bytes these had, as they were stored.
    pub bytes: u64,
    /// How many of them were damaged, or no entries at all.
    pub corrupt: u64,
}

/// Entries that are held at once.
const BATCH: usize = 16;

impl<V, C, M> Bucket<V, C, M> {
    /// Removes what the cache holds for nothing: entries that are outdated by a shortened
    /// [timeout](Bucket::set_timeout), and what is damaged or was never an entry. What expires by itself is the cache's
    /// to remove, and is not counted.
    ///
    /// It looks at what has the bucket's prefix, and at nothing else. It leaves alone entries of other types and
    /// codecs, which other buckets of the prefix may read; numbers of [`increment`](Bucket::increment); and entries of
    /// a newer version of the format. It holds the texts of the bucket's keys, and a few entries at a time. An entry
    /// that is set in the moment in which an outdated one of its key is removed may go with it.
    ///
    /// # Errors
    /// Those of the cache, with what came before removed; [`ErrorKind::Unsupported`](crate::ErrorKind::Unsupported)
    /// where it can't [scan](crate::Cache::scan).
    ///
    /// ```
    /// # use memo_core as memokit;
    /// # fn example(sessions: memokit::Bucket<String>) -> Result<(), memokit::Error> {
    /// sessions.set_timeout(std::time::Duration::from_secs(60))?;
    /// let pruned = sessions.prune()?;
    /// println!("{} entries of {} bytes, {} damaged", pruned.entries, pruned.bytes, pruned.corrupt);
    /// # Ok(())
    /// # }
    /// ```
    pub fn prune(&self) -> Result<Pruned, Error> {
        ready(self.place.prune::<Blocking>())
    }

    /// Twin of [`prune`](Bucket::prune).
    pub fn prune_async(&self) -> impl Future<Output = Result<Pruned, Error>> + Send {
        self.place.prune::<Tasks>()
    }
}

impl Place {
    async fn prune<I: Io>(&self) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let timeout = self.timeout.get();
        for keys in self.keys::<I>().await?.chunks(BATCH) {
            let asked: Vec<&str> = keys.iter().map(String::as_str).collect();
            let found = self.ask_many::<I>(&asked).await?;
            for (key, bytes) in keys.iter().zip(found) {
                let Some(bytes) = bytes else { continue };
                let corrupt = match judge(key, &bytes, timeout) {
                    Verdict::Keep => continue,
                    Verdict::Outdated => 0,
                    Verdict::Corrupt => 1,
                };
                // Whoever removed it counts it.
                if self.remove::<I>(key).await? {
                    pruned.entries += 1;
                    pruned.bytes += bytes.len() as u64;
                    pruned.corrupt += corrupt;
                }
            }
        }
        Ok(pruned)
    }
}

enum Verdict {
    Keep,
    Outdated,
    Corrupt,
}

fn judge(key: &str, bytes: &[u8], timeout: Option<Duration>) -> Verdict {
    match entry::read(key, bytes) {
        Ok(entry) if is_outdated(&entry.header, timeout) => Verdict::Outdated,
        // The others say that a newer build wrote it, or one with other features or a higher limit.
        Ok(_) | Err(Reject::Version | Reject::Flags | Reject::Compression | Reject::TooLarge) => Verdict::Keep,
        Err(_) if is_number(bytes) => Verdict::Keep,
        Err(_) => Verdict::Corrupt,
    }
}

/// What `increment` keeps: decimal text.
fn is_number(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<i64>().is_ok())
}
