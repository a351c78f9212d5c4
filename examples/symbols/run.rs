//! The whole job: index, run after run, the table, the verdict.

use crate::args::Options;
use crate::failure::Failure;
use crate::index::{self, Index};
use crate::interrupt::{self, Stop};
use crate::ledger::Versions;
use crate::load::{self, Plan, Seen};
use crate::lookup::{self, look_up};
use crate::mode::{self, Mode};
use crate::report::{self, Row};
use crate::say;
use crate::service::{Answer, Running, Service};
use crate::store::{self, LookUpError, Store};
use crate::workload::Workload;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::runtime::Runtime;

/// Does what the options ask for. The exit code tells whether all answers were right.
pub(crate) fn run(options: &Options) -> Result<ExitCode, Failure> {
    // What can be refused is refused before the index is built, which takes a while.
    let folders = index::folders(&options.folders)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port));
    let listener = TcpListener::bind(address)
        .map_err(|error| Failure::because(format_args!("can't listen on {address}"), error))?;
    let runtime = Runtime::new().map_err(|error| Failure::because("can't start threads", error))?;
    let work = tempfile::Builder::new()
        .prefix("memokit-symbols-")
        .tempdir()
        .map_err(|error| Failure::because("can't make a temporary folder", error))?;
    let modes = mode::all(options, work.path())?;
    let stop = Stop::default();
    runtime.spawn({
        let stop = stop.clone();
        async move {
            interrupt::requested().await;
            stop.set();
        }
    });

    let index = index::build(&folders, options.files, &stop);
    if stop.is_set() {
        return Err(Failure::interrupted());
    }
    report::index(&folders, &index, options);
    let entries = index.entries();
    let workload = Workload::new(&entries, options.missing, options.seed).map(Arc::new);
    let Some(workload) = workload else {
        return Err(Failure::usage("there is no ELF file with a build id in these folders"));
    };
    let catalogues = write_catalogues(&index, work.path())?;

    let mut job = Job {
        options,
        listener,
        runtime,
        work: work.path(),
        catalogues,
        workload,
        modes,
        references: HashMap::new(),
        stop,
    };
    job.all_runs()
}

/// Writes the catalogue of each folder.
fn write_catalogues(index: &Index, work: &Path) -> Result<Vec<PathBuf>, Failure> {
    let write = |(number, entries): (usize, &Vec<store::Entry>)| {
        let path = work.join(format!("catalogue-{number}"));
        store::write_catalogue(&path, entries.iter())
            .map_err(|error| Failure::because(format_args!("can't write {}", path.display()), error))?;
        Ok(path)
    };
    index.folders.iter().enumerate().map(write).collect()
}

/// What all runs share.
struct Job<'a> {
    options: &'a Options,
    listener: TcpListener,
    runtime: Runtime,
    work: &'a Path,
    catalogues: Vec<PathBuf>,
    workload: Arc<Workload>,
    modes: Vec<Mode>,
    /// The right answers, as found without the cache, to names that get no uploads.
    references: HashMap<usize, Answer>,
    stop: Stop,
}

