//! One fault after the other under load.

use super::load::{Load, Phase, Report, as_a_task, with_copy, without_copy};
use super::own::eventually;
use super::{Ground, TIMEOUT, effort, last, outage};
use memokit::{Cache, Health, health};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Delays are measured, so one at a time.
pub(super) fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For the machine, which has other work too.
const SLACK: Duration = Duration::from_millis(200);

const SOON: Duration = Duration::from_secs(1);

pub(super) struct Outage {
    pub(super) report: Report,
    pub(super) health: Health,
}

/// What a load runs on.
pub(super) trait Servers {
    /// The cache of the functions.
    fn cache(&self) -> &Arc<dyn Cache>;

    /// One that no proxy is in front of.
    fn direct(&self) -> Arc<dyn Cache>;
}

impl Servers for Ground {
    fn cache(&self) -> &Arc<dyn Cache> {
        &self.cache
    }

    fn direct(&self) -> Arc<dyn Cache> {
        Ground::direct(self)
    }
}

/// Load, a fault, and the end of the fault, after which all is as before within a second. Where only a time was too long, which a
/// busy machine can make it, all that is done again: too long each time is too long. With more [`effort`] once is too often.
pub(super) fn outage_of<S: Servers>(
    what: &str,
    start: impl Fn() -> S,
    mut begin: impl FnMut(&mut S),
    length: Duration,
    mut end: impl FnMut(&mut S),
) -> Outage {
    let _one = one_at_a_time();
    let (mut tried, most) = (0, if effort() == 1 { 3 } else { 1 });
    loop {
        tried += 1;
        let (outage, back_after) = one_outage(what, start(), &mut begin, length, &mut end);
        match times(&outage.report, back_after) {
            Ok(()) => return outage,
            Err(late) => assert!(tried < most, "{what}: {late}"),
        }
    }
}

/// Whether nothing took too long.
fn times(report: &Report, back_after: Duration) -> Result<(), String> {
    if back_after >= SOON {
        return Err(format!("back after {back_after:?}"));
    }
    // Connecting and the operation have a timeout each; a call waits for one operation that fails.
    let longest = report.of(Phase::Outage).of_hundred(100);
    if longest >= 2 * TIMEOUT + SLACK {
        return Err(format!("a call took {longest:?}"));
    }
    // The body takes 1 ms; a call may wait for another's, or begin in the moment in which the breaker closes.
    let (most, longest) = (report.open().of_hundred(99), report.open().of_hundred(100));
    if most >= TIMEOUT / 5 || longest >= TIMEOUT + SLACK {
        return Err(format!("{most:?} and {longest:?} with an open breaker"));
    }
    Ok(())
}

/// What happened, and how long after the end of the fault all was as before.
fn one_outage<S: Servers>(
    what: &str,
    mut ground: S,
    begin: &mut impl FnMut(&mut S),
    length: Duration,
    end: &mut impl FnMut(&mut S),
) -> (Outage, Duration) {
    let cache = Arc::clone(ground.cache());
    let load = Load::start(&cache);
    load.goes_on(Duration::from_millis(500));
    load.enter(Phase::Outage);
    begin(&mut ground);
    last(length);
    end(&mut ground);
    let returned = Instant::now();
    let is_back = || {
        let health = health(&cache);
        health.answers && health.hears && health.owed == 0
    };
    while !is_back() {
        assert!(returned.elapsed() < 20 * SOON, "{what}: it does not come back: {:?}", health(&cache));
        last(Duration::from_millis(2));
    }
    let back_after = returned.elapsed();
    load.enter(Phase::After);
    load.goes_on(Duration::from_millis(500));
    let report = load.end();
    report.print(what, back_after);
    // The server has what is loaded now, and calls find it there.
    for key in 0..4 {
        let is_hit = || {
            let (first, hits) = (without_copy(key), without_copy::stats().shared_hits);
            (without_copy(key), without_copy::stats().shared_hits) == (first, hits + 1)
        };
        assert!(eventually(is_hit), "{what}");
        let text = without_copy::key(key).unwrap();
        assert!(ground.direct().get(text.text()).unwrap().is_some(), "{what}");
    }
    (Outage { report, health: health(&cache) }, back_after)
}

/// That the breaker opened, and calls went on while it was open.
pub(super) fn opened(what: &str, outage: &Outage) {
    assert!(outage.health.outages >= 1 && outage.health.skipped > 0, "{what}: {:?}", outage.health);
    let open = outage.report.open().count();
    assert!(open > 100, "{what}: {open} calls");
    assert!(outage.report.failed > 0 && outage.health.applied_late > 0, "{what}: {:?}", outage.health);
    let errors = [without_copy::stats(), with_copy::stats(), as_a_task::stats()].map(|stats| stats.skipped);
    assert!(errors.iter().all(|skipped| *skipped > 0), "{what}: {errors:?}");
}

#[test]
fn killed_in_the_middle_of_loads() {
    let what = "killed";
    let begin = |ground: &mut Ground| ground.server.stop();
    opened(what, &outage_of(what, Ground::new, begin, outage(), |ground| ground.server.restart().unwrap()));
}

#[test]
fn restarted_empty() {
    outage_of("restarted", Ground::new, |ground| ground.server.restart().unwrap(), Duration::ZERO, |_| ());
}

#[test]
fn paused() {
    let what = "paused";
    opened(
        what,
        &outage_of(what, Ground::new, |ground| ground.signal("-STOP"), outage(), |ground| ground.signal("-CONT")),
    );
}

#[test]
fn connected_while_nobody_answers() {
    let what = "half-open";
    opened(
        what,
        &outage_of(what, Ground::new, |ground| ground.proxy.hold_all(), outage(), |ground| ground.proxy.release()),
    );
}

#[test]
fn slow() {
    let slow = |millis| move |ground: &mut Ground| ground.proxy.slow(Duration::from_millis(millis));
    let outage = outage_of("slow", Ground::new, slow(50), outage(), slow(0));
    let calls = outage.report.of(Phase::Outage);
    assert!(calls.of_hundred(99) >= Duration::from_millis(50) && calls.count() > 20, "it is slow");
    assert_eq!((outage.health.outages, outage.health.skipped), (0, 0), "slow is not down");
}
