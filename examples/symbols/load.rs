//! The clients: they ask, upload, take the time and judge what they get.

use crate::client::Client;
use crate::interrupt::Stop;
use crate::ledger::{Verdict, Versions};
use crate::measure;
use crate::progress::Progress;
use crate::service::Answer;
use crate::workload::Workload;
use fastrand::Rng;
use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Each upload is followed by so many look-ups of the same name, by the client that made it.
const LOOK_UPS_AFTER: usize = 2;

/// How much is to be asked, and by how many.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) requests: u64,
    pub(crate) time: Duration,
    pub(crate) clients: usize,
    pub(crate) upload_share: f64,
    pub(crate) seed: u64,
}

/// What the clients saw.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) requests: u64,
    pub(crate) uploads: u64,
    pub(crate) stale: u64,
    pub(crate) wrong: u64,
    /// Requests that got no answer, or that of a server in trouble; uploads that were refused; and answers that could
    /// not be compared.
    pub(crate) failed: u64,
    /// The first few of these, in words.
    pub(crate) complaints: Vec<String>,
    /// Names whose answers were compared with those found without the cache.
    pub(crate) compared: u64,
    pub(crate) elapsed: Duration,
    /// How long each look-up took, in nanoseconds.
    pub(crate) latencies: Vec<u64>,
    /// All distinct answers to names that get no uploads, and how often each came.
    pub(crate) answers: HashMap<usize, Vec<(Answer, u64)>>,
}

impl Seen {
    pub(crate) fn complain(&mut self, text: String) {
        if self.complaints.len() < 3 {
            self.complaints.push(text);
        }
    }

    fn note(&mut self, index: usize, answer: Answer, times: u64) {
        let answers = self.answers.entry(index).or_default();
        match answers.iter_mut().find(|(other, _)| *other == answer) {
            Some((_, count)) => *count += times,
            None => answers.push((answer, times)),
        }
    }

    fn add(&mut self, other: Seen) {
        self.requests += other.requests;
        self.uploads += other.uploads;
        self.stale += other.stale;
        self.wrong += other.wrong;
        self.failed += other.failed;
        for text in other.complaints {
            self.complain(text);
        }
        self.latencies.extend(other.latencies);
        for (index, answers) in other.answers {
            for (answer, times) in answers {
                self.note(index, answer, times);
            }
        }
    }
}

/// The versions of each name that gets uploads, by the place of the name.
pub(crate) type AllVersions = HashMap<usize, Versions>;

/// What the clients share.
struct Shared {
    address: SocketAddr,
    workload: Arc<Workload>,
    versions: Arc<AllVersions>,
    plan: Plan,
    deadline: Instant,
    begun: AtomicU64,
    over: AtomicBool,
    stop: Stop,
}

impl Shared {
    /// Whether there is one more request to make.
    fn next(&self) -> bool {
        !self.stop.is_set()
            && measure::now() < self.deadline
            && self.begun.fetch_add(1, Ordering::Relaxed) < self.plan.requests
    }
}

/// Looks up each name that got uploads once more. Nothing is on its way, so only the newest version is right.
pub(crate) async fn at_rest(address: SocketAddr, workload: &Workload, versions: &AllVersions, seen: &mut Seen) {
    let mut client = Client::new(address);
    for (&index, versions) in versions {
        if let Err(error) = look_up_version(&mut client, &workload.name(index).path(), versions, seen).await {
            seen.failed += 1;
            seen.complain(error);
        }
    }
}

