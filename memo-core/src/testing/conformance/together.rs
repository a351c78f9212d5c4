//! Rules on values that are stored together: each of them as if it were alone.

use super::atomic::race;
use super::subject::Subject;
use super::timeouts::{LONG, MEDIUM, PAST_MEDIUM, in_time};
use super::{Advance, Rule, poll_once_and_drop};
use crate::ErrorKind;
use crate::invalidation::{Loaded, Stored, tag_name};
use std::sync::atomic::{AtomicU64, Ordering};

pub(super) const RULES: &[Rule] = &[
    ("store_many stores each as store does", each_is_stored),
    ("store_many stores however many there are, and however large", many_are_stored),
    ("store_many refuses what was loaded before an invalidation of its key, and nothing else", each_has_its_condition),
    ("store_many stores in the order of its entries", twice_is_one_after_the_other),
    ("what can't be stored keeps nothing else out of store_many", unfit_is_alone),
    ("what store_many stores is void by the records of names as any other", records_void),
    ("store_many and invalidations at once never leave an old value", no_old_value_stays),
    ("a dropped store_many takes effect before later operations or never", dropped_takes_no_effect_later),
];

/// Without a timeout, loaded before anything was invalidated.
fn loaded<'a>(key: &'a str, bytes: &'a [u8]) -> Loaded<'a> {
    Loaded { key, bytes, timeout: None, since: 0 }
}

impl Subject<'_> {
    /// What became of each, none of which may have failed.
    #[track_caller]
    fn all_of(&self, entries: &[Loaded<'_>]) -> Vec<Stored> {
        let stored = self.store_many(entries);
        self.same(&stored.len(), &entries.len(), "results of store_many");
        stored.into_iter().map(|one| self.ok(one)).collect()
    }
}

fn each_is_stored(s: &Subject<'_>, advance: Advance<'_>) {
    let (first, empty, ends, stays) = (s.key("first"), s.key("empty"), s.key("ends"), s.key("stays"));
    s.same(&s.all_of(&[]), &Vec::new(), "store_many of nothing");
    s.ok(s.set(&empty, b"replaced", None));
    let entries = [
        loaded(&first, b"first"),
        Loaded { since: 7, ..loaded(&empty, b"") },
        Loaded { timeout: Some(MEDIUM), ..loaded(&ends, b"ends") },
        Loaded { timeout: Some(LONG), ..loaded(&stays, b"stays") },
    ];
    let (stored, found) = in_time(MEDIUM / 2, || (s.all_of(&entries), s.ok(s.get(&ends))));
    s.same(&stored, &vec![Stored::Stored; 4], "store_many");
    s.same(&found.as_deref(), &Some(&b"ends"[..]), "get of what ends later");
    for entry in entries.iter().filter(|entry| entry.key != ends) {
        s.finds(entry.key, entry.bytes);
    }
    advance(PAST_MEDIUM);
    s.misses(&ends);
    s.finds(&first, b"first");
    s.finds(&stays, b"stays");
    s.same(&s.all_of(&[loaded(&first, b"alone")]), &vec![Stored::Stored], "store_many of one");
    s.finds(&first, b"alone");
}

fn many_are_stored(s: &Subject<'_>, _: Advance<'_>) {
    let keys: Vec<String> = (0..2_100).map(|number| s.key(&number.to_string())).collect();
    let large = vec![b'l'; 1 << 20];
    // One in four hundred is large: six of them, which no request should have to carry together.
    let bytes = |at: usize| if at % 400 == 1 { large.as_slice() } else { keys[at].as_bytes() };
    let entries: Vec<Loaded<'_>> = keys.iter().enumerate().map(|(at, key)| loaded(key, bytes(at))).collect();
    s.same(&s.all_of(&entries), &vec![Stored::Stored; keys.len()], "store_many of 2,100 entries");
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = s.ok(s.get_many(&keys));
    for (entry, found) in entries.iter().zip(&found) {
        s.same(&found.as_deref(), &Some(entry.bytes), entry.key);
    }
    s.same(&s.ok(s.remove_many(&keys)), &2_100, "remove_many");
}

fn each_has_its_condition(s: &Subject<'_>, _: Advance<'_>) {
    let keys: Vec<String> = (0..6).map(|number| s.key(&number.to_string())).collect();
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let before = s.sequence();
    let first = s.invalidate_all(&keys[1..4], &[], before).sequence;
    let second = s.invalidate_all(&keys[3..5], &[], first).sequence;
    let mut entries: Vec<Loaded<'_>> = keys.iter().map(|key| Loaded { since: before, ..loaded(key, b"v") }).collect();
    // Loaded after the first invalidation, which its key was part of.
    entries[2].since = first;
    entries[3].since = first;
    let expected = vec![
        Stored::Stored,
        Stored::Refused { sequence: first },
        Stored::Stored,
        Stored::Refused { sequence: second },
        Stored::Refused { sequence: second },
        Stored::Stored,
    ];
    s.same(&s.all_of(&entries), &expected, "store_many of old and new values");
    for (key, stored) in keys.iter().zip(&expected) {
        if *stored == Stored::Stored { s.finds(key, b"v") } else { s.misses(key) }
    }
    let refused = s.all_of(&[entries[1], entries[4]]);
    s.same(&refused, &vec![expected[1], expected[4]], "store_many of old values alone");
    for entry in &mut entries {
        entry.since = second;
    }
    s.same(&s.all_of(&entries), &vec![Stored::Stored; 6], "store_many of values loaded after all invalidations");
}

