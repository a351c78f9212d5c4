//! What a file cache makes of the folder that it finds: doubtful after a crash of the machine, foreign, cut off, or
//! no folder at all.
#![cfg(feature = "file")]

use memo_backends::FileCache;
use memo_core::{Cache, ErrorKind};
use std::error::Error;
use std::fs;
use std::path::Path;
use std::time::Duration;

type Outcome = Result<(), Box<dyn Error>>;

const OTHER_BOOT: &str = "01234567-89ab-cdef-0123-456789abcdef";

/// A folder with one entry, closed.
fn closed_with_an_entry(path: &Path) -> Outcome {
    FileCache::open(path)?.set("k", b"v", None)?;
    Ok(())
}

fn entry(path: &Path) -> Result<Option<Vec<u8>>, Box<dyn Error>> {
    Ok(FileCache::open(path)?.get("k")?)
}

fn set_aside(path: &Path) -> Result<usize, Box<dyn Error>> {
    Ok(FileCache::open(path)?.set_aside()?.len())
}

/// Changes the state file as another boot, or a process that was killed, would have left it.
fn change_state(path: &Path, mark: &str, other_boot: bool) -> Outcome {
    let state = fs::read_to_string(path.join("state"))?;
    let lines = state.lines().map(|line| match line.split_once(' ') {
        Some(("boot", _)) if other_boot => format!("boot {OTHER_BOOT}\n"),
        Some(("mark", _)) => format!("mark {mark}\n"),
        _ => format!("{line}\n"),
    });
    Ok(fs::write(path.join("state"), lines.collect::<String>())?)
}

#[test]
fn a_closed_folder_is_clean_and_survives_a_restart() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    assert!(fs::read_to_string(folder.path().join("state"))?.contains("\nmark clean\n"));
    change_state(folder.path(), "clean", true)?;
    assert_eq!(entry(folder.path())?.as_deref(), Some(&b"v"[..]));
    assert_eq!(set_aside(folder.path())?, 0);
    Ok(())
}

#[test]
fn a_dirty_folder_survives_in_the_same_boot_only() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    if cfg!(target_os = "linux") {
        change_state(folder.path(), "dirty", false)?;
        assert_eq!(entry(folder.path())?.as_deref(), Some(&b"v"[..]));
        let state = fs::read_to_string(folder.path().join("state"))?;
        assert!(state.contains("\nmark clean\n"), "synced for the process that was killed");
    }
    for restart in 1..=3 {
        change_state(folder.path(), "dirty", true)?;
        assert_eq!(entry(folder.path())?, None);
        assert_eq!(set_aside(folder.path())?, restart);
        assert!(folder.path().join(format!("entries.set-aside-{restart}/data.mdb")).is_file(), "nothing is deleted");
        closed_with_an_entry(folder.path())?;
        assert_eq!(entry(folder.path())?.as_deref(), Some(&b"v"[..]));
    }
    Ok(())
}

#[test]
fn a_folder_is_dirty_while_it_is_written_and_clean_after_a_sync() -> Outcome {
    let folder = tempfile::tempdir()?;
    let state = || fs::read_to_string(folder.path().join("state"));
    let cache = FileCache::open(folder.path())?;
    for number in 0..3 {
        cache.set("k", b"v", None)?;
        assert!(state()?.contains("\nmark dirty\n"), "round {number}");
        assert!(cache.get("k")?.is_some());
        cache.sync()?;
        assert!(state()?.contains("\nmark clean\n"), "round {number}");
        assert!(cache.get("k")?.is_some(), "a read starts no session");
        assert!(state()?.contains("\nmark clean\n"), "round {number}");
    }
    Ok(())
}

#[test]
fn an_idle_folder_is_synced_by_itself() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::builder(folder.path()).sync_every(Duration::from_millis(1)).build()?;
    cache.set("k", b"v", None)?;
    let mut tries = 0;
    while !fs::read_to_string(folder.path().join("state"))?.contains("\nmark clean\n") {
        tries += 1;
        assert!(tries < 10_000, "not synced");
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[test]
fn a_lost_or_torn_state_is_doubtful() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    fs::remove_file(folder.path().join("state"))?;
    assert_eq!(entry(folder.path())?, None);
    closed_with_an_entry(folder.path())?;
    let state = fs::read_to_string(folder.path().join("state"))?;
    fs::write(folder.path().join("state"), &state[..state.len() / 2])?;
    assert_eq!(entry(folder.path())?, None);
    assert_eq!(set_aside(folder.path())?, 2);
    Ok(())
}

