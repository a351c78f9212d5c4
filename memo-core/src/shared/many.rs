//! The doors of several calls to a backend, opened at once: one operation for all that are read, stored or invalidated.

use super::cache::{Found, TimeToLive};
use super::codec::Codec;
use super::coherence::EntryToStore;
use super::level::{SharedDoor, read};
use super::link::Linked;
use crate::Error;
use crate::key::Key;
use crate::memo::door::Shared;
use crate::memo::each::{Doors, ValueToStore};
use crate::memo::{Function, Io};
use crate::stats::Count;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// Where a door leads, or why it can't be opened.
type Opened<'a> = Result<(&'a Linked, &'a Key), Error>;

impl<V, C> SharedDoor<V, C> {
    fn opened(&self) -> Opened<'_> {
        self.open.as_ref().map(|(linked, key)| (linked, key)).map_err(Error::clone)
    }
}

impl<V, C> Doors<V> for SharedDoor<V, C>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    async fn fetch_many<I: Io>(doors: &[&Self], function: &'static Function) -> Result<Vec<Option<Shared<V>>>, Error> {
        let opened = doors.iter().map(|door| door.opened()).collect::<Result<Vec<_>, _>>()?;
        let Some((linked, _)) = opened.first() else { return Ok(Vec::new()) };
        let keys: Vec<&str> = opened.iter().map(|(_, key)| key.text()).collect();
        // What is owed to the cache is old there. Before the read: the cache may take it meanwhile, and answer from before.
        let are_owed: Vec<bool> = opened.iter().map(|(_, key)| linked.owes(key)).collect();
        let asked = I::get_many(&*linked.cache, &keys);
        let bytes = linked.through("reading", "several entries", asked).await?;
        let mut found = Vec::with_capacity(keys.len());
        for ((bytes, (_, key)), is_owed) in bytes.into_iter().zip(&opened).zip(are_owed) {
            let bytes = bytes.filter(|_| !is_owed);
            let read =
                bytes.map(|bytes| read::<V, C>(key, &Found { bytes: &bytes, time_to_live: TimeToLive::Unknown }));
            found.push(match read {
                Some(Ok(read)) => Some(read),
                Some(Err(reject)) => {
                    function.count(Count::Rejected);
                    tracing::warn!(function = function.name, reason = reject.reason(), "a stored entry can't be used");
                    None
                }
                None => None,
            });
        }
        let with_keys = found.iter().zip(&opened).filter_map(|(found, (_, key))| Some((*key, &found.as_ref()?.1)));
        let mut void = linked.are_void::<I>(&with_keys.collect::<Vec<_>>()).await?.into_iter();
        let found = found.into_iter().map(|found| {
            let (value, lineage) = found?;
            (!void.next()?).then_some(Shared { tags: lineage.tags, ..value })
        });
        Ok(found.collect())
    }

    async fn store_many<I: Io>(
        values: &[ValueToStore<'_, Self, V>],
        cost: Duration,
        took: Duration,
    ) -> (Vec<bool>, Result<(), Error>) {
        let entries: Vec<_> =
            values.iter().map(|one| one.door.entry(one.value, one.timeout, cost, one.lineage)).collect();
        let (mut taken, mut outcome) = (vec![true; values.len()], Ok(()));
        let (mut ready, mut places, mut to) = (Vec::new(), Vec::new(), None);
        for (place, (entry, one)) in entries.iter().zip(values).enumerate() {
            match entry {
                Ok((linked, key, bytes)) => {
                    ready.push(EntryToStore { key, bytes, timeout: one.timeout, lineage: one.lineage });
                    places.push(place);
                    to = Some(linked);
                }
                // One that can't be encoded keeps no other out.
                Err(error) => outcome = outcome.and(Err(error.clone())),
            }
        }
        let Some(linked) = to else { return (taken, outcome) };
        for (place, stored) in places.into_iter().zip(linked.store_many::<I>(&ready, took).await) {
            match stored {
                Ok(one) => taken[place] = one,
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        (taken, outcome)
    }

    async fn invalidate_many<I: Io>(doors: &[&Self]) -> Result<bool, Error> {
        let opened = doors.iter().map(|door| door.opened()).collect::<Result<Vec<_>, _>>()?;
        let (Some((linked, _)), Some(door)) = (opened.first(), doors.first()) else { return Ok(false) };
        let keys: Vec<&Key> = opened.iter().map(|(_, key)| *key).collect();
        linked.invalidate_all_of::<I>(&keys, door.function.gone_by()).await
    }
}
