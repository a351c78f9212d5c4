//! Facts about an ELF file, read from its bytes.
//!
//! Anybody may upload a file, so nothing in it is trusted: every size is checked against the length of the file
//! before it is used, and what does not fit is a [`Defect`].

use object::read::{File, Object, ObjectSection, ObjectSymbol, ReadCache, ReadRef};
use object::{Architecture, ObjectKind, SectionKind, SymbolKind};
use serde::{Deserialize, Serialize};
use std::cmp::Reverse;
use std::fmt::{self, Write as _};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The first bytes of every ELF file.
pub(crate) const MAGIC: [u8; 4] = *b"\x7fELF";

/// How many of the largest functions are named.
const LARGEST: usize = 5;

/// What the server tells about a symbol file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) build_id: String,
    pub(crate) architecture: String,
    pub(crate) bits: u8,
    pub(crate) kind: String,
    pub(crate) file_bytes: u64,
    pub(crate) sections: u64,
    /// Bytes in executable sections.
    pub(crate) code_bytes: u64,
    pub(crate) debug_info: bool,
    /// "full", "dynamic" (a stripped file: only what the loader needs) or "none".
    pub(crate) symbol_table: String,
    pub(crate) symbols: u64,
    pub(crate) functions: u64,
    /// Bytes of code that a function symbol covers.
    pub(crate) function_bytes: u64,
    pub(crate) largest_functions: Vec<Function>,
}

/// A function that the symbol table names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) bytes: u64,
}

/// Why a file has no facts.
#[derive(Debug)]
pub(crate) enum Defect {
    /// The bytes are not those of a whole ELF file.
    Damaged(String),
    /// A sound ELF file that can't be looked up.
    NoBuildId,
    /// It could not be read.
    Unreadable(io::Error),
}

impl fmt::Display for Defect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Defect::Damaged(what) => write!(f, "not a whole ELF file: {what}"),
            Defect::NoBuildId => f.write_str("it has no build id"),
            Defect::Unreadable(error) => write!(f, "can't be read: {error}"),
        }
    }
}

impl From<object::read::Error> for Defect {
    fn from(error: object::read::Error) -> Self {
        Defect::Damaged(error.to_string())
    }
}

/// The facts about the file at `path`, of which only the headers and the symbol tables are read.
pub(crate) fn read_file(path: &Path) -> Result<Facts, Defect> {
    read(std::fs::File::open(path).map_err(Defect::Unreadable)?)
}

fn read(file: impl Read + Seek) -> Result<Facts, Defect> {
    let data = ReadCache::new(Watched { file, error: None });
    let facts = facts(&data);
    // After a read that failed nothing is certain, not even facts: a symbol that was not read is not counted.
    match data.into_inner().error {
        Some(error) => Err(Defect::Unreadable(error)),
        None => facts,
    }
}

/// A file that keeps its last error. The parser gets to know only that there was one, and takes it for damage.
struct Watched<F> {
    file: F,
    error: Option<io::Error>,
}

impl<F> Watched<F> {
    fn watch<T>(&mut self, action: impl FnOnce(&mut F) -> io::Result<T>) -> io::Result<T> {
        action(&mut self.file).map_err(|error| {
            let kind = error.kind();
            self.error = Some(error);
            kind.into()
        })
    }
}

impl<F: Read> Read for Watched<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.watch(|file| file.read(buffer))
    }
}

impl<F: Seek> Seek for Watched<F> {
    fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
        self.watch(|file| file.seek(place))
    }
}

/// The facts about an ELF file.
pub(crate) fn facts<'data>(data: impl ReadRef<'data>) -> Result<Facts, Defect> {
    let length = data.len().map_err(|()| Defect::Damaged("its length can't be read".to_owned()))?;
    let file = File::parse(data)?;
    let layout = layout(&file, length)?;
    let build_id = hex(file.build_id()?.ok_or(Defect::NoBuildId)?);
    let (symbol_table, symbols) = if file.symbols().next().is_some() {
        ("full", symbols(file.symbols()))
    } else if file.dynamic_symbols().next().is_some() {
        ("dynamic", symbols(file.dynamic_symbols()))
    } else {
        ("none", Symbols::default())
    };
    Ok(Facts {
        build_id,
        architecture: architecture(file.architecture()).to_owned(),
        bits: if file.is_64() { 64 } else { 32 },
        kind: kind(file.kind()).to_owned(),
        file_bytes: length,
        sections: layout.sections,
        code_bytes: layout.code_bytes,
        debug_info: file.has_debug_symbols(),
        symbol_table: symbol_table.to_owned(),
        symbols: symbols.count,
        functions: symbols.functions,
        function_bytes: symbols.function_bytes,
        largest_functions: symbols.largest,
    })
}

