//! Rules on the bus: what is published is heard, in order, from the connection on until the subscription ends.

use super::subject::Subject;
use super::timeouts::LONG;
use super::{Advance, Rule};
use crate::ErrorKind;
use crate::bus::{Listener, Message, Snapshot, Subscription};
use crate::invalidation::{Invalidation, tag_name};
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::time::Duration;

pub(super) const RULES: &[Rule] = &[
    ("a bus that is not claimed is none", unclaimed_is_none),
    ("what is published is heard by all who subscribed", published_is_heard),
    ("each invalidation is told with its number, once all of it is done", invalidations_are_told),
    ("who connects is told of all that is recorded", connected_is_told_all),
    ("a subscription ends with its drop", ends_with_its_drop),
];

/// More than a server on the same machine needs for anything.
const PATIENCE: Duration = Duration::from_secs(10);

/// What a subscriber heard.
#[derive(Default)]
struct Heard {
    snapshots: Vec<Snapshot>,
    messages: Vec<Vec<u8>>,
}

#[derive(Default)]
struct Ear {
    heard: Mutex<Heard>,
    changed: Condvar,
}

impl Listener for Ear {
    fn connected(&self, all: &Snapshot) {
        self.heard.lock().snapshots.push(all.clone());
        self.changed.notify_all();
    }

    fn lost(&self) {}

    fn message(&self, bytes: &[u8]) {
        self.heard.lock().messages.push(bytes.to_vec());
        self.changed.notify_all();
    }
}

impl Ear {
    /// Waits until `found` finds something in what was heard.
    fn wait<T>(&self, s: &Subject<'_>, what: &str, found: impl Fn(&Heard) -> Option<T>) -> T {
        let mut heard = self.heard.lock();
        loop {
            if let Some(found) = found(&heard) {
                return found;
            }
            if self.changed.wait_for(&mut heard, PATIENCE).timed_out() {
                s.fail(&format!("{what} was not heard in 10 s"));
            }
        }
    }

    fn snapshot(&self, s: &Subject<'_>) -> Snapshot {
        self.wait(s, "a connection", |heard| heard.snapshots.last().cloned())
    }
}

/// A subscription, of a backend that claims to have a bus.
fn subscribe(s: &Subject<'_>, ear: &Arc<Ear>) -> Subscription {
    let subscription = s.ok(s.cache().subscribe(ear.clone()));
    subscription.unwrap_or_else(|| s.fail("no subscription although a bus is claimed"))
}

fn unclaimed_is_none(s: &Subject<'_>, _: Advance<'_>) {
    if s.capabilities().bus {
        return;
    }
    let subscription = s.ok(s.cache().subscribe(Arc::new(Ear::default())));
    s.holds(subscription.is_none(), "no subscription without a bus");
    s.fails(s.publish(b"message"), ErrorKind::Unsupported, "publish");
}

fn published_is_heard(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().bus {
        return;
    }
    let ears = [Arc::new(Ear::default()), Arc::new(Ear::default())];
    let _subscriptions = ears.each_ref().map(|ear| subscribe(s, ear));
    for ear in &ears {
        ear.snapshot(s);
    }
    let every_byte: Vec<u8> = (0..=255).cycle().take(70_000).collect();
    let sent: Vec<Vec<u8>> =
        (0..50_u8).map(|number| [s.key("").as_bytes(), &[number]].concat()).chain([every_byte, Vec::new()]).collect();
    for message in &sent {
        s.ok(s.publish(message));
    }
    for ear in &ears {
        let heard = ear.wait(s, "the last message", |heard| {
            let ours = heard.messages.iter().filter(|message| sent.contains(message));
            let ours: Vec<Vec<u8>> = ours.cloned().collect();
            (ours.len() >= sent.len()).then_some(ours)
        });
        s.same(&heard, &sent, "the messages that were heard");
    }
}

fn invalidations_are_told(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().bus {
        return;
    }
    let ear = Arc::new(Ear::default());
    let _subscription = subscribe(s, &ear);
    ear.snapshot(s);
    let keys: Vec<String> = (0..2_000).map(|number| s.key(&format!("{number}:{}", "x".repeat(100)))).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let tag = tag_name(&s.key("tag"));
    let sender = 0x0123_4567_89ab_cdef;
    let what = Invalidation { keys: &keys, names: &[&tag], sender, keep: LONG, ..Invalidation::default() };
    let sequence = s.ok(s.invalidate(&what)).sequence;
    let told = ear.wait(s, "the invalidation", |heard| {
        let messages = heard.messages.iter().filter_map(|bytes| Message::decode(bytes).ok());
        let ours = messages.filter(|message| (message.sender, message.sequence) == (sender, sequence));
        let (mut keys_told, mut names_told) = (Vec::new(), Vec::new());
        for message in ours {
            keys_told.extend(message.keys.into_iter().map(str::to_owned));
            names_told.extend(message.names.into_iter().map(str::to_owned));
        }
        (keys_told.len() >= keys.len() && !names_told.is_empty()).then_some((keys_told, names_told))
    });
    let mut keys_told = told.0;
    keys_told.sort();
    let mut expected = keys.clone();
    expected.sort_unstable();
    s.holds(keys_told == expected, "every key to be told once");
    s.holds(told.1.iter().all(|name| *name == tag), "the name to be told");
}

fn connected_is_told_all(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().bus {
        return;
    }
    let tag = tag_name(&s.key("tag"));
    let what = Invalidation { names: &[&tag], keep: LONG, ..Invalidation::default() };
    let sequence = s.ok(s.invalidate(&what)).sequence;
    let ear = Arc::new(Ear::default());
    let _subscription = subscribe(s, &ear);
    let all = ear.snapshot(s);
    s.holds(all.sequence >= sequence && all.floor <= all.sequence, "the sequence and the floor");
    let record = all.records.iter().find(|(name, _)| *name == tag).map_or(0, |(_, number)| *number);
    s.holds(record.max(all.floor) >= sequence, "the record of a name");
}

fn ends_with_its_drop(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().bus {
        return;
    }
    let (ended, goes_on) = (Arc::new(Ear::default()), Arc::new(Ear::default()));
    let subscription = subscribe(s, &ended);
    let _goes_on = subscribe(s, &goes_on);
    ended.snapshot(s);
    goes_on.snapshot(s);
    drop(subscription);
    let message = s.key("after the end").into_bytes();
    s.ok(s.publish(&message));
    goes_on.wait(s, "a message", |heard| heard.messages.contains(&message).then_some(()));
    s.holds(!ended.heard.lock().messages.contains(&message), "nothing to be heard after the drop");
}
