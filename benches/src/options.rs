//! The command line of the benches.

use crate::figures::{self, Figures};
use crate::is_measuring;
use crate::traces::Traces;
use lexopt::Arg::{Long, Short, Value};
use lexopt::ValueExt as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::{iter, thread};

/// What a bench is asked to do.
pub struct Options {
    /// Whether figures are wanted, and not only to see that it runs.
    pub measures: bool,
    /// How many threads call at once, one measurement each.
    pub threads: Vec<usize>,
    /// How often the contenders take turns, where that is not left to the bench.
    pub rounds: Option<usize>,
    /// The traces to use.
    pub traces: Traces,
    filter: Option<String>,
    output: PathBuf,
}

/// A bench: what its help says, and which of the options that not all benches have it knows.
pub struct Bench {
    /// The first lines of `--help`.
    pub about: &'static str,
    /// Of `THREADS`, `ROUNDS` and `TRACES`.
    pub knows: &'static [Known],
}

/// Options that some benches have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// `--threads`
    Threads,
    /// `--rounds`
    Rounds,
    /// `--traces` and `--synthetic`
    Traces,
}

impl Known {
    fn help(self) -> &'static str {
        match self {
            Known::Threads => {
                "  --threads N[,N…]  how many threads call at once; else 1, 2, 4 and so on up to the machine's\n"
            }
            Known::Rounds => {
                "  --rounds N        how many times the contenders take turns; more is slower and steadier\n"
            }
            Known::Traces => {
                "  --traces FOLDER   recorded traces, as benches/README.md names them; else ../shared/traces beside the\n  \
                 \x20                 repository if it is there, else synthetic ones\n  \
                 --synthetic       synthetic traces in any case\n"
            }
        }
    }
}

impl Bench {
    /// Reads the command line, runs the bench, and says what went wrong.
    pub fn main(&self, run: impl FnOnce(&Options) -> Result<(), String>) -> ExitCode {
        let options = match self.parse(lexopt::Parser::from_env()) {
            Ok(Some(options)) => options,
            Ok(None) => {
                print!("{}", self.help());
                return ExitCode::SUCCESS;
            }
            Err(error) => {
                eprintln!("error: {error}\nTry --help.");
                return ExitCode::from(2);
            }
        };
        match run(&options) {
            Ok(()) => ExitCode::SUCCESS,
            Err(message) => {
                eprintln!("error: {message}");
                ExitCode::FAILURE
            }
        }
    }

    fn help(&self) -> String {
        let own: String = self.knows.iter().map(|known| known.help()).collect();
        format!(
            "{}\n\nUsage: cargo bench --bench NAME -- [options] [FILTER]\n\n\
             With FILTER only contenders whose names contain it take part, and no file is written.\n\n\
             Options:\n{own}  \
             --output FOLDER   where the figures go; else benches/results\n  \
             --test            see that it runs, in a second; so without cargo bench\n  \
             --help            this\n",
            self.about
        )
    }

    /// `None` where help is asked for.
    fn parse(&self, mut arguments: lexopt::Parser) -> Result<Option<Options>, lexopt::Error> {
        let mut options = Options {
            measures: is_measuring(),
            threads: thread_counts(),
            rounds: None,
            traces: Traces::Default,
            filter: None,
            output: figures::folder(),
        };
        while let Some(argument) = arguments.next()? {
            match argument {
                Short('h') | Long("help") => return Ok(None),
                // From cargo; and what is meant for the tests' own harness, in `cargo test --benches -- --nocapture`.
                Long("bench" | "nocapture") => {}
                Long("test") => options.measures = false,
                Long("output") => options.output = arguments.value()?.into(),
                Long("threads") if self.knows.contains(&Known::Threads) => {
                    options.threads = arguments.value()?.parse_with(counts)?;
                }
                Long("rounds") if self.knows.contains(&Known::Rounds) => {
                    options.rounds = Some(arguments.value()?.parse_with(count)?);
                }
                Long("traces") if self.knows.contains(&Known::Traces) => {
                    options.traces = Traces::Folder(arguments.value()?.into());
                }
                Long("synthetic") if self.knows.contains(&Known::Traces) => options.traces = Traces::Synthetic,
                Value(text) if options.filter.is_none() => options.filter = Some(text.string()?),
                other => return Err(other.unexpected()),
            }
        }
        Ok(Some(options))
    }
}

impl Options {
    /// Whether this contender takes part.
    #[must_use]
    pub fn takes(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    /// The full figure where something is measured, and otherwise one just large enough to see that it runs.
    #[must_use]
    pub fn scaled<T>(&self, measuring: T, testing: T) -> T {
        if self.measures { measuring } else { testing }
    }

    /// Prints the tables, and writes them to a file if they are of a full run.
    pub fn report(&self, figures: &Figures) -> Result<(), String> {
        for table in figures.tables.iter().filter(|table| !table.columns.is_empty()) {
            println!("\n### {}\n\n{}", table.title, table.markdown());
        }
        if self.measures && self.filter.is_none() {
            let path = figures.write(&self.output)?;
            println!("figures: {}; `cargo xtask draw` makes tables and plots of them", path.display());
        }
        Ok(())
    }
}

/// 1, 2, 4 and so on, and as many as the machine has.
fn thread_counts() -> Vec<usize> {
    let most = thread::available_parallelism().map_or(1, usize::from);
    let mut counts: Vec<usize> =
        iter::successors(Some(1), |count| Some(count * 2)).take_while(|count| *count < most).collect();
    counts.push(most);
    counts
}

fn counts(text: &str) -> Result<Vec<usize>, String> {
    text.split(',').map(count).collect()
}

fn count(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(count) if count > 0 => Ok(count),
        _ => Err(format!("{text:?} is not a count of at least 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BENCH: Bench = Bench { about: "A sample.", knows: &[Known::Threads] };

    fn parse(arguments: &[&str]) -> Result<Option<Options>, String> {
        BENCH.parse(lexopt::Parser::from_args(arguments)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_bench_refuses_what_it_does_not_know() {
        let options = parse(&["--bench", "--threads", "1,3", "moka"]).expect("known").expect("no help");
        assert_eq!(options.threads, [1, 3]);
        assert!(options.takes("moka") && !options.takes("memokit"));
        assert!(parse(&["--synthetic"]).is_err_and(|error| error.contains("--synthetic")));
        assert!(parse(&["--threads", "0"]).is_err_and(|error| error.contains("at least 1")));
        assert!(parse(&["-h"]).expect("known").is_none());
        assert!(BENCH.help().contains("--threads") && !BENCH.help().contains("--synthetic"));
    }
}
