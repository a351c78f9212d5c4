//! Dropping what has expired, some at a time: those who look for entries and those who store some go on meanwhile, and
//! whoever sweeps is pinned for a moment only.

use super::engine::Engine;
use super::seen::Seen;
use super::shard::{Looking, Shard};
use crate::clock::Tick;
use crate::epoch::Pin;

/// One way through all entries of an engine.
pub(crate) struct Sweep<'e> {
    engine: &'e Engine,
    now: Tick,
    /// Shards that were not begun.
    ahead: std::slice::Iter<'e, Shard>,
    /// The one it is at.
    current: Option<(&'e Shard, Looking)>,
}

impl<'e> Sweep<'e> {
    pub(super) fn new(engine: &'e Engine, shards: &'e [Shard], now: Tick) -> Self {
        Sweep { engine, now, ahead: shards.iter(), current: None }
    }

    /// Takes out some of what has expired, maybe nothing; `None` once all was looked at.
    pub(crate) fn some<'p>(&mut self, pin: &'p Pin) -> Option<Vec<Seen<'p>>> {
        loop {
            let Some((shard, looking)) = &mut self.current else {
                let next = self.ahead.find_map(|shard| Some((shard, shard.begin_sweep(self.now)?)))?;
                self.current = Some(next);
                continue;
            };
            if let Some(expired) = shard.sweep_some(pin, looking) {
                if !expired.is_empty() {
                    self.engine.has_dropped_some();
                }
                return Some(expired);
            }
            shard.end_sweep(looking, true);
            self.current = None;
        }
    }

    /// Frees what was taken out so far, if that is worth it by now. Without a pin.
    pub(crate) fn free_sometimes(&self) {
        if let Some((shard, _)) = self.current {
            self.engine.free_sometimes_of(shard);
        }
    }
}

impl Drop for Sweep<'_> {
    fn drop(&mut self) {
        // Somebody's code panicked: what is left of the shard is for the next time.
        if let Some((shard, looking)) = &self.current {
            shard.end_sweep(looking, false);
        }
    }
}
