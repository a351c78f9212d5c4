//! What the tests of Redis share: a server, and errors that say what to do where there is none.

pub(crate) mod cluster;
pub(crate) mod proxy;
pub(crate) mod sentinel;
pub(crate) mod server;
#[cfg(feature = "redis-tls")]
pub(crate) mod tls;

use memo_core::Cache;
use memo_core::testing::conformance;
use server::{Server, find_program};
use std::env;
use std::sync::{Arc, OnceLock};

/// A server of the test's own, to stop, count on and break.
pub(crate) fn own_server() -> Server {
    server_with(&[])
}

/// A server of the test's own with more settings, as on its command line.
pub(crate) fn server_with(settings: &[&str]) -> Server {
    fitting_server(settings, |_| true)
}

fn fitting_server(settings: &[&str], fits: impl Fn(u16) -> bool) -> Server {
    let program = find_program().expect(
        "no Redis server on the PATH: run `cargo xtask test`, which installs one, or install the package redis-server \
         or valkey, or set MEMOKIT_REDIS_SERVER",
    );
    let settings: Vec<String> = settings.iter().map(|setting| (*setting).to_owned()).collect();
    Server::start_with(&program, &settings, fits).expect("the server starts")
}

/// A connection to a server, past the cache.
pub(crate) fn admin(server: &Server) -> redis::Connection {
    let client = redis::Client::open(server.url()).expect("an address");
    client.get_connection().expect("the server answers")
}

/// Waits until a replica has all that its master has.
pub(crate) fn replicated(master: &Server, replica: &Server) {
    let offset = |server: &Server| {
        let info: String = redis::cmd("INFO").arg("replication").query(&mut admin(server)).expect("an answer");
        let offset = info.lines().find_map(|line| line.strip_prefix("master_repl_offset:"));
        offset.map(str::to_owned).expect("servers count what they replicate")
    };
    assert!(eventually(|| offset(master) == offset(replica)), "the replica has what the master has");
}

/// Looks every 20 ms, for 20 s at most, and says whether it came true.
pub(crate) fn eventually(mut look: impl FnMut() -> bool) -> bool {
    (0..1000).any(|_| {
        let seen = look();
        if !seen {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        seen
    })
}

/// The address of database `number` on the server for all tests: the one in `MEMOKIT_TEST_REDIS`, else one that is
/// started here. A static is never dropped, but the server ends when this process does, see `server.rs`.
pub(crate) fn shared_url(number: u8) -> String {
    static OWN: OnceLock<Server> = OnceLock::new();
    let url = env::var("MEMOKIT_TEST_REDIS").unwrap_or_else(|_| OWN.get_or_init(own_server).url());
    format!("{}/{number}", url.trim_end_matches('/'))
}

/// The contract of a backend, through both doors at the same time; the caches are of two databases.
pub(crate) fn both_doors(tasks: impl Cache, threads: impl Cache) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (tasks, threads): (Arc<dyn Cache>, Arc<dyn Cache>) = (Arc::new(tasks), Arc::new(threads));
    std::thread::scope(|scope| {
        scope.spawn(|| conformance::check(&tasks, &mut std::thread::sleep, &|future| runtime.block_on(future)));
        scope.spawn(|| conformance::check(&threads, &mut std::thread::sleep, &conformance::block_on));
    });
}