/// What the section headers say.
struct Layout {
    sections: u64,
    code_bytes: u64,
}

/// Reads the section headers and refuses a file that does not hold what they promise: one that was cut short, or one
/// made to be read over and over.
fn layout<'data>(file: &File<'data, impl ReadRef<'data>>, length: u64) -> Result<Layout, Defect> {
    let mut layout = Layout { sections: 0, code_bytes: 0 };
    let mut in_file = 0_u64;
    for section in file.sections() {
        layout.sections += 1;
        if section.kind() == SectionKind::Text {
            layout.code_bytes = layout.code_bytes.saturating_add(section.size());
        }
        let Some((start, size)) = section.file_range() else { continue };
        if start.checked_add(size).is_none_or(|end| end > length) {
            return Err(Defect::Damaged(format!("a section ends past the end of the file, at {length} bytes")));
        }
        in_file = in_file.saturating_add(size);
    }
    if layout.sections == 0 {
        return Err(Defect::Damaged("it has no section headers".to_owned()));
    }
    // Sections of a real file don't overlap. Without this check, 65 thousand headers over the same bytes would have
    // those bytes read as often.
    if in_file > length {
        return Err(Defect::Damaged("its sections overlap".to_owned()));
    }
    Ok(layout)
}

/// What a symbol table says.
#[derive(Default)]
struct Symbols {
    count: u64,
    functions: u64,
    function_bytes: u64,
    largest: Vec<Function>,
}

fn symbols<'data, S: ObjectSymbol<'data>>(table: impl Iterator<Item = S>) -> Symbols {
    let mut found = Symbols::default();
    let mut largest: Vec<S> = Vec::with_capacity(LARGEST + 1);
    for symbol in table {
        found.count += 1;
        if symbol.kind() != SymbolKind::Text || symbol.is_undefined() {
            continue;
        }
        found.functions += 1;
        found.function_bytes = found.function_bytes.saturating_add(symbol.size());
        // The address breaks ties, so that the answer does not depend on the order of the table.
        let rank = |symbol: &S| (Reverse(symbol.size()), symbol.address());
        let place = largest.partition_point(|other| rank(other) <= rank(&symbol));
        if place < LARGEST {
            largest.insert(place, symbol);
            largest.truncate(LARGEST);
        }
    }
    found.largest = largest
        .iter()
        .map(|symbol| Function {
            name: String::from_utf8_lossy(symbol.name_bytes().unwrap_or(b"?")).into_owned(),
            bytes: symbol.size(),
        })
        .collect();
    found
}

/// Where the build id lies in `bytes`, for those that make a file with another one.
pub(crate) fn build_id_place(bytes: &[u8]) -> Option<std::ops::Range<usize>> {
    let id = File::parse(bytes).ok()?.build_id().ok()??;
    let start = id.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    Some(start..start + id.len())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a `String` can't fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn architecture(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::X86_64 => "x86_64",
        Architecture::I386 => "i386",
        Architecture::Aarch64 => "aarch64",
        Architecture::Arm => "arm",
        Architecture::Riscv64 => "riscv64",
        Architecture::PowerPc64 => "powerpc64",
        Architecture::S390x => "s390x",
        Architecture::Mips | Architecture::Mips64 => "mips",
        Architecture::LoongArch64 => "loongarch64",
        Architecture::Bpf => "bpf",
        _ => "other",
    }
}

