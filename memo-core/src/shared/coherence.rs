//! What keeps processes that share a cache from using what another has invalidated.
//!
//! Each process listens to the cache's bus, if it has one. What is heard goes two ways: into the [mirror](super::mirror), by
//! which entries of the shared level are judged, and into the [records of this process](crate::invalidations), by which those
//! of local levels are.

use super::bus::{Listener, Message, Snapshot, Subscription};
use super::invalidation::{Invalidation, Loaded, MAX_SEQUENCE, Records, Stored, function_name, tag_name};
use super::keeper;
use super::link::{Link, Linked};
use super::mirror::{Known, Mirror};
use crate::Error;
use crate::invalidations::{self, Name};
use crate::key::Key;
use crate::memo::Io;
use crate::memo::door::Lineage;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

/// How long a tombstone stays. A load that took nearly as long is stored only if nothing at all was invalidated meanwhile.
pub(super) const KEEP: Duration = Duration::from_secs(600);
/// Until when the tombstones of all invalidations that came during a load are surely there.
const SURELY_KEPT: Duration = Duration::from_secs(540);

/// What a link knows of invalidations, and what it hears them by.
#[derive(Default)]
pub(super) struct Coherence {
    pub(super) mirror: Mirror,
    subscription: OnceLock<Option<Subscription>>,
    /// Invalidations of this link that may have got a number which it has not heard of yet.
    own: AtomicU64,
}

/// One of them.
pub(super) struct Own<'l>(&'l AtomicU64);

impl Drop for Own<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// An entry that is to be stored.
pub(super) struct EntryToStore<'a> {
    pub(super) key: &'a Key,
    pub(super) bytes: &'a [u8],
    pub(super) timeout: Option<Duration>,
    pub(super) lineage: &'a Lineage,
}

impl<'a> EntryToStore<'a> {
    fn loaded(&self) -> Loaded<'a> {
        let EntryToStore { key, bytes, timeout, lineage } = *self;
        Loaded { key: key.text(), bytes, timeout, since: lineage.since }
    }
}

/// Hears the bus for a link.
struct Ear {
    link: Weak<Link>,
    /// The link's own messages tell it nothing.
    id: u64,
}

// Names go into the mirror first, then into the process's records, and the number counts as heard at last. So a load that begins
// once the process has recorded an invalidation finds it in the mirror, and one that stands for its number finds no void copy.
impl Listener for Ear {
    fn connected(&self, all: &Snapshot) {
        let Some(link) = self.link.upgrade() else { return };
        if link.coherence.mirror.note_all(all) {
            link.drop_local();
        }
        link.coherence.mirror.connected(all.sequence);
    }

    fn lost(&self) {
        let Some(link) = self.link.upgrade() else { return };
        link.coherence.mirror.disconnected();
    }

    fn message(&self, bytes: &[u8]) {
        let Some(link) = self.link.upgrade() else { return };
        let mirror = &link.coherence.mirror;
        match Message::decode(bytes) {
            Ok(message) => {
                // The first message of a number has no keys.
                if message.sequence > 0 && message.keys.is_empty() {
                    mirror.tell(message.sequence);
                }
                let is_own = message.sender == self.id;
                if message.sequence > 0 && !(is_own && mirror.has_heard(message.sequence)) {
                    // Own keys were dropped before they were sent.
                    link.hear(&message.names, if is_own { &[] } else { &message.keys }, message.sequence);
                }
                if !is_own {
                    message.woken.iter().for_each(|key| keeper::woken(key));
                }
            }
            Err(unreadable) => {
                tracing::warn!(%unreadable, "a message of the bus is passed over: all that it may have meant is dropped");
                mirror.missed();
                link.drop_local();
            }
        }
    }
}

impl Link {
    /// What one invalidation says, by this link.
    pub(super) fn invalidation<'a>(&self, keys: &'a [&'a str], names: &'a [&'a str]) -> Invalidation<'a> {
        Invalidation { keys, names, seen: self.coherence.mirror.seen(), sender: self.id(), keep: KEEP }
    }

    /// An invalidation of this link begins, and ends when that is dropped: once its number was [heard](Link::hear) of.
    pub(super) fn begin_own(&self) -> Own<'_> {
        self.coherence.own.fetch_add(1, Ordering::AcqRel);
        Own(&self.coherence.own)
    }

    /// Whether messages of other processes arrive.
    pub(super) fn hears(&self) -> bool {
        self.coherence.mirror.known() != Known::Some
    }

    /// An invalidation of these names and keys has this number.
    pub(super) fn hear(&self, names: &[&str], keys: &[&str], number: u64) {
        self.coherence.mirror.note(names.iter().copied(), number);
        let names = names.iter().map(|name| Name::heard(name));
        let mut all = names.chain(keys.iter().map(|key| Name::key(key))).peekable();
        if all.peek().is_some() {
            invalidations::record(all);
        }
        self.coherence.mirror.hear(number);
    }

    /// Whatever is in front of the cache in this process is in doubt.
    fn drop_local(&self) {
        invalidations::record([Name::link(self.id())]);
    }
}

/// The names that backends know an entry by: of its function, and of its tags.
fn names_of(key: &Key, lineage: &Lineage) -> Vec<String> {
    std::iter::once(function_name(key.prefix())).chain(lineage.tags.iter().map(tag_name)).collect()
}

/// What the cache has recorded of the names that entries go with.
struct Answer {
    records: Records,
    /// Whether numbers were lost before: what is older than the answer is void.
    was_lost: bool,
}

impl Answer {
    /// Whether an entry is void whose names have these numbers.
    fn is_void(&self, lineage: &Lineage, numbers: impl Iterator<Item = u64>) -> bool {
        let newest = numbers.max().unwrap_or(0);
        lineage.since < newest || (self.was_lost && lineage.since < self.records.sequence)
    }
}

impl Linked {
    /// Begins to listen to the cache's bus, the first time.
    #[inline]
    pub(super) fn listen(&self) {
        if self.coherence.subscription.get().is_none() {
            self.subscribe();
        }
    }

