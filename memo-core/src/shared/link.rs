//! This process's connection to a cache: what it knows of the cache beside the cache itself.
//!
//! A cache is one object, whichever functions use it and under whichever names. What this process knows of it (whether
//! it answers, which invalidations it still owes it) must be one too. So a link is found by the cache's identity, which
//! is its allocation. A link holds the cache weakly: the cache ends with its last owner, and as long as the link is
//! there, no other cache can get the same allocation.

use super::breaker::Breaker;
use super::cache::Cache;
use super::coherence::Coherence;
use super::owed::Owed;
use super::recovery::Recovery;
use crate::random;
use foldhash::fast::RandomState;
use hashbrown::HashMap;
use parking_lot::RwLock;
use std::fmt;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Weak};

/// By the address of the cache. Caches without content may have one address and are still two.
type Links = HashMap<usize, Vec<Arc<Link>>, RandomState>;

/// Asked at every call that gets to a shared level which is an expression.
static LINKS: RwLock<Option<Links>> = RwLock::new(None);

/// What this process knows of one cache.
pub struct Link {
    id: u64,
    cache: Weak<dyn Cache>,
    pub(super) breaker: Breaker,
    pub(super) owed: Owed,
    pub(super) recovery: Recovery,
    pub(super) coherence: Coherence,
    /// Whether its operations end by themselves.
    pub(super) bounded: bool,
    /// Operations that were not tried.
    pub(super) skips: AtomicU64,
}

impl Link {
    /// The link to this cache, made when it is first asked for.
    pub(crate) fn of(cache: &Arc<dyn Cache>) -> Arc<Link> {
        let address = Arc::as_ptr(cache).addr();
        let known = |links: &Links| links.get(&address)?.iter().find(|link| link.leads_to(cache)).map(Arc::clone);
        if let Some(link) = LINKS.read().as_ref().and_then(known) {
            return link;
        }
        let mut links = LINKS.write();
        let links = links.get_or_insert_default();
        if let Some(link) = known(links) {
            return link;
        }
        // Those whose caches are gone. Here, since it is seldom and while they are at most as many as there were caches.
        links.retain(|_, links| {
            links.retain(|link| !link.is_gone());
            !links.is_empty()
        });
        let link = Arc::new(Link {
            id: random::number(),
            cache: Arc::downgrade(cache),
            breaker: Breaker::new(),
            owed: Owed::default(),
            recovery: Recovery::default(),
            coherence: Coherence::default(),
            bounded: cache.capabilities().bounded,
            skips: AtomicU64::new(0),
        });
        links.entry(address).or_default().push(Arc::clone(&link));
        link
    }

    /// All caches that are in use.
    pub(super) fn all() -> Vec<Linked> {
        let links = LINKS.read();
        let links = links.iter().flat_map(HashMap::values).flatten();
        links.filter_map(|link| Some(Linked { cache: link.cache()?, link: Arc::clone(link) })).collect()
    }

    /// A number that no other link has, in whatever process.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The cache, unless it is gone.
    pub(crate) fn cache(&self) -> Option<Arc<dyn Cache>> {
        self.cache.upgrade()
    }

    /// Whether the cache is gone, without a moment in which this would be its last owner.
    pub(super) fn is_gone(&self) -> bool {
        self.cache.strong_count() == 0
    }

    fn leads_to(&self, cache: &Arc<dyn Cache>) -> bool {
        Weak::ptr_eq(&self.cache, &Arc::downgrade(cache))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.cache().map(|cache| cache.capabilities().name);
        f.debug_struct("Link").field("id", &self.id()).field("cache", &name).finish_non_exhaustive()
    }
}

/// A cache that is being used, and the link to it.
#[derive(Clone)]
pub struct Linked {
    pub(crate) cache: Arc<dyn Cache>,
    pub(crate) link: Arc<Link>,
}

impl Linked {
    pub(crate) fn new(cache: Arc<dyn Cache>) -> Self {
        let link = Link::of(&cache);
        Linked { cache, link }
    }
}

impl Deref for Linked {
    type Target = Link;

    fn deref(&self) -> &Link {
        &self.link
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Capabilities;
    use crate::Error;
    use std::time::Duration;

    /// Without content, or with some.
    struct Nothing<T>(T);

    impl<T: Send + Sync + 'static> Cache for Nothing<T> {
        fn capabilities(&self) -> Capabilities {
            Capabilities::new("nothing")
        }

        fn get(&self, _: &str) -> Result<Option<Vec<u8>>, Error> {
            Ok(None)
        }

        fn set(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<(), Error> {
            Ok(())
        }

        fn add(&self, _: &str, _: &[u8], _: Option<Duration>) -> Result<bool, Error> {
            Ok(true)
        }

        fn remove(&self, _: &str) -> Result<bool, Error> {
            Ok(false)
        }
    }

    fn cache<T: Send + Sync + 'static>(content: T) -> Arc<dyn Cache> {
        Arc::new(Nothing(content))
    }

    #[test]
    fn a_cache_has_one_link_however_it_is_found() {
        let (one, other) = (cache(1_u8), cache(1_u8));
        let link = Link::of(&one);
        assert!(Arc::ptr_eq(&link, &Link::of(&Arc::clone(&one))) && Arc::ptr_eq(&link, &Linked::new(one).link));
        assert_ne!(link.id(), Link::of(&other).id());
    }

    #[test]
    fn a_link_keeps_no_cache_alive_and_is_found_for_no_other() {
        let mut ids = std::collections::HashSet::new();
        for _ in 0..100 {
            // Of one size, so that an allocator that could would use the same place again.
            let (cache, empty) = (cache([0_u64; 4]), cache(()));
            let link = Link::of(&cache);
            assert!(ids.insert(link.id()) && ids.insert(Link::of(&empty).id()));
            drop(cache);
            assert!(link.cache().is_none());
        }
        let known = || {
            LINKS
                .read()
                .iter()
                .flat_map(|links| links.values())
                .flatten()
                .filter(|link| ids.contains(&link.id()))
                .count()
        };
        drop(Link::of(&cache(2_u8)));
        assert_eq!(known(), 0, "links of caches that are gone stay");
    }
}
