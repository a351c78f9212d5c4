//! The doors of several calls to a backend, opened at once: one operation for all of them.

use super::cache::{Cache, Found, TimeToLive};
use super::codec::Codec;
use super::level::{SharedDoor, read};
use super::value;
use crate::Error;
use crate::key::Key;
use crate::memo::door::Shared;
use crate::memo::each::Doors;
use crate::memo::{Function, Io};
use crate::stats::Count;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::sync::Arc;
use std::time::Duration;

/// Where a door leads, or why it can't be opened.
type Opened<'a> = Result<(&'a Arc<dyn Cache>, &'a Key), Error>;

impl<V, C> SharedDoor<V, C> {
    fn opened(&self) -> Opened<'_> {
        self.open.as_ref().map(|(cache, key)| (cache, key)).map_err(Error::clone)
    }
}

impl<V, C> Doors<V> for SharedDoor<V, C>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    async fn fetch_many<I: Io>(doors: &[&Self], function: &'static Function) -> Result<Vec<Option<Shared<V>>>, Error> {
        let opened = doors.iter().map(|door| door.opened()).collect::<Result<Vec<_>, _>>()?;
        let Some((cache, _)) = opened.first() else { return Ok(Vec::new()) };
        let keys: Vec<&str> = opened.iter().map(|(_, key)| key.text()).collect();
        let found = I::get_many(&***cache, &keys).await?;
        let read = |(bytes, (_, key)): (Option<Vec<u8>>, &(_, &Key))| {
            let bytes = bytes?;
            match read::<V, C>(key, &Found { bytes: &bytes, time_to_live: TimeToLive::Unknown }) {
                Ok(value) => Some(value),
                Err(reject) => {
                    function.count(Count::Rejected);
                    tracing::warn!(function = function.name, reason = reject.reason(), "a stored entry can't be used");
                    None
                }
            }
        };
        Ok(found.into_iter().zip(&opened).map(read).collect())
    }

    async fn store_many<I: Io>(values: &[(&Self, &V)], timeout: Option<Duration>, cost: Duration) -> Result<(), Error> {
        let mut entries = Vec::with_capacity(values.len());
        let mut outcome = Ok(());
        for (door, value) in values {
            let (cache, key) = door.opened()?;
            match value::to_bytes::<V, C>(key.text(), *value, timeout, cost) {
                Ok(bytes) => entries.push((cache, key.text(), bytes)),
                // One that can't be encoded keeps no other out.
                Err(error) => outcome = outcome.and(Err(error)),
            }
        }
        if let Some((cache, ..)) = entries.first() {
            let entries: Vec<(&str, &[u8])> = entries.iter().map(|(_, key, bytes)| (*key, bytes.as_slice())).collect();
            I::set_many(&***cache, &entries, timeout).await?;
        }
        outcome
    }

    async fn remove_many<I: Io>(doors: &[&Self]) -> Result<bool, Error> {
        let opened = doors.iter().map(|door| door.opened()).collect::<Result<Vec<_>, _>>()?;
        let Some((cache, _)) = opened.first() else { return Ok(false) };
        let keys: Vec<&str> = opened.iter().map(|(_, key)| key.text()).collect();
        Ok(I::remove_many(&***cache, &keys).await? > 0)
    }
}
