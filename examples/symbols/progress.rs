//! How far a long step is: a bar on a terminal, elsewhere a plain line every so often.

use crate::measure;
use crate::say;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(5);

/// The progress of one step, on standard error.
pub(crate) struct Progress {
    bar: ProgressBar,
    what: String,
    terminal: bool,
    last_line: Mutex<Instant>,
}

impl Progress {
    /// A step whose length is known.
    pub(crate) fn bounded(what: impl Into<String>, total: u64) -> Self {
        Progress::new(what.into(), Some(total), "{prefix:<28} {bar:32} {pos}/{len} {msg}")
    }

    /// A step that only counts.
    pub(crate) fn unbounded(what: impl Into<String>) -> Self {
        Progress::new(what.into(), None, "{prefix:<28} {spinner} {pos} {msg}")
    }

    fn new(what: String, total: Option<u64>, template: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let bar = if terminal {
            let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            total.map_or_else(ProgressBar::no_length, ProgressBar::new).with_style(style).with_prefix(what.clone())
        } else {
            let bar = ProgressBar::hidden();
            if let Some(total) = total {
                bar.set_length(total);
            }
            bar
        };
        Progress { bar, what, terminal, last_line: Mutex::new(measure::now()) }
    }

    /// How far it is.
    pub(crate) fn at(&self) -> u64 {
        self.bar.position()
    }

    /// Tells how far it is.
    pub(crate) fn set(&self, at: u64) {
        self.bar.set_position(at);
        if self.terminal {
            return;
        }
        // Whoever finds the lock taken leaves the line to the other.
        let Ok(mut last) = self.last_line.try_lock() else { return };
        if last.elapsed() >= EVERY {
            *last = measure::now();
            match self.bar.length() {
                Some(total) => say::err(format_args!("{}: {at} of {total}", self.what)),
                None => say::err(format_args!("{}: {at}", self.what)),
            }
        }
    }

    /// Adds a remark behind the bar.
    pub(crate) fn remark(&self, text: String) {
        self.bar.set_message(text);
    }

    /// Takes the bar away: what came of the step is told by the caller.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
