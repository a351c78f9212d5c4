//! What `#[cached]` adds to the time it takes to compile a crate.

mod sources;

use crate::root;
use crate::steps::now;
use sources::Way;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

const FUNCTIONS: u16 = 200;
/// What a function may cost more than the same by hand.
const BAR: f64 = 15.0;

const READING: &str = "\
How to read this:
  One crate of 200 functions (numbers, strings, slices, options, results, methods, async) for each way to cache them;
  their dependencies are compiled before. In each round each crate is compiled alone, in turns, without incremental
  files. `s` is the median over the rounds, by the clock; all else is the processors' time, which builds beside hardly
  change: `cpu s` its median, `ms a function` that without what the functions cost uncached, `over by hand` the median,
  over the rounds, of the difference to by hand in the same round, for one function.
";

/// Builds the crates and prints the tables; an error if the bar is missed.
pub(crate) fn run() -> Result<(), String> {
    let folder = root().join("target/compile-time");
    write_crates(&folder)?;
    let mut missed = Vec::new();
    for (title, command, rounds) in [("check", "check", 7), ("release", "build --release", 3)] {
        println!("\n==> {title}: cargo {command} of each crate, {rounds} rounds");
        let rounds = measure(&folder, command, rounds)?;
        let over = report(title, &rounds);
        if over > BAR {
            missed.push(format!("{title} {over:.1} ms"));
        }
    }
    println!("\n{READING}");
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!("memokit costs more than {BAR} ms a function over by hand: {}", missed.join(", ")))
    }
}

/// How long a crate took by the clock, and the time that processors spent on it.
#[derive(Clone, Copy, Default)]
struct Took {
    clock: f64,
    processors: f64,
}

/// What each crate took, in the order of [`Way::ALL`].
type Round = [Took; Way::ALL.len()];

fn measure(folder: &Path, command: &str, count: usize) -> Result<Vec<Round>, String> {
    for way in Way::ALL {
        compile(folder, command, way)?;
    }
    let mut rounds = Vec::new();
    for _ in 0..count {
        let mut round = Round::default();
        for (way, took) in Way::ALL.into_iter().zip(&mut round) {
            let library = library(folder, way);
            let text = fs::read(&library).map_err(|error| format!("reading {}: {error}", library.display()))?;
            write(&library, &text)?;
            let (begin, before) = (now(), spent()?);
            compile(folder, command, way)?;
            *took = Took { clock: begin.elapsed().as_secs_f64(), processors: spent()? - before };
        }
        rounds.push(round);
    }
    Ok(rounds)
}

fn compile(folder: &Path, command: &str, way: Way) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(command.split_whitespace())
        .args(["--quiet", "--package", way.package(), "--target-dir", "target"])
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("running cargo {command}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let message = String::from_utf8_lossy(&output.stderr);
    Err(format!("cargo {command} -p {} in {} failed: {}\n{message}", way.package(), folder.display(), output.status))
}

/// Prints the table; what a function of memokit costs more than one by hand.
fn report(title: &str, rounds: &[Round]) -> f64 {
    let middle = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
    let at = |way: Way| Way::ALL.iter().position(|other| *other == way).unwrap_or(0);
    let difference = |way: Way, from: Way| {
        let of = move |round: &Round| {
            (round[at(way)].processors - round[at(from)].processors) * 1000.0 / f64::from(FUNCTIONS)
        };
        middle(&of)
    };
    println!("\n| {title} | s | cpu s | ms a function | over by hand |\n|---|--:|--:|--:|--:|");
    for way in Way::ALL {
        let clock = middle(&|round| round[at(way)].clock);
        let processors = middle(&|round| round[at(way)].processors);
        let (own, over) = (difference(way, Way::Plain), difference(way, Way::ByHand));
        println!("| {} | {clock:.2} | {processors:.2} | {own:.1} | {over:.1} |", way.title());
    }
    let over = difference(Way::Memokit, Way::ByHand);
    println!(
        "\nbar: memokit at most {BAR} ms a function over by hand: {over:.1}, {}",
        if over > BAR { "MISSED" } else { "holds" }
    );
    over
}

/// The processors' time that all commands so far have taken, in seconds.
fn spent() -> Result<f64, String> {
    let stat = fs::read_to_string("/proc/self/stat").map_err(|error| format!("reading /proc/self/stat: {error}"))?;
    // Behind the program's name, which may have spaces: user and system time of ended children, in hundredths.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    match (ticks(13), ticks(14)) {
        (Some(user), Some(system)) => Ok((user + system) / 100.0),
        _ => Err(format!("/proc/self/stat has no times of children: {stat}")),
    }
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers.get(numbers.len() / 2).copied().unwrap_or(f64::NAN)
}

/// One workspace, so that all crates share one target folder and the versions of the project's lock file.
fn write_crates(folder: &Path) -> Result<(), String> {
    let members: Vec<String> = Way::ALL.iter().map(|way| format!("{:?}", way.package())).collect();
    let manifest = format!("[workspace]\nresolver = \"3\"\nmembers = [{}]\n", members.join(", "));
    for way in Way::ALL {
        let dependency = match way {
            Way::Plain => String::new(),
            Way::ByHand => "quick_cache = \"0.7\"".to_owned(),
            Way::Memokit => format!("memokit = {{ path = '{}' }}", root().display()),
            Way::Cached => "cached = { version = \"4.1\", features = [\"async\"] }".to_owned(),
        };
        let package = way.package();
        let manifest = format!(
            "[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependency}\n"
        );
        write(&folder.join(package).join("Cargo.toml"), manifest.as_bytes())?;
        write(&library(folder, way), sources::library(way, FUNCTIONS.into()).as_bytes())?;
    }
    write(&folder.join("Cargo.toml"), manifest.as_bytes())?;
    let lock = root().join("Cargo.lock");
    let lock = fs::read(&lock).map_err(|error| format!("reading {}: {error}", lock.display()))?;
    write(&folder.join("Cargo.lock"), &lock)
}

fn library(folder: &Path, way: Way) -> PathBuf {
    folder.join(way.package()).join("src/lib.rs")
}

fn write(path: &Path, text: &[u8]) -> Result<(), String> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| fs::write(path, text));
    written.map_err(|error| format!("writing {}: {error}", path.display()))
}
