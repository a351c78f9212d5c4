//! Contenders measured side by side.
//!
//! A machine that others work on is slow for a while and fast for a while, so two figures taken one after the other
//! say little about each other. Here all contenders of a table take turns in short slices, many times over: what
//! disturbs one disturbs its neighbours in time as well, and medians drop what disturbed one alone.

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
    fn calls_per_slice(&self, threads: usize) -> u64 {
        let mut calls = 16;
        loop {
            let took = self.time(threads, calls);
            if took * 4 > SLICE || calls > 1 << 40 {
                let share = SLICE.as_secs_f64() / took.as_secs_f64().max(1e-9);
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a number of calls, and about right is enough"
                )]
                return ((calls as f64 * share) as u64).max(1);
            }
            calls *= 2;
        }
    }
}

/// Lets the contenders take turns for that many rounds.
#[must_use]
pub fn take_turns(contenders: &[Contender<'_>], threads: usize, rounds: usize) -> Measured {
    let calls: Vec<u64> = contenders.iter().map(|contender| contender.calls_per_slice(threads)).collect();
    let mut nanos = vec![Vec::with_capacity(rounds); contenders.len()];
    for round in 0..rounds {
        // Nobody is always first, nor always behind the same one's cache lines.
        for turn in 0..contenders.len() {
            let at = (turn * (1 + round % 2 * contenders.len().saturating_sub(2)) + round) % contenders.len();
            let took = contenders[at].time(threads, calls[at]);
            #[expect(clippy::cast_precision_loss, reason = "a number of calls, far below 2^52")]
            nanos[at].push(took.as_secs_f64() * 1e9 / calls[at] as f64);
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

/// Random numbers, the same in every run (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and nobody iterates over it")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// `length` indices below `count`, the n-th most popular asked for `1 / n` as often as the first (Zipf's law), in an
/// order without a pattern.
#[must_use]
pub fn zipf(count: usize, length: usize) -> Vec<usize> {
    let mut random = Random::new(7);
    let mut sums = Vec::with_capacity(count);
    let mut sum = 0.0;
    for rank in 1..=count {
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let rank = rank as f64;
        sum += 1.0 / rank;
        sums.push(sum);
    }
    // Popular keys lie anywhere, not side by side.
    let mut places: Vec<usize> = (0..count).collect();
    for last in (1..count).rev() {
        places.swap(last, below(&mut random, last + 1));
    }
    let mut pick = || {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let point = (random.next() >> 11) as f64 / (1_u64 << 53) as f64 * sum;
        places[sums.partition_point(|upto| *upto < point).min(count - 1)]
    };
    (0..length).map(|_| pick()).collect()
}

fn below(random: &mut Random, count: usize) -> usize {
    usize::try_from(random.next() % count as u64).unwrap_or(0)
}

/// Whether cargo asks to measure (`cargo bench`), and not only to see that it runs (`cargo test --benches`).
#[must_use]
pub fn is_measuring() -> bool {
    std::env::args().any(|argument| argument == "--bench")
}

#[expect(clippy::disallowed_methods, reason = "this measures time, it does not keep entries fresh")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_indices_come_more_often() {
        let mut counts = [0; 100];
        for index in zipf(100, 10_000) {
            counts[index] += 1;
        }
        counts.sort_unstable();
        assert!(counts[99] > 1_500 && counts[0] < 60, "{counts:?}");
    }

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
