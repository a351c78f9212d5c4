//! The features of the `memokit` crate, read from its manifest so that a new one is checked without anyone
//! remembering to add it here.

use crate::root;
use std::fs;

/// The names in `[features]`, without `default`.
pub(crate) fn of_memokit() -> Result<Vec<String>, String> {
    let path = root().join("Cargo.toml");
    let manifest = fs::read_to_string(&path).map_err(|error| format!("reading {}: {error}", path.display()))?;
    let names = parse(&manifest);
    if names.is_empty() { Err(format!("no features found in {}", path.display())) } else { Ok(names) }
}

fn parse(manifest: &str) -> Vec<String> {
    let table = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    table
        .take_while(|line| !line.starts_with('['))
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim().to_owned())
        .filter(|name| name != "default")
        .collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_are_read_without_comments_lists_and_default() {
        let manifest = "[package]\nname = \"x\"\n\n[features]\ndefault = []\n## One.\none = []\nnine-b = [\n  \"one\",\n]\n\n[dependencies]\nserde = \"1\"\n";
        assert_eq!(super::parse(manifest), ["one", "nine-b"]);
    }
}
