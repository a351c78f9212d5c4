//! The figures of a bench: tables of rows by contenders, as a file that programs read and as Markdown.

use crate::machine;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Where the figures of the last runs are kept, and what is drawn of them.
#[must_use]
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("results")
}

/// All that one run of a bench found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// The bench's name.
    pub bench: String,
    /// What was done, in a few sentences.
    pub about: String,
    /// Machine and compiler.
    pub machine: String,
    /// The contenders' crates, with versions.
    pub versions: Vec<String>,
    /// What came out.
    pub tables: Vec<Table>,
}

/// Rows by contenders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// What it shows.
    pub title: String,
    /// What a figure counts.
    pub unit: String,
    /// What of two figures is the better one.
    pub better: Better,
    /// How many digits are worth showing after the point.
    pub decimals: usize,
    /// How it is drawn.
    pub chart: Chart,
    /// What the rows are: the head of their column.
    pub rows_are: String,
    /// The contenders.
    pub columns: Vec<String>,
    /// Their figures.
    pub rows: Vec<Row>,
}

/// One figure for each contender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was measured.
    pub name: String,
    /// The contenders' figures; `None` where a contender did not take part.
    pub values: Vec<Option<f64>>,
}

/// What of two figures is the better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Better {
    /// As a ratio of hits.
    More,
    /// As a time.
    Less,
}

/// How a table is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Chart {
    /// A bar for each figure, from zero.
    Bars,
    /// A dot for each figure on a line for each row: for many rows of figures that are near each other.
    Dots,
    /// Not at all.
    None,
}

impl Figures {
    /// Those of this machine, with the versions of these crates and no tables yet.
    #[must_use]
    pub fn new(bench: &str, about: &str, crates: &[&str]) -> Self {
        Figures {
            bench: bench.to_owned(),
            about: about.split_whitespace().collect::<Vec<_>>().join(" "),
            machine: machine::describe(),
            versions: machine::versions(crates),
            tables: Vec::new(),
        }
    }

    /// Reads a file that [`write`](Figures::write) wrote.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(path).map_err(|error| failed("reading", path, &error))?;
        serde_json::from_str(&text).map_err(|error| {
            format!("{} is not what a bench writes ({error}); run that bench again, or remove the file", path.display())
        })
    }

    /// Writes them to `folder`, under the bench's name; returns the path.
    pub fn write(&self, folder: &Path) -> Result<PathBuf, String> {
        let path = folder.join(format!("{}.json", self.bench));
        let mut text = serde_json::to_string_pretty(self).map_err(|error| format!("encoding figures: {error}"))?;
        text.push('\n');
        fs::create_dir_all(folder).map_err(|error| failed("creating", folder, &error))?;
        fs::write(&path, text).map_err(|error| failed("writing", &path, &error))?;
        Ok(path)
    }

    /// A page with all tables.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut page = format!("# {}\n\n{}\n\n", self.bench, self.about);
        let _ = writeln!(page, "Machine: {}.", self.machine);
        if !self.versions.is_empty() {
            let _ = writeln!(page, "\nWith {}.", self.versions.join(", "));
        }
        if self.tables.iter().any(|table| table.chart != Chart::None) {
            let _ = write!(page, "\n![the tables below as a drawing]({}.svg)\n", self.bench);
        }
        for table in &self.tables {
            let _ = write!(page, "\n## {}\n\n{}", table.title, table.markdown());
        }
        page
    }
}

impl Table {
    /// An empty table.
    #[must_use]
    pub fn new(title: &str, unit: &str, better: Better, rows_are: &str, columns: &[&str]) -> Self {
        Table {
            title: title.to_owned(),
            unit: unit.to_owned(),
            better,
            decimals: 1,
            chart: Chart::None,
            rows_are: rows_are.to_owned(),
            columns: columns.iter().map(|column| (*column).to_owned()).collect(),
            rows: Vec::new(),
        }
    }

    /// Drawn as `chart`.
    #[must_use]
    pub fn drawn(mut self, chart: Chart) -> Self {
        self.chart = chart;
        self
    }

