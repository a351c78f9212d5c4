//! The command line.

use crate::failure::Failure;
use lexopt::{Arg, Parser, ValueExt};
use std::ffi::OsString;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

/// The text of `--help`.
pub(crate) const HELP: &str = "\
A symbol server on real binaries, with its look-ups cached by memokit.

It indexes the ELF files below FOLDER..., serves facts about them over HTTP on the loopback address, drives itself
with its own clients (most of their look-ups are for files that don't exist), first without a cache, then with memory
in front of a file cache, then, with --cache, with memory in front of Redis, and prints what each brought.

Usage: symbols [OPTIONS] [FOLDER...]

  FOLDER...          folders with ELF files [the system's own: /usr/bin, /usr/lib, ... those that exist]

Options:
  --cache URL        also run on this Redis or Valkey server, as in redis://127.0.0.1:6379; not one that another
                     symbols uses at the same time: they would share answers, but not the uploaded files
  --requests N       requests per run; 0 drives no load [30000]
  --seconds N        a run ends after so many seconds, however many requests it has made [12]
  --clients N        keep-alive connections, 1 to 1000 [16]
  --missing SHARE    share of the look-ups that are for files that don't exist, 0 to 1 [0.75]
  --uploads SHARE    share of the requests that upload a new version of a file, 0 to 0.5 [0.005]
  --files N          index at most so many files [3000]
  --seed N           the clients' random numbers [1]
  --port N           port to listen on; 0 takes a free one [0]
  --serve            keep serving after the runs, until Ctrl-C
  -v, --verbose      name every file that was skipped, and why
  -h, --help         this text

The server answers
  GET /{file}/{build_id}    facts about that symbol file as JSON, or 404; 503 if the disk does not tell
  PUT /{file}/{build_id}    stores an ELF file under that name; the next GET, by anybody, sees it

Examples:
  cargo run --release --example symbols
  cargo run --release --example symbols -- --cache redis://127.0.0.1:6379
  cargo run --release --example symbols -- --serve --requests 0 --port 8080 /opt/app/lib
  curl http://127.0.0.1:8080/libc.so.6/6196744a316dbd57c0fd8968df1680aac482cec4
  curl -T libfoo.so http://127.0.0.1:8080/libfoo.so/$(readelf -n libfoo.so | awk '/Build ID/ {print $3}')

Exit code: 0 if all is well; 1 if an answer was stale or wrong or a request failed, or the machine did not let it run
(port in use, Redis out of reach); 2 if the command line is wrong or names a folder that can't be read.
";

/// What the command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Options {
    /// Folders the user gave; none means the system's own.
    pub(crate) folders: Vec<PathBuf>,
    pub(crate) cache: Option<String>,
    pub(crate) requests: u64,
    pub(crate) time: Duration,
    pub(crate) clients: usize,
    pub(crate) missing: f64,
    pub(crate) uploads: f64,
    pub(crate) files: usize,
    pub(crate) seed: u64,
    pub(crate) port: u16,
    pub(crate) serve: bool,
    pub(crate) verbose: bool,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            folders: Vec::new(),
            cache: None,
            requests: 30_000,
            time: Duration::from_secs(12),
            clients: 16,
            missing: 0.75,
            uploads: 0.005,
            files: 3000,
            seed: 1,
            port: 0,
            serve: false,
            verbose: false,
        }
    }
}

/// What to do.
#[derive(Debug, PartialEq)]
pub(crate) enum Command {
    Help,
    Run(Options),
}

/// Reads the arguments that follow the program's name.
pub(crate) fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, Failure> {
    read(&mut Parser::from_args(arguments))
        .map_err(|error| Failure::usage(format!("{error}\nTry --help for the options and examples.")))
}

