//! What this process knows of the invalidations that a cache has recorded.
//!
//! An entry of the shared level carries a number of the cache's sequence: the highest that its process had seen before the
//! load began. It is void if a later number is recorded for its function or one of its tags. Over a bus every process hears of
//! each record, so all of them are here and a hit asks nothing but the entry. Without one, and while it is not connected, the
//! records are asked for beside the entry.

use super::bus::Snapshot;
use super::invalidation::Records;
use crate::clock::{self, Tick};
use crate::invalidations::Numbers;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

/// Numbers that were heard of before a lower one was.
const MOST_AHEAD: usize = 1 << 10;
/// How long the message of a number is waited for once the number was seen.
const LATEST: Duration = Duration::from_secs(1);

/// How far what is here can be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Known {
    /// Records have to be asked for.
    Some,
    /// Every record that was made is here, but for those whose message is on its way.
    All,
    /// As `All`, if the cache has lost no numbers. It has to be asked whether it has.
    Doubt,
    /// The cache has lost numbers that were given, and records with them, or a message could not be read. It has to be
    /// asked to begin again above all numbers that are known here.
    Lost,
}

/// The records of one cache, as far as they are known.
#[derive(Default)]
pub(super) struct Mirror {
    seen: AtomicU64,
    known: AtomicU8,
    /// No record and no floor is later.
    newest: AtomicU64,
    /// Every record up to this number was heard of.
    heard: AtomicU64,
    ahead: Mutex<Ahead>,
    /// The number that was told last on this connection of the bus. They come in order.
    told: AtomicU64,
    /// One more than the sequence that was answered first; 0 before that.
    first: AtomicU64,
    /// Whether the bus was ever connected.
    was_connected: AtomicBool,
    /// Every entry of a lower number than the floor is void.
    records: RwLock<Numbers<Box<str>>>,
}

/// Numbers after the first that is missing.
#[derive(Debug, Default)]
struct Ahead {
    numbers: BTreeSet<u64>,
    /// Since when a message is waited for, and the number that was seen then.
    waiting: Option<(Tick, u64)>,
}

impl Ahead {
    /// All up to this number count as heard: the last that follows without a gap.
    fn follow(&mut self, mut heard: u64) -> u64 {
        self.waiting = None;
        self.numbers.retain(|number| *number > heard);
        while self.numbers.remove(&(heard + 1)) {
            heard += 1;
        }
        heard
    }
}

impl Mirror {
    /// The highest number that this process has seen. What began before any other is no older than it.
    pub(super) fn seen(&self) -> u64 {
        self.seen.load(Ordering::Acquire)
    }

    /// Up to this number, every record is known here, while the bus is connected. It may be lower than what was
    /// [seen](Mirror::seen): a number is taken before its message is sent, and messages may overtake each other.
    pub(super) fn heard(&self) -> u64 {
        let heard = self.heard.load(Ordering::Acquire);
        if heard >= self.seen() { heard } else { self.heard_by(clock::monotonic()) }
    }

    /// As [`heard`](Mirror::heard). A message that has not come in time never will: its sender failed or ended before it was
    /// sent, and that invalidation did not return well.
    fn heard_by(&self, now: Tick) -> u64 {
        let mut ahead = self.ahead.lock();
        let heard = self.heard.load(Ordering::Relaxed);
        let (from, up_to) = *ahead.waiting.get_or_insert_with(|| (now, self.seen()));
        if heard < up_to && now.since(from) < LATEST {
            return heard;
        }
        let heard = ahead.follow(heard.max(up_to));
        self.heard.store(heard, Ordering::Release);
        heard
    }

    /// Whether this number is one of those up to which all was [heard](Mirror::heard).
    pub(super) fn has_heard(&self, number: u64) -> bool {
        number <= self.heard.load(Ordering::Acquire)
    }

    /// The record of this number is known here, and by the local level.
    pub(super) fn hear(&self, number: u64) {
        let mut ahead = self.ahead.lock();
        let mut heard = self.heard.load(Ordering::Relaxed);
        if number > heard {
            ahead.numbers.insert(number);
        }
        if ahead.numbers.len() > MOST_AHEAD {
            heard = ahead.numbers.first().copied().unwrap_or(heard);
        }
        if ahead.numbers.first().is_some_and(|first| *first <= heard + 1) {
            heard = ahead.follow(heard);
        }
        self.heard.store(heard, Ordering::Release);
    }

    /// Every record up to this number is known here, or copies are gone that may be void by it.
    pub(super) fn hear_all(&self, number: u64) {
        let mut ahead = self.ahead.lock();
        let heard = self.heard.load(Ordering::Relaxed).max(number);
        self.heard.store(ahead.follow(heard), Ordering::Release);
    }

