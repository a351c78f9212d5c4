//! `single_flight = "fleet"`: the leader of this process's load and those of others.

use super::{Asked, Guard};
use crate::memo::call::MemoKey;
use crate::memo::door::{Door, Fetched, Shared};
use crate::memo::io::Io;
use crate::memo::valid;
use crate::outcome::Outcome;
use crate::shared::lease::Waiting;

impl<O: Outcome + 'static, K: MemoKey, D: Door<O::Value>> Guard<O, K, D> {
    /// Takes the right to load, or waits for the process that has it; then what that has stored. `None`: this process
    /// loads.
    pub(super) async fn take_lease<I: Io>(&mut self) -> Option<Shared<O::Value>> {
        let mut was_told = false;
        for round in 0_u32.. {
            // Before the lease is asked for, so that its end is not missed.
            let waiting = match self.door.place() {
                Some((_, key)) => (round > 0).then(|| Waiting::new(key, round - 1)),
                None => return None,
            };
            let (linked, key) = self.door.place()?;
            match linked.lease::<I>(key).await {
                Ok(Some(lease)) => {
                    self.lease = Some(Box::new(lease));
                    // It may have been stored since this process looked.
                    let found = self.look_again::<I>().await;
                    if found.is_some() {
                        self.end_lease::<I>().await;
                    }
                    return found;
                }
                // The load that was waited for brought nothing, and this one is not to come after others.
                Ok(None) if was_told => return None,
                Ok(None) => {}
                Err(error) => {
                    self.report(&error);
                    self.asked = Asked::Failed;
                    return None;
                }
            }
            let Some(waiting) = waiting else { continue };
            was_told = waiting.wait::<I>().await;
            let found = self.look_again::<I>().await;
            if found.is_some() || self.asked == Asked::Failed {
                return found;
            }
        }
        None
    }

    async fn look_again<I: Io>(&mut self) -> Option<Shared<O::Value>> {
        match valid::fetch::<O, D, I>(self.outcome, self.function, &self.door).await {
            Fetched::Value(found) => Some(found),
            Fetched::Nothing => None,
            Fetched::Failed(error) => {
                self.report(&error);
                self.asked = Asked::Failed;
                None
            }
        }
    }

    /// Gives the right to load back, if there is one.
    pub(super) async fn end_lease<I: Io>(&mut self) {
        if let Some(lease) = self.lease.take()
            && let Err(error) = lease.end::<I>().await
        {
            self.report(&error);
        }
    }
}
