//! A Redis Cluster on loopback, whose slots the tests move.

use super::own::{admin, eventually, fitting_server};
use super::server::Server;
use redis::Connection;
use std::net::TcpListener;

const SLOTS: u16 = 16_384;

/// How far above a node's port its port for other nodes is.
const BUS: u16 = 10_000;

/// A slot on its way from one node to another.
#[derive(Clone, Copy)]
pub(crate) struct Move {
    slot: u16,
    from: usize,
    to: usize,
}

/// Masters that share the slots evenly.
pub(crate) struct TestCluster {
    pub(crate) nodes: Vec<Server>,
    tls: Vec<u16>,
}

impl TestCluster {
    /// Starts so many masters, and waits until they have found each other.
    pub(crate) fn start(masters: u16) -> TestCluster {
        let nodes = (0..masters).map(|_| node(&[])).collect();
        TestCluster { nodes, tls: Vec::new() }.joined(masters)
    }

    /// With TLS at a second port of each node, as these settings say.
    pub(crate) fn start_with_tls(masters: u16, settings: &[&str]) -> TestCluster {
        // Otherwise nodes tell clients ports without TLS, whichever way they are asked. A node's port for other nodes lies
        // above that for TLS then.
        let settings = [settings, &["--tls-cluster", "yes", "--tls-port", "{port}"]].concat();
        let nodes: Vec<Server> = (0..masters).map(|_| node(&settings)).collect();
        let tls = nodes.iter().map(Server::second_port).collect();
        TestCluster { nodes, tls }.joined(masters)
    }

    fn joined(self, masters: u16) -> TestCluster {
        let cluster = self;
        for (number, node) in (0..masters).zip(&cluster.nodes) {
            let mut admin = admin(node);
            let slots = |number: u16| u16::try_from(u32::from(SLOTS) * u32::from(number) / u32::from(masters)).unwrap();
            let own: Vec<u16> = (slots(number)..slots(number + 1)).collect();
            // Without it, nodes that meet with the same number first have to sort it out.
            redis::cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(number + 1).exec(&mut admin).unwrap();
            redis::cmd("CLUSTER").arg("ADDSLOTS").arg(own).exec(&mut admin).unwrap();
            cluster.meet(&mut admin);
        }
        cluster.settle();
        cluster
    }

