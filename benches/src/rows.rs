//! Which traces are run at which bounds.
//!
//! A row has functions of its own, since the bound is a part of their attributes and nothing may be left in them from
//! another trace.

use crate::contenders::{CACHED, Call, LRU, MEMOKIT, MEMOKIT_BY_COST, MOKA, QUICK, loads, lru, moka, quick_cache};
use crate::figures::{Better, Chart, Figures, Table};
use crate::options::Options;
use crate::traces::{Trace, Traces};
use crate::{Progress, bounded};

/// A trace at a bound.
pub struct Row {
    /// The trace's name.
    pub trace: &'static str,
    /// The bound.
    pub capacity: usize,
    memokit: fn(u64) -> u64,
    by_cost: fn(u64) -> u64,
    cached: fn(u64) -> u64,
}

/// The contenders of a row, in the tables' order.
pub const CONTENDERS: [&str; 6] = [MEMOKIT, MEMOKIT_BY_COST, QUICK, MOKA, CACHED, LRU];

macro_rules! rows {
    ($($trace:literal: $($capacity:tt),+;)+) => {
        [$($({
            let [memokit, cached, _, by_cost] = bounded!($capacity);
            Row { trace: $trace, capacity: $capacity, memokit, by_cost, cached }
        },)+)+]
    };
}

/// All rows: of recorded traces first, then of synthetic ones.
#[must_use]
pub fn all() -> impl IntoIterator<Item = Row> {
    rows! {
        "OLTP": 1_000, 5_000, 15_000;
        "orm-busy": 5_000, 20_000;
        "corda": 2_000, 20_000;
        "loop": 500;
        "2_pools": 500, 2_000;
        "web07": 1_000, 4_000;
        "P3": 20_000, 80_000;
        "Zipf 0.9": 1_000, 10_000;
        "Zipf 1.0": 1_000, 10_000;
        "synthetic loop": 500;
        "Zipf and scans": 1_000, 5_000;
        "moving set": 1_000, 3_000;
    }
}

impl Row {
    /// What the tables call it.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}, {}", self.trace, self.capacity)
    }

    /// A contender's function, empty: each is taken once.
    #[must_use]
    pub fn call(&self, contender: &str) -> Call {
        match contender {
            MEMOKIT => Box::new(self.memokit),
            MEMOKIT_BY_COST => Box::new(self.by_cost),
            CACHED => Box::new(self.cached),
            QUICK => quick_cache(self.capacity),
            MOKA => moka(self.capacity),
            LRU => lru(self.capacity),
            unknown => unreachable!("{unknown} is none of CONTENDERS"),
        }
    }
}

/// A table of all rows whose traces are there, a figure in percent for each contender, and their means.
pub fn table(
    options: &Options,
    mut figures: Figures,
    (title, unit): (&str, &str),
    mut measure: impl FnMut(&Call, &Trace) -> f64,
) -> Result<Figures, String> {
    // The synthetic ones are always at hand, and small.
    let source = if options.measures { options.traces.find()? } else { Traces::Synthetic.find()? };
    figures.about = format!("{} {}", figures.about, source.about());
    let contenders: Vec<&str> = CONTENDERS.into_iter().filter(|name| options.takes(name)).collect();
    let rows: Vec<Row> = all().into_iter().filter(|row| source.names().contains(&row.trace)).collect();
    let mut table =
        Table::new(title, unit, Better::More, "trace, capacity", &contenders).drawn(Chart::Dots).decimals(2);

    let progress = Progress::new(rows.len() * contenders.len());
    for &name in source.names() {
        progress.begin(format!("reading {name}"));
        let mut trace = source.load(name)?;
        trace.requests.truncate(options.scaled(usize::MAX, 5_000));
        for row in rows.iter().filter(|row| row.trace == name) {
            let mut values = Vec::new();
            for contender in &contenders {
                progress.begin(format!("{}: {contender}", row.name()));
                values.push(100.0 * measure(&row.call(contender), &trace));
                progress.step();
            }
            table.push(row.name(), values);
        }
    }
    drop(progress);
    table.push_mean("mean");
    figures.tables.push(table);
    Ok(figures)
}

/// Calls the function with all requests, and hands each to `tell` with whether it was a hit.
pub fn replay(call: &Call, requests: &[u32], mut tell: impl FnMut(u32, bool)) {
    let mut before = loads();
    for &request in requests {
        std::hint::black_box(call(u64::from(request)));
        let after = loads();
        tell(request, after == before);
        before = after;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::traces::{recorded, synthetic};

    #[test]
    fn every_row_has_a_trace_and_every_trace_a_row() {
        let rows: Vec<_> = all().into_iter().map(|row| row.trace).collect();
        let traces: Vec<_> = recorded::NAMES.into_iter().chain(synthetic::NAMES).collect();
        assert!(rows.iter().all(|row| traces.contains(row)), "{rows:?}");
        assert!(traces.iter().all(|trace| rows.contains(trace)), "{traces:?}");
    }

    #[test]
    fn rows_of_one_bound_share_nothing() {
        let rows: Vec<_> = all().into_iter().filter(|row| row.capacity == 500).collect();
        for row in &rows[..2] {
            for contender in CONTENDERS {
                let mut hits = 0;
                replay(&row.call(contender), &[1, 2, 1, 2, 3], |_, hit| hits += u32::from(hit));
                assert_eq!(hits, 2, "{contender} of {}", row.name());
            }
        }
    }
}
