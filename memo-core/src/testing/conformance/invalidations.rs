//! Rules on invalidations: they are numbered upwards and recorded, and no value that was loaded before is stored after.

use super::atomic::{THREADS, race};
use super::keys::ODD;
use super::subject::Subject;
use super::timeouts::{LONG, MEDIUM, PAST_MEDIUM, PAST_SHORT, SHORT, in_time};
use super::{Advance, Rule};
use crate::invalidation::{Invalidated, Invalidation, MAX_NAME_BYTES, MAX_SEQUENCE, Stored, function_name, tag_name};
use crate::{ErrorKind, RESERVED_PREFIX, is_reserved};
use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const RULES: &[Rule] = &[
    ("invalidate drops its keys and counts what was there", invalidate_drops_and_counts),
    ("each entry that invalidate drops is counted by one caller", dropped_once),
    ("store stores as set does", store_stores),
    ("invalidations are numbered upwards", numbers_rise),
    ("the sequence never is below what a caller has seen", seen_lifts),
    ("a sequence below what a caller has seen voids what is older", lost_voids),
    ("an invalidation is recorded for its names", names_are_recorded),
    ("a record outlives entries and reads", records_outlive),
    ("a record that is given up voids more, never less", records_are_bounded),
    ("names are compared byte by byte", names_are_told_apart),
    ("a name or a number that none can have is refused", unfit_is_refused),
    ("what was loaded before an invalidation of its key is not stored", old_is_refused),
    ("a tombstone stays for as long as it was told", tombstones_stay),
    ("stores and invalidations at once never leave an old value", no_old_value_stays),
    ("a value older than a record is never taken for a valid one", no_old_value_is_valid),
    ("scan doesn't show reserved keys", reserved_are_hidden),
];

impl Subject<'_> {
    pub(super) fn invalidate_all(&self, keys: &[&str], names: &[&str], seen: u64) -> Invalidated {
        self.ok(self.invalidate(&Invalidation { keys, names, seen, sender: 1, keep: LONG }))
    }

    pub(super) fn sequence(&self) -> u64 {
        self.ok(self.records(&[], 0)).sequence
    }

    /// The record of one name.
    pub(super) fn record(&self, name: &str) -> u64 {
        let records = self.ok(self.records(&[name], 0));
        self.same(&records.numbers.len(), &1, "records of one name");
        self.holds(records.numbers[0] <= records.sequence, "no record above the sequence");
        records.numbers[0]
    }
}

fn invalidate_drops_and_counts(s: &Subject<'_>, advance: Advance<'_>) {
    let (a, b, missing, ended, other) = (s.key("a"), s.key("b"), s.key("missing"), s.key("ended"), s.key("other"));
    for key in [&a, &b, &other] {
        s.ok(s.set(key, b"v", None));
    }
    s.ok(s.set(&ended, b"v", Some(SHORT)));
    advance(PAST_SHORT);
    s.same(&s.invalidate_all(&[&a, &missing, &a, &b, &ended], &[], 0).removed, &2, "entries that were dropped");
    for key in [&a, &b, &missing, &ended] {
        s.misses(key);
    }
    s.finds(&other, b"v");
    s.same(&s.invalidate_all(&[&a, &b], &[], 0).removed, &0, "entries that a second invalidation dropped");
    s.same(&s.invalidate_all(&[], &[], 0).removed, &0, "entries that an invalidation of nothing dropped");
    let what = Invalidation { keys: &[&other, ""], keep: LONG, ..Invalidation::default() };
    s.fails(s.invalidate(&what), ErrorKind::Key, "invalidate of an empty key");
    s.finds(&other, b"v");
}

fn dropped_once(s: &Subject<'_>, _: Advance<'_>) {
    let keys: Vec<String> = (0..40).map(|number| s.key(&number.to_string())).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), b"v".as_slice())).collect();
    s.ok(s.set_many(&entries, None));
    let removed = AtomicU64::new(0);
    race(|number| {
        let named: Vec<&str> = keys.iter().map(String::as_str).cycle().skip(number * 3).take(50).collect();
        removed.fetch_add(s.invalidate_all(&named, &[], 0).removed, Ordering::SeqCst);
    });
    s.same(&removed.into_inner(), &40, "entries that invalidate counted over all threads");
}

