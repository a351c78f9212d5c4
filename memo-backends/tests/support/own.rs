//! Servers of a test's own, what it asks them past the cache, and how it waits for them.
//!
//! Used, as a file, also by the tests of the root package, as are the files beside it.

use super::server::{Server, find_program};

/// A server of the test's own, to stop, count on and break.
pub(crate) fn own_server() -> Server {
    server_with(&[])
}

/// A server of the test's own with more settings, as on its command line.
pub(crate) fn server_with(settings: &[&str]) -> Server {
    fitting_server(settings, |_| true)
}

/// As [`server_with`], on a port that fits.
pub(crate) fn fitting_server(settings: &[&str], fits: impl Fn(u16) -> bool) -> Server {
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
