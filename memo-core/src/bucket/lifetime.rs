//! How long an entry counts: the bucket's timeout, which may change, and what an entry says of its own.

use crate::entry::{self, Header};
use crate::shared::codec::Codec;
use crate::{Error, ErrorKind, clock};
use serde::Serialize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// The timeout of a bucket and its clones, in nanoseconds.
pub(super) struct Timeout(AtomicU64);

/// 584 years, which is for ever.
const NONE: u64 = u64::MAX;

impl Timeout {
    pub(super) fn none() -> Self {
        Timeout(AtomicU64::new(NONE))
    }

    pub(super) fn new(timeout: Duration) -> Result<Self, Error> {
        let new = Timeout::none();
        new.set(Some(timeout))?;
        Ok(new)
    }

    pub(super) fn get(&self) -> Option<Duration> {
        let nanos = self.0.load(Ordering::Relaxed);
        (nanos != NONE).then(|| Duration::from_nanos(nanos))
    }

    pub(super) fn set(&self, timeout: Option<Duration>) -> Result<(), Error> {
        let nanos = match timeout {
            Some(timeout) => u64::try_from(checked(timeout)?.as_nanos()).unwrap_or(NONE),
            None => NONE,
        };
        self.0.store(nanos, Ordering::Relaxed);
        Ok(())
    }
}

/// The timeout that a value is set with.
#[derive(Clone, Copy)]
pub(super) enum Life {
    /// The bucket's, which bounds the value also when it is shortened later.
    OfBucket(Option<Duration>),
    /// One of its own.
    Own(Duration),
}

impl Life {
    /// A timeout of a value's own.
    pub(super) fn own(timeout: Duration) -> Result<Self, Error> {
        checked(timeout).map(Life::Own)
    }

    pub(super) fn timeout(self) -> Option<Duration> {
        match self {
            Life::OfBucket(timeout) => timeout,
            Life::Own(timeout) => Some(timeout),
        }
    }
}

pub(super) fn checked(timeout: Duration) -> Result<Duration, Error> {
    if timeout.is_zero() {
        return Err(Error::new(ErrorKind::Config, "storing for a timeout of zero")
            .advise("give a positive duration, or none to keep values for ever"));
    }
    Ok(timeout)
}

/// The entry of a value that is set now. A timeout of its own shows in the header: there is a time until which it is
/// fresh, and none until which it is kept.
pub(super) fn entry_of<V: Serialize + 'static, C: Codec>(key: &str, value: &V, life: Life) -> Result<Vec<u8>, Error> {
    let created = clock::wall_millis();
    let fresh_until = life.timeout().map(|timeout| created.saturating_add(millis(timeout)));
    let keep_until = match life {
        Life::OfBucket(_) => fresh_until,
        Life::Own(_) => None,
    };
    let schema = entry::schema_of::<V>();
    let header = Header { codec: C::ID, schema, created, fresh_until, keep_until, ..Header::default() };
    entry::write(key, &header, &mut |out| C::encode(value, out))
}

/// Whether the bucket's timeout has passed for an entry that was set under a longer one, or under none.
///
/// An entry that was set under this timeout or a shorter one is the backend's to expire: it does so by one clock, and
/// knows of `touch`.
pub(super) fn is_outdated(header: &Header, timeout: Option<Duration>) -> bool {
    let Some(limit) = timeout.map(millis) else { return false };
    let set_for = match (header.fresh_until, header.keep_until) {
        // A timeout of its own.
        (Some(_), None) => return false,
        (Some(until), Some(_)) => until.saturating_sub(header.created),
        (None, _) => u64::MAX,
    };
    set_for > limit && clock::wall_millis().abs_diff(header.created) >= limit
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
