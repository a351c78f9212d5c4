//! One open folder: the reads and the transactions that the operations are made of, and the table of the folders that
//! this process has open.

use super::config::FileCacheBuilder;
use super::env::{self, Opened, Refused};
use super::folder::{AtTheDoor, Folder};
use super::room::Room;
use super::session::Session;
use super::state::State;
use heed::{MdbError, RoTxn, RwTxn, WithTls};
use memo_core::{Error, ErrorKind};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a transaction that found the map full is tried again, each time after twice as much was evicted. LMDB
/// uses freed pages only two transactions later, so the first tries may fail with room enough.
const TRIES: u32 = 6;

/// How long an open waits for this process's own close of the same folder.
const CLOSE_WAIT: Duration = Duration::from_secs(10);

/// A process may open a folder of LMDB only once, so all handles share one store.
static OPEN: Mutex<Option<HashMap<PathBuf, Weak<Store>>>> = Mutex::new(None);
static CLOSED: Condvar = Condvar::new();

/// An open folder, closed with its last handle.
pub(super) struct Store {
    shared: Arc<Shared>,
    syncer: Option<JoinHandle<()>>,
}

/// What the thread that syncs shares with the handles.
///
/// The fields are dropped in this order: the environment is closed, then the locks are released, and only then may
/// this process open the folder again.
pub(super) struct Shared {
    opened: Opened,
    session: Session,
    folder: Folder,
    room: Room,
    writes: AtomicU32,
    _listed: Listed,
}

/// Takes the folder out of the table of open ones when it is dropped.
struct Listed(PathBuf);

impl Drop for Listed {
    fn drop(&mut self) {
        if let Some(open) = OPEN.lock().as_mut() {
            open.remove(&self.0);
        }
        CLOSED.notify_all();
    }
}

/// Why a transaction was given up.
pub(super) enum Failure {
    Lmdb(heed::Error),
    Refused(Error),
}

impl From<heed::Error> for Failure {
    fn from(error: heed::Error) -> Self {
        Failure::Lmdb(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Refused(error)
    }
}

impl Store {
    /// The store of a folder, shared with the handles that this process has on it already.
    pub(super) fn open(config: &FileCacheBuilder) -> Result<Arc<Store>, Error> {
        let folder = Folder::prepare(&config.path)?;
        let path = folder.path().to_owned();
        let mut table = OPEN.lock();
        while let Some(weak) = table.get_or_insert_default().get(&path) {
            if let Some(store) = weak.upgrade() {
                return Ok(store);
            }
            // Its last handle is being dropped just now.
            if CLOSED.wait_for(&mut table, CLOSE_WAIT).timed_out() {
                return Err(Error::new(ErrorKind::Unavailable, format!("opening the file cache {}", path.display()))
                    .advise("this process has not finished closing it; try again"));
            }
        }
        let (opened, room, active) = open_entries(&folder, config)?;
        let shared = Arc::new(Shared {
            opened,
            session: Session::new(active),
            folder,
            room,
            writes: AtomicU32::new(0),
            _listed: Listed(path.clone()),
        });
        let syncer = {
            let (shared, every) = (Arc::clone(&shared), config.sync_every);
            let run = move || shared.session.keep_synced(&shared.folder, &shared.opened, every);
            // Without a thread the folder is synced when it is closed and when `sync` is called.
            thread::Builder::new().name("memokit-file-sync".into()).spawn(run).ok()
        };
        let store = Arc::new(Store { shared, syncer });
        table.get_or_insert_default().insert(path, Arc::downgrade(&store));
        Ok(store)
    }
}

impl std::ops::Deref for Store {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.shared
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.shared.session.stop();
        if let Some(syncer) = self.syncer.take() {
            // It ends at once, or when the sync under way has ended. A panic of it was shown by its thread.
            let _ = syncer.join();
        }
        // On an error the folder stays dirty: complete as long as the machine runs, set aside after a crash.
        let _ = self.shared.session.end(&self.shared.folder, &self.shared.opened);
    }
}

