//! What the clients ask for: real names and missing ones, some popular and most not, and a few uploads.

use crate::elf;
use crate::name::Name;
use crate::store::Entry;
use crate::zipf::Zipf;
use axum::body::Bytes;
use fastrand::Rng;
use std::collections::HashSet;
use std::fs;

/// Files larger than this are not uploaded: the run is about look-ups.
const LARGEST_UPLOAD: u64 = 256 << 10;

/// How many of the missing names there are for each real one.
const MISSING_PER_REAL: usize = 3;

/// So many real and so many missing names get uploads.
const UPLOADED: usize = 8;

/// The names, by rank: the real ones first, then the missing ones.
pub(crate) struct Workload {
    names: Vec<Name>,
    real: Zipf,
    missing: Zipf,
    first_missing: usize,
    missing_share: f64,
    /// The names that get uploads.
    pub(crate) uploads: Vec<Upload>,
}

/// A name that gets uploads.
pub(crate) struct Upload {
    /// The place of the name.
    pub(crate) index: usize,
    /// A sound file with the build id of that name.
    pub(crate) base: Bytes,
}

impl Workload {
    /// Over these files, with so large a share of look-ups of missing names. `None` if there are no files.
    pub(crate) fn new(entries: &[&Entry], missing_share: f64, seed: u64) -> Option<Self> {
        let mut rng = Rng::with_seed(seed);
        let mut real: Vec<&Entry> = entries.to_vec();
        rng.shuffle(&mut real);
        let smallest = real.iter().min_by_key(|entry| entry.bytes)?;
        let missing = missing_names(&real, smallest, &mut rng);

        let mut uploads: Vec<Upload> = (0..real.len())
            .filter(|&rank| real[rank].bytes <= LARGEST_UPLOAD)
            .filter_map(|index| Some(Upload { index, base: fs::read(&real[index].path).ok()?.into() }))
            .take(UPLOADED)
            .collect();
        let base = fs::read(&smallest.path).ok()?;
        let place = elf::build_id_place(&base)?;
        for (rank, name) in missing.iter().enumerate().step_by(2).take(UPLOADED) {
            let mut bytes = base.clone();
            for (byte, digits) in bytes[place.clone()].iter_mut().zip(name.build_id().as_bytes().chunks(2)) {
                *byte = std::str::from_utf8(digits).ok().and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
            }
            uploads.push(Upload { index: real.len() + rank, base: bytes.into() });
        }

        Some(Workload {
            real: Zipf::new(real.len()),
            missing: Zipf::new(missing.len()),
            first_missing: real.len(),
            missing_share,
            uploads,
            names: real.into_iter().map(|entry| entry.name.clone()).chain(missing).collect(),
        })
    }

    pub(crate) fn name(&self, index: usize) -> &Name {
        &self.names[index]
    }

    /// How many names are real, and how many missing.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.first_missing, self.names.len() - self.first_missing)
    }

    /// The place of the next name to look up.
    pub(crate) fn pick(&self, rng: &mut Rng) -> usize {
        if rng.f64() < self.missing_share {
            self.first_missing + self.missing.rank(rng.f64())
        } else {
            self.real.rank(rng.f64())
        }
    }
}

/// Names that no file has: another build of a file that is there, or a file of another system.
fn missing_names(real: &[&Entry], model: &Entry, rng: &mut Rng) -> Vec<Name> {
    let taken: HashSet<&Name> = real.iter().map(|entry| &entry.name).collect();
    let wanted = (real.len() * MISSING_PER_REAL).max(64);
    let mut names = HashSet::new();
    let mut ranked = Vec::with_capacity(wanted);
    // Build ids of a byte or two may run out; then there are fewer names.
    for _ in 0..wanted * 2 {
        let build_id: String = (0..model.name.build_id().len()).map(|_| rng.digit(16)).collect();
        let file = match rng.u8(0..4) {
            0 => format!("driver{}.pdb", rng.u16(..)),
            1 => format!("libplugin{}.so.{}", rng.u16(..), rng.u8(1..9)),
            _ => real.get(rng.usize(0..real.len())).map_or("unknown", |entry| entry.name.file()).to_owned(),
        };
        let Ok(name) = Name::new(&file, &build_id) else { continue };
        if !taken.contains(&name) && names.insert(name.clone()) {
            ranked.push(name);
        }
        if ranked.len() == wanted {
            break;
        }
    }
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;
    use std::path::Path;

    fn entries(folder: &Path) -> Vec<Entry> {
        (1..=5)
            .map(|id: u8| {
                let path = folder.join(format!("lib{id}"));
                let bytes = sample::elf(&[id; 20], &[("main", 16)]);
                fs::write(&path, &bytes).expect("a file");
                let name = Name::new(&format!("lib{id}"), &format!("{id:02x}").repeat(20)).expect("a name");
                Entry { name, path, bytes: bytes.len() as u64 }
            })
            .collect()
    }

    #[test]
    fn names_are_real_or_missing_in_the_share_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = entries(folder.path());
        let workload = Workload::new(&entries.iter().collect::<Vec<_>>(), 0.75, 1).expect("files");
        assert_eq!(workload.counts(), (5, 64));
        let mut rng = Rng::with_seed(2);
        let missing = (0..10_000).filter(|_| workload.pick(&mut rng) >= 5).count();
        assert!((7300..7700).contains(&missing), "{missing} of 10000");
    }

    #[test]
    fn what_is_uploaded_has_the_build_id_of_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = entries(folder.path());
        let workload = Workload::new(&entries.iter().collect::<Vec<_>>(), 0.75, 1).expect("files");
        assert_eq!(workload.uploads.len(), 5 + UPLOADED);
        for upload in &workload.uploads {
            let facts = elf::facts(&*upload.base).expect("a sound file");
            assert_eq!(facts.build_id, workload.name(upload.index).build_id());
        }
    }

    #[test]
    fn the_same_seed_asks_for_the_same() {
        let folder = tempfile::tempdir().expect("a folder");
        let entries = entries(folder.path());
        let entries: Vec<&Entry> = entries.iter().collect();
        let names = |seed| Workload::new(&entries, 0.5, seed).expect("files").names;
        assert_eq!(names(1), names(1));
        assert_ne!(names(1), names(2));
    }

    #[test]
    fn without_files_there_is_nothing_to_ask_for() {
        assert!(Workload::new(&[], 0.5, 1).is_none());
    }
}
