//! Sessions of writing: from a write to the next time that everything is on the disk.
//!
//! A process enters a session with its first write, which marks the folder dirty, and leaves it with a sync. The last
//! process to leave marks it clean. So an idle folder is clean, and survives a crash of the machine; a write costs no
//! `fsync` but the first of a session.

use super::env::{self, Opened};
use super::folder::Folder;
use super::state::State;
use memo_core::Error;
use parking_lot::{Condvar, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

/// Whether this process is in a session. Writers hold it shared for as long as they write, so that whoever holds it
/// exclusively knows that this process writes nothing.
pub(super) struct Session {
    active: RwLock<bool>,
    signal: Mutex<Signal>,
    changed: Condvar,
}

/// What the thread that ends sessions waits for.
#[derive(Default)]
struct Signal {
    active: bool,
    stop: bool,
}

/// While it is held the session does not end.
pub(super) type Writing<'a> = RwLockReadGuard<'a, bool>;

impl Session {
    /// `active` if the folder is marked dirty for this process already.
    pub(super) fn new(active: bool) -> Session {
        Session {
            active: RwLock::new(active),
            signal: Mutex::new(Signal { active, stop: false }),
            changed: Condvar::new(),
        }
    }

    /// Called before every write.
    pub(super) fn enter(&self, folder: &Folder) -> Result<Writing<'_>, Error> {
        let active = self.active.read();
        if *active {
            return Ok(active);
        }
        drop(active);
        let mut active = self.active.write();
        if !*active {
            begin(folder)?;
            *active = true;
            self.signal.lock().active = true;
            self.changed.notify_all();
        }
        Ok(RwLockWriteGuard::downgrade(active))
    }

    /// Waits until everything that was written is on the disk, and leaves the session.
    pub(super) fn end(&self, folder: &Folder, opened: &Opened) -> Result<(), Error> {
        let sync = || opened.env.force_sync().map_err(|error| failed_to_sync(folder, error));
        // Most of it while others still write.
        sync()?;
        let mut active = self.active.write();
        if !*active {
            return Ok(());
        }
        let mut door = folder.door()?;
        let last = door.stop_writing()?;
        let synced = sync().and_then(|()| if last { mark_clean(folder, opened, &mut door) } else { Ok(()) });
        if synced.is_err() {
            // Still in it: the next try comes with the next interval.
            door.start_writing()?;
        } else {
            *active = false;
            self.signal.lock().active = false;
        }
        synced
    }

    /// Ends each session once it has lasted for `every`, and tells the uses noted since; returns after
    /// [`stop`](Self::stop).
    pub(super) fn keep_synced(&self, folder: &Folder, opened: &Opened, every: Duration, tell_uses: impl Fn()) {
        let mut signal = self.signal.lock();
        while !signal.stop {
            // Reads wake nobody, so this wakes by itself: a process that only reads has uses to tell, too.
            let active = signal.active;
            self.changed.wait_while_for(&mut signal, |signal| !signal.stop && signal.active == active, every);
            if signal.stop || signal.active != active {
                continue;
            }
            parking_lot::MutexGuard::unlocked(&mut signal, || {
                tell_uses();
                if active {
                    // An error leaves the session on, and so comes round again; `sync` tells callers who ask.
                    drop(self.end(folder, opened));
                }
            });
        }
    }

    pub(super) fn stop(&self) {
        self.signal.lock().stop = true;
        self.changed.notify_all();
    }
}

/// Marks the folder dirty, on the disk, before the first write is.
pub(super) fn begin(folder: &Folder) -> Result<(), Error> {
    let mut door = folder.door()?;
    door.start_writing()?;
    let state = door.state()?.unwrap_or_else(|| State::now(true, 0));
    if state.clean {
        door.set_state(&State::now(false, state.map_bytes))?;
    }
    Ok(())
}

/// Nobody writes, and all is on the disk.
fn mark_clean(folder: &Folder, opened: &Opened, door: &mut super::folder::AtTheDoor<'_>) -> Result<(), Error> {
    // LMDB does not write pages at the end of the file that it gave back within one transaction. With them there, a
    // clean file that is shorter than it says was cut off by someone else.
    let file = opened.env.try_clone_inner_file().map_err(|error| failed_to_sync(folder, error))?;
    let expected = env::file_bytes(&opened.env);
    let fill_up = || if file.metadata()?.len() < expected { file.set_len(expected) } else { Ok(()) };
    fill_up().and_then(|()| file.sync_all()).map_err(|error| folder.failed("syncing", error))?;
    let map_bytes = door.state()?.map_or(0, |state| state.map_bytes);
    door.set_state(&State::now(true, map_bytes))
}

fn failed_to_sync(folder: &Folder, error: heed::Error) -> Error {
    env::translate(error, format!("syncing the file cache {}", folder.path().display()))
}
