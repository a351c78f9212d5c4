//! The real server the tests talk to.
//!
//! Tests of Redis are never skipped: where there is no server it is installed, or the run fails and says what to do.

#[path = "../../memo-backends/tests/support/server.rs"]
mod server;

use server::{Server, find_program};
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::{env, fs};

/// The variable that tells the tests which server to use.
pub(crate) const VARIABLE: &str = "MEMOKIT_TEST_REDIS";

/// Installs the server without letting the package start its service: a file `policy-rc.d` that answers 101 forbids
/// that, and is the way Debian documents. It is there only while `apt-get` runs and only if there was none, so an
/// administrator's own is respected. The package lists are fetched only if they don't know the package.
const INSTALL: &str = r#"
set -e
export DEBIAN_FRONTEND=noninteractive
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' > "$policy"
    chmod 755 "$policy"
fi
candidate() { apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [0-9]'; }
candidate redis-server || apt-get update -o Acquire::Retries=3
package=redis-server
candidate redis-server || package=valkey-server
# A stale list names a version that the mirror no longer has: then a fresh list, once.
apt-get install -y --no-install-recommends -o Acquire::Retries=3 "$package" || {
    apt-get update -o Acquire::Retries=3
    apt-get install -y --no-install-recommends -o Acquire::Retries=3 "$package"
}
"#;

const ADVICE: &str = "no Redis server: install one (Debian, Ubuntu: apt-get install redis-server; Fedora: dnf install \
                      valkey; macOS: brew install redis), or set MEMOKIT_REDIS_SERVER to a redis-server or \
                      valkey-server program, or MEMOKIT_TEST_REDIS to the redis://… address of a server the tests may \
                      fill and empty";

/// A server for the tests: somebody else's, or our own until it is dropped.
pub(crate) enum TestServer {
    Given(String),
    Own(Server),
}

impl TestServer {
    pub(crate) fn url(&self) -> String {
        match self {
            TestServer::Given(url) => url.clone(),
            TestServer::Own(server) => server.url(),
        }
    }
}

/// The server named by the environment, else one that is started, else installed and started.
pub(crate) fn for_tests() -> Result<TestServer, String> {
    if let Ok(url) = env::var(VARIABLE) {
        println!("==> server: the one in {VARIABLE}");
        return Ok(TestServer::Given(url));
    }
    let program = match find_program() {
        Some(program) => program,
        None => install()?,
    };
    let name = program.display().to_string();
    let server = Server::start(&program).map_err(|error| format!("starting {name}: {error}"))?;
    println!("==> server: {name} at {}", server.url());
    Ok(TestServer::Own(server))
}

fn install() -> Result<OsString, String> {
    if !works("apt-get", &["--version"]) {
        return Err(ADVICE.to_owned());
    }
    println!("==> server: installing redis-server with apt-get");
    let mut command = if is_root() { Command::new("sh") } else { Command::new("sudo") };
    if !is_root() {
        command.args(["-n", "sh"]);
    }
    let status = command.args(["-c", INSTALL]).stdin(Stdio::null()).status();
    match status {
        Ok(status) if status.success() => find_program().ok_or_else(|| ADVICE.to_owned()),
        Ok(status) => Err(format!("apt-get install ended with {status}; {ADVICE}")),
        Err(error) => Err(format!("apt-get install: {error}; {ADVICE}")),
    }
}

/// Whether we run as root, by the owner of our own folder under `/proc`.
fn is_root() -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
    }
    #[cfg(not(unix))]
    {
        false
    }
}

fn works(program: &str, arguments: &[&str]) -> bool {
    let asked = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    asked.is_ok_and(|status| status.success())
}
