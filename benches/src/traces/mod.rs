//! Sequences of requests: recorded ones where they are present, otherwise synthetic ones.

pub mod recorded;
pub mod synthetic;

use std::path::{Path, PathBuf};

/// The requests of a trace. Keys are numbered in the order in which they come first.
pub struct Trace {
    /// The trace's name, by which `rows` knows it.
    pub name: &'static str,
    /// The number of the key that each request asks for.
    pub requests: Vec<u32>,
    /// How many keys there are.
    pub keys: usize,
}

/// Where traces come from.
pub enum Traces {
    /// Recorded ones in their usual folder if that is there, else synthetic ones.
    Default,
    /// Recorded ones in this folder.
    Folder(PathBuf),
    /// Made here.
    Synthetic,
}

/// Traces that can be loaded one after the other.
pub struct Source {
    folder: Option<PathBuf>,
    names: Vec<&'static str>,
}

impl Traces {
    /// What there is.
    pub fn find(&self) -> Result<Source, String> {
        let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/traces");
        let folder = match self {
            Traces::Synthetic => None,
            Traces::Default => usual.is_dir().then_some(usual),
            Traces::Folder(folder) => Some(folder.clone()),
        };
        let Some(folder) = folder else {
            return Ok(Source { folder: None, names: synthetic::NAMES.to_vec() });
        };
        let names = recorded::present(&folder);
        if names.is_empty() {
            let files = recorded::files().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "no trace in {}: it should hold some of {files}. Name another folder with --traces, or ask for \
                 --synthetic ones",
                folder.display()
            ));
        }
        Ok(Source { folder: Some(folder), names })
    }
}

impl Source {
    /// The traces that are there.
    #[must_use]
    pub fn names(&self) -> &[&'static str] {
        &self.names
    }

    /// One line on where the traces come from.
    #[must_use]
    pub fn about(&self) -> &'static str {
        match self.folder {
            Some(_) => "Recorded traces.",
            None => "Synthetic traces, made from seeds.",
        }
    }

    /// Reads or makes a trace.
    pub fn load(&self, name: &'static str) -> Result<Trace, String> {
        match &self.folder {
            Some(folder) => recorded::read(folder, name),
            None => Ok(synthetic::make(name)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_folder_is_an_error_that_says_what_to_do() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Traces::Folder(folder.path().to_owned()).find().err().expect("nothing there");
        assert!(error.contains("arc-OLTP.lis.zst") && error.contains("--synthetic"), "{error}");
    }
}