fn kind(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Executable => "executable",
        // An executable that can be loaded anywhere is one too.
        ObjectKind::Dynamic => "shared object",
        ObjectKind::Relocatable => "relocatable",
        ObjectKind::Core => "core",
        _ => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn facts_are_those_of_the_file() {
        let bytes = sample::elf(&[0xab; 20], &[("small", 4), ("large", 32), ("middle", 8)]);
        let facts = facts(&*bytes).expect("a sound file");
        assert_eq!(facts.build_id, "ab".repeat(20));
        assert_eq!((facts.architecture.as_str(), facts.bits), ("x86_64", 64));
        assert_eq!((facts.functions, facts.function_bytes), (3, 44));
        assert_eq!(facts.file_bytes, bytes.len() as u64);
        assert!(!facts.debug_info);
        let names: Vec<&str> = facts.largest_functions.iter().map(|function| function.name.as_str()).collect();
        assert_eq!(names, ["large", "middle", "small"]);
    }

    #[test]
    fn only_the_largest_functions_are_named() {
        let facts = facts(&*sample::elf(&[1; 20], &[("a", 1), ("b", 7), ("c", 3), ("d", 3), ("e", 9), ("f", 2)]));
        let named: Vec<(String, u64)> =
            facts.expect("a sound file").largest_functions.into_iter().map(|f| (f.name, f.bytes)).collect();
        let expected = [("e", 9), ("b", 7), ("c", 3), ("d", 3), ("f", 2)];
        assert_eq!(named, expected.map(|(name, bytes)| (name.to_owned(), bytes)));
    }

    #[test]
    fn a_file_cut_short_anywhere_is_damaged() {
        let bytes = sample::elf(&[2; 20], &[("main", 16)]);
        for length in 0..bytes.len() {
            let cut = facts(&bytes[..length]);
            assert!(matches!(cut, Err(Defect::Damaged(_))), "cut at {length}: {cut:?}");
        }
    }

    #[test]
    fn a_file_with_any_byte_changed_is_no_panic() {
        let bytes = sample::elf(&[3; 20], &[("main", 16), ("other", 8)]);
        for place in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[place] ^= change;
                let _ = facts(&*changed);
            }
        }
    }

    #[test]
    fn a_file_read_from_disk_says_the_same() {
        let bytes = sample::elf(&[4; 20], &[("main", 16)]);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("sample");
        std::fs::write(&path, &bytes).expect("a file");
        assert_eq!(read_file(&path).expect("sound"), facts(&*bytes).expect("sound"));
        assert!(matches!(read_file(&folder.path().join("none")), Err(Defect::Unreadable(_))));
    }

    #[test]
    fn a_read_that_fails_is_no_damage_and_leaves_no_facts() {
        struct Flaky {
            file: io::Cursor<Vec<u8>>,
            good_reads: usize,
        }
        impl Read for Flaky {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                self.good_reads = self.good_reads.checked_sub(1).ok_or(io::ErrorKind::PermissionDenied)?;
                self.file.read(buffer)
            }
        }
        impl Seek for Flaky {
            fn seek(&mut self, place: SeekFrom) -> io::Result<u64> {
                self.file.seek(place)
            }
        }
        let bytes = sample::elf(&[6; 20], &[("main", 16)]);
        let attempt = |good_reads| read(Flaky { file: io::Cursor::new(bytes.clone()), good_reads });
        let enough = (0..100).find(|&good_reads| match attempt(good_reads) {
            Ok(found) => found == facts(&*bytes).expect("sound"),
            Err(Defect::Unreadable(error)) if error.kind() == io::ErrorKind::PermissionDenied => false,
            Err(other) => panic!("after {good_reads} reads: {other}"),
        });
        assert!(enough.is_some_and(|reads| reads > 3), "{enough:?}");
    }

    #[test]
    fn without_a_build_id_there_is_nothing_to_look_up() {
        assert!(matches!(facts(&*sample::elf(&[], &[("main", 16)])), Err(Defect::NoBuildId)));
        assert!(matches!(facts(&b"#!/bin/sh"[..]), Err(Defect::Damaged(_))));
    }

    #[test]
    fn the_build_id_can_be_found_and_changed() {
        let mut bytes = sample::elf(&[5; 20], &[]);
        let place = build_id_place(&bytes).expect("a build id");
        bytes[place].fill(6);
        assert_eq!(facts(&*bytes).expect("sound").build_id, "06".repeat(20));
    }
}
