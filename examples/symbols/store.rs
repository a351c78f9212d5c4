//! Where symbol files are: the folders that were indexed, and those that were uploaded.
//!
//! Everything a look-up needs is on disk and read from there each time, as on a server whose store is filled by other
//! processes. An upload is in a folder of its own, under its name. Each indexed folder has a catalogue, a text file
//! with a line per symbol file, which is read from the start until the name is found: to learn that a name is
//! nowhere, every catalogue is read to its end.

use crate::elf::{self, Facts};
use crate::measure;
use crate::name::Name;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A symbol file that was found by the index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: Name,
    pub(crate) path: PathBuf,
    pub(crate) bytes: u64,
}

/// The symbol files.
pub(crate) struct Store {
    uploads: PathBuf,
    catalogues: Vec<PathBuf>,
    searches: AtomicU64,
    nanoseconds: AtomicU64,
}

/// How much looking up has cost a [`Store`] so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Effort {
    pub(crate) searches: u64,
    pub(crate) time: Duration,
}

impl Effort {
    /// What was added since then.
    pub(crate) fn since(self, before: Effort) -> Effort {
        Effort { searches: self.searches.saturating_sub(before.searches), time: self.time.saturating_sub(before.time) }
    }
}

impl Store {
    /// A store with these catalogues, whose uploads go to the folder `uploads`.
    pub(crate) fn new(uploads: PathBuf, catalogues: Vec<PathBuf>) -> io::Result<Self> {
        fs::create_dir_all(&uploads)?;
        Ok(Store { uploads, catalogues, searches: AtomicU64::new(0), nanoseconds: AtomicU64::new(0) })
    }

    /// The facts about a symbol file, or `None` if there is none of this name that is sound.
    pub(crate) fn find(&self, file: &str, build_id: &str) -> Option<Facts> {
        let started = measure::now();
        let found = self.search(file, build_id);
        let spent = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.searches.fetch_add(1, Ordering::Relaxed);
        self.nanoseconds.fetch_add(spent, Ordering::Relaxed);
        found
    }

    fn search(&self, file: &str, build_id: &str) -> Option<Facts> {
        // Every caller has made a `Name` of it already. It is done again here, because this is where paths are made.
        let name = Name::new(file, build_id).ok()?;
        // A file may have been replaced since it was indexed; then it has another build id.
        let sound = |path: &Path| elf::read_file(path).ok().filter(|facts| facts.build_id == name.build_id());
        sound(&self.upload_path(&name))
            .or_else(|| self.catalogues.iter().find_map(|catalogue| sound(&in_catalogue(catalogue, &name)?)))
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

    /// What looking up has cost so far.
    pub(crate) fn effort(&self) -> Effort {
        Effort {
            searches: self.searches.load(Ordering::Relaxed),
            time: Duration::from_nanos(self.nanoseconds.load(Ordering::Relaxed)),
        }
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

/// The path that a catalogue has for a name.
fn in_catalogue(catalogue: &Path, name: &Name) -> Option<PathBuf> {
    let mut lines = BufReader::with_capacity(64 << 10, File::open(catalogue).ok()?);
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let rest = line.trim_end_matches('\n').strip_prefix(name.build_id()).and_then(|rest| rest.strip_prefix('\t'));
        if let Some(path) = rest.and_then(|rest| rest.strip_prefix(name.file())?.strip_prefix('\t')) {
            return Some(PathBuf::from(path));
        }
    }
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

    fn find(store: &Store, name: &Name) -> Option<Facts> {
        store.find(name.file(), name.build_id())
    }

    fn store(folder: &Path, entries: &[Entry]) -> Store {
        let catalogue = folder.join("catalogue");
        write_catalogue(&catalogue, entries.iter()).expect("a catalogue");
        Store::new(folder.join("uploads"), vec![folder.join("none"), catalogue]).expect("a store")
    }

    #[test]
    fn a_name_is_found_by_file_and_build_id_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = [entry(folder.path(), "lib a.so", 1), entry(folder.path(), "lib", 2)];
        let store = store(folder.path(), &entries);
        for entry in &entries {
            assert_eq!(find(&store, &entry.name).map(|facts| facts.file_bytes), Some(entry.bytes));
        }
        assert_eq!(store.find("lib", &"01".repeat(20)), None);
        assert_eq!(store.find("lib a.so", "01"), None);
        assert_eq!(store.find("../lib", &"02".repeat(20)), None);
        assert_eq!(store.effort().searches, 5);
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