    /// A number was seen.
    pub(super) fn see(&self, number: u64) {
        // Hits that see what is known leave the line with all who read it.
        if number > self.seen() {
            self.seen.fetch_max(number, Ordering::AcqRel);
        }
    }

    pub(super) fn known(&self) -> Known {
        match self.known.load(Ordering::Acquire) {
            all if all == Known::All as u8 => Known::All,
            doubt if doubt == Known::Doubt as u8 => Known::Doubt,
            lost if lost == Known::Lost as u8 => Known::Lost,
            _ => Known::Some,
        }
    }

    fn set_known(&self, known: Known) {
        self.known.store(known as u8, Ordering::Release);
    }

    /// Invalidations of these names were recorded with this number.
    pub(super) fn note<'n>(&self, names: impl IntoIterator<Item = &'n str>, number: u64) {
        let mut records = self.records.write();
        names.into_iter().for_each(|name| {
            records.note(name, number);
            self.newest.fetch_max(number, Ordering::Release);
        });
        drop(records);
        // After the records, so that who begins at this number finds them.
        self.see(number);
    }

    /// The cache was asked for records, and its sequence was this. The first time, nothing is here yet that may be void.
    pub(super) fn asked(&self, sequence: u64) {
        if self.first.load(Ordering::Relaxed) == 0
            && self.first.compare_exchange(0, sequence + 1, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        {
            self.hear_all(sequence);
        }
    }

    /// The cache was asked and did not answer: what is loaded meanwhile may be void by all that is recorded there.
    pub(super) fn asked_in_vain(&self) {
        let _was_asked = self.first.compare_exchange(0, u64::MAX, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// The bus is being connected, and this is all that is recorded. Whether messages may have been missed of what this
    /// process has copies of: not at first, if no number was given since it first asked.
    pub(super) fn note_all(&self, all: &Snapshot) -> bool {
        let was_connected = self.was_connected.swap(true, Ordering::AcqRel);
        let nothing_since = self.first.load(Ordering::Acquire) == all.sequence + 1;
        let mut records = self.records.write();
        records.raise_floor(all.floor);
        all.records.iter().for_each(|(name, number)| records.note(name, *number));
        let newest = all.records.iter().map(|(_, number)| *number).max().unwrap_or(0);
        self.newest.fetch_max(newest.max(all.floor), Ordering::Release);
        was_connected || !nothing_since || all.sequence < self.seen()
    }

    /// The bus is connected, all up to this number was noted, and copies are gone that may be void by it.
    pub(super) fn connected(&self, sequence: u64) {
        let is_whole = sequence >= self.seen();
        self.told.store(sequence, Ordering::Relaxed);
        self.see(sequence);
        self.hear_all(sequence);
        self.set_known(if is_whole { Known::All } else { Known::Lost });
    }

    /// Messages may be missed from now on.
    pub(super) fn disconnected(&self) {
        self.set_known(Known::Some);
    }

    /// The bus tells of a number as it is given, which is in order but for what the snapshot has too. One that goes backwards
    /// may be of a cache that has lost its records.
    pub(super) fn tell(&self, number: u64) {
        if self.told.swap(number, Ordering::Relaxed) >= number {
            self.turn(Known::All, Known::Doubt);
        }
    }

    /// The cache was asked, and has given all numbers that are known here.
    pub(super) fn nothing_is_lost(&self) {
        self.turn(Known::Doubt, Known::All);
    }

    /// Not if the bus was lost meanwhile.
    fn turn(&self, from: Known, to: Known) {
        let _another = self.known.compare_exchange(from as u8, to as u8, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// A message could not be read: anything may have been invalidated.
    pub(super) fn missed(&self) {
        self.set_known(Known::Lost);
    }

    /// The cache was asked to begin again above all that was seen, and answered with this: whatever is older is void, and
    /// copies of it are gone.
    pub(super) fn began_again(&self, answer: &Records) {
        let mut records = self.records.write();
        records.raise_floor(answer.sequence);
        self.newest.fetch_max(answer.sequence, Ordering::Release);
        drop(records);
        self.see(answer.sequence);
        self.hear_all(answer.sequence);
        self.turn(Known::Lost, Known::All);
        self.turn(Known::Doubt, Known::All);
    }

    /// Whether nothing is recorded after this number: then no entry of it is void.
    pub(super) fn is_quiet_since(&self, since: u64) -> bool {
        self.newest.load(Ordering::Acquire) <= since
    }

    /// Whether an entry of this number is void by one of these names, as far as is known.
    pub(super) fn is_void<'n>(&self, since: u64, names: impl IntoIterator<Item = &'n str>) -> bool {
        since < self.records.read().newest(names)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot(sequence: u64, floor: u64, records: &[(&str, u64)]) -> Snapshot {
        Snapshot { sequence, floor, records: records.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect() }
    }

    fn connect(mirror: &Mirror, all: &Snapshot) -> bool {
        let may_be_void = mirror.note_all(all);
        mirror.connected(all.sequence);
        may_be_void
    }

    #[test]
    fn an_entry_is_void_by_a_later_record_of_its_names() {
        let mirror = Mirror::default();
        connect(&mirror, &snapshot(7, 2, &[("t:a", 5)]));
        mirror.note(["t:b"], 9);
        assert_eq!((mirror.seen(), mirror.known()), (9, Known::All));
        assert!(mirror.is_void(4, ["t:x", "t:a"]) && !mirror.is_void(5, ["t:a"]));
        assert!(mirror.is_void(8, ["t:b"]) && !mirror.is_void(9, ["t:b"]));
        assert!(mirror.is_void(1, []) && !mirror.is_void(2, []), "the floor");
    }

    #[test]
    fn a_sequence_that_went_backwards_has_to_begin_again() {
        let mirror = Mirror::default();
        connect(&mirror, &snapshot(7, 0, &[]));
        mirror.disconnected();
        assert_eq!(mirror.known(), Known::Some);
        connect(&mirror, &snapshot(3, 0, &[]));
        assert_eq!(mirror.known(), Known::Lost);
        mirror.began_again(&Records { sequence: 8, numbers: Vec::new() });
        assert_eq!((mirror.known(), mirror.seen()), (Known::All, 8));
        assert!(mirror.is_void(7, []) && !mirror.is_void(8, []));
    }

    #[test]
    fn an_answer_that_comes_after_the_bus_was_lost_changes_nothing() {
        let mirror = Mirror::default();
        mirror.missed();
        mirror.disconnected();
        mirror.began_again(&Records { sequence: 8, numbers: Vec::new() });
        assert_eq!(mirror.known(), Known::Some);
    }

    #[test]
    fn what_was_fetched_before_the_first_connection_stays_only_if_nothing_was_invalidated() {
        let connects = |first: Option<u64>| {
            let mirror = Mirror::default();
            if let Some(first) = first {
                mirror.asked(first);
            }
            mirror.asked(7);
            mirror.see(7);
            let snapshot = snapshot(7, 0, &[]);
            (connect(&mirror, &snapshot), connect(&mirror, &snapshot))
        };
        assert_eq!(connects(None), (false, true), "and nobody knows what was missed once it was lost");
        assert_eq!(connects(Some(6)), (true, true));
        assert!(connect(&Mirror::default(), &snapshot(0, 0, &[])), "nobody asked");
    }

    #[test]
    fn what_is_known_without_a_gap_counts_for_loads() {
        let mirror = Mirror::default();
        connect(&mirror, &snapshot(7, 0, &[]));
        let heard = |number| {
            mirror.hear(number);
            mirror.heard()
        };
        assert_eq!([9, 8, 11, 10, 3, 12].map(heard), [7, 9, 9, 11, 11, 12]);
        (14..=14 + MOST_AHEAD as u64).for_each(|number| mirror.hear(number));
        assert_eq!(mirror.heard(), 14 + MOST_AHEAD as u64, "memory is bounded");
        connect(&mirror, &snapshot(5_000, 0, &[]));
        assert_eq!(heard(5_001), 5_001);
    }

    #[test]
    fn a_message_that_never_comes_is_waited_for_no_longer_than_a_second() {
        let mirror = Mirror::default();
        connect(&mirror, &snapshot(7, 0, &[]));
        let begin = clock::monotonic();
        mirror.see(9);
        assert_eq!(mirror.heard_by(begin), 7);
        mirror.hear(9);
        mirror.see(11);
        assert_eq!(mirror.heard_by(begin.after(LATEST / 2)), 7);
        assert_eq!(mirror.heard_by(begin.after(LATEST)), 9);
        assert_eq!(mirror.heard_by(begin.after(LATEST)), 9, "11 was seen later");
        assert_eq!(mirror.heard_by(begin.after(LATEST * 2)), 11);
    }

    #[test]
    fn a_number_that_goes_backwards_is_doubted_until_the_cache_was_asked() {
        let mirror = Mirror::default();
        connect(&mirror, &snapshot(8, 0, &[]));
        let tell = |number| {
            mirror.tell(number);
            mirror.known()
        };
        assert_eq!([9, 12, 1].map(tell), [Known::All, Known::All, Known::Doubt]);
        mirror.nothing_is_lost();
        assert_eq!([2, 2].map(tell), [Known::All, Known::Doubt]);
        mirror.began_again(&Records { sequence: 13, numbers: Vec::new() });
        assert_eq!((mirror.known(), mirror.is_void(12, ["t:any"])), (Known::All, true));
        mirror.disconnected();
        assert_eq!(tell(1), Known::Some);
        mirror.nothing_is_lost();
        assert_eq!(mirror.known(), Known::Some, "only the bus makes it known");
    }
}
