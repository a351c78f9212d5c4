//! The contract of a backend, kept by sealed caches over memory and file under a mock clock.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{MockClock, conformance};
use memokit::{Cache, Compression, FileCache, MemoryCache, Sealed, Secret};
use std::sync::Arc;

fn signed(cache: &Arc<dyn Cache>) -> Sealed {
    Sealed::over(Arc::clone(cache)).signed(Secret::new("0f8fad5bd9cb469fa16570867728950e").unwrap())
}

fn keeps_the_contract(cache: &Arc<dyn Cache>) {
    let clock = MockClock::install();
    let sealed: [Arc<dyn Cache>; 4] = [
        Arc::new(Sealed::over(Arc::clone(cache))),
        Arc::new(signed(cache)),
        Arc::new(Sealed::over(Arc::clone(cache)).compressed(Compression::lz4().above(0))),
        Arc::new(signed(cache).compressed(Compression::zstd(1).unwrap().above(0))),
    ];
    for cache in sealed {
        conformance::check(&cache, &mut |span| clock.advance(span), &conformance::block_on);
    }
}

#[test]
fn over_memory() {
    keeps_the_contract(&(Arc::new(MemoryCache::new()) as Arc<dyn Cache>));
}

#[test]
fn over_a_file() {
    keeps_the_contract(&(Arc::new(FileCache::open(support::folder("sealed-contract")).unwrap()) as Arc<dyn Cache>));
}
