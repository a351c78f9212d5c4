//! A call's door to a backend: key, entry, codec, and what a failure means.

use super::cache::{Found, TimeToLive, Want};
use super::codec::Codec;
use super::coherence::EntryToStore;
use super::entry::Reject;
use super::link::Linked;
use super::names::Named;
use super::value;
use crate::clock;
use crate::explain::SharedState;
use crate::invalidations::Name;
use crate::key::{Digest, Key};
use crate::lookup::{Borrowed, SerializeParts};
use crate::memo::door::{Door, Fetched, Lineage, MakeDoor, Shared};
use crate::memo::{Function, Instance, Io};
use crate::outcome::Outcome;
use crate::stats::Count;
use crate::tags::Tags;
use crate::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::time::Duration;

/// A function with `cache =`, and its codec.
pub struct SharedBy<C> {
    /// The type parameters, which are part of the key of a generic function.
    instance: Option<Named>,
    /// `Self`, where it is to be part of the prefix.
    owner: Option<&'static str>,
    codec: PhantomData<fn() -> C>,
}

impl<C> SharedBy<C> {
    /// Doors for this instantiation.
    #[must_use]
    pub const fn new(instance: Option<Named>) -> Self {
        SharedBy { instance, owner: None, codec: PhantomData }
    }

    /// Doors for a method of this type, whose name does not have the type.
    #[must_use]
    pub const fn owned_by(self, owner: &'static str) -> Self {
        SharedBy { owner: Some(owner), ..self }
    }

    fn key<P: SerializeParts>(&self, function: &Function, parts: P) -> Result<Key, Error> {
        let digest = match self.instance {
            Some(instance) => Digest::of_instance(instance.unambiguous(function.name)?, &Borrowed(parts)),
            None => Digest::of(&Borrowed(parts)),
        };
        Ok(function.shared_prefix(self.owner)?.key(&digest?))
    }
}

/// The door of one call.
pub struct SharedDoor<V, C> {
    /// The cache and the key, or why there is none.
    pub(super) open: Result<(Linked, Key), Error>,
    pub(super) function: &'static Function,
    types: PhantomData<fn() -> (V, C)>,
}

impl<P, V, C> MakeDoor<P, V> for SharedBy<C>
where
    P: SerializeParts,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    type Door = SharedDoor<V, C>;

    const NOTES: bool = false;

    fn make(&self, function: &'static Function, parts: P) -> SharedDoor<V, C> {
        let open = self.key(function, parts).and_then(|key| Ok((source(function)?, key)));
        if let Ok((linked, _)) = &open {
            linked.listen();
        }
        SharedDoor { open, function, types: PhantomData }
    }
}

fn source(function: &Function) -> Result<Linked, Error> {
    match &function.source {
        Some(source) => source.resolve(function.name),
        None => Err(Error::new(ErrorKind::Config, format!("finding the cache of the function `{}`", function.name))),
    }
}

/// The key of a call in the shared level: `f::key`.
#[expect(clippy::needless_pass_by_value, reason = "made for this call, and used up by it")]
pub fn key<T: ?Sized, O: Outcome, P: SerializeParts, C>(
    function: &'static Function,
    _instance: Instance<T>,
    _outcome: O,
    parts: P,
    door: SharedBy<C>,
) -> Result<Key, Error> {
    door.key(function, parts)
}

/// Drops every entry of the function's prefix.
pub(crate) async fn clear<I: Io>(function: &'static Function, owner: Option<&'static str>) -> Result<(), Error> {
    let linked = source(function)?;
    linked.clear::<I>(&*function.shared_prefix(owner)?, function.gone_by()).await?;
    Ok(())
}

impl<V, C> SharedDoor<V, C>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// Where a value is to be stored, and as what.
    pub(super) fn entry(
        &self,
        value: &V,
        timeout: Option<Duration>,
        cost: Duration,
        lineage: &Lineage,
    ) -> Result<(&Linked, &Key, Vec<u8>), Error> {
        let (linked, key) = self.open.as_ref().map_err(Error::clone)?;
        let bytes = value::to_bytes::<V, C>(key.text(), value, timeout, cost, lineage)?;
        self.function.stores_for(timeout);
        Ok((linked, key, bytes))
    }
}

