//! Two processes on one folder: what one has loaded the other finds, and what one invalidates is gone for both.
//!
//! `cargo run --example two_processes`, with `--help` for what else it takes. The second process is this program, run
//! again with `--second`; it does what it reads line by line.

use lexopt::{Arg, Parser, ValueExt};
use memokit::{FileCache, cached, register};
use std::error::Error;
use std::io::{BufRead, BufReader, Lines, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio, id};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const HELP: &str = "\
Two processes that share what a cached function has loaded, through a folder.

Usage: two_processes [OPTIONS]

Options:
  --folder PATH    the folder of the cache; it stays [a temporary one, which is removed]
  --millis N       how long a load takes, 0 to 10000 [300]
  -h, --help       this text

Exit codes: 0 every call was answered as it should be; 1 it was not, or something failed; 2 a wrong option.
";

type Failure = Box<dyn Error + Send + Sync>;

static MILLIS: AtomicU32 = AtomicU32::new(300);

/// Something slow, and who did it. Without a local level every call looks into the folder.
#[cached(cache = "shared", local = false, timeout = "1h")]
fn report(month: u32) -> (String, u32) {
    thread::sleep(Duration::from_millis(u64::from(MILLIS.load(Ordering::Relaxed))));
    (format!("report of month {month}"), id())
}

struct Options {
    folder: Option<PathBuf>,
    second: bool,
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => return ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two_processes: {error}; try --help");
            return ExitCode::from(2);
        }
    };
    let done = match (options.second, options.folder) {
        (true, Some(folder)) => second(&folder),
        (_, Some(folder)) => first(&folder),
        (_, None) => tempfile::tempdir().map_err(Failure::from).and_then(|folder| first(folder.path())),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("two_processes: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` if only the help was asked for.
fn options() -> Result<Option<Options>, Failure> {
    let mut options = Options { folder: None, second: false };
    let mut arguments = Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Arg::Long("folder") => options.folder = Some(arguments.value()?.into()),
            Arg::Long("millis") => {
                let millis: u32 = arguments.value()?.parse()?;
                if millis > 10_000 {
                    return Err(format!("--millis takes 0 to 10000, not {millis}").into());
                }
                MILLIS.store(millis, Ordering::Relaxed);
            }
            // Not in the help: how this program starts itself.
            Arg::Long("second") => options.second = true,
            Arg::Short('h') | Arg::Long("help") => {
                print!("{HELP}");
                return Ok(None);
            }
            argument => return Err(argument.unexpected().into()),
        }
    }
    Ok(Some(options))
}

fn open(folder: &Path) -> Result<(), Failure> {
    register("shared", Arc::new(FileCache::builder(folder).max_bytes(64 << 20).build()?));
    Ok(())
}

/// What is done, in one process or the other; answers in one line.
fn perform(line: &str) -> Result<String, Failure> {
    let (verb, month) = line.split_once(' ').ok_or("a line without a month")?;
    let month = month.parse()?;
    match verb {
        "call" => Ok(report(month).1.to_string()),
        "invalidate" => Ok(report::invalidate(month)?.to_string()),
        _ => Err(format!("no such verb: {verb}").into()),
    }
}

/// The second process: one line in, one line out, until there are no more.
fn second(folder: &Path) -> Result<(), Failure> {
    open(folder)?;
    for line in std::io::stdin().lines() {
        println!("{}", perform(&line?)?);
    }
    Ok(())
}

struct Second {
    process: Child,
    orders: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Second {
    fn start(folder: &Path) -> Result<Second, Failure> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--second", "--millis", &MILLIS.load(Ordering::Relaxed).to_string(), "--folder"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = process.stdin.take().ok_or("no way to the second process")?;
        let answers = BufReader::new(process.stdout.take().ok_or("no way from the second process")?).lines();
        Ok(Second { process, orders, answers })
    }

    fn perform(&mut self, line: &str) -> Result<String, Failure> {
        writeln!(self.orders, "{line}")?;
        Ok(self.answers.next().ok_or("the second process has ended early")??)
    }
}

impl Drop for Second {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::disallowed_methods, reason = "this measures time, it does not keep entries fresh")]
fn now() -> Instant {
    Instant::now()
}

/// The first process, which tells the second what to do.
fn first(folder: &Path) -> Result<(), Failure> {
    open(folder)?;
    // A folder that stays may have entries of an earlier run.
    report::invalidate_all()?;
    let mut other = Second::start(folder)?;
    let (own, others) = (id(), other.process.id());
    println!(
        "one folder, two processes: first {own}, second {others}; a load takes {} ms\n",
        MILLIS.load(Ordering::Relaxed)
    );
    println!("| process | does               | ms   | the value was loaded by |");
    println!("|---------|--------------------|------|-------------------------|");

    let mut step = |in_first: bool, line: &str, expected: &str| -> Result<(), Failure> {
        let start = now();
        let answer = if in_first { perform(line) } else { other.perform(line) }?;
        let millis = start.elapsed().as_millis();
        let by = match &answer {
            by if *by == own.to_string() => "first",
            by if *by == others.to_string() => "second",
            _ => "",
        };
        let name = if in_first { "first" } else { "second" };
        println!("| {name:<7} | {line:<18} | {millis:>4} | {by:<23} |");
        if by == expected || answer == expected { Ok(()) } else { Err(format!("{name}, {line}: {answer}").into()) }
    };
    step(true, "call 1", "first")?;
    step(false, "call 1", "first")?;
    step(false, "call 2", "second")?;
    step(true, "call 2", "second")?;
    step(true, "invalidate 2", "true")?;
    step(false, "call 2", "second")?;
    step(false, "invalidate 1", "true")?;
    step(true, "call 1", "first")?;
    step(false, "call 3", "second")?;
    drop(other);
    println!("| second  | is killed          |      |                         |");
    let by = report(3).1;
    println!("| first   | call 3             |      | {:<23} |", if by == others { "second" } else { "first" });
    if by == others { Ok(()) } else { Err("what a killed process had stored is lost".into()) }
}
