//! Where symbol files are: the folders that were indexed, and those that were uploaded.
//!
//! Everything a look-up needs is on disk and read from there each time, as on a server whose store is filled by other
//! processes. An upload is in a folder of its own, under its name. Each indexed folder has a catalogue, a text file
//! with a line per symbol file, which is read from the start until the name is found: to learn that a name is
//! nowhere, every catalogue is read to its end.
//!
//! That a name is nowhere is an answer. That the disk would not tell is none: it is a [`LookUpError`], since what may
//! be there after all must not be taken for missing, and be kept as missing.

use crate::elf::{self, Defect, Facts};
use crate::name::Name;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A symbol file that was found by the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// What could not be read, so that nobody knows whether there is a symbol file.
///
/// It can be cloned, for all who wait for one search to be told.
#[derive(Clone, Debug)]
pub(crate) struct LookUpError {
    path: PathBuf,
    why: Arc<io::Error>,
}

impl LookUpError {
    fn new(path: &Path, why: io::Error) -> Self {
        LookUpError { path: path.to_owned(), why: Arc::new(why) }
    }
}

impl fmt::Display for LookUpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "can't read {}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for LookUpError {}

/// The symbol files.
pub(crate) struct Store {
    uploads: PathBuf,
    catalogues: Vec<PathBuf>,
    searches: AtomicU64,
}

impl Store {
    /// A store with these catalogues, whose uploads go to the folder `uploads`.
    pub(crate) fn new(uploads: PathBuf, catalogues: Vec<PathBuf>) -> io::Result<Self> {
        fs::create_dir_all(&uploads)?;
        Ok(Store { uploads, catalogues, searches: AtomicU64::new(0) })
    }

    /// The facts about a symbol file, or `None` if there is none of this name that is sound.
    ///
    /// What comes first counts: where an upload can't be read, the indexed file is not the answer.
    pub(crate) fn find(&self, name: &Name) -> Result<Option<Facts>, LookUpError> {
        self.searches.fetch_add(1, Ordering::Relaxed);
        let uploaded = sound_file(&self.upload_path(name), name)?;
        if uploaded.is_some() {
            return Ok(uploaded);
        }
        for catalogue in &self.catalogues {
            let path = in_catalogue(catalogue, name).map_err(|why| LookUpError::new(catalogue, why))?;
            let Some(path) = path else { continue };
            let indexed = sound_file(&path, name)?;
            if indexed.is_some() {
                return Ok(indexed);
            }
        }
        Ok(None)
    }

    /// Stores an uploaded file, in place of an earlier one. A reader sees the old one or the new one, never a part.
    pub(crate) fn save(&self, name: &Name, bytes: &[u8]) -> io::Result<()> {
        let path = self.upload_path(name);
        let folder = path.parent().unwrap_or(&self.uploads);
        fs::create_dir_all(folder)?;
        // Beside the place it is for, since a rename is atomic only within a file system.
        let mut aside = tempfile::NamedTempFile::new_in(&self.uploads)?;
        aside.write_all(bytes)?;
        // Before the rename, or a power cut may leave the new name on an empty file.
        aside.as_file().sync_all()?;
        aside.persist(&path)?;
        Ok(())
    }

    /// How often it was searched so far.
    pub(crate) fn searches(&self) -> u64 {
        self.searches.load(Ordering::Relaxed)
    }

    fn upload_path(&self, name: &Name) -> PathBuf {
        self.uploads.join(name.build_id()).join(name.file())
    }
}

/// Writes the catalogue of a folder: a line per file, as build id, file name and path with tabs between. Neither name
/// nor path may hold a control character.
pub(crate) fn write_catalogue<'a>(path: &Path, entries: impl Iterator<Item = &'a Entry>) -> io::Result<()> {
    let mut catalogue = BufWriter::new(File::create(path)?);
    for entry in entries {
        writeln!(catalogue, "{}\t{}\t{}", entry.name.build_id(), entry.name.file(), entry.path.display())?;
    }
    catalogue.flush()
}

/// The path that a catalogue has for a name. A catalogue that is missing is an error like any other: this program
/// wrote it.
fn in_catalogue(catalogue: &Path, name: &Name) -> io::Result<Option<PathBuf>> {
    let mut lines = BufReader::with_capacity(64 << 10, File::open(catalogue)?);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let rest = line.trim_end_matches('\n').strip_prefix(name.build_id()).and_then(|rest| rest.strip_prefix('\t'));
        if let Some(path) = rest.and_then(|rest| rest.strip_prefix(name.file())?.strip_prefix('\t')) {
            return Ok(Some(PathBuf::from(path)));
        }
    }
}

/// The facts about the file at a path, or `None` if there is none that is sound and has the build id of its name: it
/// may have been replaced since it was indexed.
fn sound_file(path: &Path, name: &Name) -> Result<Option<Facts>, LookUpError> {
    match elf::read_file(path) {
        Ok(facts) => Ok(Some(facts).filter(|facts| facts.build_id == name.build_id())),
        Err(Defect::Damaged(_) | Defect::NoBuildId) => Ok(None),
        Err(Defect::Unreadable(why)) if is_no_file(why.kind()) => Ok(None),
        Err(Defect::Unreadable(why)) => Err(LookUpError::new(path, why)),
    }
}

