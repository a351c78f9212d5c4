//! A master, a replica and their sentinels on loopback.

use super::own::{admin, eventually, own_server, server_with};
use super::server::Server;
use std::fmt::Write as _;
use tempfile::TempDir;

pub(crate) const MASTER: &str = "memo-master";

pub(crate) struct Watched {
    /// First the master, then the replica.
    pub(crate) servers: Vec<Server>,
    pub(crate) sentinels: Vec<Server>,
    /// Sentinels write into their configuration, so each has a file of its own.
    _configurations: TempDir,
}

impl Watched {
    /// Starts a master, a replica and so many sentinels, and waits until they know each other.
    pub(crate) fn start(sentinels: usize) -> Watched {
        let master = own_server();
        let replica = own_server();
        let (ip, port) = (master.address().ip().to_string(), master.address().port());
        redis::cmd("REPLICAOF").arg(&ip).arg(port).exec(&mut admin(&replica)).unwrap();

        let mut configuration = format!("sentinel monitor {MASTER} {ip} {port} {}\n", sentinels.min(2));
        for (name, value) in [("down-after-milliseconds", 1000), ("failover-timeout", 4000)] {
            writeln!(configuration, "sentinel {name} {MASTER} {value}").unwrap();
        }
        let folder = tempfile::tempdir().unwrap();
        let sentinel = |number: usize| {
            let path = folder.path().join(format!("{number}.conf"));
            std::fs::write(&path, &configuration).unwrap();
            server_with(&[&path.display().to_string(), "--sentinel"])
        };
        let sentinels = (0..sentinels).map(sentinel).collect();
        let watched = Watched { servers: vec![master, replica], sentinels, _configurations: folder };
        watched.settle();
        watched
    }

    /// Waits until the replica has the data, and every sentinel knows of it and of all other sentinels.
    fn settle(&self) {
        let mut replica = admin(&self.servers[1]);
        let linked = || {
            let info: String = redis::cmd("INFO").arg("replication").query(&mut replica).unwrap();
            info.contains("master_link_status:up")
        };
        assert!(eventually(linked), "the replica gets the data");
        let expected =
            format!("status=ok,address={},slaves=1,sentinels={}\r", self.servers[0].address(), self.sentinels.len());
        for sentinel in &self.sentinels {
            let mut admin = admin(sentinel);
            let settled = || {
                let info: String = redis::cmd("INFO").arg("sentinel").query(&mut admin).unwrap();
                info.contains(&expected)
            };
            assert!(eventually(settled), "the sentinels find each other");
        }
    }

    /// Makes the replica the master, by hand and through this connection to a sentinel: both servers live on.
    pub(crate) fn fail_over(&self, sentinel: &mut redis::Connection) {
        redis::cmd("SENTINEL").arg("FAILOVER").arg(MASTER).exec(sentinel).unwrap();
        let new = self.servers[1].address();
        let named = || {
            let mut ask = redis::cmd("SENTINEL");
            let named: (String, u16) = ask.arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER).query(sentinel).unwrap();
            named.1 == new.port()
        };
        assert!(eventually(named), "the replica becomes the master");
        // What the sentinel does to the old master some ten seconds later.
        let mut old = admin(&self.servers[0]);
        redis::cmd("REPLICAOF").arg(new.ip().to_string()).arg(new.port()).exec(&mut old).unwrap();
        redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal"]).exec(&mut old).unwrap();
    }

    pub(crate) fn nodes(&self) -> Vec<String> {
        self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect()
    }

    pub(crate) fn url(&self) -> String {
        format!("redis+sentinel://{}/{MASTER}", self.nodes().join(","))
    }
}
