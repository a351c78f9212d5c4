//! Which slot of a cluster a key is in, and which node owns each slot.

use super::address::Endpoint;
use super::error::Failure;
use super::node::Node;
use redis::{ServerError, ServerErrorKind, Value};
use std::sync::Arc;

pub(super) const SLOTS: u16 = 16_384;

/// The slot of a key: by its hash tag if it has one, else by all of it.
pub(super) fn slot_of(key: &str) -> u16 {
    crc16(hash_tag(key).unwrap_or(key).as_bytes()) % SLOTS
}

/// The `{hash tag}` of a key: between its first `{` and the first `}` behind that, if there is something.
pub(super) fn hash_tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once('{')?;
    let (tag, _) = rest.split_once('}')?;
    if tag.is_empty() { None } else { Some(tag) }
}

/// CRC-16/XMODEM, which the cluster specification names.
fn crc16(bytes: &[u8]) -> u16 {
    const TABLE: [u16; 256] = {
        let mut table = [0; 256];
        let mut byte: u16 = 0;
        while byte < 256 {
            let mut crc = byte << 8;
            let mut bit = 0;
            while bit < 8 {
                crc = if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
                bit += 1;
            }
            table[byte as usize] = crc;
            byte += 1;
        }
        table
    };
    bytes.iter().fold(0, |crc, byte| (crc << 8) ^ TABLE[usize::from((crc >> 8) ^ u16::from(*byte)) & 0xff])
}

/// Which node owns each slot, as far as we were told.
#[derive(Clone)]
pub(super) struct Map {
    /// An index into `nodes`, or [`NOBODY`].
    owners: Box<[u16]>,
    nodes: Vec<Arc<Node>>,
    /// Raised with each change of an owner.
    pub(super) version: u64,
}

const NOBODY: u16 = u16::MAX;

impl Map {
    pub(super) fn empty() -> Map {
        Map { owners: vec![NOBODY; usize::from(SLOTS)].into(), nodes: Vec::new(), version: 0 }
    }

    pub(super) fn owner(&self, slot: u16) -> Option<&Arc<Node>> {
        let owner = *self.owners.get(usize::from(slot))?;
        self.nodes.get(usize::from(owner))
    }

    /// The nodes that own a slot.
    pub(super) fn masters(&self) -> Vec<Arc<Node>> {
        let mut owns = vec![false; self.nodes.len()];
        for owner in &self.owners {
            if let Some(owns) = owns.get_mut(usize::from(*owner)) {
                *owns = true;
            }
        }
        self.nodes.iter().zip(owns).filter(|(_, owns)| *owns).map(|(node, _)| Arc::clone(node)).collect()
    }

    /// All nodes, also those that own nothing at the moment.
    pub(super) fn nodes(&self) -> &[Arc<Node>] {
        &self.nodes
    }

    /// The node of this address, added if it is new.
    pub(super) fn node(&mut self, endpoint: Endpoint, new: impl FnOnce(Endpoint) -> Arc<Node>) -> Arc<Node> {
        if let Some(node) = self.nodes.iter().find(|node| node.endpoint == endpoint) {
            return Arc::clone(node);
        }
        let node = new(endpoint);
        self.nodes.push(Arc::clone(&node));
        node
    }

    /// Gives slots to a node of this map.
    pub(super) fn give(&mut self, slots: std::ops::RangeInclusive<u16>, node: &Arc<Node>) {
        let Some(owner) = self.nodes.iter().position(|known| Arc::ptr_eq(known, node)) else { return };
        let owner = u16::try_from(owner).unwrap_or(NOBODY);
        let (first, last) = (usize::from(*slots.start()), usize::from(*slots.end()));
        if let Some(owners) = self.owners.get_mut(first..=last)
            && owners.iter().any(|before| *before != owner)
        {
            owners.fill(owner);
            self.version += 1;
        }
    }

    /// The map that a node told, with what is known of the nodes kept.
    pub(super) fn told(&self, ranges: Vec<Range>, mut new: impl FnMut(Endpoint) -> Arc<Node>) -> Map {
        let mut map = Map { version: self.version, ..Map::empty() };
        for Range { slots, owner } in ranges {
            let node = match self.nodes.iter().find(|node| node.endpoint == owner) {
                Some(known) => map.node(owner, |_| Arc::clone(known)),
                None => map.node(owner, &mut new),
            };
            map.give(slots, &node);
        }
        map.version = self.version + u64::from(!self.same_owners(&map));
        map
    }

    fn same_owners(&self, other: &Map) -> bool {
        (0..SLOTS).all(|slot| match (self.owner(slot), other.owner(slot)) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, None) => true,
            _ => false,
        })
    }
}

/// Neighbouring slots of one owner.
pub(super) struct Range {
    slots: std::ops::RangeInclusive<u16>,
    owner: Endpoint,
}