impl<V, C> Door<V> for SharedDoor<V, C>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    const SHARED: bool = true;

    async fn fetch<I: Io>(&self, function: &'static Function) -> Fetched<V> {
        let (linked, key) = match &self.open {
            Ok(open) => open,
            Err(error) => return Fetched::Failed(error.clone()),
        };
        // Without a local level nobody needs to know how long the value has.
        let want = if function.local { Want::BytesAndTimeToLive } else { Want::Bytes };
        let asked = I::read(&*linked.cache, key.text(), want, |found| read::<V, C>(key, &found));
        match linked.entry("reading", key, asked).await {
            Ok(Some(Ok((value, lineage)))) => match linked.is_void::<I>(key, &lineage).await {
                Ok(false) => Fetched::Value(Shared { tags: lineage.tags, ..value }),
                Ok(true) => Fetched::Nothing,
                Err(error) => Fetched::Failed(error),
            },
            Ok(Some(Err(reject))) => {
                function.count(Count::Rejected);
                tracing::warn!(function = function.name, reason = reject.reason(), "a stored entry can't be used");
                Fetched::Nothing
            }
            Ok(None) => Fetched::Nothing,
            Err(error) => Fetched::Failed(error),
        }
    }

    async fn since<I: Io>(&self) -> u64 {
        match &self.open {
            Ok((linked, _)) => linked.since::<I>().await,
            Err(_) => 0,
        }
    }

    async fn store<I: Io>(
        &self,
        value: &V,
        timeout: Option<Duration>,
        cost: Duration,
        lineage: &Lineage,
    ) -> Result<bool, Error> {
        let (linked, key, bytes) = self.entry(value, timeout, cost, lineage)?;
        linked.store::<I>(&EntryToStore { key, bytes: &bytes, timeout, lineage }, cost).await
    }

    fn encode(&self, value: &V, timeout: Option<Duration>, lineage: &Lineage) -> Result<Vec<u8>, Error> {
        let (_, key) = self.open.as_ref().map_err(Error::clone)?;
        value::to_bytes::<V, C>(key.text(), value, timeout, Duration::ZERO, lineage)
    }

    async fn add<I: Io>(&self, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        let (linked, key) = self.open.as_ref().map_err(Error::clone)?;
        self.function.stores_for(timeout);
        linked.entry("adding", key, I::add(&*linked.cache, key.text(), bytes, timeout)).await
    }

    async fn remove_if<I: Io>(&self, bytes: &[u8]) -> Result<(), Error> {
        let (linked, key) = self.open.as_ref().map_err(Error::clone)?;
        let removed = I::remove_if(&*linked.cache, key.text(), bytes);
        linked.through("removing", key.text(), removed).await.map(drop)
    }

    async fn remove<I: Io>(&self) -> Result<bool, Error> {
        let (linked, key) = self.open.as_ref().map_err(Error::clone)?;
        linked.through("removing", key.text(), I::remove(&*linked.cache, key.text())).await
    }

    async fn invalidate<I: Io>(&self) -> Result<bool, Error> {
        let (linked, key) = self.open.as_ref().map_err(Error::clone)?;
        linked.invalidate::<I>(key, self.function.gone_by()).await
    }

    async fn explain<I: Io>(&self, is_valid: impl Fn(&V) -> bool + Send) -> SharedState {
        let (linked, key) = match &self.open {
            Ok(open) => open,
            Err(error) => return SharedState::Failed(error.clone()),
        };
        let want = Want::BytesAndTimeToLive;
        let asked = I::read(&*linked.cache, key.text(), want, |found| read::<V, C>(key, &found));
        match linked.entry("reading", key, asked).await {
            Ok(Some(Ok((found, lineage)))) => match linked.is_void::<I>(key, &lineage).await {
                Ok(true) => SharedState::Rejected { reason: "invalidated" },
                Ok(false) if !is_valid(&found.value) => SharedState::Refused { age: found.age },
                Ok(false) => SharedState::Fresh { age: found.age, left: found.left },
                Err(error) => SharedState::Failed(error),
            },
            Ok(Some(Err(reject))) => SharedState::Rejected { reason: reject.reason() },
            Ok(None) => SharedState::Nothing,
            Err(error) => SharedState::Failed(error),
        }
    }

    fn names(&self) -> Option<[Name; 3]> {
        let (linked, key) = self.open.as_ref().ok()?;
        Some([Name::key(key.text()), Name::function(key.prefix()), Name::link(linked.id())])
    }

    fn key(&self) -> Option<&Key> {
        self.open.as_ref().ok().map(|(_, key)| key)
    }

    fn place(&self) -> Option<(&Linked, &Key)> {
        self.open.as_ref().ok().map(|(linked, key)| (linked, key))
    }
}

/// The value in stored bytes, or why they are no hit.
pub(super) fn read<V: DeserializeOwned + 'static, C: Codec>(
    key: &Key,
    found: &Found<&[u8]>,
) -> Result<(Shared<V>, Lineage), Reject> {
    let (value, header) = value::from_bytes::<V, C>(key.text(), found.bytes)?;
    let left = match found.time_to_live {
        TimeToLive::Left(left) => Some(left),
        TimeToLive::Forever => None,
        // It bounds, but does not refuse.
        TimeToLive::Unknown => header.left(),
    };
    let age = Duration::from_millis(clock::wall_millis().saturating_sub(header.created));
    let lineage = Lineage { since: header.tag_sequence, tags: header.tags.iter().map(|tag| &**tag).collect() };
    Ok((Shared { value, tags: Tags::default(), age, left }, lineage))
}
