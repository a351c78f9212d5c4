//! A Redis or Valkey server of one's own on a free loopback port, stopped when it is dropped.
//!
//! Used by the tests of this crate and, as a file, by `xtask`: both need the same care about ports and about never
//! leaving a server behind. Plain `std`, no unsafe code.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{env, fs, process, thread};

/// The script that becomes the server: `exec` keeps the process id, so that the child's id is the server's. Beside it
/// waits a watcher that reads the pipe from us: when it closes without a line, because we let go of it or died in
/// whatever way, the server is told to stop, and its folder goes. A line means that the server has ended by itself, and
/// that its process id is no longer ours to signal.
const RUN: &str = r#"exec 3<&0; folder=$1; shift
(read -r _ <&3 || { kill "$$"; rm -rf -- "$folder"; }) & exec "$@" 3<&- </dev/null"#;

/// How often and how long a starting server is asked for an answer: 10 s in all.
const TRIES: u32 = 400;
const BETWEEN_TRIES: Duration = Duration::from_millis(25);

/// A running server.
pub(crate) struct Server {
    program: OsString,
    port: u16,
    second: u16,
    folder: PathBuf,
    /// Arguments beside the usual ones.
    settings: Vec<String>,
    child: Option<Child>,
}

/// The server program: `MEMOKIT_REDIS_SERVER`, else `redis-server`, else `valkey-server` on the `PATH`.
pub(crate) fn find_program() -> Option<OsString> {
    if let Some(named) = env::var_os("MEMOKIT_REDIS_SERVER") {
        return Some(named);
    }
    ["redis-server", "valkey-server"].into_iter().map(OsString::from).find(|program| {
        let asked = Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}

impl Server {
    /// Starts `program` without persistence on a free loopback port and waits until it answers.
    pub(crate) fn start(program: &OsStr) -> io::Result<Server> {
        Server::start_with(program, &[], |_| true)
    }

    /// As [`start`](Server::start), with more settings, and on a port that fits. In the settings `{folder}` stands for
    /// the server's own folder, and `{port}` for a [second port](Server::second_port).
    pub(crate) fn start_with(program: &OsStr, settings: &[String], fits: impl Fn(u16) -> bool) -> io::Result<Server> {
        let mut last = io::Error::other("no port fits");
        let mut starts = 0;
        for _ in 0..200 {
            // Both at once, so that they differ.
            let free = [TcpListener::bind(("127.0.0.1", 0))?, TcpListener::bind(("127.0.0.1", 0))?];
            let ports = [free[0].local_addr()?.port(), free[1].local_addr()?.port()];
            drop(free);
            if !ports.iter().all(|port| fits(*port)) {
                continue;
            }
            match Server::start_on(program, settings, ports) {
                Ok(server) => return Ok(server),
                Err(error) => last = error,
            }
            starts += 1;
            // Between finding free ports and the server taking them, another process may take one: then try others.
            if starts == 5 {
                break;
            }
        }
        Err(last)
    }

    /// Starts `program` on these ports.
    fn start_on(program: &OsStr, settings: &[String], [port, second]: [u16; 2]) -> io::Result<Server> {
        let folder = env::temp_dir().join(format!("memokit-redis-{}-{port}", process::id()));
        fs::create_dir_all(&folder)?;
        let name = folder.display().to_string();
        let fill = |setting: &String| setting.replace("{folder}", &name).replace("{port}", &second.to_string());
        let settings = settings.iter().map(fill).collect();
        let mut server = Server { program: program.to_owned(), port, second, folder, settings, child: None };
        server.restart()?;
        Ok(server)
    }

    /// The address for a client.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it listens too, if a setting says so by `{port}`.
    #[allow(dead_code, reason = "for TLS beside the port without")]
    pub(crate) fn second_port(&self) -> u16 {
        self.second
    }

    /// Its own folder, which goes with it.
    #[allow(dead_code, reason = "xtask and the benches need no file of a server")]
    pub(crate) fn folder(&self) -> &std::path::Path {
        &self.folder
    }

    /// The server's process id, while it runs.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it again on the same port after [`stop`](Server::stop); it is empty then.
    pub(crate) fn restart(&mut self) -> io::Result<()> {
        self.stop();
        let log = fs::File::create(self.folder.join("log"))?;
        let child = Command::new("sh")
            .args(["-c", RUN, "memokit-redis"])
            .arg(&self.folder)
            .arg(&self.program)
            // A configuration file is named first.
            .args(self.settings.iter().take_while(|setting| !setting.starts_with("--")))
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--dir"])
            .arg(&self.folder)
            .args(self.settings.iter().skip_while(|setting| !setting.starts_with("--")))
            .stdin(Stdio::piped())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        self.child = Some(child);
        for _ in 0..TRIES {
            if self.ended()? {
                return Err(io::Error::other(format!("the server ended by itself: {}", self.log_tail())));
            }
            if self.answers() {
                return Ok(());
            }
            thread::sleep(BETWEEN_TRIES);
        }
        self.stop();
        Err(io::Error::other(format!("the server did not answer on {}: {}", self.address(), self.log_tail())))
    }

    /// Kills the server at once, as a crash would, and waits until it is gone.
    pub(crate) fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        // The child is reaped only by `wait`, so until then its id can't belong to another process. A stopped
        // (SIGSTOP) server ends by SIGKILL alone, which is what `kill` sends.
        let _ = child.kill();
        Self::dismiss_watcher(&mut child);
        let _ = child.wait();
    }

    /// Whether the server has ended although nobody stopped it; reaps it then.
    fn ended(&mut self) -> io::Result<bool> {
        let Some(child) = &mut self.child else { return Ok(true) };
        if child.try_wait()?.is_none() {
            return Ok(false);
        }
        Self::dismiss_watcher(child);
        self.child = None;
        Ok(true)
    }

    /// Tells the watcher that there is nothing left to kill.
    fn dismiss_watcher(child: &mut Child) {
        if let Some(mut pipe) = child.stdin.take() {
            let _ = pipe.write_all(b"\n");
        }
    }

    /// Whether it answers, and is the one that was started: another may have taken the port.
    fn answers(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        let Ok(mut stream) = TcpStream::connect_timeout(&self.address(), BETWEEN_TRIES) else { return false };
        let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
        if stream.write_all(b"INFO server\r\nQUIT\r\n").is_err() {
            return false;
        }
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let line = format!("process_id:{pid}\r\n");
        answer.windows(line.len()).any(|bytes| bytes == line.as_bytes())
    }

    fn log_tail(&self) -> String {
        let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(3)..].join(" | ")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        let _ = fs::remove_dir_all(&self.folder);
    }
}
