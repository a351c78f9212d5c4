//! The `symbols` example as a user runs it: its exit codes, its messages and its table.

#[path = "../examples/symbols/sample.rs"]
mod sample;
#[path = "../memo-backends/tests/support/server.rs"]
mod server;

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The program. `cargo test` builds it beside the tests, but a run of this test alone does not and would find an old one;
/// so it is built here, which takes no time where there is nothing to do.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of this test");
        let profile = test.ancestors().nth(2).expect("<target>/<profile>/deps/<test>");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--example", "symbols", "--target-dir"]).arg(profile.join(".."));
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let status = build.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
        let program = profile.join("examples").join(format!("symbols{}", std::env::consts::EXE_SUFFIX));
        assert!(status.success() && program.exists(), "{} is not built", program.display());
        program
    })
}

fn symbols(arguments: &[&str]) -> Output {
    Command::new(program()).args(arguments).output().expect("the program runs")
}

/// The exit code, what it said, and what it complained of.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// A folder with a few ELF files.
fn files() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for id in 1..=12_u8 {
        let file = sample::elf(&[id; 20], &[("main", u64::from(id)), ("other", 3)]);
        fs::write(folder.path().join(format!("lib{id}.so")), file).expect("a file");
    }
    folder
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of text")
}

/// The cells of the table's line for a mode.
fn row<'a>(table: &'a str, mode: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.starts_with(mode)).unwrap_or_else(|| panic!("no {mode} in {table}"));
    // A thousands separator is one space, columns are two apart.
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

/// Checks the line of a mode after 600 requests, a tenth of them uploads.
fn is_right(table: &str, mode: &str) {
    let cells = row(table, mode);
    let number = |cell: usize| cells[cell].replace(' ', "").parse::<u64>().unwrap_or(0);
    assert_eq!(number(1), 600, "{table}");
    let (hits, misses, loads, uploads) = (number(5), number(6), number(7), number(9));
    assert!(uploads > 10, "{table}");
    if mode == "no cache" {
        assert_eq!(loads + uploads, 600, "{table}");
    } else {
        assert_eq!(hits + misses + uploads, 600, "{table}");
        assert!(hits > misses && loads <= misses && loads > 0, "{table}");
    }
    assert_eq!(cells[10..], ["0", "0", "0"], "no stale and no wrong answers, and none that failed: {table}");
}

#[test]
fn a_run_over_a_few_files_is_right_and_prints_the_table() {
    let folder = files();
    let output = symbols(&["--requests", "600", "--clients", "4", "--uploads", "0.1", text(folder.path())]);
    let (code, table, complaints) = said(&output);
    assert_eq!(code, Some(0), "{table}{complaints}");
    assert!(table.contains("12 symbol files"), "{table}");
    assert_eq!(row(&table, "no cache")[5..7], ["-", "-"], "{table}");
    is_right(&table, "no cache");
    is_right(&table, "memory + file");
}

#[test]
fn a_run_on_redis_is_right() {
    let program =
        server::find_program().expect("a redis-server or valkey-server on the PATH; `cargo xtask test` installs one");
    let redis = server::Server::start(&program).expect("a Redis server");
    let folder = files();
    let arguments = ["--requests", "600", "--clients", "4", "--uploads", "0.1", "--cache", &redis.url()];
    let (code, table, complaints) = said(&symbols(&[&arguments[..], &[text(folder.path())]].concat()));
    assert_eq!(code, Some(0), "{table}{complaints}");
    is_right(&table, "memory + file");
    is_right(&table, "memory + Redis");
}

#[test]
fn a_redis_out_of_reach_is_told_with_code_1() {
    let folder = files();
    // A port that was free a moment ago.
    let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|taken| taken.local_addr()).expect("a free port");
    let url = format!("redis://user:secret@{free}");
    let (code, out, complaints) = said(&symbols(&["--cache", &url, text(folder.path())]));
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(complaints.contains("can't use the Redis of --cache"), "{complaints}");
    assert!(complaints.contains(&free.to_string()) && !complaints.contains("secret"), "{complaints}");
}

#[test]
fn an_address_that_is_none_of_redis_is_told() {
    let folder = files();
    let (code, _, complaints) = said(&symbols(&["--cache", "nonsense", text(folder.path())]));
    assert_eq!(code, Some(1));
    assert!(complaints.contains("redis://"), "{complaints}");
}

