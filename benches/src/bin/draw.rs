//! Tables and plots of the last runs: reads `benches/results/*.json`, writes `.md` and `.svg` beside each.

use memokit_benches::drawing;
use memokit_benches::figures::{self, Chart, Figures};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

const HELP: &str = "\
Draws tables (.md) and plots (.svg) of the figures that the benches wrote (.json), beside each of them.

Usage: cargo xtask draw
       cargo run -p memokit-benches --features figures --bin draw -- [FOLDER]

FOLDER is where the figures are; else benches/results.
";

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let folder = match arguments.as_slice() {
        [] => figures::folder(),
        [one] if one == "--help" || one == "-h" => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        [folder] => PathBuf::from(folder),
        _ => {
            eprint!("{HELP}");
            return ExitCode::from(2);
        }
    };
    match draw_all(&folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn draw_all(folder: &Path) -> Result<(), String> {
    let paths = fs::read_dir(folder).map(|entries| entries.flatten().map(|entry| entry.path()));
    let mut paths: Vec<PathBuf> = paths.map(Iterator::collect).unwrap_or_default();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    if paths.is_empty() {
        return Err(format!(
            "no figures in {}: run a bench first, such as cargo bench --bench eviction",
            folder.display()
        ));
    }
    for path in paths {
        let figures = Figures::read(&path)?;
        write(&path.with_extension("md"), &figures.markdown())?;
        if figures.tables.iter().any(|table| table.chart != Chart::None) {
            write(&path.with_extension("svg"), &drawing::draw(&figures))?;
        }
    }
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("writing {}: {error}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}
