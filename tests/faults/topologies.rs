//! As the outages, on several servers: a master that sentinels replace, slots of a Cluster that move, and a master of a
//! Cluster whose replica takes over.

use super::cluster::TestCluster;
use super::load::{KEYS, Phase};
use super::outages::{Servers, opened, outage_of};
use super::own::{admin, eventually, replicated};
use super::sentinel::{MASTER, Watched};
use super::{connect, last, outage, patient};
use memokit::Cache;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Servers, and a cache on them.
struct On<T> {
    servers: T,
    cache: Arc<dyn Cache>,
    /// The address of those that are left in the end.
    left: String,
}

impl<T> Servers for On<T> {
    fn cache(&self) -> &Arc<dyn Cache> {
        &self.cache
    }

    fn direct(&self) -> Arc<dyn Cache> {
        patient(&self.left)
    }
}

fn watched() -> On<Watched> {
    let watched = Watched::start(2);
    let (cache, left) = (connect(&watched.url()), watched.servers[1].url());
    On { servers: watched, cache, left }
}

fn cluster() -> On<TestCluster> {
    let cluster = TestCluster::start(3);
    let (cache, left) = (connect(&cluster.url()), cluster.url());
    On { servers: cluster, cache, left }
}

#[test]
fn sentinels_replace_a_master_by_a_replica_that_lacks_the_last_of_it() {
    let what = "failover";
    let kill = |on: &mut On<Watched>| {
        // Redis answers before it replicates. From here on the replica gets nothing, as behind a link that is too slow.
        redis::cmd("REPLICAOF").arg(&["127.0.0.1", "1"]).exec(&mut admin(&on.servers.servers[1])).unwrap();
        last(Duration::from_millis(200));
        on.servers.servers[0].stop();
    };
    let promoted = |on: &mut On<Watched>| {
        let new = on.servers.servers[1].address().port();
        let names_it = |sentinel| {
            let mut ask = redis::cmd("SENTINEL");
            let named = ask.arg("GET-MASTER-ADDR-BY-NAME").arg(MASTER).query(&mut admin(sentinel));
            let (_ip, port): (String, u16) = named.unwrap();
            port == new
        };
        // Until then nobody can know of it; the other sentinel may still name the old one.
        assert!(eventually(|| on.servers.sentinels.iter().any(names_it)), "the replica becomes the master");
    };
    opened(what, &outage_of(what, watched, kill, Duration::ZERO, promoted));
}

/// The slots of all keys that there are.
fn slots(cluster: &TestCluster) -> BTreeSet<u16> {
    let on_node = |node| -> Vec<String> { redis::cmd("KEYS").arg("*").query(&mut cluster.admin(node)).unwrap() };
    (0..cluster.nodes.len()).flat_map(on_node).map(|key| cluster.slot(&key)).collect()
}

#[test]
fn slots_move_to_another_master() {
    let what = "slots";
    let mut moves = 0;
    let begin = |on: &mut On<TestCluster>| {
        let cluster = &on.servers;
        let slots = slots(cluster);
        assert!(slots.len() >= usize::try_from(KEYS).unwrap(), "{slots:?}");
        let end = Instant::now() + outage();
        for slot in slots.iter().copied().cycle().take_while(|_| Instant::now() < end) {
            cluster.move_slot(slot, (cluster.owner(slot) + 1) % cluster.nodes.len());
            moves += 1;
        }
    };
    let outage = outage_of(what, cluster, begin, Duration::ZERO, |_| ());
    println!("  {moves} moves");
    assert!(moves > KEYS && outage.report.of(Phase::Outage).count() > 1000);
    assert_eq!((outage.health.outages, outage.report.failed), (0, 0), "a slot that moves is served");
}

/// Where the numbers of all invalidations are.
const NUMBERS: &str = "memo!numbers";

#[test]
fn a_replica_takes_over_from_a_master_of_a_cluster() {
    let what = "takeover";
    let start = || {
        let mut on = cluster();
        on.servers.add_replica(on.servers.owner(on.servers.slot(NUMBERS)));
        on
    };
    let kill = |on: &mut On<TestCluster>| {
        let cluster = &mut on.servers;
        let master = cluster.owner(cluster.slot(NUMBERS));
        let mut admin = cluster.admin(master);
        assert!(redis::cmd("EXISTS").arg(NUMBERS).query::<bool>(&mut admin).unwrap(), "the worst of the masters");
        // Here lost writes could go unnoticed, which is documented: the numbers are at one master, tombstones at each. So it takes
        // none until its replica has all that it acknowledged.
        redis::cmd("CLIENT").arg(&["PAUSE", "20000", "WRITE"]).exec(&mut admin).unwrap();
        replicated(&cluster.nodes[master], &cluster.nodes[3]);
        cluster.nodes[master].stop();
    };
    let take_over = |on: &mut On<TestCluster>| {
        redis::cmd("CLUSTER").arg(&["FAILOVER", "TAKEOVER"]).exec(&mut on.servers.admin(3)).unwrap();
    };
    let outage = outage_of(what, start, kill, Duration::from_secs(1), take_over);
    assert!(outage.report.failed > 0 && outage.health.applied_late > 0, "{:?}", outage.health);
}