/// Drives a server until the plan is done. The clients run on a thread of their own.
pub(crate) fn drive(
    address: SocketAddr,
    workload: &Arc<Workload>,
    versions: &Arc<AllVersions>,
    plan: &Plan,
    what: &str,
    stop: &Stop,
) -> io::Result<Seen> {
    let started = measure::now();
    let shared = Arc::new(Shared {
        address,
        workload: Arc::clone(workload),
        versions: Arc::clone(versions),
        plan: plan.clone(),
        deadline: started + plan.time,
        begun: AtomicU64::new(0),
        over: AtomicBool::new(false),
        stop: stop.clone(),
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let clients = std::thread::Builder::new().name("clients".to_owned()).spawn({
        let shared = Arc::clone(&shared);
        move || {
            let seen = runtime.block_on(all_clients(&shared));
            shared.over.store(true, Ordering::Release);
            seen
        }
    })?;

    let progress = Progress::bounded(what, plan.requests);
    while !clients.is_finished() {
        progress.set(shared.begun.load(Ordering::Relaxed).min(plan.requests));
        let left = shared.deadline.saturating_duration_since(measure::now());
        progress.remark(format!("{} s left at most", left.as_secs()));
        std::thread::sleep(Duration::from_millis(20));
    }
    progress.finish();
    clients.join().map_err(|_| io::Error::other("the clients failed"))
}

async fn all_clients(shared: &Arc<Shared>) -> Seen {
    let started = measure::now();
    let tasks: Vec<_> =
        (0..shared.plan.clients).map(|number| tokio::spawn(one_client(Arc::clone(shared), number as u64))).collect();
    let mut seen = Seen::default();
    for task in tasks {
        match task.await {
            Ok(one) => seen.add(one),
            Err(error) => {
                seen.failed += 1;
                seen.complain(error.to_string());
            }
        }
    }
    seen.elapsed = started.elapsed();
    seen
}

async fn one_client(shared: Arc<Shared>, number: u64) -> Seen {
    let mut rng = Rng::with_seed(shared.plan.seed.wrapping_mul(1_000_003).wrapping_add(number));
    let mut client = Client::new(shared.address);
    let mut seen = Seen::default();
    while shared.next() {
        let uploads = &shared.workload.uploads;
        if !uploads.is_empty() && rng.f64() < shared.plan.upload_share {
            let index = uploads[rng.usize(0..uploads.len())].index;
            upload(&shared, &mut client, index, &mut seen).await;
            for _ in 0..LOOK_UPS_AFTER {
                if shared.next() {
                    look_up(&shared, &mut client, index, &mut seen).await;
                }
            }
        } else {
            look_up(&shared, &mut client, shared.workload.pick(&mut rng), &mut seen).await;
        }
    }
    seen
}

async fn look_up(shared: &Shared, client: &mut Client, index: usize, seen: &mut Seen) {
    let path = shared.workload.name(index).path();
    let started = measure::now();
    let answer = match shared.versions.get(&index) {
        Some(versions) => look_up_version(client, &path, versions, seen).await,
        None => get(client, &path).await.map(|answer| seen.note(index, answer, 1)),
    };
    seen.latencies.push(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
    seen.requests += 1;
    if let Err(error) = answer {
        seen.failed += 1;
        seen.complain(error);
    }
}

/// What a server says about a symbol file. One that says that it can't tell has not answered.
async fn get(client: &mut Client, path: &str) -> Result<Answer, String> {
    let answer = client.get(path).await?;
    if answer.status.is_server_error() {
        return Err(format!("GET {path}: {} {}", answer.status, String::from_utf8_lossy(&answer.body)));
    }
    Ok(answer)
}

async fn look_up_version(client: &mut Client, path: &str, versions: &Versions, seen: &mut Seen) -> Result<(), String> {
    let floor = versions.floor();
    let answer = get(client, path).await?;
    match versions.judge(floor, &answer) {
        Verdict::Right => {}
        Verdict::Stale => {
            seen.stale += 1;
            seen.complain(format!("stale: GET {path} showed a version before {floor}, which was uploaded"));
        }
        Verdict::Wrong => {
            seen.wrong += 1;
            seen.complain(format!("wrong: GET {path}: {} {:?}", answer.status, answer.body));
        }
    }
    Ok(())
}

async fn upload(shared: &Shared, client: &mut Client, index: usize, seen: &mut Seen) {
    let Some(versions) = shared.versions.get(&index) else { return };
    seen.requests += 1;
    let outcome = async {
        let next = versions.begin().await?;
        let answer = client.put(&shared.workload.name(index).path(), next.content.clone()).await?;
        next.confirm(&answer)
    };
    match outcome.await {
        Ok(()) => seen.uploads += 1,
        Err(error) => {
            seen.failed += 1;
            seen.complain(error);
        }
    }
}
