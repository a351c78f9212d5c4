//! A typed value as the bytes that are stored under a key, and back: entry, codec and the type's fingerprint.

use super::codec::Codec;
use super::entry::{self, Header, Reject, Unverified};
use super::plain;
use crate::memo::door::Lineage;
use crate::{Error, clock};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

/// The bytes of a value that is stored now under this key.
pub(crate) fn to_bytes<V: Serialize + 'static, C: Codec>(
    key: &str,
    value: &V,
    timeout: Option<Duration>,
    load_cost: Duration,
    lineage: &Lineage,
) -> Result<Vec<u8>, Error> {
    let created = clock::wall_millis();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    let fresh_until = timeout.map(|timeout| created.saturating_add(millis(timeout)));
    let schema = entry::schema_of::<V>();
    let header = Header {
        codec: C::ID,
        schema,
        created,
        fresh_until,
        keep_until: fresh_until,
        load_cost,
        tag_sequence: lineage.since,
        tags: lineage.tags.iter().map(ToOwned::to_owned).collect(),
    };
    entry::write(key, &header, &mut |out| {
        if plain::encode::<V, C>(value, out) { Ok(()) } else { C::encode(value, out) }
    })
}

/// The value in stored bytes and what its entry says of it, or why they are no value of this type, codec and key.
pub(crate) fn from_bytes<V: DeserializeOwned + 'static, C: Codec>(
    key: &str,
    bytes: &[u8],
) -> Result<(V, Header), Reject> {
    let entry = Unverified::read(bytes)?;
    if entry.header().codec == C::ID
        && entry.header().schema == entry::schema_of::<V>()
        && let Some(value) = plain::decode::<V, C>(key, &entry)
    {
        return Ok((value?, entry.with_tags()?.header));
    }
    let entry = entry.verify(key)?;
    if entry.header.codec != C::ID {
        return Err(Reject::Codec);
    }
    if entry.header.schema != entry::schema_of::<V>() {
        return Err(Reject::Schema);
    }
    let value = C::decode(entry.payload).map_err(|_| Reject::Decode)?;
    Ok((value, entry.header))
}
