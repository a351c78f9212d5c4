//! What a run was made with: the machine, the compiler, the versions of the contenders.

use std::process::Command;
use std::{env, fs, thread};

/// The machine and the compiler in one line. What can't be found out is left out.
pub(crate) fn describe() -> String {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    let model = fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| field(&text, "model name"));
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|text| field(&text, "MemTotal"));
    let gib = memory.and_then(|kib| kib.trim_end_matches(" kB").parse::<u64>().ok()).map(|kib| (kib + (1 << 19)) >> 20);
    let rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).arg("--version").output();
    let rustc = rustc.ok().and_then(|output| String::from_utf8(output.stdout).ok());
    let rustc = rustc.as_deref().and_then(|line| line.split(" (").next()).map(|line| line.trim().to_owned());
    let parts = [
        Some(format!("{processors} CPUs")),
        model,
        gib.map(|gib| format!("{gib} GiB")),
        Some(format!("{} {}", env::consts::OS, env::consts::ARCH)),
        rustc,
    ];
    parts.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Names with the versions that `Cargo.lock` has of them.
pub(crate) fn versions(names: &[&str]) -> Vec<String> {
    let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock");
    let lock = fs::read_to_string(lock).unwrap_or_default();
    names.iter().filter_map(|name| Some(format!("{name} {}", version(&lock, name)?))).collect()
}

fn version<'a>(lock: &'a str, name: &str) -> Option<&'a str> {
    let (_, after) = lock.split_once(&format!("\nname = \"{name}\"\nversion = \""))?;
    after.split('"').next()
}

/// The value of the first line `name : value`.
fn field(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn versions_are_those_of_the_lock_file() {
        let lock =
            "\n[[package]]\nname = \"a-b\"\nversion = \"1.0.0\"\n\n[[package]]\nname = \"b\"\nversion = \"2.1.0\"\n";
        assert_eq!(super::version(lock, "b"), Some("2.1.0"));
        assert_eq!(super::version(lock, "c"), None);
    }
}