fn store_stores(s: &Subject<'_>, advance: Advance<'_>) {
    let (key, ends) = (s.key("key"), s.key("ends"));
    s.same(&s.ok(s.store(&key, b"first", None, 0)), &Stored::Stored, "store where nothing is");
    s.finds(&key, b"first");
    s.same(&s.ok(s.store(&key, b"", Some(LONG), 7)), &Stored::Stored, "store over an entry");
    s.finds(&key, b"");
    let (stored, found) = in_time(MEDIUM / 2, || {
        let stored = s.ok(s.store(&ends, b"ends", Some(MEDIUM), 0));
        (stored, s.ok(s.get(&ends)))
    });
    s.same(&stored, &Stored::Stored, "store where nothing is");
    s.same(&found.as_deref(), &Some(&b"ends"[..]), "get of what ends later");
    advance(PAST_MEDIUM);
    s.misses(&ends);
    s.finds(&key, b"");
    s.fails(s.store("", b"v", None, 0), ErrorKind::Key, "store");
}

fn numbers_rise(s: &Subject<'_>, _: Advance<'_>) {
    let (key, name) = (s.key("key"), tag_name(&s.key("tag")));
    let mut last = s.sequence();
    for keys_and_names in [(&[][..], &[][..]), (&[key.as_str()], &[]), (&[], &[name.as_str()])] {
        let sequence = s.invalidate_all(keys_and_names.0, keys_and_names.1, 0).sequence;
        s.holds(sequence > last, "a number above the last one");
        s.holds(s.sequence() >= sequence, "records to tell the sequence");
        last = sequence;
    }
    let given = Mutex::new(HashSet::new());
    race(|_| {
        for _ in 0..10 {
            let before = s.sequence();
            let sequence = s.invalidate_all(&[], &[], before).sequence;
            s.holds(sequence > before, "a number above what was seen before");
            given.lock().unwrap_or_else(std::sync::PoisonError::into_inner).insert(sequence);
        }
    });
    let given = given.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    s.same(&given.len(), &(THREADS * 10), "different numbers of invalidations at once");
}

fn seen_lifts(s: &Subject<'_>, _: Advance<'_>) {
    let seen = s.sequence() + 1_000;
    let sequence = s.invalidate_all(&[], &[], seen).sequence;
    s.holds(sequence > seen, "a number above what the caller has seen");
    s.holds(s.sequence() >= sequence, "the sequence to stay there");
    let seen = s.sequence() + 1_000;
    s.holds(s.ok(s.records(&[], seen)).sequence >= seen, "records to lift the sequence");
    s.holds(s.invalidate_all(&[], &[], 0).sequence > seen, "the sequence to stay there");
}

fn lost_voids(s: &Subject<'_>, _: Advance<'_>) {
    let (known, never) = (tag_name(&s.key("known")), tag_name(&s.key("never")));
    s.invalidate_all(&[], &[&known], 0);
    let before = s.sequence();
    let records = s.ok(s.records(&[&known, &never], before + 1_000));
    for number in &records.numbers {
        s.holds(*number > before && *number <= records.sequence, "all names to be void after numbers were lost");
    }
    let lost = s.sequence() + 1_000;
    let sequence = s.invalidate_all(&[], &[&known], lost).sequence;
    let numbers = s.ok(s.records(&[&known, &never], sequence)).numbers;
    s.holds(numbers.iter().all(|number| *number > lost), "all names to be void after numbers were lost");
}

fn names_are_recorded(s: &Subject<'_>, _: Advance<'_>) {
    let (tag, function) = (tag_name(&s.key("tag")), function_name(&s.key("function:")));
    let before = s.sequence();
    let both = s.invalidate_all(&[], &[&tag, &function], before).sequence;
    s.holds(s.record(&tag) >= both && s.record(&function) >= both, "the number under both names");
    let again = s.invalidate_all(&[], &[&tag], both).sequence;
    s.holds(s.record(&tag) >= again, "the latest number");
    let asked = [function.as_str(), &tag, &function];
    let records = s.ok(s.records(&asked, again));
    s.same(&records.numbers.len(), &3, "records of three names");
    s.same(&records.numbers[0], &records.numbers[2], "the records of one name");
    s.holds(records.numbers[1] >= again, "records in the order of their names");
    // At once, the highest number is the one that stays.
    let highest = AtomicU64::new(0);
    race(|_| {
        for _ in 0..10 {
            highest.fetch_max(s.invalidate_all(&[], &[&tag], 0).sequence, Ordering::SeqCst);
        }
    });
    s.holds(s.record(&tag) >= highest.into_inner(), "the highest number of invalidations at once");
}

