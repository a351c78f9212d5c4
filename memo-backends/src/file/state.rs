//! The state file: whether what lies in the folder can be trusted after a restart of the machine.
//!
//! LMDB writes without `fsync`, so pages may reach the disk in any order. As long as the machine runs, every process
//! sees them through the page cache and nothing is lost. After a crash of the machine the file may be damaged in ways
//! that no check finds. So the file is marked *dirty* (with an `fsync` of the mark) before the first write, and
//! *clean* only once everything is on the disk and nobody writes. Dirty and of another boot: set aside.
//!
//! It is read and written under the folder's door lock only.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// First line of the file; the number is the version of the folder's layout.
const FORMAT: &str = "memokit file cache 2";

/// Where Linux shows an id that is new with every boot.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// No id of a boot: such a state is never taken for one of this boot.
const UNKNOWN_BOOT: &str = "????????-????-????-????-????????????";

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The boot in which the mark was written.
    boot: String,
    pub(super) clean: bool,
    /// The address space that all processes reserve while any has the folder open.
    pub(super) map_bytes: u64,
}

impl State {
    /// A state written now.
    pub(super) fn now(clean: bool, map_bytes: u64) -> State {
        State { boot: this_boot(), clean, map_bytes }
    }

    /// Whether the entries may be damaged: written in another boot and not known to have reached the disk.
    pub(super) fn is_doubtful(&self) -> bool {
        !self.clean && (self.boot == UNKNOWN_BOOT || self.boot != this_boot())
    }

    /// What the file says; `None` if that is nothing, or nothing whole.
    pub(super) fn read(file: &mut File) -> io::Result<Option<State>> {
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0))?;
        file.take(1024).read_to_end(&mut text)?;
        Ok(std::str::from_utf8(&text).ok().and_then(State::parse))
    }

    /// Writes it and waits until it is on the disk. Always as many bytes, below a sector, so that a crash leaves the
    /// old text or the new.
    pub(super) fn write(&self, file: &mut File) -> io::Result<()> {
        let text = self.text();
        file.seek(SeekFrom::Start(0))?;
        file.write_all(text.as_bytes())?;
        file.set_len(text.len() as u64)?;
        file.sync_all()
    }

    fn text(&self) -> String {
        let mark = if self.clean { "clean" } else { "dirty" };
        format!("{FORMAT}\nboot {}\nmark {mark}\nmap {:020}\n", self.boot, self.map_bytes)
    }

    fn parse(text: &str) -> Option<State> {
        let mut lines = text.split_terminator('\n');
        (lines.next()? == FORMAT).then_some(())?;
        let boot = lines.next()?.strip_prefix("boot ")?.to_owned();
        let clean = match lines.next()?.strip_prefix("mark ")? {
            "clean" => true,
            "dirty" => false,
            _ => return None,
        };
        let map_bytes = lines.next()?.strip_prefix("map ")?.parse().ok()?;
        let state = State { boot, clean, map_bytes };
        // Nothing more, nothing less.
        (state.text() == text).then_some(state)
    }
}

fn this_boot() -> String {
    let id = std::fs::read_to_string(BOOT_ID).unwrap_or_default();
    let id = id.trim();
    if id.len() == UNKNOWN_BOOT.len() { id.to_owned() } else { UNKNOWN_BOOT.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dirty_and_of_another_boot_is_doubtful() {
        let of = |boot: &str, clean| State { boot: boot.into(), clean, map_bytes: 1 }.is_doubtful();
        let other = "01234567-89ab-cdef-0123-456789abcdef";
        assert!(of(other, false));
        assert!(!of(other, true));
        assert!(of(UNKNOWN_BOOT, false), "without an id of the boot no dirty state is trusted");
        assert_eq!(of(&this_boot(), false), this_boot() == UNKNOWN_BOOT);
    }

    #[test]
    fn what_was_written_is_read_and_nothing_else() -> io::Result<()> {
        let mut file = tempfile::tempfile()?;
        assert_eq!(State::read(&mut file)?, None);
        let state = State::now(true, 1 << 30);
        state.write(&mut file)?;
        assert_eq!(State::read(&mut file)?, Some(state.clone()));
        let text = state.text();
        for cut in 0..text.len() {
            assert_eq!(State::parse(&text[..cut]), None, "cut after {cut} bytes");
        }
        assert_eq!(State::parse(&format!("{text}more")), None);
        assert_eq!(State::parse(&text.replace("cache 2", "cache 3")), None);
        Ok(())
    }
}