fn twice_is_one_after_the_other(s: &Subject<'_>, _: Advance<'_>) {
    let (key, other) = (s.key("key"), s.key("other"));
    let twice = [loaded(&key, b"first"), loaded(&other, b"other"), loaded(&key, b"second")];
    s.same(&s.all_of(&twice), &vec![Stored::Stored; 3], "store_many of a key named twice");
    s.finds(&key, b"second");
    s.finds(&other, b"other");
    let sequence = s.invalidate_all(&[&key], &[], 0).sequence;
    let refused = Stored::Refused { sequence };
    let new = Loaded { since: sequence, ..loaded(&key, b"new") };
    let around = [loaded(&key, b"old"), new, loaded(&key, b"old")];
    s.same(
        &s.all_of(&around),
        &vec![refused, Stored::Stored, refused],
        "store_many of an old and a new value of one key",
    );
    s.finds(&key, b"new");
}

fn unfit_is_alone(s: &Subject<'_>, _: Advance<'_>) {
    let (first, last) = (s.key("first"), s.key("last"));
    let too_long = s.key_of_length("too long", crate::MAX_KEY_BYTES + 1);
    let old = s.key("old");
    let sequence = s.invalidate_all(&[&old], &[], 0).sequence;
    let entries = ["", &first, &too_long, &old, "", &last].map(|key| loaded(key, b"v"));
    let stored = s.store_many(&entries);
    s.same(&stored.len(), &entries.len(), "results of store_many");
    for (entry, stored) in entries.iter().zip(stored) {
        match entry.key {
            key if crate::check_key(key).is_err() => {
                s.fails(stored, ErrorKind::Key, "store_many of a key that is none");
            }
            key if key == old => s.same(&s.ok(stored), &Stored::Refused { sequence }, "store_many of an old value"),
            key => {
                s.same(&s.ok(stored), &Stored::Stored, "store_many beside keys that are none");
                s.finds(key, b"v");
            }
        }
    }
    s.misses(&old);
    let none = s.store_many(&[loaded("", b"v")]);
    s.same(&none.len(), &1, "results of store_many");
    for one in none {
        s.fails(one, ErrorKind::Key, "store_many of nothing but a key that is none");
    }
}

/// The conditions are about keys. What is older than the record of its tag may be stored; its readers see that it is void.
fn records_void(s: &Subject<'_>, _: Advance<'_>) {
    let (old, new, tag) = (s.key("old"), s.key("new"), tag_name(&s.key("tag")));
    let before = s.sequence();
    let sequence = s.invalidate_all(&[], &[&tag], before).sequence;
    let entries = [
        Loaded { since: before, ..loaded(&old, b"old") },
        Loaded { since: s.sequence().max(sequence), ..loaded(&new, b"new") },
    ];
    s.all_of(&entries);
    let record = s.record(&tag);
    s.holds(record > entries[0].since, "the record to stay above what was loaded before it");
    s.holds(record <= entries[1].since, "the record to stay below what was loaded after it");
    s.finds(&new, b"new");
}

/// Loaders read the number, then the truth of all keys, then store them together; others change one, then invalidate it.
fn no_old_value_stays(s: &Subject<'_>, _: Advance<'_>) {
    if !s.capabilities().conditional {
        return;
    }
    for round in 0..5 {
        let keys: [String; 4] = std::array::from_fn(|number| s.key(&format!("{round} {number}")));
        let truths: [AtomicU64; 4] = std::array::from_fn(|_| AtomicU64::new(0));
        race(|number| {
            for turn in 0..20 {
                if number % 4 == 0 {
                    let at = (number / 4 + turn) % keys.len();
                    truths[at].fetch_add(1, Ordering::SeqCst);
                    s.invalidate_all(&[&keys[at]], &[], 0);
                } else {
                    let since = s.sequence();
                    let values = truths.each_ref().map(|truth| truth.load(Ordering::SeqCst).to_string());
                    let entries = keys.iter().zip(&values);
                    let entries = entries.map(|(key, value)| Loaded { since, ..loaded(key, value.as_bytes()) });
                    s.all_of(&entries.collect::<Vec<_>>());
                }
            }
        });
        for (key, truth) in keys.iter().zip(truths) {
            if let Some(left) = s.ok(s.get(key)) {
                s.same(&left, &truth.into_inner().to_string().into_bytes(), "the value that is left");
            }
        }
    }
}

fn dropped_takes_no_effect_later(s: &Subject<'_>, _: Advance<'_>) {
    if s.is_blocking() {
        return;
    }
    let (cache, keys) = (s.cache(), [s.key("a"), s.key("b"), s.key("c")]);
    let entries = keys.each_ref().map(|key| loaded(key, b"of the dropped call"));
    for _ in 0..20 {
        s.wait(Box::pin(poll_once_and_drop(cache.store_many_async(&entries))));
        s.ok(s.set(&keys[0], b"later", None));
        s.finds(&keys[0], b"later");
        s.ok(s.remove(&keys[2]));
        s.misses(&keys[2]);
        s.finds(&keys[0], b"later");
    }
}
