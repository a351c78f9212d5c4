//! One open folder: the reads and the transactions that the operations are made of, and the table of the folders that
//! this process has open.

use super::coherence::Latest;
use super::config::FileCacheBuilder;
use super::env::{self, Opened};
use super::folder::Folder;
use super::opening::{Ready, open_entries};
use super::room::Room;
use super::session::Session;
use super::uses;
use heed::{MdbError, RoTxn, RwTxn, WithTls};
use memo_core::{Error, ErrorKind};
use parking_lot::{Condvar, Mutex};
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Weak};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a transaction that found the map full is tried again, at first each time after twice as much was evicted.
/// LMDB uses freed pages only two transactions later, so the first tries may fail with room enough.
const TRIES: u32 = EVICTING_TRIES + 4;
const EVICTING_TRIES: u32 = NUDGES + 8;
/// There is room by count before the first try. So at first only these transactions are made, and nothing is evicted.
const NUDGES: u32 = 2;
/// Then entries are evicted by their worth, and after that all of some neighbours.
const GENTLE_TRIES: u32 = 4;

/// How long is waited before later tries, twice as long each time, a quarter of a second in all: readers of an old
/// snapshot keep what was freed since from being used, and end within moments, or when the system lets them run again.
const PAUSE: Duration = Duration::from_millis(1);
const TRIES_AT_ONCE: u32 = NUDGES + 4;

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
    latest: Latest,
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
                store.room.no_older_than(config.max_age_millis());
                return Ok(store);
            }
            // Its last handle is being dropped just now.
            if CLOSED.wait_for(&mut table, CLOSE_WAIT).timed_out() {
                return Err(Error::new(ErrorKind::Unavailable, format!("opening the file cache {}", path.display()))
                    .advise("this process has not finished closing it; try again"));
            }
        }
        let Ready { opened, room, active } = open_entries(&folder, config)?;
        let shared = Arc::new(Shared {
            opened,
            session: Session::new(active),
            folder,
            room,
            latest: Latest::default(),
            writes: AtomicU32::new(0),
            _listed: Listed(path.clone()),
        });
        let syncer = if shared.folder.read_only {
            None
        } else {
            let (shared, every) = (Arc::clone(&shared), config.sync_every);
            let run = move || shared.session.keep_synced(&shared.folder, &shared.opened, every, || shared.tell_uses());
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
        if self.shared.folder.read_only {
            return;
        }
        self.shared.tell_uses();
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

    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// What was read last of the invalidations.
    pub(super) fn latest(&self) -> &Latest {
        &self.latest
    }

    /// Lets other processes know what was used here.
    fn tell_uses(&self) {
        self.room.uses.tell(uses::moment(self.opened.env.info().last_txn_id));
    }

    pub(super) fn sync(&self) -> Result<(), Error> {
        if self.folder.read_only {
            return Ok(());
        }
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
        if self.folder.read_only {
            return Err(Error::new(ErrorKind::Config, attempted())
                .advise("this process may only read there; change the folder's permissions, or name another"));
        }
        let _writing = self.session.enter(&self.folder)?;
        let mut tried = 0;
        loop {
            match self.transaction(bytes, &mut work) {
                Err(Failure::Lmdb(heed::Error::Mdb(MdbError::MapFull))) if tried < TRIES => {
                    match self.relieve(bytes, tried) {
                        // It needs room, too, and there may be some when it is tried again.
                        Ok(()) | Err(heed::Error::Mdb(MdbError::MapFull)) => {}
                        Err(error) => return Err(env::translate(error, attempted())),
                    }
                    if let Some(later) = tried.checked_sub(TRIES_AT_ONCE) {
                        thread::sleep(PAUSE * 2_u32.pow(later));
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
        let mut txn = self.opened.env.write_txn()?;
        // What only drops entries needs no room, and counts what it drops.
        if bytes > 0 {
            let turn = self.writes.fetch_add(1, Ordering::Relaxed);
            self.room.prepare(&self.opened, &mut txn, bytes, turn)?;
        }
        let output = work(&mut txn)?;
        txn.commit()?;
        Ok(output)
    }

    /// After so many tries to write so many bytes failed for want of room, with this one.
    fn relieve(&self, bytes: u64, tried: u32) -> heed::Result<()> {
        match tried.checked_sub(NUDGES) {
            Some(times) if tried < EVICTING_TRIES => match self.free(bytes << times, times < GENTLE_TRIES) {
                Err(heed::Error::Mdb(MdbError::MapFull)) => self.free(bytes << times, false),
                freed => freed,
            },
            _ => self.nudge(),
        }
    }

    /// Brings pages that were freed closer to being used.
    fn nudge(&self) -> heed::Result<()> {
        self.opened.env.clear_stale_readers()?;
        let mut txn = self.opened.env.write_txn()?;
        Room::nudge(&self.opened, &mut txn)?;
        txn.commit()
    }

    fn free(&self, bytes: u64, gently: bool) -> heed::Result<()> {
        self.opened.env.clear_stale_readers()?;
        let mut txn = self.opened.env.write_txn()?;
        self.room.free(&self.opened, &mut txn, bytes, gently)?;
        txn.commit()
    }
}
