//! What the user reads: what was indexed, and what each run brought.

use crate::args::Options;
use crate::index::Index;
use crate::load::Seen;
use crate::measure::{count, per_second, percentile, time};
use crate::mode::Mode;
use crate::say;
use crate::table;
use crate::workload::Workload;
use memokit::Stats;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// How many of the skipped files are named without `--verbose`.
const NAMED: usize = 3;

/// Tells what was indexed and what was not.
pub(crate) fn index(folders: &[PathBuf], index: &Index, options: &Options) {
    let bytes: u64 = index.entries().iter().map(|entry| entry.bytes).sum();
    let folders: Vec<_> = folders.iter().map(|folder| folder.display().to_string()).collect();
    say::out(format_args!(
        "{} symbol files, {} MB, in {}{}",
        count(index.entries().len() as u64),
        count(bytes / 1_000_000),
        folders.join(" "),
        if index.cut {
            format!(" (the first {}; --files takes more)", count(options.files as u64))
        } else {
            String::new()
        },
    ));
    if index.without_build_id > 0 {
        say::out(format_args!("{} ELF files have no build id and can't be asked for", count(index.without_build_id)));
    }
    if !index.skipped.is_empty() {
        say::out(format_args!("{} skipped as unreadable or damaged:", count(index.skipped.len() as u64)));
        let named = if options.verbose { usize::MAX } else { NAMED };
        for (path, why) in index.skipped.iter().take(named) {
            say::out(format_args!("  {}: {why}", path.display()));
        }
        if index.skipped.len() > named {
            say::out("  ... --verbose names them all");
        }
    }
}

/// Tells what the clients are about to do.
pub(crate) fn workload(workload: &Workload, options: &Options) {
    let (real, missing) = workload.counts();
    say::out(format_args!(
        "{} clients look up {} real and {} missing names, {:.0} % of the time a missing one, and upload {}",
        options.clients,
        count(real as u64),
        count(missing as u64),
        options.missing * 100.0,
        count(workload.uploads.len() as u64),
    ));
}

/// Tells where the server is, and what to ask it.
pub(crate) fn serving(address: SocketAddr, workload: &Workload) {
    say::out(format_args!("serving on http://{address} until Ctrl-C; try"));
    say::out(format_args!("  curl http://{address}{}", workload.name(0).path()));
}

/// One run.
pub(crate) struct Row {
    mode: &'static str,
    cached: bool,
    seen: Seen,
    searches: u64,
    stats: Stats,
}

impl Row {
    pub(crate) fn new(mode: &Mode, mut seen: Seen, searches: u64, stats: Stats) -> Self {
        seen.latencies.sort_unstable();
        Row { mode: mode.name, cached: mode.cache.is_some(), seen, searches, stats }
    }

    /// Whether every question got an answer, and the right one.
    pub(crate) fn is_right(&self) -> bool {
        self.seen.stale == 0 && self.seen.wrong == 0 && self.seen.failed == 0
    }

    fn rate(&self) -> f64 {
        per_second(self.seen.requests, self.seen.elapsed)
    }

    fn cells(&self) -> Vec<String> {
        let latency = |share| time(Duration::from_nanos(percentile(&self.seen.latencies, share)));
        let of_the_cache = |text: String| if self.cached { text } else { "-".to_owned() };
        vec![
            self.mode.to_owned(),
            count(self.seen.requests),
            format!("{:.0}", self.rate()),
            latency(0.5),
            latency(0.99),
            of_the_cache(count(self.stats.hits())),
            of_the_cache(count(self.stats.misses)),
            count(self.searches),
            of_the_cache(time(self.stats.time_saved())),
            count(self.seen.uploads),
            count(self.seen.stale),
            count(self.seen.wrong),
            count(self.seen.failed),
        ]
    }
}

/// Prints the table, and what went wrong.
pub(crate) fn runs(rows: &[Row]) {
    let header = [
        "mode",
        "requests",
        "req/s",
        "p50",
        "p99",
        "hits",
        "misses",
        "loads",
        "time saved",
        "uploads",
        "stale",
        "wrong",
        "failed",
    ];
    let cells: Vec<Vec<String>> = rows.iter().map(Row::cells).collect();
    say::out("");
    say::out(table::render(&header, &cells).trim_end());
    say::out("");
    for row in rows.iter().filter(|row| row.is_right()) {
        say::out(format_args!(
            "{}: the answers for {} names are those found without the cache, and none was older than the last upload",
            row.mode,
            count(row.seen.compared),
        ));
    }
    for row in rows {
        for complaint in &row.seen.complaints {
            say::err(format_args!("{}: {complaint}", row.mode));
        }
        if row.seen.failed > 0 {
            say::err(format_args!(
                "{}: {} requests failed, or their answers could not be compared",
                row.mode,
                count(row.seen.failed)
            ));
        }
    }
}