fn read(parser: &mut Parser) -> Result<Command, lexopt::Error> {
    let mut options = Options::default();
    while let Some(arg) = parser.next()? {
        match arg {
            Arg::Long("cache") => options.cache = Some(parser.value()?.string()?),
            Arg::Long("requests") => options.requests = number(parser, "--requests", 0..=1_000_000_000)?,
            Arg::Long("seconds") => options.time = Duration::from_secs(number(parser, "--seconds", 1..=86_400)?),
            Arg::Long("clients") => options.clients = number(parser, "--clients", 1..=1000)?,
            Arg::Long("missing") => options.missing = share(parser, "--missing", 1.0)?,
            Arg::Long("uploads") => options.uploads = share(parser, "--uploads", 0.5)?,
            Arg::Long("files") => options.files = number(parser, "--files", 1..=1_000_000)?,
            Arg::Long("seed") => options.seed = number(parser, "--seed", 0..=u64::MAX)?,
            Arg::Long("port") => options.port = number(parser, "--port", 0..=u16::MAX)?,
            Arg::Long("serve") => options.serve = true,
            Arg::Short('v') | Arg::Long("verbose") => options.verbose = true,
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Value(folder) => options.folders.push(folder.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(Command::Run(options))
}

/// The value of `option`, a whole number.
fn number<T>(parser: &mut Parser, option: &str, allowed: RangeInclusive<T>) -> Result<T, lexopt::Error>
where
    T: std::str::FromStr + PartialOrd + std::fmt::Display,
{
    let text = parser.value()?.string()?;
    match text.parse::<T>() {
        Ok(value) if allowed.contains(&value) => Ok(value),
        _ => {
            let (least, most) = (allowed.start(), allowed.end());
            Err(format!("{option} takes a whole number from {least} to {most}, not '{text}'").into())
        }
    }
}

/// The value of `option`, a share from 0 to `most`.
fn share(parser: &mut Parser, option: &str, most: f64) -> Result<f64, lexopt::Error> {
    let text = parser.value()?.string()?;
    match text.parse::<f64>() {
        Ok(value) if (0.0..=most).contains(&value) => Ok(value),
        _ => Err(format!("{option} takes a share from 0 to {most}, not '{text}'").into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_all(arguments: &[&str]) -> Result<Command, Failure> {
        parse(arguments.iter().map(OsString::from))
    }

    fn message(arguments: &[&str]) -> String {
        parse_all(arguments).expect_err("a wrong command line").to_string()
    }

    #[test]
    fn without_arguments_the_defaults_hold() {
        assert_eq!(parse_all(&[]), Ok(Command::Run(Options::default())));
    }

    #[test]
    fn every_option_is_read() {
        let line = "--cache redis://h --requests 5 --seconds 2 --clients 3 --missing 0.5 --uploads=0.1 --files 9 \
                    --seed 7 --port 8080 --serve -v /a /b";
        let arguments: Vec<&str> = line.split_whitespace().collect();
        let expected = Options {
            folders: vec!["/a".into(), "/b".into()],
            cache: Some("redis://h".to_owned()),
            requests: 5,
            time: Duration::from_secs(2),
            clients: 3,
            missing: 0.5,
            uploads: 0.1,
            files: 9,
            seed: 7,
            port: 8080,
            serve: true,
            verbose: true,
        };
        assert_eq!(parse_all(&arguments), Ok(Command::Run(expected)));
    }

    #[test]
    fn help_wins_over_what_follows() {
        assert_eq!(parse_all(&["--help", "--nonsense"]), Ok(Command::Help));
    }

    #[test]
    fn an_unknown_option_is_named() {
        assert!(message(&["--colour"]).contains("--colour"));
        assert!(message(&["-x"]).contains("-x"));
    }

    #[test]
    fn a_bad_value_is_told_with_what_is_allowed() {
        assert!(message(&["--clients", "0"]).contains("from 1 to 1000, not '0'"));
        assert!(message(&["--requests", "-1"]).contains("--requests takes a whole number"));
        assert!(message(&["--port", "65536"]).contains("not '65536'"));
        assert!(message(&["--missing", "1.5"]).contains("a share from 0 to 1"));
        assert!(message(&["--missing", "NaN"]).contains("not 'NaN'"));
        assert!(message(&["--seconds"]).contains("seconds"));
    }
}