impl Shared {
    pub(super) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(super) fn opened(&self) -> &Opened {
        &self.opened
    }

    pub(super) fn room(&self) -> Room {
        self.room
    }

    pub(super) fn sync(&self) -> Result<(), Error> {
        self.session.end(&self.folder, &self.opened)
    }

    /// A view of the entries as they are now. It takes no lock after the first on a thread.
    #[inline]
    pub(super) fn snapshot(&self) -> heed::Result<RoTxn<'_, WithTls>> {
        match self.opened.env.read_txn() {
            Err(heed::Error::Mdb(MdbError::ReadersFull)) => {
                self.opened.env.clear_stale_readers()?;
                self.opened.env.read_txn()
            }
            txn => txn,
        }
    }

    /// Runs `work` in a transaction of its own: all of it happens, at one moment for every process, or nothing.
    /// `bytes` is what it stores at most; there is room for it, or room is made. `work` runs again where there was
    /// none after all.
    pub(super) fn write<T>(
        &self,
        bytes: u64,
        attempted: impl FnOnce() -> String,
        mut work: impl FnMut(&mut RwTxn<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let _writing = self.session.enter(&self.folder)?;
        let mut tried = 0;
        loop {
            match self.transaction(bytes, &mut work) {
                Err(Failure::Lmdb(heed::Error::Mdb(MdbError::MapFull))) if tried < TRIES => {
                    if let Err(error) = self.free(bytes << tried) {
                        return Err(env::translate(error, attempted()));
                    }
                    tried += 1;
                }
                Ok(output) => return Ok(output),
                Err(Failure::Refused(error)) => return Err(error),
                Err(Failure::Lmdb(error)) => return Err(env::translate(error, attempted())),
            }
        }
    }

    fn transaction<T>(
        &self,
        bytes: u64,
        work: &mut impl FnMut(&mut RwTxn<'_>) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let turn = self.writes.fetch_add(1, Ordering::Relaxed);
        let mut txn = self.opened.env.write_txn()?;
        self.room.prepare(&self.opened, &mut txn, bytes, turn)?;
        let output = work(&mut txn)?;
        txn.commit()?;
        Ok(output)
    }

    fn free(&self, bytes: u64) -> heed::Result<()> {
        self.opened.env.clear_stale_readers()?;
        let mut txn = self.opened.env.write_txn()?;
        self.room.free(&self.opened, &mut txn, bytes)?;
        txn.commit()
    }
}

/// Opens the entries of a folder; what can't be trusted is set aside first. The flag says that the folder is marked
/// dirty for this process.
fn open_entries(folder: &Folder, config: &FileCacheBuilder) -> Result<(Opened, Room, bool), Error> {
    let mut door = folder.door()?;
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
    if matches!(opened, Err(Refused::NotOurs)) && alone && !fresh {
        door.set_entries_aside()?;
        active = start_anew(&mut door, map_bytes)?;
        opened = env::open(&folder.entries(), map, false);
    }
    match opened {
        Ok(opened) => Ok((opened, Room::of_map(map_bytes), active)),
        Err(refused) => Err(cannot_open(folder.path(), refused)),
    }
}

/// Starts with no entries: dirty from the first, since making the environment writes.
fn start_anew(door: &mut AtTheDoor<'_>, map_bytes: u64) -> Result<bool, Error> {
    door.start_writing()?;
    door.set_state(&State::now(false, map_bytes))?;
    door.make_entries()?;
    Ok(true)
}

fn cannot_open(path: &Path, refused: Refused) -> Error {
    let attempted = format!("opening the file cache {}", path.display());
    match refused {
        Refused::Failed(error) => env::translate(error, attempted),
        Refused::NotOurs => Error::new(ErrorKind::Backend, attempted)
            .advise("its entries are damaged or foreign while another process has them open; close it there first"),
    }
}
