//! A folder that can't be written and a disk that is full: what is there is read, writes are errors of their kind, and a
//! cached function goes on.
//!
//! The other processes are this test binary, run again under conditions that this one must not have.
#![cfg(target_os = "linux")]

use memokit::{Cache, ErrorKind, FileCache, cached, register};
use std::error::Error;
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

type Outcome = Result<(), Box<dyn Error>>;

#[cached(cache = "failing", local = false)]
fn load(n: u8) -> Vec<u8> {
    vec![n; 40_000]
}

fn open(folder: &Path) -> Result<Arc<FileCache>, memokit::Error> {
    let cache = Arc::new(FileCache::builder(folder).max_bytes(64 << 20).build()?);
    register("failing", cache.clone());
    Ok(cache)
}

/// The part of another process; nothing when the tests are run as such.
#[test]
fn other() -> Outcome {
    let Ok(part) = std::env::var("MEMOKIT_TEST_PART") else { return Ok(()) };
    let folder = PathBuf::from(std::env::var("MEMOKIT_TEST_FOLDER")?);
    match part.as_str() {
        "reads only" => read_only(&folder),
        "has a full disk" => full_disk(&folder),
        part => Err(format!("no part {part}").into()),
    }
}

fn play(mut command: Command, part: &str, folder: &Path) -> std::io::Result<Child> {
    command.env("MEMOKIT_TEST_PART", part).env("MEMOKIT_TEST_FOLDER", folder);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()
}

const AS_OTHER: [&str; 4] = ["--exact", "other", "--nocapture", "--test-threads=1"];

// ---- a folder that may only be read

fn read_only(folder: &Path) -> Outcome {
    let cache = open(folder)?;
    let key = load::key(1)?;
    assert!(cache.get(key.text())?.is_some());
    let hits = load::stats().shared_hits;
    assert_eq!(load(1), vec![1; 40_000]);
    assert_eq!(load::stats().shared_hits, hits + 1);

    assert_eq!(cache.set("k", b"v", None).map_err(|error| error.kind()), Err(ErrorKind::Config));
    assert_eq!(cache.remove(key.text()).map_err(|error| error.kind()), Err(ErrorKind::Config));
    assert_eq!(cache.remove("nothing there").ok(), Some(false));
    assert!(cache.sync().is_ok());
    let mut listed = 0;
    cache.entries("", |_| listed += 1)?;
    assert_eq!(listed, 1);

    assert_eq!(load(2), vec![2; 40_000], "the function goes on");
    assert_eq!(load(2), vec![2; 40_000]);
    assert_eq!(load::stats().loads, 2);
    assert!(load::invalidate(1).is_err(), "an invalidation that failed is told");

    println!("\nopen");
    std::io::stdin().read_line(&mut String::new())?;
    Ok(())
}

/// Changes the permissions of the folder and of all that is in it.
fn set_modes(path: &Path, of_files: u32, of_folders: u32) -> std::io::Result<()> {
    if path.is_dir() {
        fs::set_permissions(path, Permissions::from_mode(0o700))?;
        for entry in fs::read_dir(path)? {
            set_modes(&entry?.path(), of_files, of_folders)?;
        }
        fs::set_permissions(path, Permissions::from_mode(of_folders))
    } else {
        fs::set_permissions(path, Permissions::from_mode(of_files))
    }
}

#[test]
fn a_folder_that_may_only_be_read_is_read() -> Outcome {
    let parent = tempfile::tempdir()?;
    let folder = parent.path().join("cache");
    {
        let cache = open(&folder)?;
        load(1);
        assert!(cache.get(load::key(1)?.text())?.is_some());
        register("failing", Arc::new(memokit::NullCache));
    }
    set_modes(&folder, 0o444, 0o555)?;

    // Permissions don't bind root, so the others are then somebody else; who must be able to read the program, too.
    let is_root = fs::metadata(&folder)?.uid() == 0;
    let mut program = std::env::current_exe()?;
    if is_root {
        fs::set_permissions(parent.path(), Permissions::from_mode(0o755))?;
        let copy = parent.path().join("program");
        fs::copy(&program, &copy)?;
        program = copy;
    }
    let spawn = || {
        let mut command = Command::new(&program);
        command.args(AS_OTHER).current_dir("/");
        if is_root {
            command.uid(65_534).gid(65_534);
        }
        play(command, "reads only", &folder)
    };
    // Two of them at once.
    let mut others = [spawn()?, spawn()?];
    for other in &mut others {
        let mut lines = BufReader::new(other.stdout.as_mut().ok_or("piped")?).lines();
        assert!(lines.any(|line| line.is_ok_and(|line| line == "open")), "it did not get so far");
    }
    // They can't be told what changes, so nothing does meanwhile.
    set_modes(&folder, 0o600, 0o700)?;
    let error = FileCache::open(&folder).expect_err("they have it open");
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    for other in &mut others {
        other.stdin.take().ok_or("piped")?.write_all(b"\n")?;
        assert!(other.wait()?.success());
    }
    FileCache::open(&folder)?.set("k", b"v", None)?;

    // What has nothing to be read is no cache for somebody who may only read.
    let empty = parent.path().join("empty");
    fs::create_dir(&empty)?;
    set_modes(&empty, 0o444, 0o555)?;
    if !is_root {
        assert_eq!(FileCache::open(&empty).expect_err("nothing there").kind(), ErrorKind::Config);
    }
    Ok(())
}

// ---- a full disk

fn full_disk(folder: &Path) -> Outcome {
    let cache = open(folder)?;
    let mut stored = 0_u32;
    let error = loop {
        match cache.set(&format!("k{stored}"), &stored.to_le_bytes().repeat(5_000), None) {
            Ok(()) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored < 5_000, "the disk is never full");
    };
    assert_eq!(error.kind(), ErrorKind::Full, "{error}: {:?}", error.source());
    assert!(stored > 10);
    for number in 0..stored {
        let found = cache.get(&format!("k{number}"))?;
        assert_eq!(found, Some(number.to_le_bytes().repeat(5_000)), "what was there is there");
    }
    for n in 1..20 {
        assert_eq!(load(n), vec![n; 40_000], "the function goes on");
    }
    println!("\nstored {stored}");
    Ok(())
}

#[test]
fn a_full_disk_is_an_error_of_its_kind_and_the_function_goes_on() -> Outcome {
    let folder = tempfile::tempdir()?;
    // A limit on the length of files stands for the disk: the system refuses what goes past it in the same place.
    let mut command = Command::new("sh");
    command
        .args(["-c", r#"trap "" XFSZ; ulimit -f 4096; exec "$0" "$@""#])
        .arg(std::env::current_exe()?)
        .args(AS_OTHER);
    let output = play(command, "has a full disk", folder.path())?.wait_with_output()?;
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    let stored: u32 = said.lines().find_map(|line| line.strip_prefix("stored ")).ok_or("how many")?.parse()?;

    // With room again it goes on as it was.
    let cache = FileCache::builder(folder.path()).max_bytes(64 << 20).build()?;
    assert!(cache.set_aside()?.is_empty());
    for number in 0..stored {
        assert_eq!(cache.get(&format!("k{number}"))?, Some(number.to_le_bytes().repeat(5_000)));
    }
    cache.set("new", &vec![1; 100_000], None)?;
    assert_eq!(cache.prune()?.corrupt, 0);
    Ok(())
}