    /// Introduces a node to the first one.
    fn meet(&self, admin: &mut Connection) {
        let port = self.tls.first().copied().unwrap_or(self.nodes[0].address().port());
        redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port).exec(admin).unwrap();
    }

    /// Starts a replica of a master, and waits until it has its data.
    pub(crate) fn add_replica(&mut self, master: usize) {
        let replica = node(&[]);
        let mut admin = admin(&replica);
        self.meet(&mut admin);
        let id = self.id(master);
        let replicate = || redis::cmd("CLUSTER").arg("REPLICATE").arg(&id).exec(&mut admin).is_ok();
        assert!(eventually(replicate), "the replica finds its master");
        let linked = || {
            let info: String = redis::cmd("INFO").arg("replication").query(&mut admin).unwrap();
            info.contains("master_link_status:up")
        };
        assert!(eventually(linked), "the replica gets the data");
        self.nodes.push(replica);
        self.settle();
    }

    /// Waits until every node knows of all others and finds every slot served.
    fn settle(&self) {
        for node in &self.nodes {
            let mut admin = admin(node);
            let settled = || {
                let info: String = redis::cmd("CLUSTER").arg("INFO").query(&mut admin).unwrap();
                info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{}\r", self.nodes.len()))
            };
            assert!(eventually(settled), "the nodes find each other");
        }
    }

    pub(crate) fn url(&self) -> String {
        let nodes: Vec<String> = self.nodes.iter().map(|node| node.address().to_string()).collect();
        format!("redis+cluster://{}", nodes.join(","))
    }

    /// Where a node speaks TLS.
    pub(crate) fn tls_node(&self, node: usize) -> String {
        format!("127.0.0.1:{}", self.tls[node])
    }

    pub(crate) fn admin(&self, node: usize) -> Connection {
        admin(&self.nodes[node])
    }

    /// How often a node ran a command since its start.
    pub(crate) fn calls(&self, node: usize, command: &str) -> u64 {
        let stats: String = redis::cmd("INFO").arg("commandstats").query(&mut self.admin(node)).unwrap();
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
        line.and_then(|line| line.split(',').next()?.parse().ok()).unwrap_or(0)
    }

    /// How often all nodes did.
    pub(crate) fn all_calls(&self, command: &str) -> u64 {
        (0..self.nodes.len()).map(|node| self.calls(node, command)).sum()
    }

    fn id(&self, node: usize) -> String {
        redis::cmd("CLUSTER").arg("MYID").query(&mut self.admin(node)).unwrap()
    }

    /// The slot of a key, as the servers compute it.
    pub(crate) fn slot(&self, key: &str) -> u16 {
        redis::cmd("CLUSTER").arg("KEYSLOT").arg(key).query(&mut self.admin(0)).unwrap()
    }

    /// The node that owns a slot, as the first one knows.
    pub(crate) fn owner(&self, slot: u16) -> usize {
        let all: Vec<redis::Value> = redis::cmd("CLUSTER").arg("SLOTS").query(&mut self.admin(0)).unwrap();
        for range in all {
            // First, last, the owner, its replicas; of the owner: host, port and more.
            let redis::Value::Array(range) = range else { panic!("{range:?}") };
            let [redis::Value::Int(first), redis::Value::Int(last), redis::Value::Array(owner), ..] = &range[..] else {
                panic!("{range:?}")
            };
            if (*first..=*last).contains(&i64::from(slot)) {
                let is_owner = |node: &Server| owner[1] == redis::Value::Int(node.address().port().into());
                return self.nodes.iter().position(is_owner).expect("one of ours");
            }
        }
        panic!("slot {slot} has no owner");
    }

    /// Has a slot begin to move; no key moves yet.
    pub(crate) fn begin_move(&self, slot: u16, to: usize) -> Move {
        let from = self.owner(slot);
        let set = |node: usize, state: &str, other: usize| {
            let mut set = redis::cmd("CLUSTER");
            set.arg("SETSLOT").arg(slot).arg(state).arg(self.id(other)).exec(&mut self.admin(node)).unwrap();
        };
        set(to, "IMPORTING", from);
        set(from, "MIGRATING", to);
        Move { slot, from, to }
    }

    /// Moves some of the keys in the slot; whether there were any.
    pub(crate) fn move_keys(&self, Move { slot, from, to }: Move, most: u16) -> bool {
        let mut source = self.admin(from);
        let keys: Vec<String> =
            redis::cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(most).query(&mut source).unwrap();
        if keys.is_empty() {
            return false;
        }
        let target = self.nodes[to].address();
        let mut migrate = redis::cmd("MIGRATE");
        migrate.arg(target.ip().to_string()).arg(target.port()).arg("").arg(0).arg(5000).arg("KEYS").arg(keys);
        migrate.exec(&mut source).unwrap();
        true
    }

    /// Moves the keys that are left and ends the move, at the new owner first.
    pub(crate) fn end_move(&self, moving: Move) {
        while self.move_keys(moving, 100) {}
        let Move { slot, from, to } = moving;
        let id = self.id(to);
        let others = (0..self.nodes.len()).filter(|node| *node != from && *node != to);
        for node in [to, from].into_iter().chain(others) {
            let mut set = redis::cmd("CLUSTER");
            // A replica has no say.
            let _ = set.arg("SETSLOT").arg(slot).arg("NODE").arg(&id).exec(&mut self.admin(node));
        }
    }

    /// Moves a slot with all its keys.
    pub(crate) fn move_slot(&self, slot: u16, to: usize) {
        let moving = self.begin_move(slot, to);
        while self.move_keys(moving, 5) {}
        self.end_move(moving);
    }
}

fn node(settings: &[&str]) -> Server {
    // No test waits until nodes give up a node by themselves, and none may be given up because the machine is busy.
    let patience = ["--cluster-node-timeout", "60000"];
    let cluster = ["--cluster-enabled", "yes", "--cluster-config-file", "nodes.conf"];
    fitting_server(&[&cluster[..], &patience, settings].concat(), has_free_bus)
}

fn has_free_bus(port: u16) -> bool {
    port.checked_add(BUS).is_some_and(|bus| TcpListener::bind(("127.0.0.1", bus)).is_ok())
}
