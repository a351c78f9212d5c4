//! What a change must pass.

use crate::steps::Steps;
use std::env;

/// Format, clippy, the tests, rustdoc.
pub(crate) fn run() -> Result<(), String> {
    let mut steps = Steps::new();
    // Debug information and incremental files double the build's time and disk, and nobody debugs here.
    for (name, value) in [("CARGO_PROFILE_DEV_DEBUG", "0"), ("CARGO_INCREMENTAL", "0")] {
        if env::var_os(name).is_none() {
            steps.set(name, value);
        }
    }
    steps.cargo("format", "fmt --all --check")?;
    steps.cargo("clippy", "clippy --workspace --all-targets --all-features -- -D warnings")?;
    steps.cargo("clippy, default features", "clippy -p memokit -- -D warnings")?;
    crate::test::steps(&mut steps)?;
    steps.set("RUSTDOCFLAGS", "-D warnings");
    steps.cargo("rustdoc", "doc --workspace --all-features --no-deps")?;
    println!("\nAll passed:\n{}", steps.table());
    Ok(())
}
