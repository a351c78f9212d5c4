//! A shared level as the README says to set it up: caches under names, a bucket, functions on both.
#![deny(warnings, missing_docs, clippy::all)]
#![forbid(unsafe_code)]

use memokit::{Bucket, ErrorKind, FileCache, MemoryCache, RedisCache, cached};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// What is looked up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Symbol {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub address: u64,
}

#[cached(cache = "symbols", timeout = "1h", version = 2)]
fn find_symbol(file: &str, name: &str) -> Option<Symbol> {
    (!file.is_empty()).then(|| Symbol { name: name.to_owned(), address: 42 })
}

#[cached(cache = "default", local = false, codec = Json)]
async fn fetch(id: u64) -> Result<Vec<u64>, std::fmt::Error> {
    if id == 0 { Err(std::fmt::Error) } else { Ok(vec![id; 3]) }
}

#[cached(cache = Arc::new(MemoryCache::new()), local_timeout = 5)]
fn by_expression(n: u8) -> u8 {
    n
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(memokit::check().unwrap_err().kind(), ErrorKind::NotRegistered);
    let folder = std::env::temp_dir().join(format!("memokit-consumer-{}", std::process::id()));
    memokit::register("symbols", Arc::new(FileCache::open(&folder)?));
    // Connects at the first operation, which this program does not come to.
    let _redis = RedisCache::builder("redis://127.0.0.1:6379/").operation_timeout(Duration::from_millis(100)).build()?;
    memokit::check()?;

    assert_eq!((find_symbol("libc", "malloc"), find_symbol("", "free")), (find_symbol("libc", "malloc"), None));
    assert!(find_symbol::key("libc", "malloc")?.text().starts_with("memo:consumer_shared/find_symbol:2:"));
    assert!(find_symbol::contains("", "free")? && find_symbol::invalidate("", "free")?);
    assert_eq!(find_symbol::refresh("libc", "malloc")?.map(|symbol| symbol.address), Some(42));
    find_symbol::invalidate_all()?;
    assert_eq!(find_symbol::peek("libc", "malloc")?, None);

    assert_eq!((fetch(2).await?, fetch(2).await?), (vec![2; 3], vec![2; 3]));
    assert_eq!((fetch::stats().shared_hits, fetch(0).await.is_err()), (1, true));
    assert!(fetch::invalidate(2).await?);
    assert_eq!((by_expression(1), by_expression(1), by_expression::stats().local_hits), (1, 1, 1));

    let sessions: Bucket<String> = Bucket::new(memokit::cache("symbols")?, "sessions").timeout(Duration::from_secs(60))?;
    sessions.set(&7, &"Ann".to_owned())?;
    assert_eq!((sessions.get(&7)?, sessions.get_async(&8).await?), (Some("Ann".to_owned()), None));
    assert_eq!(sessions.remove_many([7, 8])?, 1);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
