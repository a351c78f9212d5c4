//! `Cache(…, debug=True)`: nothing is stored. There it is an argument of the constructor. Here functions have `bypass`, and
//! a cache is replaced by one that keeps nothing, which is four operations to write.

use crate::Runs;
use memokit::{Bucket, Cache, Capabilities, Error, cached};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// Keeps nothing.
struct Off;

impl Cache for Off {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("off")
    }

    fn get(&self, _key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(None)
    }

    fn set(&self, _key: &str, _bytes: &[u8], _timeout: Option<Duration>) -> Result<(), Error> {
        Ok(())
    }

    fn add(&self, _key: &str, _bytes: &[u8], _timeout: Option<Duration>) -> Result<bool, Error> {
        Ok(true)
    }

    fn remove(&self, _key: &str) -> Result<bool, Error> {
        Ok(false)
    }
}

#[test]
fn a_dictionary_that_keeps_nothing() {
    let cache: Bucket<u32> = Bucket::new(Arc::new(Off), "off");
    cache.set("k1", &1).unwrap();
    cache.set_many([("k1", &1), ("k2", &2)]).unwrap();
    assert_eq!(cache.get("k1").unwrap(), None);
    assert_eq!(cache.get_many(["k1", "k2"]).unwrap(), [None, None]);
    assert!(!cache.remove("k1").unwrap());
    assert_eq!(cache.remove_many(["k1", "k2"]).unwrap(), 0);
    assert_eq!(cache.get_or_insert_with("k1", || 5).unwrap(), 5);
}

/// There, and with `NullCache` of Flask-Caching, a test or a setting turns the cache off.
#[test]
fn functions_are_switched_off_while_the_program_runs() {
    static OFF: AtomicBool = AtomicBool::new(false);
    static RUNS: Runs = Runs::new();
    #[cached(bypass = OFF.load(SeqCst))]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1), f(1)), (11, 11));
    OFF.store(true, SeqCst);
    assert_eq!((f(1), f(1)), (12, 13));
    OFF.store(false, SeqCst);
    assert_eq!(f(1), 11, "nothing was stored meanwhile");
}

#[test]
fn a_function_whose_cache_keeps_nothing_runs_every_time() {
    static RUNS: Runs = Runs::new();
    #[cached(cache = Arc::new(Off) as Arc<dyn Cache>, local = false, prefix = "seeds off")]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1), f(1)), (11, 12));
    assert!(!f::invalidate(1).unwrap());
}