impl Job<'_> {
    fn all_runs(&mut self) -> Result<ExitCode, Failure> {
        if self.options.requests > 0 {
            report::workload(&self.workload, self.options);
        }
        let mut rows = Vec::new();
        let modes = std::mem::take(&mut self.modes);
        let outcome = modes.iter().try_for_each(|mode| {
            if self.options.requests > 0 {
                rows.push(self.run(mode)?);
            }
            if self.stop.is_set() { Err(Failure::interrupted()) } else { Ok(()) }
        });
        // Those that came to an end are told, whatever became of the next.
        if !rows.is_empty() {
            report::runs(&rows);
        }
        outcome?;
        if self.options.serve {
            self.serve(modes.last())?;
        }
        // A Redis outlives this program, and what it holds is of no use without these folders.
        let used = self.options.requests > 0 || self.options.serve;
        if used && let Err(error) = look_up::invalidate_all() {
            say::err(format_args!("the cache could not be emptied: {error}"));
        }
        Ok(if rows.iter().all(Row::is_right) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    /// Serves until the user wants an end.
    fn serve(&self, mode: Option<&Mode>) -> Result<(), Failure> {
        let store = self.store("serving")?;
        let server = self.start(store, mode)?;
        report::serving(server.address, &self.workload);
        self.stop.wait();
        self.runtime.block_on(server.stop()).map_err(|error| Failure::because("the server failed", error))
    }

    /// A store with the indexed files, and with nothing uploaded yet.
    fn store(&self, uploads: &str) -> Result<Arc<Store>, Failure> {
        let store = Store::new(self.work.join(uploads), self.catalogues.clone());
        store.map(Arc::new).map_err(|error| Failure::because("can't make the folder for uploads", error))
    }

    /// Starts to serve a store, with the cache of a mode.
    fn start(&self, store: Arc<Store>, mode: Option<&Mode>) -> Result<Running, Failure> {
        let cache = mode.and_then(|mode| mode.cache.clone());
        let cached = cache.is_some();
        if let Some(cache) = cache {
            lookup::keep_in(cache).map_err(|error| mode::failure("can't start with an empty cache", &error))?;
        }
        Running::start(self.runtime.handle(), &self.listener, Service { store, cached })
            .map_err(|error| Failure::because("can't start the server", error))
    }

    fn run(&mut self, mode: &Mode) -> Result<Row, Failure> {
        // Each run starts from the same files.
        let store = self.store(&format!("uploads: {}", mode.name))?;
        let versions = self.workload.uploads.iter().map(|upload| {
            let name = self.workload.name(upload.index);
            let first = Answer::to_look_up(name, look_up::uncached(&store, name)?.as_ref());
            Ok((upload.index, Versions::new(name.clone(), upload, first)))
        });
        let versions = versions
            .collect::<Result<_, LookUpError>>()
            .map_err(|error| Failure::because("can't tell the right answers", error))?;
        let versions = Arc::new(versions);

        let server = self.start(Arc::clone(&store), Some(mode))?;
        let (searches, stats) = (store.searches(), look_up::stats());
        let plan = Plan {
            requests: self.options.requests,
            time: self.options.time,
            clients: self.options.clients,
            upload_share: self.options.uploads,
            seed: self.options.seed,
        };
        let mut seen = load::drive(server.address, &self.workload, &versions, &plan, mode.name, &self.stop)
            .map_err(|error| Failure::because("can't run the clients", error))?;
        let (searches, stats) = (store.searches() - searches, look_up::stats().since(&stats));
        self.runtime.block_on(load::at_rest(server.address, &self.workload, &versions, &mut seen));
        self.runtime.block_on(server.stop()).map_err(|error| Failure::because("the server failed", error))?;
        self.compare(&store, &mut seen);
        Ok(Row::new(mode, seen, searches, stats))
    }

    /// Compares all distinct answers with those found without the cache.
    fn compare(&mut self, store: &Store, seen: &mut Seen) {
        for (index, answers) in std::mem::take(&mut seen.answers) {
            let name = self.workload.name(index);
            let right = match self.references.entry(index) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => match look_up::uncached(store, name) {
                    Ok(found) => unknown.insert(Answer::to_look_up(name, found.as_ref())),
                    Err(error) => {
                        seen.failed += answers.iter().map(|(_, times)| times).sum::<u64>();
                        seen.complain(format!("can't compare the answers to GET {}: {error}", name.path()));
                        continue;
                    }
                },
            };
            seen.compared += 1;
            for (answer, times) in answers {
                if answer != *right {
                    seen.wrong += times;
                    seen.complain(format!(
                        "wrong: GET {}: {} {:?}, without the cache {} {:?}",
                        name.path(),
                        answer.status,
                        answer.body,
                        right.status,
                        right.body
                    ));
                }
            }
        }
    }
}
