//! Those who wait for the replies of one connection, in the order in which replies come, and the end of their waits.

use super::deadline::Deadline;
use redis::Value;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;
use tokio::sync::oneshot;
use tokio::time::{Sleep, sleep_until};

/// No replies came in time.
pub(super) struct Late;

/// One who waits for replies.
pub(super) struct Waiting {
    /// Of these, the first is nobody's: that to ASKING.
    asking: bool,
    left: usize,
    replies: Vec<Value>,
    /// Nobody once the time was over. The place stays: its replies may come yet.
    to: Option<oneshot::Sender<Result<Vec<Value>, Late>>>,
    end: Deadline,
}

impl Waiting {
    /// For so many replies, until `end`, after that to ASKING if it was sent in front.
    pub(super) fn new(
        to: oneshot::Sender<Result<Vec<Value>, Late>>,
        replies: usize,
        asking: bool,
        end: Deadline,
    ) -> Waiting {
        Waiting { asking, left: replies, replies: Vec::with_capacity(replies), to: Some(to), end }
    }
}

#[derive(Default)]
pub(super) struct InFlight {
    queue: VecDeque<Waiting>,
    /// Rings no later than the first wait ends.
    alarm: Alarm,
}

impl InFlight {
    /// Lines these up behind the others.
    pub(super) fn extend(&mut self, waiting: impl Iterator<Item = Waiting>) {
        for one in waiting {
            self.alarm.at_the_latest(one.end.instant());
            self.queue.push_back(one);
        }
    }

    /// Gives a reply to whose turn it is; false if it is nobody's.
    pub(super) fn deliver(&mut self, reply: Value) -> bool {
        let Some(first) = self.queue.front_mut() else { return false };
        if std::mem::take(&mut first.asking) {
            return true;
        }
        first.replies.push(reply);
        first.left -= 1;
        if first.left == 0
            && let Some(Waiting { to: Some(to), replies, .. }) = self.queue.pop_front()
        {
            // Nobody waits any more: then nobody does.
            let _ = to.send(Ok(replies));
        }
        true
    }

    /// Ends each wait at its time. Never ready: it has the task woken when there is one to end.
    pub(super) fn poll_ends(&mut self, context: &mut Context<'_>) {
        while self.alarm.poll(context).is_ready() {
            for waiting in self.queue.iter_mut().filter(|waiting| waiting.to.is_some()) {
                match waiting.end.left() {
                    Ok(_) => self.alarm.at_the_latest(waiting.end.instant()),
                    Err(_) => drop(waiting.to.take().map(|to| to.send(Err(Late)))),
                }
            }
        }
    }
}

/// A timer that many share, each of whom it may ring for too early.
#[derive(Default)]
struct Alarm {
    timer: Option<Pin<Box<Sleep>>>,
    set_to: Option<Instant>,
}

impl Alarm {
    fn at_the_latest(&mut self, moment: Instant) {
        if self.set_to.is_some_and(|earlier| earlier <= moment) {
            return;
        }
        self.set_to = Some(moment);
        match &mut self.timer {
            Some(timer) => timer.as_mut().reset(moment.into()),
            None => self.timer = Some(Box::pin(sleep_until(moment.into()))),
        }
    }

    /// Ready once each time it is set.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let (Some(_), Some(timer)) = (self.set_to, &mut self.timer) {
            ready!(timer.as_mut().poll(context));
            self.set_to = None;
            return Poll::Ready(());
        }
        Poll::Pending
    }
}
