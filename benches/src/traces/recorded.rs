//! Traces that others recorded, in the files in which they publish them.
//!
//! OLTP and P3 are those of Megiddo and Modha, "ARC: a self-tuning, low overhead replacement cache", FAST 2003; `2_pools` and
//! loop those of the authors of LIRS; orm-busy and web07 of cache2k; corda of the project of that name. Each is compared
//! with how many requests and keys it is known to have, so that a damaged file or a misread format is no result.

use super::Trace;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// A file's name ends with how it is compressed; this is what it holds then.
#[derive(Clone, Copy)]
enum Format {
    /// A line `start count …` asks for the keys `start`, `start + 1` and so on.
    Ranges,
    /// A number on a line; other lines are marks between them.
    Lines,
    /// Big-endian numbers of so many bytes.
    Numbers(usize),
}

struct Recorded {
    name: &'static str,
    file: &'static str,
    format: Format,
    requests: usize,
    keys: usize,
}

const fn trace(name: &'static str, file: &'static str, format: Format, requests: usize, keys: usize) -> Recorded {
    Recorded { name, file, format, requests, keys }
}

const TRACES: [Recorded; 7] = [
    trace("OLTP", "arc-OLTP.lis.zst", Format::Ranges, 914_145, 186_880),
    trace("orm-busy", "cache2k-orm-busy.trace.xz", Format::Numbers(4), 5_000_000, 76_349),
    trace("corda", "corda-trace_vaultservice.gz", Format::Numbers(8), 135_702, 90_468),
    trace("loop", "lirs-loop.trace.gz", Format::Lines, 505_500, 1_011),
    trace("2_pools", "lirs-2_pools.trace.gz", Format::Lines, 100_000, 9_939),
    trace("web07", "cache2k-web07.trace.xz", Format::Numbers(4), 76_118, 20_484),
    trace("P3", "arc-P3.lis.zst", Format::Ranges, 3_912_296, 762_543),
];

/// The traces' names.
pub const NAMES: [&str; TRACES.len()] = {
    let mut names = [""; TRACES.len()];
    let mut at = 0;
    while at < TRACES.len() {
        names[at] = TRACES[at].name;
        at += 1;
    }
    names
};

/// The traces' files.
pub fn files() -> impl Iterator<Item = &'static str> {
    TRACES.iter().map(|trace| trace.file)
}

/// The names of those whose files are in this folder.
#[must_use]
pub fn present(folder: &Path) -> Vec<&'static str> {
    TRACES.iter().filter(|trace| folder.join(trace.file).is_file()).map(|trace| trace.name).collect()
}

/// Reads one.
pub fn read(folder: &Path, name: &str) -> Result<Trace, String> {
    let known = TRACES.iter().find(|trace| trace.name == name).ok_or_else(|| format!("no trace is called {name}"))?;
    let path = folder.join(known.file);
    let read = || {
        let bytes = decompress(&path)?;
        Ok::<_, String>(number(known.name, keys(&bytes, known.format)?))
    };
    let trace = read().map_err(|error| format!("reading {}: {error}", path.display()))?;
    if (trace.requests.len(), trace.keys) != (known.requests, known.keys) {
        return Err(format!(
            "{} has {} requests for {} keys, and should have {} for {}: fetch it anew",
            path.display(),
            trace.requests.len(),
            trace.keys,
            known.requests,
            known.keys
        ));
    }
    Ok(trace)
}

fn decompress(path: &Path) -> Result<Vec<u8>, String> {
    let file = BufReader::new(File::open(path).map_err(|error| error.to_string())?);
    let mut reader: Box<dyn Read> = match path.extension().and_then(|extension| extension.to_str()) {
        Some("gz") => Box::new(flate2::read::MultiGzDecoder::new(file)),
        Some("xz") => Box::new(lzma_rust2::XzReader::new(file, true)),
        Some("zst") => Box::new(ruzstd::decoding::StreamingDecoder::new(file).map_err(|error| error.to_string())?),
        _ => return Err("neither .gz, .xz nor .zst".to_owned()),
    };
    let mut bytes = Vec::new();
    reader.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    Ok(bytes)
}

/// The keys asked for, one after the other.
fn keys(bytes: &[u8], format: Format) -> Result<Vec<u64>, String> {
    let mut keys = Vec::new();
    match format {
        Format::Numbers(width) => {
            for bytes in bytes.chunks_exact(width) {
                keys.push(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
            }
        }
        Format::Lines => {
            for line in bytes.lines() {
                let line = line.map_err(|error| error.to_string())?;
                keys.extend(line.trim().parse::<u64>());
            }
        }
        Format::Ranges => {
            for (at, line) in bytes.lines().enumerate() {
                let line = line.map_err(|error| error.to_string())?;
                let mut words = line.split_whitespace().map(str::parse::<u64>);
                match (words.next(), words.next()) {
                    (Some(Ok(start)), Some(Ok(count))) => keys.extend(start..start.saturating_add(count.min(1 << 20))),
                    (None, _) => {}
                    _ => return Err(format!("line {} is not `start count …`: {line:?}", at + 1)),
                }
            }
        }
    }
    Ok(keys)
}

/// Gives keys numbers in the order in which they come first.
fn number(name: &'static str, keys: Vec<u64>) -> Trace {
    let mut numbers = HashMap::<u64, u32, foldhash::fast::RandomState>::default();
    let requests = keys.into_iter().map(|key| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(key).or_insert(next)
    });
    let requests = requests.collect();
    Trace { name, requests, keys: numbers.len() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_read_as_they_are_written() {
        assert_eq!(keys(b"5 3 0 1\n\n9 1 0 2\n", Format::Ranges), Ok(vec![5, 6, 7, 9]));
        assert!(keys(b"5 x\n", Format::Ranges).is_err_and(|error| error.contains("line 1")));
        assert_eq!(keys(b"7\n*\n8\n", Format::Lines), Ok(vec![7, 8]));
        assert_eq!(keys(&[0, 0, 1, 2, 0, 0, 0, 3], Format::Numbers(4)), Ok(vec![258, 3]));
    }

    #[test]
    fn keys_are_numbered_as_they_come() {
        let trace = number("sample", vec![70, 50, 70, 60]);
        assert_eq!((trace.requests, trace.keys), (vec![0, 1, 0, 2], 3));
    }

    #[test]
    fn a_damaged_file_is_an_error_with_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("lirs-loop.trace.gz"), b"no gzip").expect("written");
        assert_eq!(present(folder.path()), ["loop"]);
        let error = read(folder.path(), "loop").err().expect("damaged");
        assert!(error.contains("lirs-loop.trace.gz"), "{error}");
    }
}
