//! A call's door to a backend: key, entry, codec, and what a failure means.

use super::cache::{Cache, Found, TimeToLive, Want};
use super::codec::Codec;
use super::entry::Reject;
use super::value;
use crate::clock;
use crate::explain::SharedState;
use crate::key::{Digest, Key};
use crate::lookup::{Borrowed, SerializeParts};
use crate::memo::door::{Door, Fetched, MakeDoor, Shared};
use crate::memo::{Function, Instance, Io};
use crate::outcome::Outcome;
use crate::stats::Count;
use crate::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// A function with `cache =`, and its codec.
pub struct SharedBy<C> {
    /// The type parameters, which are part of the key of a generic function.
    instance: Option<&'static str>,
    /// `Self`, where it is to be part of the prefix.
    owner: Option<&'static str>,
    codec: PhantomData<fn() -> C>,
}

impl<C> SharedBy<C> {
    /// Doors for this instantiation.
    #[must_use]
    pub const fn new(instance: Option<&'static str>) -> Self {
        SharedBy { instance, owner: None, codec: PhantomData }
    }

    /// Doors for a method of this type, whose name does not have the type.
    #[must_use]
    pub const fn owned_by(self, owner: &'static str) -> Self {
        SharedBy { owner: Some(owner), ..self }
    }

    fn key<P: SerializeParts>(&self, function: &Function, parts: P) -> Result<Key, Error> {
        let digest = match self.instance {
            Some(instance) => Digest::of_instance(instance, &Borrowed(parts)),
            None => Digest::of(&Borrowed(parts)),
        };
        Ok(function.shared_prefix(self.owner)?.key(&digest?))
    }
}

/// The door of one call.
pub struct SharedDoor<V, C> {
    /// The cache and the key, or why there is none.
    pub(super) open: Result<(Arc<dyn Cache>, Key), Error>,
    types: PhantomData<fn() -> (V, C)>,
}

impl<P, V, C> MakeDoor<P, V> for SharedBy<C>
where
    P: SerializeParts,
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    type Door = SharedDoor<V, C>;

    fn make(&self, function: &'static Function, parts: P) -> SharedDoor<V, C> {
        let open = self.key(function, parts).and_then(|key| Ok((source(function)?, key)));
        SharedDoor { open, types: PhantomData }
    }
}

fn source(function: &Function) -> Result<Arc<dyn Cache>, Error> {
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
    let cache = source(function)?;
    I::clear(&*cache, function.shared_prefix(owner)?.as_str()).await?;
    Ok(())
}

impl<V, C> Door<V> for SharedDoor<V, C>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    const SHARED: bool = true;

    async fn fetch<I: Io>(&self, function: &'static Function) -> Fetched<V> {
        let (cache, key) = match &self.open {
            Ok(open) => open,
            Err(error) => return Fetched::Failed(error.clone()),
        };
        // Without a local level nobody needs to know how long the value has.
        let want = if function.local { Want::BytesAndTimeToLive } else { Want::Bytes };
        match I::read(&**cache, key.text(), want, |found| read::<V, C>(key, &found)).await {
            Ok(Some(Ok(value))) => Fetched::Value(value),
            Ok(Some(Err(reject))) => {
                function.count(Count::Rejected);
                tracing::warn!(function = function.name, reason = reject.reason(), "a stored entry can't be used");
                Fetched::Nothing
            }
            Ok(None) => Fetched::Nothing,
            Err(error) => Fetched::Failed(error),
        }
    }

    async fn store<I: Io>(&self, value: &V, timeout: Option<Duration>, cost: Duration) -> Result<(), Error> {
        let (cache, key) = self.open.as_ref().map_err(Error::clone)?;
        let bytes = value::to_bytes::<V, C>(key.text(), value, timeout, cost)?;
        I::set(&**cache, key.text(), &bytes, timeout).await
    }

    async fn add<I: Io>(&self, value: &V, timeout: Option<Duration>) -> Result<bool, Error> {
        let (cache, key) = self.open.as_ref().map_err(Error::clone)?;
        let bytes = value::to_bytes::<V, C>(key.text(), value, timeout, Duration::ZERO)?;
        I::add(&**cache, key.text(), &bytes, timeout).await
    }

    async fn remove<I: Io>(&self) -> Result<bool, Error> {
        let (cache, key) = self.open.as_ref().map_err(Error::clone)?;
        I::remove(&**cache, key.text()).await
    }

    async fn explain<I: Io>(&self, is_valid: impl Fn(&V) -> bool + Send) -> SharedState {
        let (cache, key) = match &self.open {
            Ok(open) => open,
            Err(error) => return SharedState::Failed(error.clone()),
        };
        match I::read(&**cache, key.text(), Want::BytesAndTimeToLive, |found| read::<V, C>(key, &found)).await {
            Ok(Some(Ok(found))) if !is_valid(&found.value) => SharedState::Refused { age: found.age },
            Ok(Some(Ok(found))) => SharedState::Fresh { age: found.age, left: found.left },
            Ok(Some(Err(reject))) => SharedState::Rejected { reason: reject.reason() },
            Ok(None) => SharedState::Nothing,
            Err(error) => SharedState::Failed(error),
        }
    }

    fn key(&self) -> Option<&Key> {
        self.open.as_ref().ok().map(|(_, key)| key)
    }
}

/// The value in stored bytes, or why they are no hit.
pub(super) fn read<V: DeserializeOwned + 'static, C: Codec>(
    key: &Key,
    found: &Found<&[u8]>,
) -> Result<Shared<V>, Reject> {
    let (value, header) = value::from_bytes::<V, C>(key.text(), found.bytes)?;
    let left = match found.time_to_live {
        TimeToLive::Left(left) => Some(left),
        TimeToLive::Forever => None,
        // It bounds, but does not refuse.
        TimeToLive::Unknown => header.left(),
    };
    let age = Duration::from_millis(clock::wall_millis().saturating_sub(header.created));
    Ok(Shared { value, age, left })
}
