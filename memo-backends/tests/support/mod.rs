//! What the tests of Redis share: a server, and errors that say what to do where there is none.

pub(crate) mod proxy;
pub(crate) mod server;

use server::{Server, find_program};
use std::env;
use std::sync::OnceLock;

/// A server of the test's own, to stop, count on and break.
pub(crate) fn own_server() -> Server {
    let program = find_program().expect(
        "no Redis server on the PATH: run `cargo xtask test`, which installs one, or install the package redis-server \
         or valkey, or set MEMOKIT_REDIS_SERVER",
    );
    Server::start(&program).expect("the server starts")
}

/// The address of database `number` on the server for all tests: the one in `MEMOKIT_TEST_REDIS`, else one that is
/// started here. A static is never dropped, but the server ends when this process does, see `server.rs`.
pub(crate) fn shared_url(number: u8) -> String {
    static OWN: OnceLock<Server> = OnceLock::new();
    let url = env::var("MEMOKIT_TEST_REDIS").unwrap_or_else(|_| OWN.get_or_init(own_server).url());
    format!("{}/{number}", url.trim_end_matches('/'))
}