    #[cold]
    fn subscribe(&self) {
        self.coherence.subscription.get_or_init(|| {
            let ear = Ear { link: Arc::downgrade(&self.link), id: self.id() };
            // Without one, records are asked for at each hit: slower, and as right.
            let refused = |error: &Error| tracing::error!(%error, "no messages from other processes will be heard");
            self.cache.subscribe(Arc::new(ear)).inspect_err(refused).ok().flatten()
        });
    }

    /// The number of the latest invalidation, for a load that begins now. One that is too low is safe: then the value is
    /// taken for older than it is.
    ///
    /// Not the highest that was seen: a call inside of the load may be answered with what an invalidation has voided of which
    /// this process has not heard yet, and then the load must be older than that.
    pub(crate) async fn since<I: Io>(&self) -> u64 {
        let mirror = &self.coherence.mirror;
        if mirror.known() == Known::All {
            return mirror.heard();
        }
        // Where that fails, so will storing.
        let asked = self.ask::<I>(&[]).await;
        match asked {
            Ok(records) if mirror.known() == Known::Some && !mirror.has_heard(records.sequence) => {
                // Before what was heard: one that ends in between is in the latter.
                let own = self.coherence.own.load(Ordering::Acquire);
                if records.sequence.saturating_sub(mirror.heard()) <= own {
                    return mirror.heard();
                }
                // Nobody tells which copies are void by what others were given.
                self.link.drop_local();
                mirror.hear_all(records.sequence);
                records.sequence
            }
            Ok(records) if mirror.known() == Known::Some => records.sequence,
            _ => mirror.heard(),
        }
    }

    /// Asks the cache for its records of these names.
    async fn ask<I: Io>(&self, names: &[&str]) -> Result<Records, Error> {
        let mirror = &self.coherence.mirror;
        let (known, seen) = (mirror.known(), mirror.seen());
        let asked = I::records(&*self.cache, names, seen);
        let asked = self.through("looking for invalidations", "of entries", asked).await;
        let records = asked.inspect_err(|_| mirror.asked_in_vain())?;
        mirror.asked(records.sequence);
        match known {
            Known::Lost => {
                self.link.drop_local();
                mirror.began_again(&records);
            }
            // It begins again above what was seen. Where others were given a number meanwhile, it is taken for that.
            Known::Doubt if records.sequence > seen => {
                tracing::warn!("a cache has lost its records of invalidations: what is older is not used any more");
                self.link.drop_local();
                mirror.began_again(&records);
            }
            Known::Doubt => mirror.nothing_is_lost(),
            Known::All | Known::Some => {}
        }
        mirror.see(records.sequence);
        Ok(records)
    }

    /// Whether an entry that this number and these tags stand in is void, since its function or one of its tags was invalidated
    /// after its load began.
    pub(crate) async fn is_void<I: Io>(&self, key: &Key, lineage: &Lineage) -> Result<bool, Error> {
        if let Some(is_void) = self.is_known_void(key, lineage) {
            return Ok(is_void);
        }
        let names = names_of(key, lineage);
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let answer = self.ask_of::<I>(&asked).await?;
        Ok(answer.is_void(lineage, answer.records.numbers.iter().copied()))
    }

    /// As [`is_void`](Linked::is_void), of each of these, with one question for all at the most.
    pub(crate) async fn are_void<I: Io>(&self, entries: &[(&Key, &Lineage)]) -> Result<Vec<bool>, Error> {
        let known: Vec<Option<bool>> = entries.iter().map(|(key, lineage)| self.is_known_void(key, lineage)).collect();
        if let Some(all) = known.iter().copied().collect() {
            return Ok(all);
        }
        let names: Vec<Vec<String>> = entries.iter().map(|(key, lineage)| names_of(key, lineage)).collect();
        let mut asked: Vec<&str> = names.iter().flatten().map(String::as_str).collect();
        asked.sort_unstable();
        asked.dedup();
        let answer = self.ask_of::<I>(&asked).await?;
        let number = |name: &String| {
            let at = asked.binary_search(&name.as_str()).ok()?;
            answer.records.numbers.get(at).copied()
        };
        let void = known.into_iter().zip(&names).zip(entries).map(|((known, names), (_, lineage))| {
            known.unwrap_or_else(|| answer.is_void(lineage, names.iter().filter_map(number)))
        });
        Ok(void.collect())
    }