/// Reads the reply to CLUSTER SLOTS. A node that does not name its own host means the one it was asked under.
pub(super) fn ranges(replies: Vec<Value>, asked: &Endpoint) -> Result<Vec<Range>, Failure> {
    let Some(Value::Array(ranges)) = replies.into_iter().next() else { return Err(Failure::Nonsense) };
    let range = |range: Value| -> Option<Range> {
        let Value::Array(parts) = range else { return None };
        let [Value::Int(first), Value::Int(last), Value::Array(owner), ..] = &parts[..] else { return None };
        let [host, Value::Int(port), ..] = &owner[..] else { return None };
        let host = match host {
            Value::BulkString(host) if host != b"?" => String::from_utf8(host.clone()).ok()?,
            Value::BulkString(_) | Value::Nil => String::new(),
            _ => return None,
        };
        let (first, last) = (u16::try_from(*first).ok()?, u16::try_from(*last).ok()?);
        Some(Range { slots: first..=last, owner: reached(&host, u16::try_from(*port).ok()?, asked) })
    };
    ranges.into_iter().map(|each| range(each).ok_or(Failure::Nonsense)).collect()
}

fn reached(host: &str, port: u16, asked: &Endpoint) -> Endpoint {
    match asked {
        Endpoint::Tcp { host: same, .. } if host.is_empty() => Endpoint::Tcp { host: same.clone(), port },
        _ => Endpoint::Tcp { host: host.to_owned(), port },
    }
}

/// What a refusal of a node says about where to go.
pub(super) enum Redirect {
    /// The slot has another owner, for good.
    Moved { slot: u16, to: Endpoint },
    /// The slot is moving; this key, if there is one, is at the node that takes it over.
    Ask { to: Endpoint },
    /// The node can't serve now; another may have taken over.
    Elsewhere,
}

impl Redirect {
    /// The redirect in an error that came from the node at `from`. The commands were not run then. TRYAGAIN is none: it leads
    /// nowhere, for as long as the slot is on its way.
    pub(super) fn read(error: &ServerError, from: &Endpoint) -> Option<Redirect> {
        let to = || {
            let mut words = error.details()?.split_ascii_whitespace();
            let slot: u16 = words.next()?.parse().ok()?;
            let (host, port) = words.next()?.rsplit_once(':')?;
            Some((slot, reached(if host == "?" { "" } else { host }, port.parse().ok()?, from)))
        };
        match error.kind()? {
            ServerErrorKind::Moved => to().map(|(slot, to)| Redirect::Moved { slot, to }),
            ServerErrorKind::Ask => to().map(|(_, to)| Redirect::Ask { to }),
            ServerErrorKind::ClusterDown
            | ServerErrorKind::MasterDown
            | ServerErrorKind::ReadOnly
            | ServerErrorKind::BusyLoading => Some(Redirect::Elsewhere),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(host: &str, port: u16) -> Endpoint {
        Endpoint::Tcp { host: host.to_owned(), port }
    }

    #[test]
    fn slots_are_those_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31c3);
        // As `CLUSTER KEYSLOT` answers.
        for (key, slot) in [("foo", 12182), ("{user1000}.following", 3443), ("user1000", 3443), ("memo:a", 10759)] {
            assert_eq!(slot_of(key), slot, "{key}");
        }
        assert_eq!(slot_of("foo{}{bar}"), crc16(b"foo{}{bar}") % SLOTS, "an empty tag is none");
        assert_eq!(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    }

    #[test]
    fn a_redirect_is_read() {
        let from = endpoint("h", 1);
        let read = |text: &str| match redis::parse_redis_value(format!("-{text}\r\n").as_bytes()).unwrap() {
            Value::ServerError(error) => Redirect::read(&error, &from),
            other => panic!("{other:?}"),
        };
        for (text, to) in [
            ("MOVED 3999 127.0.0.1:6381", endpoint("127.0.0.1", 6381)),
            ("MOVED 3999 ::1:6381", endpoint("::1", 6381)),
            ("MOVED 3999 :6381", endpoint("h", 6381)),
            ("MOVED 3999 ?:6381", endpoint("h", 6381)),
        ] {
            assert!(matches!(read(text), Some(Redirect::Moved { slot: 3999, to: read }) if read == to), "{text}");
        }
        assert!(matches!(read("ASK 3999 h:6381"), Some(Redirect::Ask { to }) if to == endpoint("h", 6381)));
        assert!(matches!(read("CLUSTERDOWN x"), Some(Redirect::Elsewhere)));
        for other in ["MOVED", "MOVED x", "MOVED 1 nowhere", "ERR MOVED 1 h:1", "OOM x", "TRYAGAIN x"] {
            assert!(read(other).is_none(), "{other}");
        }
    }
}
