//! The folder of a file cache: its files, its locks, and what is set aside in it.
//!
//! Four files are locked, never read. *door*: held exclusively while a process opens the folder or changes the mark
//! of the state file, and for no longer. *users*: held shared by each process that has the entries open. *writers*:
//! held shared by each process whose writes may not be on the disk yet. Whoever holds the door and gets one of the
//! next two exclusively knows that no other process is in there. *readers*: held shared by each process that may only
//! read the folder and has it open; nobody may write then, since it can't tell the writers what it reads. The kernel releases the locks of a killed process.
//!
//! Lock order: a session's own lock, then the door; the others only under the door.

use super::network::network_file_system;
use super::state::State;
use memo_core::{Error, ErrorKind};
use parking_lot::{Mutex, MutexGuard};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// How often and how long a held door is waited for: 10 s in all. Its holder is busy for milliseconds, or stopped.
const DOOR_TRIES: u32 = 5_000;
const DOOR_PAUSE: Duration = Duration::from_millis(2);

pub(super) struct Folder {
    path: PathBuf,
    /// Two threads of this process share the lock of one open file, so a mutex keeps them apart.
    door: Mutex<Door>,
    users: File,
    writers: File,
    readers: File,
    /// This process may not write there.
    pub(super) read_only: bool,
}

struct Door {
    lock: File,
    state: File,
}

/// The door of a folder, held by this process until it is dropped.
pub(super) struct AtTheDoor<'a> {
    folder: &'a Folder,
    door: MutexGuard<'a, Door>,
}

impl Folder {
    /// Makes the folder if it is missing and opens the files that are locked. Its path must not change after that.
    pub(super) fn prepare(path: &Path) -> Result<Folder, Error> {
        let failed = |what: &str, error: io::Error| unusable(path, what, error);
        if path.exists() && !path.is_dir() {
            return Err(Error::new(ErrorKind::Config, format!("opening the file cache {}", path.display()))
                .advise("this is not a folder; name one, or a path where nothing is yet"));
        }
        make_folder(path).map_err(|error| failed("making the folder of", error))?;
        let path = path.canonicalize().map_err(|error| failed("finding", error))?;
        if let Some(name) = network_file_system(&path) {
            return Err(Error::new(ErrorKind::Config, format!("opening the file cache {}", path.display())).advise(
                format!("it lies on a network file system ({name}), where processes would damage each other's entries; use a local disk"),
            ));
        }
        let files = Folder::open_files(&path, open_private).or_else(|error| match error.kind() {
            // What was made by a process that may write there can be read.
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                let folder = Folder::open_files(&path, |path| File::open(path)).map_err(|_| error)?;
                Ok(Folder { read_only: true, ..folder })
            }
            _ => Err(error),
        });
        files.map_err(|error| failed("opening the locks of", error))
    }

    fn open_files(path: &Path, open: impl Fn(&Path) -> io::Result<File>) -> io::Result<Folder> {
        let open = |name: &str| open(&path.join(name));
        let door = Door { lock: open("door.lock")?, state: open("state")? };
        Ok(Folder {
            door: Mutex::new(door),
            users: open("users.lock")?,
            writers: open("writers.lock")?,
            readers: open("readers.lock")?,
            path: path.to_owned(),
            read_only: false,
        })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Where LMDB keeps its files.
    pub(super) fn entries(&self) -> PathBuf {
        self.path.join("entries")
    }

    /// Waits for the door, but not for ever.
    pub(super) fn door(&self) -> Result<AtTheDoor<'_>, Error> {
        let door = self.door.lock();
        for _ in 0..DOOR_TRIES {
            match door.lock.try_lock() {
                Ok(()) => return Ok(AtTheDoor { folder: self, door }),
                Err(fs::TryLockError::WouldBlock) => thread::sleep(DOOR_PAUSE),
                Err(fs::TryLockError::Error(error)) => return Err(self.failed("locking", error)),
            }
        }
        Err(Error::new(ErrorKind::Unavailable, format!("locking the file cache {}", self.path.display()))
            .advise("another process has held its lock for 10 s; is one of them stopped?"))
    }

    /// The folders of entries that were set aside, in no order.
    pub(super) fn set_aside(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(SET_ASIDE) {
                found.push(entry.path());
            }
        }
        Ok(found)
    }

    pub(super) fn failed(&self, what: &str, error: io::Error) -> Error {
        unusable(&self.path, what, error)
    }
}

