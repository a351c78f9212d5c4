//! What takes longer than a change should wait for: models of what threads do to each other, tools that watch memory, servers
//! that fail and processes that share one.

use crate::steps::now;
use crate::{root, servers};
use std::fmt::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How much longer than in the gate the random tests run.
const EFFORT: &str = "20";

/// A step, and the seconds after which it is stopped: that of a machine that hangs, not of one that is slow.
struct Step {
    name: &'static str,
    what: &'static str,
    environment: &'static [(&'static str, &'static str)],
    command: &'static str,
    seconds: u32,
}

// The values that functions remember are never freed, on purpose, so leaks are not looked for. LMDB is C and built as
// always: AddressSanitizer sees what Rust code does to its memory, valgrind sees both.
const STEPS: [Step; 10] = [
    Step {
        name: "models",
        what: "the memos' cell, loads, both levels and what is freed, under schedulers that interrupt (shuttle)",
        environment: &[("RUSTFLAGS", "--cfg shuttle"), ("MEMOKIT_TEST_EFFORT", EFFORT)],
        command: "cargo test --release -p memo-core --lib --target-dir target/deep/shuttle models",
        seconds: 600,
    },
    Step {
        name: "memory orders",
        what: "how readers announce themselves, under all orders of memory there are (loom)",
        environment: &[("RUSTFLAGS", "--cfg loom")],
        command: "cargo test --release -p memo-core --lib --target-dir target/deep/loom epoch::models",
        seconds: 600,
    },
    Step {
        name: "address, core and files",
        what: "AddressSanitizer over unit tests, entries and FileCache",
        environment: &[("RUSTFLAGS", "-Zsanitizer=address"), ("ASAN_OPTIONS", "detect_leaks=0")],
        command: "rustup run nightly cargo test --target x86_64-unknown-linux-gnu --target-dir target/deep/address \
                  -p memo-core -p memo-backends --features memo-core/testing,memo-core/json,memo-core/messagepack,\
                  memo-core/bincode,memo-core/lz4,memo-core/zstd,memo-backends/file --lib --test mutated_entries \
                  --test sealed_attacks --test file --test file_folder",
        seconds: 600,
    },
    Step {
        name: "address, functions",
        what: "AddressSanitizer over cached functions: generic, methods, many threads, tasks",
        environment: &[("RUSTFLAGS", "-Zsanitizer=address"), ("ASAN_OPTIONS", "detect_leaks=0")],
        command: "rustup run nightly cargo test --target x86_64-unknown-linux-gnu --target-dir target/deep/address \
                  -p memokit --test generics --test methods --test single_flight --test async_calls \
                  --test values_and_locks --test shared_prefix",
        seconds: 600,
    },
    Step {
        name: "valgrind, functions",
        what: "memcheck over the same cell",
        environment: &[("RUSTFLAGS", LIBC), (RUNNER, VALGRIND)],
        command: "cargo test --target-dir target/deep/valgrind -p memokit --test generics --test methods \
                  --test shared_prefix",
        seconds: 600,
    },
    Step {
        name: "valgrind, local level",
        what: "memcheck over readers that take no lock, and what is freed beside them",
        environment: &[("RUSTFLAGS", LIBC), (RUNNER, VALGRIND)],
        command: "cargo test --target-dir target/deep/valgrind -p memo-core --features testing --lib -- local:: epoch::",
        seconds: 600,
    },
    Step {
        name: "valgrind, files",
        what: "memcheck over FileCache and the LMDB below it",
        environment: &[("RUSTFLAGS", LIBC), (RUNNER, VALGRIND)],
        command: "cargo test --target-dir target/deep/valgrind -p memo-backends --features file --lib file",
        seconds: 600,
    },
    Step {
        name: "random tests, longer",
        what: "properties of functions, keys and hostile entries",
        // As for valgrind, so that nothing is compiled again.
        environment: &[("RUSTFLAGS", LIBC), ("MEMOKIT_TEST_EFFORT", EFFORT)],
        command: "cargo test --target-dir target/deep/valgrind -p memo-core -p memokit --features memo-core/bincode \
                  --test properties --test key_properties --test mutated_entries --test sealed_attacks",
        seconds: 600,
    },
    Step {
        name: "outages",
        what: "Redis servers that are killed, paused, slow, cut off or replaced under load, most for 10 s",
        environment: &[("RUSTFLAGS", LIBC), ("MEMOKIT_TEST_EFFORT", EFFORT)],
        command: "cargo test --target-dir target/deep/valgrind -p memokit --test faults",
        seconds: 600,
    },
    Step {
        name: "coherence",
        what: "four processes that read and invalidate what they share on a Redis server, a million operations",
        environment: &[("RUSTFLAGS", LIBC), ("MEMOKIT_TEST_EFFORT", EFFORT)],
        command: "cargo test --target-dir target/deep/valgrind -p memokit --test coherence",
        seconds: 600,
    },
];

const RUNNER: &str = "CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER";
/// Without it `rustix` reads the clock from a page of the kernel's that programs under valgrind don't have.
const LIBC: &str = "--cfg rustix_use_libc";
const VALGRIND: &str = "valgrind --quiet --error-exitcode=9 --num-callers=30";

/// Installs valgrind where it is not there; the other tools come with the nightly toolchain.
const TOOLS: &str = "\
rustup run nightly rustc --version || rustup toolchain install nightly --profile minimal
command -v valgrind || { apt-get install -y --no-install-recommends valgrind \
|| { apt-get update && apt-get install -y --no-install-recommends valgrind; }; }";

/// Runs every step, whatever the others say, and prints how each went.
pub(crate) fn run() -> Result<(), String> {
    let tools = Command::new("sh").args(["-ec", TOOLS]).stdin(Stdio::null()).status();
    if !tools.is_ok_and(|status| status.success()) {
        return Err(
            "no nightly toolchain or no valgrind: `rustup toolchain install nightly`, and install valgrind with \
                    the system's package manager"
                .to_owned(),
        );
    }
    // Kept to the end of the function: the server stops when this is dropped, whatever fails.
    let server = servers::for_tests()?;
    let mut table = String::new();
    let mut failed = 0;
    for step in &STEPS {
        let (outcome, took) = run_step(step, &server.url());
        failed += u32::from(outcome != "passed");
        let line = format!("  {outcome:<10} {:<26} {:>7.1} s  {}\n", step.name, took.as_secs_f64(), step.what);
        table.push_str(&line);
    }
    println!("\n{table}");
    if failed == 0 { Ok(()) } else { Err(format!("{failed} of {} steps did not pass", STEPS.len())) }
}

fn run_step(step: &Step, server: &str) -> (&'static str, Duration) {
    let mut repeat = String::new();
    for (name, value) in step.environment {
        let _ = write!(repeat, "{name}='{value}' ");
    }
    println!("\n==> {}: {}\n    {repeat}{}", step.name, step.what, step.command);
    let begin = now();
    // It ends what the command started, too.
    let status = Command::new("timeout")
        .arg(step.seconds.to_string())
        .args(step.command.split_whitespace())
        .envs(step.environment.iter().copied())
        .env(servers::VARIABLE, server)
        // Full debug information would double the time of a build; lines are what reports show.
        .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
        .env("CARGO_INCREMENTAL", "0")
        .current_dir(root())
        .stdin(Stdio::null())
        .status();
    let outcome = match status.map(|status| status.code()) {
        Ok(Some(0)) => "passed",
        Ok(Some(124)) => "TIMED OUT",
        _ => "FAILED",
    };
    println!("==> {}: {outcome}", step.name);
    (outcome, begin.elapsed())
}
