//! Rules that only show under racing threads: one winner of an add, each removed entry counted once, no torn value.

use super::subject::Subject;
use super::{Advance, Rule};
use std::panic;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

pub(super) const THREADS: usize = 16;
const ROUNDS: usize = 10;

pub(super) const RULES: &[Rule] = &[
    ("of many adds at once one stores", one_add_stores),
    ("of many removes at once one removes", one_remove_removes),
    ("each removed entry is counted by one caller", removed_once),
    ("a value is whole while it is replaced", never_torn),
    ("what one thread stored another reads", seen_by_others),
];

/// Runs `work` on all threads at the same moment, with their numbers.
pub(super) fn race(work: impl Fn(usize) + Sync) {
    let (start, work) = (&Barrier::new(THREADS), &work);
    thread::scope(|scope| {
        let run = move |number| {
            start.wait();
            work(number);
        };
        let threads: Vec<_> = (0..THREADS).map(|number| scope.spawn(move || run(number))).collect();
        for thread in threads {
            // Left to the scope, a panic would lose its message, which names the rule.
            if let Err(panic) = thread.join() {
                panic::resume_unwind(panic);
            }
        }
    });
}

fn one_add_stores(s: &Subject<'_>, _: Advance<'_>) {
    for round in 0..ROUNDS {
        let key = s.key(&round.to_string());
        let (stored, winner) = (AtomicU64::new(0), AtomicU64::new(0));
        race(|number| {
            if s.ok(s.add(&key, number.to_string().as_bytes(), None)) {
                stored.fetch_add(1, Ordering::SeqCst);
                winner.store(number as u64, Ordering::SeqCst);
            }
        });
        s.same(&stored.into_inner(), &1, "adds that stored");
        s.finds(&key, winner.into_inner().to_string().as_bytes());
    }
}

fn one_remove_removes(s: &Subject<'_>, _: Advance<'_>) {
    for round in 0..ROUNDS {
        let key = s.key(&round.to_string());
        s.ok(s.set(&key, b"v", None));
        let removed = AtomicU64::new(0);
        race(|_| {
            removed.fetch_add(u64::from(s.ok(s.remove(&key))), Ordering::SeqCst);
        });
        s.same(&removed.into_inner(), &1, "removes that removed");
        s.misses(&key);
    }
}

fn removed_once(s: &Subject<'_>, _: Advance<'_>) {
    let keys: Vec<String> = (0..40).map(|number| s.key(&number.to_string())).collect();
    let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), b"v".as_slice())).collect();
    for _ in 0..ROUNDS {
        s.ok(s.set_many(&entries, None));
        let removed = AtomicU64::new(0);
        race(|number| {
            // Each thread starts elsewhere and names every key twice, so that they meet.
            let named: Vec<&str> = keys.iter().map(String::as_str).cycle().skip(number * 3).take(80).collect();
            removed.fetch_add(s.ok(s.remove_many(&named)), Ordering::SeqCst);
        });
        s.same(&removed.into_inner(), &40, "entries that remove_many counted over all threads");
    }
}

fn never_torn(s: &Subject<'_>, _: Advance<'_>) {
    let key = s.key("replaced");
    let filled = |number: usize| {
        let byte = u8::try_from(number).unwrap_or(u8::MAX);
        // Lengths differ, so that the end of a longer value would show in a shorter one.
        vec![byte; 3_000 + number * 500]
    };
    s.ok(s.set(&key, &filled(0), None));
    race(|number| {
        for _ in 0..ROUNDS {
            if number % 2 == 0 {
                s.ok(s.set(&key, &filled(number), None));
            }
            let seen = s.ok(s.get(&key)).unwrap_or_else(|| s.fail("a miss while a value is replaced"));
            let writer = usize::from(seen.first().copied().unwrap_or_else(|| s.fail("an empty value")));
            s.same(&seen, &filled(writer), "a value read while it is replaced");
        }
    });
}

fn seen_by_others(s: &Subject<'_>, _: Advance<'_>) {
    let (turn, failed) = (Barrier::new(2), AtomicBool::new(false));
    let (key, last) = (s.key("passed on"), (ROUNDS * 4).to_string());
    let key = key.as_str();
    thread::scope(|scope| {
        scope.spawn(|| {
            for round in 0..=ROUNDS * 4 {
                let stored = s.set(key, round.to_string().as_bytes(), None);
                failed.fetch_or(stored.is_err(), Ordering::SeqCst);
                turn.wait();
                turn.wait();
            }
        });
        for round in 0..=ROUNDS * 4 {
            turn.wait();
            let seen = s.get(key).ok().flatten();
            failed.fetch_or(seen.as_deref() != Some(round.to_string().as_bytes()), Ordering::SeqCst);
            turn.wait();
        }
    });
    // Told only here: a panic between two turns would leave the other thread waiting for ever.
    s.holds(!failed.into_inner(), "each value right after another thread had stored it");
    s.finds(key, last.as_bytes());
}