#[test]
fn a_foreign_file_is_set_aside() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    let data = folder.path().join("entries/data.mdb");
    for (number, foreign) in [b"not a database\n".repeat(1_000), vec![0; 8_192], vec![0xff; 100]].iter().enumerate() {
        fs::write(&data, foreign)?;
        assert_eq!(entry(folder.path())?, None);
        assert_eq!(fs::read(folder.path().join(format!("entries.set-aside-{}/data.mdb", number + 1)))?, *foreign);
        closed_with_an_entry(folder.path())?;
        assert_eq!(entry(folder.path())?.as_deref(), Some(&b"v"[..]));
    }
    Ok(())
}

#[test]
fn a_folder_without_its_file_starts_anew() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    let data = folder.path().join("entries/data.mdb");
    for lose in [|path: &Path| fs::remove_file(path), |path: &Path| fs::write(path, "")] {
        lose(&data)?;
        let cache = FileCache::open(folder.path())?;
        assert_eq!(cache.get("k")?, None);
        assert!(fs::read_to_string(folder.path().join("state"))?.contains("\nmark dirty\n"));
        cache.set("k", b"v", None)?;
        drop(cache);
        assert_eq!(entry(folder.path())?.as_deref(), Some(&b"v"[..]));
    }
    Ok(())
}

#[test]
fn something_else_by_the_name_of_the_entries_is_set_aside() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    fs::rename(folder.path().join("entries"), folder.path().join("elsewhere"))?;
    fs::write(folder.path().join("entries"), "a file of someone")?;
    assert_eq!(entry(folder.path())?, None);
    assert_eq!(fs::read(folder.path().join("entries.set-aside-1"))?, b"a file of someone");
    Ok(())
}

#[test]
fn the_database_of_another_program_is_set_aside() -> Outcome {
    let folder = tempfile::tempdir()?;
    closed_with_an_entry(folder.path())?;
    let entries = folder.path().join("entries");
    fs::remove_dir_all(&entries)?;
    fs::create_dir(&entries)?;
    {
        #[expect(unsafe_code, reason = "heed asks for it")]
        // SAFETY: Nothing else uses the folder.
        let env = unsafe { heed::EnvOpenOptions::new().open(&entries)? };
        let txn = env.write_txn()?;
        env.create_databases_and_commit(txn, |opener, txn| {
            let database = opener.create_database::<heed::types::Str, heed::types::Str>(txn, None)?;
            database.put(txn, "k", "theirs")?;
            Ok::<_, heed::Error>(heed::CommitOrAbort::<_, ()>::Commit(database))
        })?;
    }
    assert_eq!(entry(folder.path())?, None);
    assert_eq!(set_aside(folder.path())?, 1);
    Ok(())
}

#[test]
fn a_file_that_was_cut_off_is_set_aside() -> Outcome {
    let folder = tempfile::tempdir()?;
    let cache = FileCache::open(folder.path())?;
    for number in 0..100 {
        cache.set(&number.to_string(), &[7; 5_000], None)?;
    }
    drop(cache);
    let data = fs::OpenOptions::new().write(true).open(folder.path().join("entries/data.mdb"))?;
    data.set_len(data.metadata()?.len() / 2)?;
    let cache = FileCache::open(folder.path())?;
    for number in 0..100 {
        assert_eq!(cache.get(&number.to_string())?, None);
    }
    assert_eq!(cache.set_aside()?.len(), 1);
    Ok(())
}

#[test]
fn what_is_no_folder_is_refused_with_a_reason() -> Outcome {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("file");
    fs::write(&file, "of someone")?;
    for path in [file.clone(), file.join("below"), "/proc/no such folder".into(), "".into()] {
        let error = FileCache::open(&path).expect_err("no folder");
        assert_eq!(error.kind(), ErrorKind::Config, "{path:?}: {error}");
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
    assert_eq!(fs::read(&file)?, b"of someone");
    Ok(())
}

#[test]
#[cfg(unix)]
fn only_the_owner_can_read_what_it_makes() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("cache");
    closed_with_an_entry(&path)?;
    let _open = FileCache::open(&path)?;
    let mode = |path: &Path| fs::metadata(path).map(|found| found.permissions().mode() & 0o777);
    assert_eq!(mode(&path)?, 0o700);
    assert_eq!(mode(&path.join("entries"))?, 0o700);
    for file in ["state", "door.lock", "users.lock", "writers.lock", "entries/data.mdb", "entries/lock.mdb"] {
        assert_eq!(mode(&path.join(file))?, 0o600, "{file}");
    }
    Ok(())
}