    /// With so many digits after the point.
    #[must_use]
    pub fn decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// Adds a row.
    pub fn push(&mut self, name: impl Into<String>, values: impl IntoIterator<Item = f64>) {
        let values: Vec<_> = values.into_iter().map(|value| value.is_finite().then_some(value)).collect();
        debug_assert_eq!(values.len(), self.columns.len(), "a figure for each contender");
        self.rows.push(Row { name: name.into(), values });
    }

    /// Adds the mean of the rows so far, of the contenders that took part in all of them.
    pub fn push_mean(&mut self, name: impl Into<String>) {
        let count = crate::float(self.rows.len() as u64);
        let mean = |column: usize| self.rows.iter().map(|row| row.values[column]).sum::<Option<f64>>();
        let means: Vec<f64> = (0..self.columns.len()).map(|at| mean(at).map_or(f64::NAN, |sum| sum / count)).collect();
        self.push(name, means);
    }

    /// The table itself, the best of each row in bold.
    #[must_use]
    pub fn markdown(&self) -> String {
        let mut text = format!("{}.\n\n", self.legend());
        let _ = writeln!(text, "| {} | {} |", self.rows_are, self.columns.join(" | "));
        let _ = writeln!(text, "|---|{}", "--:|".repeat(self.columns.len()));
        for row in &self.rows {
            let best = self.best(row);
            let _ = write!(text, "| {} |", row.name);
            for value in &row.values {
                let shown = value.map(|value| format!("{value:.*}", self.decimals));
                match shown {
                    None => text.push_str(" – |"),
                    Some(shown) if best.as_ref() == Some(&shown) => {
                        let _ = write!(text, " **{shown}** |");
                    }
                    Some(shown) => {
                        let _ = write!(text, " {shown} |");
                    }
                }
            }
            text.push('\n');
        }
        text
    }

    /// The unit, and which way is better.
    #[must_use]
    pub fn legend(&self) -> String {
        let better = match self.better {
            Better::More => "more is better",
            Better::Less => "less is better",
        };
        format!("{}, {better}", self.unit)
    }

    /// The best figure of a row as it is shown, so that figures that look alike are all the best. Nothing where all are.
    fn best(&self, row: &Row) -> Option<String> {
        let order = |one: &f64, other: &f64| match self.better {
            Better::More => one.total_cmp(other),
            Better::Less => other.total_cmp(one),
        };
        let best = row.values.iter().flatten().copied().max_by(order)?;
        let worst = row.values.iter().flatten().copied().min_by(order)?;
        let [best, worst] = [best, worst].map(|value| format!("{value:.*}", self.decimals));
        (best != worst).then_some(best)
    }
}

fn failed(doing: &str, path: &Path, error: &io::Error) -> String {
    format!("{doing} {}: {error}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new("Calls", "ns per call", Better::Less, "keys", &["one", "two", "three"]);
        table.push("u64", [2.0, 1.04, 0.96]);
        table.push("text", [4.0, 3.0, f64::NAN]);
        table
    }

    #[test]
    fn the_best_of_a_row_is_bold_as_it_is_shown() {
        let text = table().markdown();
        assert!(text.contains("| u64 | 2.0 | **1.0** | **1.0** |"), "{text}");
        assert!(text.contains("| text | 4.0 | **3.0** | – |"), "{text}");
        assert!(text.starts_with("ns per call, less is better.\n"), "{text}");
    }

    #[test]
    fn a_mean_is_of_contenders_that_took_part_in_all_rows() {
        let mut table = table();
        table.push_mean("mean");
        assert_eq!(table.rows[2].values, [Some(3.0), Some(2.02), None]);
    }

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut figures = Figures::new("sample", "  What\n  it is. ", &["serde", "no-such-crate"]);
        figures.tables.push(table());
        let path = figures.write(folder.path()).expect("written");
        assert_eq!(Figures::read(&path).expect("read"), figures);
        assert_eq!((figures.about.as_str(), figures.versions.len()), ("What it is.", 1));
        fs::write(&path, "{}").expect("written");
        assert!(Figures::read(&path).expect_err("no figures").contains("run that bench again"));
    }
}
