//! All tests.

use crate::steps::Steps;
use crate::{features, root, servers};
use std::fs;

/// The tests by themselves.
pub(crate) fn run() -> Result<(), String> {
    let mut all = Steps::new();
    steps(&mut all)?;
    println!("\nAll passed:\n{}", all.table());
    Ok(())
}

/// The tests as part of a longer run.
pub(crate) fn steps(steps: &mut Steps) -> Result<(), String> {
    // Kept to the end of the function: the server stops when this is dropped, whichever step fails.
    let server = servers::for_tests()?;
    steps.set(servers::VARIABLE, server.url());

    for feature in features::of_memokit()? {
        let name = format!("feature {feature} alone");
        steps.cargo(&name, &format!("check -p memokit --no-default-features --features {feature}"))?;
    }
    consumers(steps)?;
    steps.cargo("default features", "check -p memokit")?;
    // Without a choice of targets cargo runs unit, integration and doc tests and builds the examples; benches stay
    // out, and are compiled by clippy.
    steps.cargo("tests, all features", "test --workspace --all-features")
}

/// Runs each crate under `tests/consumer`: programs that use the library as their authors would, outside of the
/// workspace.
fn consumers(steps: &mut Steps) -> Result<(), String> {
    let folder = root().join("tests/consumer");
    if !folder.is_dir() {
        return Ok(());
    }
    let entries = fs::read_dir(&folder).map_err(|error| format!("reading {}: {error}", folder.display()))?;
    let mut manifests = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| format!("reading {}: {error}", folder.display()))?;
        if entry.path().join("Cargo.toml").is_file() {
            manifests.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    manifests.sort();
    for consumer in manifests {
        // One target folder for all of them, so that what they share is compiled once.
        let run =
            format!("run --quiet --manifest-path tests/consumer/{consumer}/Cargo.toml --target-dir target/consumer");
        steps.cargo(&format!("consumer {consumer}"), &run)?;
    }
    Ok(())
}
