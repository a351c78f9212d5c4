//! A body that looks at what another function has stored, or that has it run past its cache, has its tags as one that calls
//! it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::{cached, invalidate_tag};
use std::collections::HashMap;

/// Stores with `store`, calls `outer`, and expects that once the tag is invalidated what it has stored is gone.
fn goes_with_its_tag(tag: &str, store: impl FnOnce(), outer: impl FnOnce(), is_there: impl Fn() -> bool) {
    store();
    outer();
    assert!(is_there(), "{tag}");
    invalidate_tag(tag).unwrap();
    assert!(!is_there(), "{tag}");
}

#[test]
fn who_peeks_has_the_tags_of_what_it_sees() {
    #[cached(tags = ["peeked"])]
    fn number(id: u32) -> u32 {
        id
    }
    #[cached]
    fn outer(id: u32) -> Option<u32> {
        number::peek(id)
    }
    goes_with_its_tag("peeked", || _ = number(1), || assert_eq!(outer(1), Some(1)), || outer::contains(1));
}

#[test]
fn so_has_who_asks_whether_it_is_there() {
    #[cached(tags = ["contained"])]
    fn number(id: u32) -> u32 {
        id
    }
    #[cached]
    fn outer(id: u32) -> bool {
        number::contains(id)
    }
    goes_with_its_tag("contained", || _ = number(1), || assert!(outer(1)), || outer::contains(1));
}

#[cfg(feature = "shared")]
#[test]
fn so_has_who_peeks_into_the_shared_level() {
    #[cached(tags = ["peeked there"], cache = "default", local = false)]
    fn number(id: u32) -> u32 {
        id
    }
    #[cached]
    fn outer(id: u32) -> Option<u32> {
        number::peek(id).unwrap()
    }
    goes_with_its_tag("peeked there", || _ = number(1), || assert_eq!(outer(1), Some(1)), || outer::contains(1));
}

#[cfg(feature = "shared")]
#[test]
fn so_has_who_peeks_at_several() {
    #[cached(each = ids, tags = ["several peeked"], cache = "default", local = false)]
    fn numbers(ids: &[u32]) -> HashMap<u32, u32> {
        ids.iter().map(|id| (*id, *id)).collect()
    }
    #[cached]
    fn outer(id: u32) -> usize {
        numbers::peek(&[id, id + 1]).unwrap().len()
    }
    goes_with_its_tag("several peeked", || _ = numbers(&[1, 2]), || assert_eq!(outer(1), 2), || outer::contains(1));
}

#[test]
fn so_has_who_peeks_in_its_own_thread() {
    #[cached(tags = ["peeked here"], scope = "thread")]
    fn number(id: u32) -> u32 {
        id
    }
    #[cached]
    fn outer(id: u32) -> Option<u32> {
        number::peek(id)
    }
    goes_with_its_tag("peeked here", || _ = number(1), || assert_eq!(outer(1), Some(1)), || outer::contains(1));
}

#[test]
fn a_call_that_looks_at_nothing_has_tags_too() {
    #[cached(tags = [format!("bypassed {id}")], bypass = fresh)]
    fn number(id: u32, fresh: bool) -> u32 {
        id
    }
    #[cached(tags = [format!("bypassed each {tenant}")], bypass = fresh, each = ids)]
    fn numbers(tenant: u32, ids: &[u32], fresh: bool) -> HashMap<u32, u32> {
        ids.iter().map(|id| (*id, tenant)).collect()
    }
    #[cached]
    fn outer(id: u32) -> u32 {
        number(id, true)
    }
    #[cached]
    fn outer_each(id: u32) -> usize {
        numbers(id, &[1, 2], true).len()
    }
    goes_with_its_tag("bypassed 1", || (), || assert_eq!(outer(1), 1), || outer::contains(1));
    goes_with_its_tag("bypassed each 1", || (), || assert_eq!(outer_each(1), 2), || outer_each::contains(1));
}

#[tokio::test]
async fn and_so_has_a_task() {
    #[cached(tags = [format!("task bypassed {id}")], bypass = fresh)]
    async fn number(id: u32, fresh: bool) -> u32 {
        tokio::task::yield_now().await;
        id
    }
    #[cached]
    async fn outer(id: u32) -> u32 {
        number(id, true).await
    }
    assert_eq!(outer(1).await, 1);
    assert!(outer::contains(1));
    memokit::invalidate_tag_async("task bypassed 1").await.unwrap();
    assert!(!outer::contains(1));
}