    /// Asks the cache for its records of the names that entries go with.
    async fn ask_of<I: Io>(&self, names: &[&str]) -> Result<Answer, Error> {
        let was_lost = self.coherence.mirror.known() == Known::Lost;
        Ok(Answer { records: self.ask::<I>(names).await?, was_lost })
    }

    /// Whether an entry is void, if that can be told without asking the cache.
    fn is_known_void(&self, key: &Key, lineage: &Lineage) -> Option<bool> {
        let mirror = &self.coherence.mirror;
        if self.owed.count() > 0 && lineage.tags.iter().any(|tag| self.owed.has_tag(&tag_name(tag))) {
            return Some(true);
        }
        if lineage.since > MAX_SEQUENCE {
            return Some(true);
        }
        // Who wrote it has seen this number, so it was given.
        mirror.see(lineage.since);
        if mirror.known() != Known::All {
            return None;
        }
        if mirror.is_quiet_since(lineage.since) {
            return Some(false);
        }
        Some(mirror.is_void(lineage.since, names_of(key, lineage).iter().map(String::as_str)))
    }

    /// Stores an entry unless it is void already. Whether the cache took it. `took` is how long its load did.
    pub(super) async fn store<I: Io>(&self, entry: &EntryToStore<'_>, took: Duration) -> Result<bool, Error> {
        let newest = self.newest_after::<I>(took).await?;
        if self.is_too_old(entry, newest) {
            return Ok(false);
        }
        let Loaded { key, bytes, timeout, since } = entry.loaded();
        let stored = I::store(&*self.cache, key, bytes, timeout, since);
        self.entry("storing", entry.key, stored).await.map(|stored| self.was_taken(stored))
    }

    /// As [`store`](Linked::store), of each of these, with one operation for all. `took` is how long the load of all did.
    pub(super) async fn store_many<I: Io>(
        &self,
        entries: &[EntryToStore<'_>],
        took: Duration,
    ) -> Vec<Result<bool, Error>> {
        let newest = match self.newest_after::<I>(took).await {
            Ok(newest) => newest,
            Err(error) => return vec![Err(error); entries.len()],
        };
        let may_be = |entry: &EntryToStore<'_>| match self.is_too_old(entry, newest) {
            true => Ok(false),
            false => self.unless_owed("storing", entry.key).map(|()| true),
        };
        let mut results: Vec<Result<bool, Error>> = entries.iter().map(may_be).collect();
        let asked = entries.iter().zip(&results).filter(|(_, may_be)| matches!(may_be, Ok(true)));
        let asked: Vec<Loaded<'_>> = asked.map(|(entry, _)| entry.loaded()).collect();
        if asked.is_empty() {
            return results;
        }
        let stored = I::store_many(&*self.cache, &asked);
        let stored = self.through_each(("storing", "several entries"), asked.len(), stored).await;
        for (result, stored) in results.iter_mut().filter(|may_be| matches!(may_be, Ok(true))).zip(stored) {
            *result = stored.map(|stored| self.was_taken(stored));
        }
        results
    }

    /// The number of the latest invalidation, asked for where a load took so long that the tombstone of one may have
    /// ended: then only what is of this number is stored.
    async fn newest_after<I: Io>(&self, took: Duration) -> Result<Option<u64>, Error> {
        match took > SURELY_KEPT {
            true => Ok(Some(self.ask::<I>(&[]).await?.sequence)),
            false => Ok(None),
        }
    }

    /// Whether it is known before the cache is asked that an entry is void.
    fn is_too_old(&self, entry: &EntryToStore<'_>, newest: Option<u64>) -> bool {
        newest.is_some_and(|newest| newest != entry.lineage.since)
            || self.is_known_void(entry.key, entry.lineage) == Some(true)
    }

    fn was_taken(&self, stored: Stored) -> bool {
        match stored {
            Stored::Stored => true,
            Stored::Refused { sequence } => {
                self.coherence.mirror.see(sequence);
                false
            }
        }
    }
}

/// Invalidates a tag in each cache that a function of this program uses, or that this process has used.
pub(crate) async fn invalidate_tag<I: Io>(tag: &str) -> Result<(), Error> {
    let name = tag_name(tag);
    let mut all = Ok(());
    for linked in super::everywhere::all() {
        let done = linked.invalidate_tag::<I>(&name).await;
        all = all.and(done);
    }
    all
}
