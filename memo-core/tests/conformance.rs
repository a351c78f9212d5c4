//! The conformance suite itself: a plain map passes, and each fault is found under the name of the rule it breaks.
#![cfg(all(feature = "testing", feature = "shared"))]

use memo_core::clock::{self, Tick};
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use memo_core::testing::{MockClock, conformance};
use memo_core::{Cache, Capabilities, Error, ErrorKind, check_key, is_reserved};
use std::collections::HashMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    AddAlwaysStores,
    CutsKeys,
    EmptyValueIsAMiss,
    FoldsCase,
    IncrementWraps,
    KeepsTheFirstTimeout,
    RoundsToSeconds,
    ScanIgnoresThePrefix,
    ScanShowsReserved,
    TakesAnyKey,
    TouchUnclaimed,
}

/// A map with one fault.
struct Faulty {
    map: Mutex<HashMap<String, (Vec<u8>, Tick)>>,
    fault: Fault,
}

impl Faulty {
    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    fn key(&self, key: &str) -> Result<String, Error> {
        if !self.has(Fault::TakesAnyKey) {
            check_key(key)?;
        }
        Ok(match self.fault {
            Fault::CutsKeys => key.chars().take(300).collect(),
            Fault::FoldsCase => key.to_lowercase(),
            _ => key.to_owned(),
        })
    }

    fn deadline(&self, timeout: Option<Duration>) -> Tick {
        let rounded = |timeout: Duration| match self.fault {
            Fault::RoundsToSeconds => Duration::from_secs(timeout.as_secs().max(1)),
            _ => timeout,
        };
        timeout.map_or(Tick::NEVER, |timeout| clock::now().after(rounded(timeout)))
    }

    /// Without the expired ones.
    fn map(&self) -> MutexGuard<'_, HashMap<String, (Vec<u8>, Tick)>> {
        let mut map = self.map.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        map.retain(|_, (_, end)| *end > clock::now());
        map
    }
}

impl Cache for Faulty {
    fn capabilities(&self) -> Capabilities {
        let mut capable = Capabilities::new("faulty");
        (capable.scan, capable.increment) = (true, true);
        capable
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        let found = self.map().get(&self.key(key)?).map(|(bytes, _)| bytes.clone());
        Ok(found.filter(|bytes| !(bytes.is_empty() && self.has(Fault::EmptyValueIsAMiss))))
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        let (key, mut end, mut map) = (self.key(key)?, self.deadline(timeout), self.map());
        if let (Some((_, first)), true) = (map.get(&key), self.has(Fault::KeepsTheFirstTimeout)) {
            end = *first;
        }
        map.insert(key, (bytes.to_vec(), end));
        Ok(())
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        let (key, mut map) = (self.key(key)?, self.map());
        let store = !map.contains_key(&key) || self.has(Fault::AddAlwaysStores);
        if store {
            map.insert(key, (bytes.to_vec(), self.deadline(timeout)));
        }
        Ok(store)
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        Ok(self.map().remove(&self.key(key)?).is_some())
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        let (key, mut map) = (self.key(key)?, self.map());
        let failed = || Error::new(ErrorKind::Backend, format!("incrementing {key}"));
        let (bytes, end) = map.get(&key).cloned().unwrap_or((b"0".to_vec(), self.deadline(timeout)));
        let number: i64 = std::str::from_utf8(&bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(failed)?;
        let sum = match self.fault {
            Fault::IncrementWraps => number.wrapping_add(by),
            _ => number.checked_add(by).ok_or_else(failed)?,
        };
        map.insert(key, (sum.to_string().into_bytes(), end));
        Ok(sum)
    }

    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        if self.has(Fault::TouchUnclaimed) {
            let end = self.deadline(timeout);
            return Ok(self.map().get_mut(key).map(|entry| entry.1 = end).is_some());
        }
        Err(Error::new(ErrorKind::Unsupported, "touching"))
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let literal = !self.has(Fault::ScanIgnoresThePrefix);
        let shown = |key: &&String| self.has(Fault::ScanShowsReserved) || !is_reserved(key);
        let keys: Vec<String> =
            self.map().keys().filter(shown).filter(|key| !literal || key.starts_with(prefix)).cloned().collect();
        for key in keys {
            visit(&key);
        }
        Ok(())
    }
}

/// What is wrong with the invalidations of a map that is right otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    ClaimsABus,
    CountsAllKeys,
    KeepsEntries,
    ManyHaveOneCondition,
    ManyHaveOneTimeout,
    ManyStopAtAnUnfit,
    NeverLifts,
    RecordsNothing,
    RemovesWhatever,
    StandsStill,
    StoresBackwards,
    StoresWhatever,
    TouchesWhatever,
}

/// A map whose invalidations are overridden with a fault.
struct Misled {
    inner: Faulty,
    wrong: Wrong,
}

impl Misled {
    fn is(&self, wrong: Wrong) -> bool {
        self.wrong == wrong
    }

    fn seen(&self, seen: u64) -> u64 {
        if self.is(Wrong::NeverLifts) { 0 } else { seen }
    }
}

