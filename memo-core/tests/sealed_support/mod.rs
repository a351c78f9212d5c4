//! A store that shows and changes what is in it, and a cache around it.
#![allow(dead_code, reason = "each test binary uses a part")]

#[path = "../random/mod.rs"]
pub(crate) mod random;

pub(crate) use random::Random;

use memo_core::{Cache, Capabilities, Error, Sealed, check_key};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Bytes under keys, for ever.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<String, Vec<u8>>>);

impl Shelf {
    fn with<R>(&self, act: impl FnOnce(&mut HashMap<String, Vec<u8>>) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Cache for Shelf {
    fn capabilities(&self) -> Capabilities {
        Capabilities::new("shelf")
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check_key(key)?;
        Ok(self.with(|map| map.get(key).cloned()))
    }

    fn set(&self, key: &str, bytes: &[u8], _: Option<Duration>) -> Result<(), Error> {
        check_key(key)?;
        self.with(|map| map.insert(key.to_owned(), bytes.to_vec()));
        Ok(())
    }

    fn add(&self, key: &str, bytes: &[u8], _: Option<Duration>) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.with(|map| {
            let absent = !map.contains_key(key);
            map.entry(key.to_owned()).or_insert_with(|| bytes.to_vec());
            absent
        }))
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.with(|map| map.remove(key).is_some()))
    }
}

pub(crate) fn sealed(shelf: &Arc<Shelf>) -> Sealed {
    Sealed::over(Arc::clone(shelf) as Arc<dyn Cache>)
}

impl Random {
    /// Words, so that there is something to compress in most.
    pub(crate) fn text(&mut self) -> String {
        let words = ["tea", "coffee", "a pot of ", "caf\u{e9}", " and ", "12.50 "];
        (0..=self.below(60)).map(|_| words[self.below(words.len())]).collect()
    }
}

/// How many times longer than usual: `cargo xtask deep` says so.
pub(crate) fn effort() -> u32 {
    std::env::var("MEMOKIT_TEST_EFFORT").map_or(1, |effort| effort.parse().expect("MEMOKIT_TEST_EFFORT is a number"))
}
