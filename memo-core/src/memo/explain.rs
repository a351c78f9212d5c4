//! How a call stands: the companion `explain`.

use super::call::MemoKey;
use super::door::Door;
use super::function::Function;
use super::io::Io;
use super::operations::Operation;
use super::untyped::may_wait;
use super::{Memo, is};
use crate::clock::{self, Tick};
use crate::explain::{Explanation, LoadState, LocalState, Steered};
use crate::outcome::Outcome;
use std::hash::Hash;

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Operation<O, K, D> {
    /// Why the next call of these arguments would hit or miss, where `bypass` and `refresh` are what the attribute's
    /// expressions gave.
    pub async fn explain<I: Io>(self, bypass: bool, refresh: bool) -> Explanation {
        let Operation { function, memo, key, door, outcome } = self;
        let shared = door.explain::<I>(|value| outcome.is_valid(value)).await;
        Explanation {
            function: function.name(),
            steered: Steered::of(bypass, refresh),
            local: local_state(function, memo, &key, |value| outcome.is_valid(value)),
            load: memo.load_state(function, &key),
            shared,
            #[cfg(feature = "shared")]
            key: door.key().cloned(),
        }
    }
}

fn local_state<K, V>(function: &Function, memo: &Memo<K, V>, key: &K, is_valid: impl FnOnce(&V) -> bool) -> LocalState
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    let Some(local) = memo.local().filter(|_| function.local) else { return LocalState::Off };
    match memo.peek(key) {
        Some(entry) => entry_state(&entry.value, (entry.created, entry.deadline), is_valid),
        None if local.engine().dropped_nothing() => LocalState::NeverStored,
        None => function.gone_so_far(),
    }
}

/// How an entry stands that is there.
pub(super) fn entry_state<V>(
    value: &V,
    (created, deadline): (Tick, Tick),
    is_valid: impl FnOnce(&V) -> bool,
) -> LocalState {
    let now = clock::now();
    let age = now.since(created);
    if deadline <= now {
        LocalState::Expired { age, since: now.since(deadline) }
    } else if is_valid(value) {
        LocalState::Fresh { age, left: (deadline != Tick::NEVER).then(|| deadline.since(now)) }
    } else {
        LocalState::Refused { age }
    }
}

impl Function {
    /// Of a key that is not there nothing is known but what the function did in all.
    pub(super) fn gone_so_far(&self) -> LocalState {
        let stats = self.stats();
        LocalState::Nothing { evicted: stats.evicted, invalidations: stats.invalidations, expired: stats.expired }
    }
}

impl<K, V> Memo<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn load_state(&self, function: &Function, key: &K) -> LoadState {
        let is = is(key);
        let loads = self.flights().lock(self.hash(key), &is);
        match loads.joinable().filter(|_| function.single_flight) {
            Some(flight) if may_wait(function, flight) => LoadState::Joinable,
            Some(_) => LoadState::Apart,
            None => LoadState::None,
        }
    }
}
