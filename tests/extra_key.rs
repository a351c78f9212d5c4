//! `extra`: what the key has beside the arguments.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::{Cache, MemoryCache, cached};
use std::cell::{Cell, RefCell};
use std::sync::{Arc, LazyLock};

thread_local! {
    static TENANT: Cell<u32> = const { Cell::new(0) };
    static LOCALE: RefCell<String> = const { RefCell::new(String::new()) };
}

fn locale() -> String {
    LOCALE.with_borrow(String::clone)
}

static CACHE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

/// A request: which tenant it is of shows in it, and who sent it does not matter.
struct Request {
    tenant: String,
    sender: u32,
}

fn request(tenant: &str, sender: u32) -> Request {
    Request { tenant: tenant.to_owned(), sender }
}

#[test]
fn what_no_argument_says_is_part_of_the_key() {
    #[cached(extra = TENANT.get())]
    fn sample(n: u32) -> u32 {
        n + TENANT.get()
    }
    let at = |tenant| {
        TENANT.set(tenant);
        sample(1)
    };
    assert_eq!((at(10), at(20), at(10), at(20)), (11, 21, 11, 21));
    assert_eq!((sample::stats().loads, sample::stats().hits()), (2, 2));
}

#[test]
fn companions_mean_the_entry_of_the_moment() {
    #[cached(extra = (TENANT.get(), locale()))]
    fn sample(n: u32) -> String {
        format!("{n} {} {}", TENANT.get(), locale())
    }
    TENANT.set(1);
    sample(5);
    LOCALE.set("de".into());
    assert_eq!((sample::contains(5), sample::peek(5)), (false, None));
    sample::put(5, "put".into());
    assert_eq!(sample(5), "put");
    assert_eq!(sample::refresh(5), "5 1 de");
    assert!(sample::invalidate(5));
    assert!(!sample::contains(5));
    LOCALE.set(String::new());
    assert_eq!(sample::peek(5).as_deref(), Some("5 1 "));
}

#[test]
fn it_sees_arguments_that_are_ignored_and_borrows_from_them() {
    #[cached(ignore = request, extra = &request.tenant)]
    fn sample(request: &Request, page: u32) -> String {
        format!("{} {page} by {}", request.tenant, request.sender)
    }
    assert_eq!(sample(&request("a", 1), 1), "a 1 by 1");
    assert_eq!(sample(&request("a", 2), 1), "a 1 by 1");
    assert_eq!(sample(&request("b", 2), 1), "b 1 by 2");
    assert_eq!(sample(&request("b", 2), 2), "b 2 by 2");
}

#[test]
fn it_stands_beside_a_key() {
    #[cached(key = request.tenant.as_str(), extra = (TENANT.get(),))]
    fn sample(request: &Request) -> u32 {
        request.sender
    }
    assert_eq!((sample(&request("a", 1)), sample(&request("a", 2))), (1, 1));
    TENANT.set(9);
    assert_eq!((sample(&request("a", 2)), sample(&request("a", 3))), (2, 2));
}

#[test]
fn an_argument_that_is_used_for_it_alone_raises_no_lint() {
    #[deny(unused_variables)]
    #[cached(extra = language.len())]
    fn sample(n: u32, language: &str) -> u32 {
        n
    }
    assert_eq!((sample(1, "de"), sample(1, "en"), sample(1, "fra")), (1, 1, 1));
    assert_eq!(sample::stats().loads, 3, "the argument is part of the key as well");
}

#[test]
fn methods_have_it() {
    struct Shop(u32);
    impl Shop {
        #[cached(key = n, extra = self.0)]
        fn stock(&self, n: u32) -> u32 {
            self.0 * 100 + n
        }
    }
    assert_eq!((Shop(1).stock(2), Shop(2).stock(2), Shop(1).stock(2)), (102, 202, 102));
    assert!(Shop(2).stock_invalidate(2));
    assert!(Shop(1).stock_contains(2) && !Shop(2).stock_contains(2));
}

#[tokio::test]
async fn the_shared_key_has_it_too() {
    #[cached(cache = Arc::clone(&CACHE), local = false, extra = TENANT.get())]
    fn threads(n: u32) -> u32 {
        n + TENANT.get()
    }
    #[cached(cache = Arc::clone(&CACHE), extra = TENANT.get())]
    async fn tasks(n: u32) -> u32 {
        n + TENANT.get()
    }
    let mut keys = Vec::new();
    for tenant in [10, 20, 10, 20] {
        TENANT.set(tenant);
        assert_eq!((threads(1), tasks(1).await), (1 + tenant, 1 + tenant));
        keys.push(threads::key(1).unwrap().text().to_owned());
    }
    assert_ne!(keys[0], keys[1]);
    assert_eq!(keys[..2], keys[2..]);
    assert_eq!((threads::stats().loads, threads::stats().shared_hits), (2, 2));
    assert_eq!((tasks::stats().loads, tasks::stats().local_hits), (2, 2));
    assert!(tasks::invalidate(1).await.unwrap());
    TENANT.set(10);
    assert_eq!(tasks::peek(1).await.unwrap(), Some(11));
}
