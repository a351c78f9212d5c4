//! Finds the ELF files below folders.

use crate::elf::{self, Defect};
use crate::failure::Failure;
use crate::interrupt::Stop;
use crate::name::Name;
use crate::progress::Progress;
use crate::store::Entry;
use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Where a system keeps its binaries and libraries.
const SYSTEM: [&str; 10] = [
    "/usr/bin",
    "/usr/sbin",
    "/usr/libexec",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/bin",
    "/usr/local/lib",
    "/bin",
    "/sbin",
    "/lib",
];

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// The symbol files of each folder.
    pub(crate) folders: Vec<Vec<Entry>>,
    /// ELF files and folders that could not be used, and why.
    pub(crate) skipped: Vec<(PathBuf, String)>,
    /// Sound ELF files that have no build id, so that nobody can ask for them.
    pub(crate) without_build_id: u64,
    /// Whether there are more files than were asked for.
    pub(crate) cut: bool,
}

impl Index {
    /// All symbol files, in the order in which they are looked up. Of several that have one name, the first.
    pub(crate) fn entries(&self) -> Vec<&Entry> {
        let mut seen = HashSet::new();
        self.folders.iter().flatten().filter(|entry| seen.insert(&entry.name)).collect()
    }
}

/// The folders to index: those given, or the system's own. Each once, and none inside another.
pub(crate) fn folders(given: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut folders = Vec::new();
    for folder in given {
        // Listing it now tells at once what the walk would find out: that it is missing, no folder, or closed to us.
        let real = fs::canonicalize(folder).and_then(|real| fs::read_dir(&real).map(|_| real));
        folders.push(
            real.map_err(|error| Failure::usage(format!("can't read the folder {}: {error}", folder.display())))?,
        );
    }
    if given.is_empty() {
        folders.extend(SYSTEM.iter().filter_map(|folder| fs::canonicalize(folder).ok()));
    }
    let mut apart: Vec<PathBuf> = Vec::new();
    for folder in folders {
        if !apart.iter().any(|other| folder.starts_with(other)) {
            apart.retain(|other| !other.starts_with(&folder));
            apart.push(folder);
        }
    }
    Ok(apart)
}

/// Reads every ELF file below `folders`, up to `most` of them.
pub(crate) fn build(folders: &[PathBuf], most: usize, stop: &Stop) -> Index {
    let mut index = Index::default();
    let walk = Progress::unbounded("looking for ELF files");
    let mut found = Vec::new();
    for folder in folders {
        let mut files = Vec::new();
        walk_folder(folder, stop, &mut index.skipped, &mut |path| {
            walk.set(walk.at() + 1);
            files.push(path);
        });
        found.push(files);
    }
    walk.finish();

    let total = found.iter().map(Vec::len).sum::<usize>();
    index.cut = total > most;
    let read = Progress::bounded("reading ELF files", total.min(most) as u64);
    let mut left = most;
    for files in found {
        let mut entries = Vec::new();
        for path in files.into_iter().take(left) {
            if stop.is_set() {
                break;
            }
            left -= 1;
            match entry(path) {
                Ok(entry) => entries.push(entry),
                Err((_, Defect::NoBuildId)) => index.without_build_id += 1,
                Err((path, defect)) => index.skipped.push((path, defect.to_string())),
            }
            read.set(read.at() + 1);
        }
        index.folders.push(entries);
    }
    read.finish();
    index
}

/// The entry of one ELF file.
fn entry(path: PathBuf) -> Result<Entry, (PathBuf, Defect)> {
    let facts = match elf::read_file(&path) {
        Ok(facts) => facts,
        Err(defect) => return Err((path, defect)),
    };
    let name = match (path.file_name().and_then(|file| file.to_str()), path.to_str()) {
        (Some(file), Some(path)) if !path.contains(char::is_control) => Name::new(file, &facts.build_id),
        _ => Err(crate::name::BadName("its path is not printable text")),
    };
    match name {
        Ok(name) => Ok(Entry { name, path, bytes: facts.file_bytes }),
        Err(why) => Err((path, Defect::Unreadable(io::Error::other(why.0)))),
    }
}