#[test]
#[cfg(unix)]
fn a_store_that_can_not_be_read_is_told_with_code_1() {
    let folder = files();
    let work = tempfile::tempdir().expect("a folder");
    let mut program = Command::new(program())
        .env("TMPDIR", work.path())
        .args(["--requests", "1000000000", "--seconds", "1", "--clients", "2", "--uploads", "0.1", text(folder.path())])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program runs");
    // Its catalogue becomes a folder as soon as the first upload tells that the clients are at work.
    let catalogue = loop {
        std::thread::sleep(std::time::Duration::from_millis(1));
        let inside = fs::read_dir(work.path()).expect("a folder").flatten().next().map(|folder| folder.path());
        let uploads = inside.as_ref().and_then(|inside| fs::read_dir(inside.join("uploads: no cache")).ok());
        match inside.filter(|_| uploads.is_some_and(|mut uploads| uploads.next().is_some())) {
            Some(inside) => break inside.join("catalogue-0"),
            None => assert_eq!(program.try_wait().expect("its state"), None, "it ended before the first upload"),
        }
    };
    fs::remove_file(&catalogue).and_then(|()| fs::create_dir(&catalogue)).expect("a folder in its place");
    let (code, table, complaints) = said(&program.wait_with_output().expect("it ends"));
    assert_eq!(code, Some(1), "{table}{complaints}");
    assert!(complaints.contains("503") && complaints.contains("catalogue-0"), "{complaints}");
    let cells = row(&table, "no cache");
    assert_eq!(cells[10..12], ["0", "0"], "no answer is no wrong answer: {table}");
    assert_ne!(cells[12], "0", "{table}");
    // The next run has nothing to compare with.
    assert!(complaints.contains("can't tell the right answers"), "{complaints}");
}

#[test]
fn a_file_cut_short_is_skipped_and_counted() {
    let folder = files();
    let whole = sample::elf(&[99; 20], &[("main", 8)]);
    fs::write(folder.path().join("cut.so"), &whole[..whole.len() / 2]).expect("a file");
    let (code, out, complaints) = said(&symbols(&["--requests", "50", "--verbose", text(folder.path())]));
    assert_eq!(code, Some(0), "{out}{complaints}");
    assert!(out.contains("12 symbol files"), "{out}");
    assert!(out.contains("1 skipped") && out.contains("cut.so: not a whole ELF file"), "{out}");
}

#[test]
fn a_folder_that_is_missing_is_told_with_code_2() {
    let folder = files();
    let (code, out, complaints) = said(&symbols(&[text(&folder.path().join("missing"))]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(complaints.contains("can't read the folder") && complaints.contains("missing"), "{complaints}");
}

#[test]
fn a_folder_without_elf_files_is_told_with_code_2() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("script"), "#!/bin/sh\n").expect("a file");
    let (code, _, complaints) = said(&symbols(&[text(folder.path())]));
    assert_eq!(code, Some(2));
    assert!(complaints.contains("no ELF file with a build id"), "{complaints}");
}

#[test]
fn an_unknown_option_is_told_with_code_2() {
    let (code, out, complaints) = said(&symbols(&["--colour"]));
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert!(complaints.contains("--colour") && complaints.contains("--help"), "{complaints}");
}

#[test]
fn help_has_examples() {
    let (code, out, complaints) = said(&symbols(&["--help"]));
    assert_eq!((code, complaints.as_str()), (Some(0), ""));
    assert!(out.contains("Examples:") && out.contains("--cache redis://"), "{out}");
}

#[test]
fn a_port_in_use_is_told_with_code_1() {
    let folder = files();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let (code, _, complaints) = said(&symbols(&["--port", &port, text(folder.path())]));
    assert_eq!(code, Some(1));
    assert!(complaints.contains(&format!("can't listen on 127.0.0.1:{port}")), "{complaints}");
}

#[test]
#[cfg(unix)]
fn a_server_that_is_kept_prints_its_address() {
    let folder = files();
    let work = tempfile::tempdir().expect("a folder");
    let mut server = Command::new(program())
        .env("TMPDIR", work.path())
        .args(["--serve", "--requests", "0", text(folder.path())])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program runs");
    let out = BufReader::new(server.stdout.take().expect("its output"));
    let address = out.lines().map_while(Result::ok).find_map(|line| {
        line.split_once("http://").and_then(|(_, rest)| rest.split_whitespace().next().map(str::to_owned))
    });
    let answer = address.as_ref().map(|address| {
        use std::io::Write;
        let mut connection = std::net::TcpStream::connect(address).expect("a server");
        write!(connection, "GET / HTTP/1.0\r\n\r\n").expect("sent");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("an answer");
        answer
    });
    let interrupt = Command::new("kill").args(["-INT", &server.id().to_string()]).status();
    assert!(interrupt.expect("it still runs").success());
    assert!(server.wait().expect("it ends").success());
    assert_eq!(fs::read_dir(work.path()).expect("a folder").count(), 0, "its temporary folder is gone");
    let answer = answer.expect("an address");
    assert!(answer.contains("200 OK") && answer.contains("0 hits, 0 misses"), "{answer}");
}
