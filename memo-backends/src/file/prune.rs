//! Taking out what no `get` would find.

use super::value::{HEADER, Stored};
use super::{FileCache, PAGE, env};
use heed::RoTxn;
use memo_core::entry::{self, Reject};
use memo_core::{Error, Pruned};
use std::ops::Bound;

/// Bytes that are checked in one snapshot: while one lasts, pages that are freed by writers can't be used again.
const BYTES_AT_ONCE: usize = 256 << 10;

/// As LMDB has it.
type Key = Vec<u8>;

enum Verdict {
    Keep,
    Ended,
    Corrupt,
}

impl FileCache {
    /// Removes what is there for nothing, of all functions and buckets: entries that have expired or are older than
    /// [`max_age`](super::FileCacheBuilder::max_age), and damaged ones.
    ///
    /// Expired entries are dropped by later writes anyway, a few at a time; this is for a folder that is not written any
    /// more, or to know. It reads every value of a `#[cached]` function or a bucket to check it. Entries of a newer
    /// version of the format are left alone, and so is what has another form: numbers of
    /// [`increment`](memo_core::Cache::increment), and what was stored by hand.
    ///
    /// The space is used by later writes. The file itself gets shorter when a process next opens the folder while no
    /// other has it open, if more than half of it is unused then.
    ///
    /// # Errors
    ///
    /// Those of the folder, with what came before removed.
    ///
    /// ```
    /// # use memo_backends::FileCache;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// # let cache = FileCache::open(folder.path())?;
    /// let pruned = cache.prune()?;
    /// println!("{} entries of {} bytes, {} damaged", pruned.entries, pruned.bytes, pruned.corrupt);
    /// # Ok(())
    /// # }
    /// ```
    pub fn prune(&self) -> Result<Pruned, Error> {
        let mut pruned = Pruned::default();
        let mut after = Vec::new();
        loop {
            let failed = |error| env::translate(error, self.attempted("looking for what can be pruned"));
            let (doomed, last) = self.some_doomed(&after).map_err(failed)?;
            if !doomed.is_empty() {
                let some =
                    self.store.write(0, || self.attempted("pruning"), |txn| Ok(self.drop_doomed(txn, &doomed)?))?;
                pruned.entries += some.entries;
                pruned.bytes += some.bytes;
                pruned.corrupt += some.corrupt;
            }
            match last {
                Some(last) => after = last,
                None => return Ok(pruned),
            }
        }
    }

    /// The keys of entries to drop among the next ones, and the key behind which to go on. Writers are not kept waiting
    /// for this.
    fn some_doomed(&self, after: &[u8]) -> heed::Result<(Vec<Key>, Option<Key>)> {
        let start = if after.is_empty() { Bound::Unbounded } else { Bound::Excluded(after) };
        let txn = self.store.snapshot()?;
        let (mut doomed, mut bytes) = (Vec::new(), 0);
        let range = (start, Bound::Unbounded);
        for (number, entry) in self.store.opened().entries.range(&txn, &range)?.enumerate() {
            let (key, stored) = entry?;
            if env::is_own(key) {
                break;
            }
            if !matches!(self.judge(key, stored), Verdict::Keep) {
                doomed.push(key.to_vec());
            }
            bytes += stored.len();
            if number + 1 == PAGE || bytes >= BYTES_AT_ONCE {
                return Ok((doomed, Some(key.to_vec())));
            }
        }
        Ok((doomed, None))
    }

    /// Drops those that still are to be dropped.
    fn drop_doomed(&self, txn: &mut heed::RwTxn<'_>, doomed: &[Key]) -> heed::Result<Pruned> {
        let entries = self.store.opened().entries;
        let mut pruned = Pruned::default();
        for key in doomed {
            let verdict = self.found(txn, key)?;
            let Some((bytes, corrupt)) = verdict else { continue };
            entries.delete(txn, key)?;
            pruned.entries += 1;
            pruned.bytes += bytes as u64;
            pruned.corrupt += u64::from(corrupt);
        }
        Ok(pruned)
    }

    /// The length of an entry that is to be dropped, and whether it is damaged.
    fn found(&self, txn: &RoTxn<'_>, key: &[u8]) -> heed::Result<Option<(usize, bool)>> {
        let Some(stored) = self.store.opened().entries.get(txn, key)? else { return Ok(None) };
        let bytes = stored.len().saturating_sub(HEADER);
        Ok(match self.judge(key, stored) {
            Verdict::Keep => None,
            Verdict::Ended => Some((bytes, false)),
            Verdict::Corrupt => Some((bytes, true)),
        })
    }

    fn judge(&self, key: &[u8], stored: &[u8]) -> Verdict {
        let Some(Stored { bytes, .. }) = Stored::split(stored) else { return Verdict::Corrupt };
        if self.live(stored).is_none() {
            return Verdict::Ended;
        }
        let Ok(key) = std::str::from_utf8(key) else { return Verdict::Keep };
        match entry::read(key, bytes) {
            // Not an entry, or one of a newer build.
            Ok(_) | Err(Reject::TooShort | Reject::Magic | Reject::Version | Reject::Flags) => Verdict::Keep,
            Err(_) => Verdict::Corrupt,
        }
    }
}
