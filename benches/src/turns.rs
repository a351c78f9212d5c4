//! Contenders measured side by side.
//!
//! A machine that others work on is slow for a while and fast for a while, so two figures taken one after the other
//! say little about each other. Here all contenders of a table take turns in short slices, many times over: what
//! disturbs one disturbs its neighbours in time as well, and medians drop what disturbed one alone.

use crate::float;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long a contender runs before the next one does.
const SLICE: Duration = Duration::from_millis(12);

/// Makes a number of calls; told which of the threads that run at once it is on.
pub type Run<'a> = dyn Fn(usize, u64) + Sync + 'a;

/// One way to do the thing that is measured.
pub struct Contender<'a> {
    /// What the tables call it.
    pub name: &'static str,
    run: Box<Run<'a>>,
}

impl<'a> Contender<'a> {
    /// `run(thread, calls)` makes that many calls.
    pub fn new(name: &'static str, run: impl Fn(usize, u64) + Sync + 'a) -> Self {
        Contender { name, run: Box::new(run) }
    }

    /// How long `calls` calls on each of `threads` threads took, as the mean over the threads.
    ///
    /// # Panics
    /// If a call does.
    #[must_use]
    pub fn time(&self, threads: usize, calls: u64) -> Duration {
        let (started, threads) = (AtomicUsize::new(0), threads.max(1));
        let time = |thread| {
            started.fetch_add(1, Ordering::SeqCst);
            while started.load(Ordering::SeqCst) < threads {
                std::hint::spin_loop();
            }
            let begin = now();
            (self.run)(thread, calls);
            begin.elapsed()
        };
        let total: Duration = std::thread::scope(|scope| {
            let others: Vec<_> = (1..threads).map(|thread| scope.spawn(move || time(thread))).collect();
            let own = time(0);
            own + others.into_iter().map(|other| other.join().expect("no call panics")).sum::<Duration>()
        });
        total / u32::try_from(threads).unwrap_or(u32::MAX)
    }

    /// Calls that take about a slice.
    fn calls_per_slice(&self, threads: usize, slice: Duration) -> u64 {
        let mut calls = 16;
        loop {
            let took = self.time(threads, calls);
            if took * 4 > slice || calls > 1 << 40 {
                let share = slice.as_secs_f64() / took.as_secs_f64().max(1e-9);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a number of calls, and about right is enough"
                )]
                return ((float(calls) * share) as u64).max(1);
            }
            calls *= 2;
        }
    }
}

/// Lets the contenders take turns for that many rounds.
#[must_use]
pub fn take_turns(contenders: &[Contender<'_>], threads: usize, rounds: usize) -> Measured {
    take_turns_of(SLICE, contenders, threads, rounds)
}

/// The same in slices of another length: longer where a contender's memory does not fit into the processor's caches, and
/// it first has to win them back.
#[must_use]
pub fn take_turns_of(slice: Duration, contenders: &[Contender<'_>], threads: usize, rounds: usize) -> Measured {
    let calls: Vec<u64> = contenders.iter().map(|contender| contender.calls_per_slice(threads, slice)).collect();
    let mut nanos = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        // Nobody is always first, nor always behind the same one's cache lines.
        for turn in 0..contenders.len() {
            let at = (turn * (1 + round % 2 * contenders.len().saturating_sub(2)) + round) % contenders.len();
            let took = contenders[at].time(threads, calls[at]);
            nanos[at].push(took.as_secs_f64() * 1e9 / float(calls[at]));
        }
    }
    Measured { names: contenders.iter().map(|contender| contender.name).collect(), nanos }
}

/// Nanoseconds per call, by contender and round.
pub struct Measured {
    names: Vec<&'static str>,
    nanos: Vec<Vec<f64>>,
}

impl Measured {
    /// The median of a contender, in nanoseconds per call on one thread.
    #[must_use]
    pub fn median(&self, name: &str) -> f64 {
        median(self.of(name).to_vec())
    }

    /// How many times as long as `base` a contender takes: the median over the rounds of the two's ratio in a round.
    #[must_use]
    pub fn ratio(&self, name: &str, base: &str) -> f64 {
        median(self.of(name).iter().zip(self.of(base)).map(|(one, other)| one / other).collect())
    }

    /// A Markdown table of all contenders: the median, and the ratio to each of `bases`.
    #[must_use]
    pub fn table(&self, bases: &[&str]) -> String {
        let mut table = String::from("| contender | ns |");
        for base in bases {
            let _ = write!(table, " to {base} |");
        }
        let _ = writeln!(table, "\n|---|--:|{}", "--:|".repeat(bases.len()));
        for name in &self.names {
            let _ = write!(table, "| {name} | {:.1} |", self.median(name));
            for base in bases {
                let _ = write!(table, " {:.2} |", self.ratio(name, base));
            }
            table.push('\n');
        }
        table
    }

    /// A line that says whether a bar holds.
    #[must_use]
    pub fn bar(&self, name: &str, base: &str, most: f64) -> String {
        let ratio = self.ratio(name, base);
        let holds = if ratio <= most { "holds" } else { "MISSED" };
        format!("bar: {name} within {most:.2} of {base}: {ratio:.2}, {holds}")
    }

    fn of(&self, name: &str) -> &[f64] {
        let at = self.names.iter().position(|known| *known == name).expect("a contender of this table");
        &self.nanos[at]
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The time now.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this measures time, it does not keep entries fresh")]
pub fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_within_a_round() {
        let measured = Measured { names: vec!["one", "two"], nanos: vec![vec![1.0, 10.0, 2.0], vec![2.0, 20.0, 4.0]] };
        assert!((measured.ratio("two", "one") - 2.0).abs() < 1e-9);
        assert!((measured.median("one") - 2.0).abs() < 1e-9);
        assert!(measured.bar("two", "one", 1.5).ends_with("MISSED"));
    }

    #[test]
    fn every_thread_makes_its_calls() {
        let calls = AtomicUsize::new(0);
        let contender = Contender::new("counts", |_, n| {
            calls.fetch_add(usize::try_from(n).unwrap_or(0), Ordering::SeqCst);
        });
        assert!(contender.time(2, 50) < Duration::from_secs(60));
        assert_eq!(calls.load(Ordering::SeqCst), 100);
    }
}
