//! Opening a folder: whether what lies there can be trusted, who else has it open, and space given back.

use super::config::FileCacheBuilder;
use super::env::{self, Opened, Refused};
use super::folder::{AtTheDoor, Folder};
use super::room::{Room, used};
use super::state::State;
use super::uses::Uses;
use heed::CompactionOption;
use memo_core::{Error, ErrorKind};
use std::fs;
use std::path::Path;
use std::time::Duration;

/// A file with so many unused bytes, and more of them than used ones, is made shorter.
const WORTH_COMPACTING: u64 = 1 << 20;

/// The shorter file while it is being written, beside the long one.
const COMPACTED: &str = "data.mdb.compacted";

/// How long this waits for the end of other users of an environment, of which there are none.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// Open entries.
pub(super) struct Ready {
    pub(super) opened: Opened,
    pub(super) room: Room,
    /// The folder is marked dirty for this process.
    pub(super) active: bool,
}

/// Opens the entries of a folder; what can't be trusted is set aside first.
pub(super) fn open_entries(folder: &Folder, config: &FileCacheBuilder) -> Result<Ready, Error> {
    let mut door = folder.door()?;
    if folder.read_only {
        return open_to_read(folder, &mut door, config);
    }
    if !door.nobody_only_reads()? {
        return Err(Error::new(ErrorKind::Unavailable, opening(folder))
            .advise("a process that may only read it has it open, and can't be told of changes; end that one first"));
    }
    let alone = door.is_alone()?;
    let mut map_bytes = config.map_bytes()?;
    let state = door.state()?;
    let there = folder.entries().symlink_metadata().is_ok();
    // An empty file is made into a new environment by LMDB, which is a write.
    let data = folder.entries().join("data.mdb");
    let mut fresh =
        !there || (alone && folder.entries().is_dir() && data.metadata().map_or(0, |found| found.len()) == 0);
    if !alone {
        // All processes reserve as much, else one could write where another can't read.
        let Some(state) = state.as_ref().filter(|_| there) else {
            return Err(folder.failed("reading the state of", std::io::Error::other("others have it open without one")));
        };
        map_bytes = state.map_bytes;
    } else if there && state.as_ref().is_none_or(State::is_doubtful) {
        door.set_entries_aside()?;
        fresh = true;
    }
    let whole = alone && state.as_ref().is_some_and(|state| state.clean);
    let mut active = false;
    if fresh {
        active = start_anew(&mut door, map_bytes)?;
    } else if alone {
        let clean = state.is_some_and(|state| state.clean);
        let now = State::now(clean, map_bytes);
        if door.state()?.as_ref() != Some(&now) {
            door.set_state(&now)?;
        }
        if !clean {
            // Left by a process that was killed: the next sync of this one is for its writes too.
            door.start_writing()?;
            active = true;
        }
    }
    door.enter()?;
    let map = usize::try_from(map_bytes).unwrap_or(usize::MAX);
    let mut opened = env::open(&folder.entries(), map, whole && !fresh);
    if alone && !fresh {
        opened = opened.and_then(|opened| compact(&folder.entries(), opened, map));
    }
    if matches!(opened, Err(Refused::NotOurs)) && alone && !fresh {
        door.set_entries_aside()?;
        active = start_anew(&mut door, map_bytes)?;
        opened = env::open(&folder.entries(), map, false);
    }
    let opened = opened.map_err(|refused| cannot_open(folder, refused))?;
    let uses = Uses::open(&folder.entries(), map_bytes);
    Ok(Ready { opened, room: Room::of_map(map_bytes, config.max_age_millis(), config.evict, uses), active })
}

/// Opens the entries without writing anything, if nobody else can write either.
fn open_to_read(folder: &Folder, door: &mut AtTheDoor<'_>, config: &FileCacheBuilder) -> Result<Ready, Error> {
    let refused = |kind, advice: &str| Error::new(kind, opening(folder)).advise(advice);
    if !door.is_alone()? {
        return Err(refused(
            ErrorKind::Unavailable,
            "this process may only read it, and another one has it open for writing: change its permissions, or end the other",
        ));
    }
    let state = door.state()?.filter(|state| !state.is_doubtful());
    let Some(state) = state.filter(|_| folder.entries().is_dir()) else {
        return Err(refused(
            ErrorKind::Config,
            "this process may only read it, and there are no entries that can be trusted: change its permissions",
        ));
    };
    door.enter_to_read()?;
    let map = usize::try_from(state.map_bytes).unwrap_or(usize::MAX);
    let opened = env::open_to_read(&folder.entries(), map).map_err(|refused| cannot_open(folder, refused))?;
    let uses = Uses::in_memory(state.map_bytes);
    let room = Room::of_map(state.map_bytes, config.max_age_millis(), config.evict, uses);
    Ok(Ready { opened, room, active: false })
}

/// Starts with no entries: dirty from the first, since making the environment writes.
fn start_anew(door: &mut AtTheDoor<'_>, map_bytes: u64) -> Result<bool, Error> {
    door.start_writing()?;
    door.set_state(&State::now(false, map_bytes))?;
    door.make_entries()?;
    Ok(true)
}

/// Gives back the space that no entry needs, if that is worth it. LMDB never makes its file shorter, so the entries are
/// copied and the copy takes the place of the file. Only for one that is alone.
///
/// The copy is on the disk before it is renamed, so the folder is as clean as before whichever of the two a crash
/// leaves. Where anything fails the old file stays in use.
fn compact(entries: &Path, opened: Opened, map: usize) -> Result<Opened, Refused> {
    let copy = entries.join(COMPACTED);
    // Of a process that was killed while it did this.
    let _ = fs::remove_file(&copy);
    let file = env::file_bytes(&opened.env);
    let used = used(&opened, &*opened.env.read_txn()?)?;
    if file < used.saturating_mul(2).saturating_add(WORTH_COMPACTING) {
        return Ok(opened);
    }
    let copied = super::folder::open_private(&copy).map_err(heed::Error::Io).and_then(|mut file| {
        opened.env.copy_to_file(&mut file, CompactionOption::Enabled)?;
        Ok(file.sync_all()?)
    });
    if copied.is_err() {
        let _ = fs::remove_file(&copy);
        return Ok(opened);
    }
    let closing = opened.env.prepare_for_closing();
    closing.wait_timeout(CLOSE_WAIT);
    if fs::rename(&copy, entries.join("data.mdb")).is_err() {
        let _ = fs::remove_file(&copy);
    }
    // The name too, before anybody marks the folder clean.
    let _ = fs::File::open(entries).and_then(|folder| folder.sync_all());
    env::open(entries, map, false)
}

fn opening(folder: &Folder) -> String {
    format!("opening the file cache {}", folder.path().display())
}

fn cannot_open(folder: &Folder, refused: Refused) -> Error {
    match refused {
        Refused::Failed(error) => env::translate(error, opening(folder)),
        Refused::NotOurs => Error::new(ErrorKind::Backend, opening(folder))
            .advise("its entries are damaged or foreign while another process has them open; close it there first"),
    }
}