/// What the name of a folder that was set aside starts with; a number follows.
const SET_ASIDE: &str = "entries.set-aside-";

impl AtTheDoor<'_> {
    /// Whether no other process has the entries open; if so none can open them before the door is left.
    pub(super) fn is_alone(&self) -> Result<bool, Error> {
        self.nobody_holds(&self.folder.users)
    }

    /// Counts this process among those that have the entries open, until the folder is dropped.
    pub(super) fn enter(&self) -> Result<(), Error> {
        self.share(&self.folder.users)
    }

    /// Whether no process has the entries open that may only read them.
    pub(super) fn nobody_only_reads(&self) -> Result<bool, Error> {
        self.nobody_holds(&self.folder.readers)
    }

    /// Counts this process among those that may only read the entries.
    pub(super) fn enter_to_read(&self) -> Result<(), Error> {
        self.share(&self.folder.readers)
    }

    /// Counts this process among those whose writes may not be on the disk.
    pub(super) fn start_writing(&self) -> Result<(), Error> {
        self.share(&self.folder.writers)
    }

    /// Takes this process out of those; whether none is left.
    pub(super) fn stop_writing(&self) -> Result<bool, Error> {
        self.folder.writers.unlock().map_err(|error| self.folder.failed("unlocking", error))?;
        self.nobody_holds(&self.folder.writers)
    }

    /// What the state file says; `None` if that is nothing, or nothing whole.
    pub(super) fn state(&mut self) -> Result<Option<State>, Error> {
        State::read(&mut self.door.state).map_err(|error| self.folder.failed("reading the state of", error))
    }

    /// Writes the state file and waits until it is on the disk.
    pub(super) fn set_state(&mut self, state: &State) -> Result<(), Error> {
        state.write(&mut self.door.state).map_err(|error| self.folder.failed("writing the state of", error))
    }

    /// Moves the entries out of the way under the next free number. Only for one that is alone.
    pub(super) fn set_entries_aside(&self) -> Result<(), Error> {
        let failed = |error| self.folder.failed("setting aside damaged or foreign entries of", error);
        let taken = self.folder.set_aside().map_err(failed)?.len() + 1;
        let free = (taken..).map(|number| self.folder.path.join(format!("{SET_ASIDE}{number}")));
        let free = free.into_iter().find(|path| path.symlink_metadata().is_err());
        let free = free.unwrap_or_else(|| self.folder.path.join(SET_ASIDE));
        fs::rename(self.folder.entries(), free).map_err(failed)
    }

    /// Makes the folder of the entries if it is missing.
    pub(super) fn make_entries(&self) -> Result<(), Error> {
        make_folder(&self.folder.entries()).map_err(|error| self.folder.failed("making the folder of", error))
    }

    fn nobody_holds(&self, lock: &File) -> Result<bool, Error> {
        match lock.try_lock() {
            Ok(()) => {
                lock.unlock().map_err(|error| self.folder.failed("unlocking", error))?;
                Ok(true)
            }
            Err(fs::TryLockError::WouldBlock) => Ok(false),
            Err(fs::TryLockError::Error(error)) => Err(self.folder.failed("locking", error)),
        }
    }

    fn share(&self, lock: &File) -> Result<(), Error> {
        // Never waits: whoever holds it exclusively does so under the door.
        lock.try_lock_shared().map_err(|error| self.folder.failed("locking", error.into()))
    }
}

impl Drop for AtTheDoor<'_> {
    fn drop(&mut self) {
        // Closing the file would release it too; there is nothing to do about an error here.
        let _ = self.door.lock.unlock();
    }
}

fn unusable(path: &Path, what: &str, error: io::Error) -> Error {
    let (kind, advice) = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Full, "make room on the disk"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Config, "this process may not write there; name another folder or change its permissions")
        }
        _ => (ErrorKind::Config, "name a folder that this process can make and write"),
    };
    Error::new(kind, format!("{what} the file cache {}", path.display())).advise(advice).because(error)
}

/// A folder that only its owner can look into; its parents too, as far as they are missing.
fn make_folder(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A file that only its owner can read, made if it is missing.
pub(super) fn open_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