impl Cache for Misled {
    fn capabilities(&self) -> Capabilities {
        let mut capable = self.inner.capabilities();
        capable.bus = self.is(Wrong::ClaimsABus);
        capable
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.inner.get(key)
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        self.inner.set(key, bytes, timeout)
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.inner.add(key, bytes, timeout)
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        self.inner.remove(key)
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        self.inner.increment(key, by, timeout)
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.inner.scan(prefix, visit)
    }

    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        if self.is(Wrong::StandsStill) {
            what.check()?;
            return Ok(Invalidated { sequence: what.seen, removed: self.remove_many(what.keys)? });
        }
        let keys = if self.is(Wrong::KeepsEntries) { &[] } else { what.keys };
        let mut done = self.inner.invalidate(&Invalidation { keys, seen: self.seen(what.seen), ..*what })?;
        if self.is(Wrong::CountsAllKeys) {
            done.removed = what.keys.len() as u64;
        }
        Ok(done)
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        if self.is(Wrong::StoresWhatever) {
            return self.set(key, bytes, timeout).map(|()| Stored::Stored);
        }
        self.inner.store(key, bytes, timeout, since)
    }

    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        let Some(first) = entries.first() else { return Vec::new() };
        let one = |entry: &Loaded<'_>| {
            let since = if self.is(Wrong::ManyHaveOneCondition) { first.since } else { entry.since };
            let timeout = if self.is(Wrong::ManyHaveOneTimeout) { first.timeout } else { entry.timeout };
            self.store(entry.key, entry.bytes, timeout, since)
        };
        match self.wrong {
            Wrong::StoresBackwards => {
                let mut stored: Vec<_> = entries.iter().rev().map(one).collect();
                stored.reverse();
                stored
            }
            Wrong::ManyStopAtAnUnfit => match entries.iter().map(one).collect::<Result<Vec<_>, _>>() {
                Ok(all) => all.into_iter().map(Ok).collect(),
                Err(error) => vec![Err(error); entries.len()],
            },
            _ => entries.iter().map(one).collect(),
        }
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        let mut records = self.inner.records(names, self.seen(seen))?;
        if self.is(Wrong::RecordsNothing) {
            // Only the floor is told.
            let floor = self.inner.records(&["t:never"], 0)?.numbers[0];
            records.numbers.fill(floor);
        }
        Ok(records)
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        if self.is(Wrong::RemovesWhatever) { self.remove(key) } else { self.inner.remove_if(key, bytes) }
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        match self.get(key)? {
            Some(found) if self.is(Wrong::TouchesWhatever) => self.set(key, &found, timeout).map(|()| true),
            _ => self.inner.touch_if(key, bytes, timeout),
        }
    }
}

/// What the suite says about a map with this fault.
fn verdict(fault: Fault) -> Result<(), String> {
    verdict_on(Faulty { map: Mutex::default(), fault })
}

fn verdict_on(cache: impl Cache) -> Result<(), String> {
    let clock = MockClock::install();
    let cache: Arc<dyn Cache> = Arc::new(cache);
    let check = || conformance::check(&cache, &mut |span| clock.advance(span), &conformance::block_on);
    panic::catch_unwind(AssertUnwindSafe(check)).map_err(|panic| match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(_) => "a panic without a message".into(),
    })
}

#[test]
fn a_map_without_faults_passes() {
    assert_eq!(verdict(Fault::None), Ok(()));
}

#[test]
fn each_fault_is_found_under_its_rule() {
    let cases = [
        (Fault::AddAlwaysStores, "keys are compared byte by byte"),
        (Fault::CutsKeys, "a key of the greatest length works"),
        (Fault::EmptyValueIsAMiss, "values are bytes, from none to 1 MiB"),
        (Fault::FoldsCase, "keys are compared byte by byte"),
        (Fault::IncrementWraps, "increment refuses what is no number and changes nothing"),
        (Fault::KeepsTheFirstTimeout, "a replaced entry takes the new timeout"),
        (Fault::RoundsToSeconds, "a timeout counts in milliseconds"),
        (Fault::ScanIgnoresThePrefix, "scan takes its prefix literally"),
        (Fault::ScanShowsReserved, "scan doesn't show reserved keys"),
        (Fault::TakesAnyKey, "an empty key is refused"),
        (Fault::TouchUnclaimed, "an operation that is not claimed is Unsupported"),
    ];
    for (fault, rule) in cases {
        let message = verdict(fault).expect_err("a fault");
        assert!(
            message.contains(&format!("the faulty cache (Blocking) breaks the rule `{rule}`")),
            "{fault:?}: {message}"
        );
    }
}

#[test]
fn each_wrong_invalidation_is_found_under_its_rule() {
    let cases = [
        (Wrong::ClaimsABus, "what is published is heard by all who subscribed"),
        (Wrong::CountsAllKeys, "invalidate drops its keys and counts what was there"),
        (Wrong::KeepsEntries, "invalidate drops its keys and counts what was there"),
        (
            Wrong::ManyHaveOneCondition,
            "store_many refuses what was loaded before an invalidation of its key, and nothing else",
        ),
        (Wrong::ManyHaveOneTimeout, "store_many stores each as store does"),
        (Wrong::ManyStopAtAnUnfit, "what can't be stored keeps nothing else out of store_many"),
        (Wrong::NeverLifts, "the sequence never is below what a caller has seen"),
        (Wrong::RecordsNothing, "an invalidation is recorded for its names"),
        (Wrong::RemovesWhatever, "remove_if drops what it names and nothing else"),
        (Wrong::StandsStill, "invalidations are numbered upwards"),
        (Wrong::StoresBackwards, "store_many stores in the order of its entries"),
        (Wrong::StoresWhatever, "what was loaded before an invalidation of its key is not stored"),
        (Wrong::TouchesWhatever, "touch_if renews what it names and nothing else"),
    ];
    for (wrong, rule) in cases {
        let inner = Faulty { map: Mutex::default(), fault: Fault::None };
        let message = verdict_on(Misled { inner, wrong }).expect_err("a fault");
        assert!(
            message.contains(&format!("the faulty cache (Blocking) breaks the rule `{rule}`")),
            "{wrong:?}: {message}"
        );
    }
}