fn records_outlive(s: &Subject<'_>, advance: Advance<'_>) {
    let (name, key) = (tag_name(&s.key("tag")), s.key("key"));
    let what = Invalidation { keys: &[&key], names: &[&name], keep: SHORT, ..Invalidation::default() };
    let sequence = s.ok(s.invalidate(&what)).sequence;
    advance(PAST_MEDIUM);
    for _ in 0..2 {
        s.holds(s.record(&name) >= sequence, "the record after its invalidation's tombstones have ended");
    }
    if s.capabilities().scan {
        s.ok(s.clear(&s.key("")));
        s.holds(s.record(&name) >= sequence, "the record after a clear of other keys");
    }
}

fn records_are_bounded(s: &Subject<'_>, _: Advance<'_>) {
    // Without a bound of its own a backend keeps them all, as entries that would stay.
    if !s.capabilities().conditional {
        return;
    }
    let names: Vec<String> = (0..17_000).map(|number| tag_name(&s.key(&number.to_string()))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut given = Vec::new();
    for some in names.chunks(1_000) {
        given.push(s.invalidate_all(&[], some, 0).sequence);
    }
    for (some, given) in names.chunks(1_000).zip(given) {
        let records = s.ok(s.records(some, given));
        let voids = |number: &u64| *number >= given && *number <= records.sequence;
        s.holds(records.numbers.iter().all(voids), "each record to be its number or a higher one");
    }
}

fn names_are_told_apart(s: &Subject<'_>, _: Advance<'_>) {
    let longest = "x".repeat(MAX_NAME_BYTES - 2 - s.key("").len());
    let names: Vec<String> =
        ODD.iter().copied().chain([longest.as_str(), &longest[1..]]).map(|name| tag_name(&s.key(name))).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let numbers: Vec<u64> = names.iter().map(|name| s.invalidate_all(&[], &[name], 0).sequence).collect();
    let records = s.ok(s.records(&names, 0));
    s.same(&records.numbers.len(), &names.len(), "records");
    s.holds(records.numbers.iter().zip(&numbers).all(|(record, number)| record >= number), "a record for each name");
    // One above its own number can only be that of all, as after lost data.
    let lowest = records.numbers.iter().min().copied().unwrap_or(0);
    let exact = |(record, number): (&u64, &u64)| record == number || *record == lowest;
    s.holds(records.numbers.iter().zip(&numbers).all(exact), "each name to have a number of its own");
}

fn unfit_is_refused(s: &Subject<'_>, _: Advance<'_>) {
    let (key, long) = (s.key("key"), "x".repeat(MAX_NAME_BYTES + 1));
    s.ok(s.set(&key, b"v", None));
    for name in ["", &long] {
        let what = Invalidation { keys: &[&key], names: &[name], keep: LONG, ..Invalidation::default() };
        s.fails(s.invalidate(&what), ErrorKind::Key, "invalidate");
        s.fails(s.records(&[name], 0), ErrorKind::Key, "records");
    }
    for seen in [u64::MAX, MAX_SEQUENCE] {
        let what = Invalidation { keys: &[&key], seen, keep: LONG, ..Invalidation::default() };
        s.fails(s.invalidate(&what), ErrorKind::Backend, "invalidate");
        s.fails(s.records(&[], seen), ErrorKind::Backend, "records");
    }
    s.finds(&key, b"v");
}

fn old_is_refused(s: &Subject<'_>, _: Advance<'_>) {
    let odd = ODD.iter().map(|name| s.key(name)).chain([s.key_of_length("longest", 400)]);
    for key in odd {
        let other = s.key("other");
        let before = s.sequence();
        let sequence = s.invalidate_all(&[&key], &[], before).sequence;
        s.same(&s.ok(s.store(&key, b"old", None, before)), &Stored::Refused { sequence }, "store of an old value");
        s.same(&s.ok(s.store(&key, b"old", None, 0)), &Stored::Refused { sequence }, "store of an old value");
        s.misses(&key);
        s.same(&s.ok(s.store(&other, b"v", None, 0)), &Stored::Stored, "store of another key");
        s.same(&s.ok(s.store(&key, b"new", None, sequence)), &Stored::Stored, "store of a value loaded after it");
        s.same(&s.ok(s.store(&key, b"old", None, before)), &Stored::Refused { sequence }, "store of an old value");
        s.finds(&key, b"new");
        s.same(&s.ok(s.remove_many(&[&key, &other])), &2, "remove_many");
    }
    // Of two invalidations the later one counts.
    let key = s.key("twice");
    let first = s.invalidate_all(&[&key], &[], 0).sequence;
    let second = s.invalidate_all(&[&key], &[], 0).sequence;
    let refused = Stored::Refused { sequence: second };
    s.same(&s.ok(s.store(&key, b"old", None, first)), &refused, "store of a value loaded between two invalidations");
}

fn tombstones_stay(s: &Subject<'_>, advance: Advance<'_>) {
    let keys: Vec<String> = (0..3_000).map(|number| s.key(&number.to_string())).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let sequence = s.invalidate_all(&keys, &[], 0).sequence;
    advance(PAST_MEDIUM);
    for key in keys.iter().step_by(100) {
        let stored = s.ok(s.store(key, b"old", None, sequence - 1));
        s.holds(matches!(stored, Stored::Refused { sequence: found } if found >= sequence), "the store to be refused");
    }
}

/// Loaders read the number, then the truth, then store; others change the truth, then invalidate.
fn no_old_value_stays(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().conditional {
        return;
    }
    for round in 0..5 {
        let (key, truth) = (s.key(&round.to_string()), AtomicU64::new(0));
        race(|number| {
            for _ in 0..20 {
                if number % 4 == 0 {
                    truth.fetch_add(1, Ordering::SeqCst);
                    s.invalidate_all(&[&key], &[], 0);
                } else {
                    let since = s.sequence();
                    let loaded = truth.load(Ordering::SeqCst);
                    let _ = s.ok(s.store(&key, loaded.to_string().as_bytes(), None, since));
                }
            }
        });
        if let Some(left) = s.ok(s.get(&key)) {
            s.same(&left, &truth.into_inner().to_string().into_bytes(), "the value that is left");
        }
    }
}

/// As above, for names: a value carries the number that was read before its load, and is valid from its record on.
fn no_old_value_is_valid(s: &Subject<'_>, _: Advance<'_>) {
    let (key, tag, truth) = (s.key("key"), tag_name(&s.key("tag")), AtomicU64::new(0));
    // The truth as of the latest invalidation that has returned.
    let settled = AtomicU64::new(0);
    race(|number| {
        for _ in 0..20 {
            if number % 4 == 0 {
                let changed = truth.fetch_add(1, Ordering::SeqCst) + 1;
                s.invalidate_all(&[], &[&tag], 0);
                settled.fetch_max(changed, Ordering::SeqCst);
                continue;
            }
            let oldest = settled.load(Ordering::SeqCst);
            let record = s.record(&tag);
            if let Some(found) = s.ok(s.get(&key)) {
                let mut words = found.split(|byte| *byte == b' ').map(|word| {
                    std::str::from_utf8(word).ok().and_then(|word| word.parse::<u64>().ok()).unwrap_or(u64::MAX)
                });
                let (value, since) = (words.next().unwrap_or(u64::MAX), words.next().unwrap_or(0));
                s.holds(since < record || value >= oldest, "a valid value to be none that was invalidated before");
            }
            let since = s.sequence();
            let loaded = truth.load(Ordering::SeqCst);
            let _ = s.ok(s.store(&key, format!("{loaded} {since}").as_bytes(), None, since));
        }
    });
}

fn reserved_are_hidden(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().scan {
        return;
    }
    let (key, tag) = (s.key("key"), tag_name(&s.key("tag")));
    let reserved = format!("{RESERVED_PREFIX}{key}");
    s.ok(s.set(&reserved, b"v", None));
    s.ok(s.set(&key, b"v", None));
    s.invalidate_all(&[&s.key("dropped")], &[&tag], 0);
    let all = s.ok(s.scan(""));
    s.holds(all.contains(&key), "every other key in a scan");
    s.holds(!all.iter().any(|key| is_reserved(key)), "no reserved key in a scan");
    s.same(&s.ok(s.scan(RESERVED_PREFIX)), &Vec::new(), "a scan of the reserved prefix");
    s.finds(&reserved, b"v");
    s.same(&s.ok(s.remove(&reserved)), &true, "remove of a reserved key");
}
