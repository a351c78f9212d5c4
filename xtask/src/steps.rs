//! Commands run one after the other, timed, up to the first that fails.

use crate::root;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// The steps of one run, and the environment they all get.
pub(crate) struct Steps {
    environment: Vec<(String, OsString)>,
    done: Vec<(String, Duration)>,
}

impl Steps {
    pub(crate) fn new() -> Self {
        Steps { environment: Vec::new(), done: Vec::new() }
    }

    /// Sets a variable for the steps that follow.
    pub(crate) fn set(&mut self, name: &str, value: impl Into<OsString>) {
        self.environment.push((name.to_owned(), value.into()));
    }

    /// Runs cargo with these arguments, separated by white space.
    pub(crate) fn cargo(&mut self, name: &str, arguments: &str) -> Result<(), String> {
        let arguments: Vec<&str> = arguments.split_whitespace().collect();
        // The cargo that runs us, and so the toolchain that was asked for.
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command.args(&arguments).current_dir(root());
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        let text = format!("cargo {}", arguments.join(" "));
        println!("\n==> {name}: {text}");

        let begin = now();
        let status = command.status();
        let took = begin.elapsed();

        match status {
            Ok(status) if status.success() => {
                println!("==> {name}: passed in {:.1} s", took.as_secs_f64());
                self.done.push((name.to_owned(), took));
                Ok(())
            }
            Ok(status) => Err(self.failure(name, &text, &status.to_string())),
            Err(error) => Err(self.failure(name, &text, &error.to_string())),
        }
    }

    /// The table of what passed.
    pub(crate) fn table(&self) -> String {
        let mut table = String::new();
        let total: Duration = self.done.iter().map(|(_, took)| *took).sum();
        for (name, took) in &self.done {
            let _ = writeln!(table, "  passed  {name:<40} {:>7.1} s", took.as_secs_f64());
        }
        let _ = writeln!(table, "  {} steps, {:.1} s", self.done.len(), total.as_secs_f64());
        table
    }

    /// What to say when a step did not pass: which, why, and how to run it alone.
    fn failure(&self, name: &str, text: &str, why: &str) -> String {
        let mut repeat = String::new();
        for (name, value) in &self.environment {
            // The server of this run ends with it; the tests start their own without the variable.
            if name != crate::servers::VARIABLE {
                let _ = write!(repeat, "{name}='{}' ", value.display());
            }
        }
        format!("FAILED {name} ({why})\n{}  to repeat it: {repeat}{text}", self.table())
    }
}

#[expect(clippy::disallowed_methods, reason = "this times commands, not entries")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
