//! The `two_processes` example as a user runs it: its table, its messages and its exit codes.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

/// The program, built here as for the tests of `symbols`: a run of this test alone would find an old one.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let profile = test.ancestors().nth(2).expect("<target>/<profile>/deps/<test>");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "two_processes", "--target-dir"]).arg(profile.join(".."));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs").success());
        profile.join("examples").join(format!("two_processes{}", std::env::consts::EXE_SUFFIX))
    })
}

fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = Command::new(program()).args(arguments).output().expect("the program runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (status.code(), text(&stdout), text(&stderr))
}

/// Process, what it does, and who loaded the value, of each row.
fn rows(table: &str) -> Vec<[String; 3]> {
    let lines = table.lines().filter(|line| line.starts_with("| first") || line.starts_with("| second"));
    let cells = lines.map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
    cells.map(|cells| [cells[1].clone(), cells[2].clone(), cells[4].clone()]).collect()
}

#[test]
fn each_finds_what_the_other_loaded_and_not_what_it_invalidated() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("a path of text");
    // A folder that stays is no reason for another table.
    for _ in 0..2 {
        let (code, table, complaints) = run(&["--millis", "1", "--folder", path]);
        assert_eq!((code, complaints.as_str()), (Some(0), ""), "{table}");
        let expected = [
            ["first", "call 1", "first"],
            ["second", "call 1", "first"],
            ["second", "call 2", "second"],
            ["first", "call 2", "second"],
            ["first", "invalidate 2", ""],
            ["second", "call 2", "second"],
            ["second", "invalidate 1", ""],
            ["first", "call 1", "first"],
            ["second", "call 3", "second"],
            ["second", "is killed", ""],
            ["first", "call 3", "second"],
        ];
        assert_eq!(rows(&table), expected);
    }
}

#[test]
fn help_and_wrong_options_are_told_apart_by_the_exit_code() {
    let (code, help, complaints) = run(&["--help"]);
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
    assert!(help.contains("--folder PATH") && help.contains("Exit codes"), "{help}");
    for wrong in [&["--what"][..], &["--millis"], &["--millis", "many"], &["--millis", "10001"], &["file"]] {
        let (code, said, complaints) = run(wrong);
        assert_eq!((code, said.as_str()), (Some(2), ""), "{wrong:?}");
        assert!(complaints.starts_with("two_processes: ") && complaints.contains("--help"), "{complaints}");
    }
    let (code, _, complaints) = run(&["--folder", "/dev/null/no folder"]);
    assert_eq!(code, Some(1));
    assert!(complaints.contains("/dev/null"), "{complaints}");
}
