//! The memory in front of the cache, and how it is emptied.

use super::change::Entries;
use super::lifetime::checked;
use super::memory::Memory;
use super::{Bucket, KeyMaker};
use crate::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

impl<V, C, M> Bucket<V, C, M> {
    /// Keeps copies of up to so many entries in this process, each for `trusted` at most, in front of the cache: what
    /// [`get`](Bucket::get) finds there asks no server and no disk.
    ///
    /// A copy is as good as the entry in this process: what is set, removed or touched through any bucket of this prefix
    /// and cache is forgotten here before the cache is asked to, and until it has answered no read leaves a copy. What
    /// another process changes is noticed when `trusted` has passed, as is what this one changes past all buckets, or
    /// through another connection to the same server. A copy lives no longer than the entry.
    ///
    /// Copies are the stored bytes and are decoded at each `get`. A value is copied when it is read, not when it is
    /// set; [`get_many`](Bucket::get_many) uses copies and leaves none.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a capacity or a time of zero.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::{Bucket, Cache};
    /// use std::sync::Arc;
    /// use std::time::Duration;
    ///
    /// # fn example(redis: Arc<dyn Cache>) -> Result<(), memokit::Error> {
    /// let prices: Bucket<u64> = Bucket::new(redis, "prices").in_memory(10_000, Duration::from_secs(5))?;
    /// prices.set("tea", &320)?;
    /// prices.get("tea")?; // asks the server
    /// prices.get("tea")?; // does not
    /// prices.unload("tea")?; // the server has it still
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_memory(mut self, capacity: usize, trusted: Duration) -> Result<Self, Error> {
        if capacity == 0 {
            return Err(Error::new(ErrorKind::Config, "keeping copies of zero entries in memory")
                .advise("give a positive capacity, or leave out `in_memory`"));
        }
        let memory = Arc::new(Memory::new(capacity, checked(trusted)?));
        self.place.circle.join(&memory);
        self.place.memory = Some(memory);
        Ok(self)
    }

    /// Forgets the copy that this bucket has [in memory](Bucket::in_memory); whether there was one. The entry stays in
    /// the cache, and is asked for by the next `get`.
    ///
    /// # Errors
    /// [`ErrorKind::Key`] where the key can't be made.
    pub fn unload<K: ?Sized>(&self, key: &K) -> Result<bool, Error>
    where
        M: KeyMaker<K>,
    {
        let key = self.key(key)?;
        Ok(self.place.memory.as_ref().is_some_and(|memory| {
            self.place.circle.stop_copying(Entries::One(&key));
            memory.forget(&key)
        }))
    }

    /// Forgets every copy that this bucket has [in memory](Bucket::in_memory). The entries stay in the cache.
    pub fn unload_all(&self) {
        if let Some(memory) = &self.place.memory {
            self.place.circle.stop_copying(Entries::All);
            memory.forget_all();
        }
    }
}