/// Shows every regular file below `folder` that begins like an ELF file, in the order of their names. Links are not
/// followed: what they point to has a name of its own, and a loop would never end.
fn walk_folder(folder: &Path, stop: &Stop, skipped: &mut Vec<(PathBuf, String)>, found: &mut dyn FnMut(PathBuf)) {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        if stop.is_set() {
            return;
        }
        let mut inside = match fs::read_dir(&folder).and_then(Iterator::collect::<io::Result<Vec<_>>>) {
            Ok(inside) => inside,
            Err(error) => {
                skipped.push((folder, format!("can't be listed: {error}")));
                continue;
            }
        };
        inside.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in inside {
            let path = entry.path();
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => folders.push(path),
                Ok(kind) if kind.is_file() => match begins_like_elf(&path) {
                    Ok(true) => found(path),
                    Ok(false) => {}
                    Err(error) => skipped.push((path, format!("can't be read: {error}"))),
                },
                Ok(_) => {}
                Err(error) => skipped.push((path, format!("can't be read: {error}"))),
            }
        }
    }
}

fn begins_like_elf(path: &Path) -> io::Result<bool> {
    let mut start = [0; elf::MAGIC.len()];
    match File::open(path)?.read_exact(&mut start) {
        Ok(()) => Ok(start == elf::MAGIC),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn tree() -> tempfile::TempDir {
        let tree = tempfile::tempdir().expect("a folder");
        let inner = tree.path().join("inner");
        fs::create_dir(&inner).expect("a folder");
        let whole = sample::elf(&[1; 20], &[("main", 16)]);
        fs::write(tree.path().join("whole"), &whole).expect("a file");
        fs::write(inner.join("copy"), &whole).expect("a file");
        fs::write(inner.join("cut"), &whole[..whole.len() / 2]).expect("a file");
        fs::write(inner.join("nameless"), sample::elf(&[], &[])).expect("a file");
        fs::write(inner.join("text"), "#!/bin/sh\n").expect("a file");
        fs::write(inner.join("tab\there"), &whole).expect("a file");
        tree
    }

    #[test]
    fn what_can_be_looked_up_is_indexed_and_the_rest_counted() {
        let tree = tree();
        let index = build(&[tree.path().to_owned()], 100, &Stop::default());
        let files: Vec<&str> = index.entries().iter().map(|entry| entry.name.file()).collect();
        assert_eq!(files, ["whole", "copy"]);
        assert_eq!(index.without_build_id, 1);
        let mut skipped: Vec<_> = index.skipped.iter().filter_map(|(path, _)| path.file_name()?.to_str()).collect();
        skipped.sort_unstable();
        assert_eq!(skipped, ["cut", "tab\there"]);
        assert!(!index.cut);
    }

    #[test]
    fn no_more_files_are_read_than_were_asked_for() {
        let tree = tree();
        let index = build(&[tree.path().to_owned()], 1, &Stop::default());
        assert_eq!(index.entries().len(), 1);
        assert!(index.cut);
    }

    #[test]
    fn a_folder_inside_another_is_walked_once() {
        let tree = tree();
        let (outer, inner) = (tree.path().to_owned(), tree.path().join("inner"));
        let expected = vec![fs::canonicalize(&outer).expect("a folder")];
        assert_eq!(folders(&[inner.clone(), outer.clone(), inner]).as_ref(), Ok(&expected));
        assert_eq!(folders(&[outer.clone(), outer]), Ok(expected));
    }

    #[test]
    fn a_folder_that_is_none_is_told() {
        let tree = tree();
        for name in ["missing", "whole"] {
            let failure = folders(&[tree.path().join(name)]).expect_err("no folder").to_string();
            assert!(failure.contains("can't read the folder") && failure.contains(name), "{failure}");
        }
    }
}
