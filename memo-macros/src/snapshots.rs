//! What the attribute makes of typical functions, beside them in `tests/expansions`, formatted.
//!
//! People read these before they are changed; `MEMOKIT_BLESS=1 cargo test -p memo-macros` writes them anew.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use quote::ToTokens;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::{env, fs};

/// The functions, in the order of their names.
fn programs() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansions");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut files: Vec<PathBuf> = files.filter(|path| path.extension().is_some_and(|end| end == "rs")).collect();
    files.sort();
    files
}

/// The one item of a program, through its `#[cached]`, formatted.
fn expanded(program: &Path) -> String {
    let file = syn::parse_file(&fs::read_to_string(program).unwrap()).unwrap();
    let [mut item] = <[syn::Item; 1]>::try_from(file.items).ok().unwrap();
    let attrs = match &mut item {
        syn::Item::Fn(function) => &mut function.attrs,
        syn::Item::Impl(block) => &mut block.attrs,
        _ => panic!("a function or an impl"),
    };
    let at = attrs.iter().position(|attr| attr.path().is_ident("cached")).unwrap();
    let options = match attrs.remove(at).meta {
        syn::Meta::List(list) => list.tokens,
        _ => proc_macro2::TokenStream::new(),
    };
    let is_method = matches!(&item, syn::Item::Fn(function) if function.sig.receiver().is_some());
    let tokens = super::expand_item(options, &item.to_token_stream()).to_string();
    formatted(&if is_method { format!("impl Type {{ {tokens} }}") } else { tokens })
}

fn formatted(tokens: &str) -> String {
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rustfmt.toml");
    let mut rustfmt = Command::new(env::var_os("RUSTFMT").unwrap_or_else(|| "rustfmt".into()))
        .args(["--edition", "2024", "--config-path"])
        .arg(config)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("rustfmt runs: `rustup component add rustfmt` installs it");
    rustfmt.stdin.take().unwrap().write_all(tokens.as_bytes()).unwrap();
    let output = rustfmt.wait_with_output().unwrap();
    assert!(output.status.success(), "rustfmt can't read {tokens}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| if line.trim_start().starts_with("# !") { tightened(line) } else { line.into() } + "\n")
        .collect()
}

/// Generics in an attribute, which rustfmt leaves with a space between any two tokens.
fn tightened(line: &str) -> String {
    let tight = [("# ! [", "#!["), (" (", "("), (" :: ", "::"), (" : ", ": "), (" ,", ","), (" < ", "<"), (" >", ">")];
    tight.into_iter().fold(line.to_owned(), |line, (wide, tight)| line.replace(wide, tight))
}

#[test]
fn the_expansions_are_the_ones_that_were_read() {
    let programs = programs();
    assert!(programs.len() >= 15, "{} programs", programs.len());
    let mut changed = Vec::new();
    for program in programs {
        let (expected, now) = (program.with_extension("expanded"), expanded(&program));
        if env::var_os("MEMOKIT_BLESS").is_some() {
            fs::write(&expected, now).unwrap();
        } else if fs::read_to_string(&expected).unwrap_or_default() != now {
            changed.push(format!("{}:\n{now}", expected.display()));
        }
    }
    assert!(changed.is_empty(), "these changed; MEMOKIT_BLESS=1 writes them anew:\n{}", changed.join("\n"));
}

#[test]
fn a_plain_function_becomes_little() {
    let plain = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expansions/plain.expanded");
    let lines = fs::read_to_string(plain).unwrap().lines().count();
    assert!(lines <= 60, "{lines} lines: what is the same for all functions belongs into the core");
}