/// Whether this error says for certain that there is no file at a path: nothing, a folder, or nothing possible.
fn is_no_file(kind: ErrorKind) -> bool {
    use ErrorKind::{InvalidFilename, IsADirectory, NotADirectory, NotFound};
    matches!(kind, NotFound | NotADirectory | IsADirectory | InvalidFilename)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn entry(folder: &Path, file: &str, id: u8) -> Entry {
        let path = folder.join(file);
        let bytes = sample::elf(&[id; 20], &[("main", 16)]);
        fs::write(&path, &bytes).expect("a file");
        let name = Name::new(file, &format!("{id:02x}").repeat(20)).expect("a good name");
        Entry { name, path, bytes: bytes.len() as u64 }
    }

    fn store(folder: &Path, entries: &[Entry]) -> Store {
        let catalogue = folder.join("catalogue");
        write_catalogue(&catalogue, entries.iter()).expect("a catalogue");
        let empty = folder.join("empty catalogue");
        write_catalogue(&empty, std::iter::empty()).expect("a catalogue");
        Store::new(folder.join("uploads"), vec![empty, catalogue]).expect("a store")
    }

    /// What is found where the disk tells.
    fn find(store: &Store, name: &Name) -> Option<Facts> {
        store.find(name).expect("a disk that can be read")
    }

    #[test]
    fn a_name_is_found_by_file_and_build_id_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = [entry(folder.path(), "lib a.so", 1), entry(folder.path(), "lib", 2)];
        let store = store(folder.path(), &entries);
        for entry in &entries {
            assert_eq!(find(&store, &entry.name).map(|facts| facts.file_bytes), Some(entry.bytes));
        }
        for (file, build_id) in [("lib", "01".repeat(20)), ("lib a.so", "01".to_owned()), ("li", "02".repeat(20))] {
            assert_eq!(find(&store, &Name::new(file, &build_id).expect("a good name")), None, "{file}");
        }
        assert_eq!(store.searches(), 5);
    }

    #[test]
    fn a_file_that_was_replaced_since_the_index_is_not_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = entry(folder.path(), "lib", 1);
        let store = store(folder.path(), std::slice::from_ref(&entry));
        fs::write(&entry.path, sample::elf(&[9; 20], &[])).expect("a file");
        assert_eq!(find(&store, &entry.name), None);
    }

    #[test]
    fn a_file_that_is_gone_is_not_found() {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = entry(folder.path(), "lib", 1);
        let store = store(folder.path(), std::slice::from_ref(&entry));
        fs::remove_file(&entry.path).expect("removed");
        assert_eq!(find(&store, &entry.name), None);
        fs::create_dir(&entry.path).expect("a folder in its place");
        if cfg!(unix) {
            assert_eq!(find(&store, &entry.name), None);
        }
        let long = Name::new(&"x".repeat(255), "01").expect("a good name");
        assert_eq!(find(&store, &long), None);
    }

    #[test]
    fn a_catalogue_that_can_not_be_read_leaves_open_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = entry(folder.path(), "lib", 1);
        let store = store(folder.path(), std::slice::from_ref(&entry));
        let missing = Name::new("other", "02").expect("a good name");
        let catalogue = folder.path().join("empty catalogue");
        fs::remove_file(&catalogue).expect("removed");
        for break_further in [|_: &Path| Ok(()), |path: &Path| fs::create_dir(path)] {
            break_further(&catalogue).expect("broken");
            for name in [&entry.name, &missing] {
                let error = store.find(name).expect_err("no answer").to_string();
                assert!(error.contains("can't read") && error.contains("empty catalogue"), "{error}");
            }
        }
        fs::remove_dir(&catalogue).expect("removed");
        fs::write(&catalogue, "").expect("a catalogue");
        assert_eq!(find(&store, &entry.name).map(|facts| facts.file_bytes), Some(entry.bytes));
        assert_eq!(find(&store, &missing), None);
    }

    #[test]
    #[cfg(unix)]
    fn a_file_that_can_not_be_opened_leaves_open_what_is_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = entry(folder.path(), "lib", 1);
        let store = store(folder.path(), std::slice::from_ref(&entry));
        fs::remove_file(&entry.path).expect("removed");
        // Permissions would not keep root out; a link to itself keeps everybody out.
        std::os::unix::fs::symlink(&entry.path, &entry.path).expect("a link");
        assert!(store.find(&entry.name).expect_err("no answer").to_string().contains("lib"));
    }

    #[test]
    fn an_upload_is_found_first_and_replaces_the_one_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let entry = entry(folder.path(), "lib", 1);
        let store = store(folder.path(), std::slice::from_ref(&entry));
        for functions in [1, 2] {
            let bytes = sample::elf(&[1; 20], &[("one", 1), ("two", 1)][..functions]);
            store.save(&entry.name, &bytes).expect("saved");
            assert_eq!(find(&store, &entry.name), elf::facts(&*bytes).ok());
        }
        let left: Vec<_> = fs::read_dir(folder.path().join("uploads")).expect("a folder").collect();
        assert_eq!(left.len(), 1, "only the folder of the build id: {left:?}");
    }
}
