//! What a user's program pulls in.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

#[test]
fn the_default_features_bring_at_most_25_crates() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/consumer/default/Cargo.toml");
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--offline", "--edges", "normal", "--prefix", "none", "--format", "{p}", "--manifest-path"]);
    let output = tree.arg(&manifest).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let name_and_version = |line: &str| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
    let crates: BTreeSet<String> = text.lines().filter(|line| !line.is_empty()).map(name_and_version).collect();
    // The consumer itself is in the tree too.
    let crates: Vec<&String> = crates.iter().filter(|name| !name.starts_with("consumer-default ")).collect();
    assert!(crates.iter().any(|name| name.starts_with("memokit ")), "{crates:?}");
    assert!(crates.len() <= 25, "{} crates: {crates:#?}", crates.len());
}
