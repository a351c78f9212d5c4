//! Hooks that ask for the arguments and for what was returned.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::trivially_copy_pass_by_ref, clippy::needless_pass_by_value, reason = "the forms are what is tested")]
#![allow(clippy::unnecessary_wraps, clippy::unused_async, clippy::unused_self, reason = "samples of what users write")]
#![allow(
    clippy::many_single_char_names,
    clippy::ptr_arg,
    clippy::type_complexity,
    reason = "samples of what users write"
)]

use memokit::{CallInfo, Level, cached};
use std::borrow::Cow;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};

/// What hooks have told so far.
struct Log(Mutex<Vec<String>>);

impl Log {
    const fn new() -> Self {
        Log(Mutex::new(Vec::new()))
    }

    fn add(&self, line: String) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

fn outcome(call: &CallInfo<'_>) -> &'static str {
    match (call.level(), call.load_time()) {
        (Some(Level::Local), None) => "hit",
        (None, Some(_)) => "load",
        (None, None) => "join",
        _ => "other",
    }
}

mod closures {
    use super::*;

    static LOG: Log = Log::new();

    #[cached(on_hit = |call, (user, page)| LOG.add(format!("{} {} {page}", outcome(call), user.to_uppercase())),
             on_miss = |call, (user, page), returned| LOG.add(format!("{} {user} {} {}", outcome(call), page + 1, returned.len())))]
    fn inbox(user: &str, page: u32) -> String {
        format!("{user}{page}")
    }

    #[test]
    fn see_the_arguments_and_the_value() {
        assert_eq!((inbox("ann", 7), inbox("ann", 7)), ("ann7".into(), "ann7".into()));
        assert_eq!(LOG.take(), ["load ann 8 4", "hit ANN 7"]);
        assert_eq!(inbox::refresh("bob", 1), "bob1");
        assert_eq!(LOG.take(), ["load bob 2 4"]);
        assert_eq!(inbox::stats().hook_panics, 0);
    }
}

mod paths {
    use super::*;

    static LOG: Log = Log::new();

    fn log(call: &CallInfo<'_>) {
        LOG.add(outcome(call).to_owned());
    }

    fn log_arguments(call: &CallInfo<'_>, (user, page): (&str, &u32)) {
        LOG.add(format!("{} {user} {page}", outcome(call)));
    }

    fn log_all(call: &CallInfo<'_>, (user, page): (&str, &u32), returned: &Result<u64, String>) {
        LOG.add(format!("{} {user} {page} {returned:?}", outcome(call)));
    }

    fn log_anything<A, R: std::fmt::Debug>(call: &CallInfo<'_>, _: A, returned: &R) {
        LOG.add(format!("{} {returned:?}", outcome(call)));
    }

    #[cached(on_hit = log, on_miss = log_arguments)]
    fn one(user: &str, page: u32) -> Result<u64, String> {
        Ok(u64::from(page) + user.len() as u64)
    }

    #[cached(on_hit = log_arguments, on_miss = log_all)]
    fn two(user: &str, page: u32) -> Result<u64, String> {
        if page == 0 { Err(user.to_owned()) } else { Ok(1) }
    }

    #[cached(on_hit = log_all, on_miss = self::log)]
    fn three(user: &'static str, page: u32) -> Result<u64, String> {
        Ok(u64::from(page) + user.len() as u64)
    }

    #[cached(on_hit = log_anything)]
    fn four(list: &[u8]) -> usize {
        list.len()
    }

    #[test]
    fn are_given_what_their_types_ask_for() {
        for _ in 0..2 {
            assert_eq!(one("ann", 2), Ok(5));
        }
        assert_eq!(LOG.take(), ["load ann 2", "hit"]);
        for _ in 0..2 {
            assert_eq!(two("ann", 2), Ok(1));
        }
        assert_eq!(two("bob", 0), Err("bob".into()));
        assert_eq!(LOG.take(), ["load ann 2 Ok(1)", "hit ann 2", "load bob 0 Err(\"bob\")"]);
        for _ in 0..2 {
            assert_eq!(three("ann", 2), Ok(5));
        }
        assert_eq!(LOG.take(), ["load", "hit ann 2 Ok(5)"]);
        assert_eq!((four(&[1, 2]), four(&[1, 2])), (2, 2));
        assert_eq!(LOG.take(), ["hit 2"]);
    }
}

/// Counts how often it is cloned, apart from what the key does.
struct Counted(Arc<AtomicU32>);

impl Clone for Counted {
    fn clone(&self) -> Self {
        self.0.fetch_add(1, SeqCst);
        Counted(Arc::clone(&self.0))
    }
}

struct NotClone(u32);

mod owned_arguments {
    use super::*;

    #[test]
    fn are_cloned_for_a_miss_and_only_if_the_hook_asks() {
        static LOG: Log = Log::new();
        fn plain(_: &CallInfo<'_>) {}
        fn asks(_: &CallInfo<'_>, (counted, n): (&Counted, &u32)) {
            LOG.add(format!("{} {n}", counted.0.load(SeqCst)));
        }
        #[cached(ignore = counted, on_hit = asks, on_miss = plain)]
        fn told_without(counted: Counted, n: u32) -> u32 {
            let _ = counted;
            n
        }
        #[cached(ignore = counted, on_miss = asks)]
        fn told_with(counted: Counted, n: u32) -> u32 {
            let _ = counted;
            n
        }
        let clones = Arc::new(AtomicU32::new(0));
        for _ in 0..2 {
            assert_eq!(told_without(Counted(Arc::clone(&clones)), 5), 5);
        }
        assert_eq!((clones.load(SeqCst), LOG.take()), (0, vec!["0 5".to_owned()]));
        for _ in 0..2 {
            assert_eq!(told_with(Counted(Arc::clone(&clones)), 6), 6);
        }
        assert_eq!((clones.load(SeqCst), LOG.take()), (1, vec!["1 6".to_owned()]));
    }

    #[test]
    fn need_no_clone_where_no_hook_asks_for_them_after_the_body() {
        static LOG: Log = Log::new();
        fn plain(_: &CallInfo<'_>) {}
        fn error(_: &CallInfo<'_>, error: &String) {
            LOG.add(error.clone());
        }
        #[cached(ignore = [it, buffer], on_hit = |_, (it, _, _)| LOG.add(it.0.to_string()), on_miss = plain, on_error = error)]
        fn taken(it: NotClone, n: u32, buffer: &mut Vec<u32>) -> Result<u32, String> {
            buffer.push(it.0);
            if n == 0 { Err("zero".into()) } else { Ok(n) }
        }
        let mut buffer = Vec::new();
        assert_eq!(taken(NotClone(7), 1, &mut buffer), Ok(1));
        assert_eq!(taken(NotClone(8), 1, &mut buffer), Ok(1));
        assert_eq!(taken(NotClone(9), 0, &mut buffer), Err("zero".into()));
        assert_eq!((buffer, LOG.take()), (vec![7, 9], vec!["8".to_owned(), "zero".to_owned()]));
    }
}

mod forms {
    use super::*;

    static LOG: Log = Log::new();

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Shop {
        id: u32,
    }

    fn shop(call: &CallInfo<'_>, (shop, article, ignored): (&Shop, &str, &bool)) {
        LOG.add(format!("{} {} {article} {ignored}", outcome(call), shop.id));
    }

    #[cached]
    impl Shop {
        #[cached(on_hit = shop, on_miss = shop, ignore = loud)]
        fn stock(&self, article: &str, loud: bool) -> usize {
            let _ = loud;
            article.len()
        }

        #[cached(on_hit = |_, (this, n)| LOG.add(format!("{} {n}", this.id)))]
        fn shared(self: &Arc<Self>, n: u32) -> u32 {
            n
        }

        #[cached(on_miss = |_, (id,), shop: &Shop| LOG.add(format!("{id} {}", shop.id)))]
        fn open(id: u32) -> Shop {
            Shop { id }
        }
    }

    #[test]
    fn methods_show_self_first_and_ignored_arguments_too() {
        let shop = Shop::open(3);
        assert_eq!(LOG.take(), ["3 3"]);
        assert_eq!((shop.stock("tea", true), shop.stock("tea", false)), (3, 3));
        assert_eq!(LOG.take(), ["load 3 tea true", "hit 3 tea false"]);
        assert_eq!(shop.stock_refresh("tea", true), 3);
        assert_eq!(LOG.take(), ["load 3 tea true"]);
        let shop = Arc::new(shop);
        assert_eq!((shop.shared(1), shop.shared(1)), (1, 1));
        assert_eq!(LOG.take(), ["3 1"]);
    }
}

mod kinds_of_arguments {
    use super::*;

    static LOG: Log = Log::new();

    type Text<'a> = &'a str;

    fn many(
        call: &CallInfo<'_>,
        (a, b, c, d, e): (&str, Option<&str>, &Cow<'_, str>, &(u8, u8), &[u8]),
        returned: &usize,
    ) {
        LOG.add(format!("{} {a} {b:?} {c} {d:?} {e:?} {returned}", outcome(call)));
    }

    #[cached(on_hit = many, on_miss = many)]
    fn all<'a>(a: Text<'a>, b: Option<&str>, mut c: Cow<'a, str>, (d, e): (u8, u8), f: &[u8]) -> usize {
        c.to_mut().push('!');
        a.len() + b.map_or(0, str::len) + c.len() + usize::from(d + e) + f.len()
    }

    #[cached(on_miss = |_, ()| LOG.add("none".into()), on_hit = |_, (), n: &u8| LOG.add(n.to_string()))]
    fn none() -> u8 {
        5
    }

    #[test]
    fn are_shown_by_reference() {
        let call = || all("a", Some("b"), Cow::Borrowed("c"), (1, 2), &[3]);
        assert_eq!((call(), call()), (8, 8));
        assert_eq!(LOG.take(), ["load a Some(\"b\") c (1, 2) [3] 8", "hit a Some(\"b\") c (1, 2) [3] 8"]);
        assert_eq!((none(), none()), (5, 5));
        assert_eq!(LOG.take(), ["none", "5"]);
    }

    #[test]
    fn can_be_generic() {
        static TOLD: Log = Log::new();
        fn any<T: std::fmt::Debug>(call: &CallInfo<'_>, (value,): (&T,)) {
            TOLD.add(format!("{} {value:?}", outcome(call)));
        }
        #[cached(on_hit = any, on_miss = any::<T>)]
        fn generic<T: Clone + Eq + Hash + Send + Sync + std::fmt::Debug + 'static>(value: T) -> T {
            value
        }
        assert_eq!((generic(1), generic("a"), generic(1)), (1, "a", 1));
        assert_eq!(TOLD.take(), ["load 1", "load \"a\"", "hit 1"]);
    }
}

mod tasks {
    use super::*;
    use tokio::sync::Barrier;

    static LOG: Log = Log::new();

    fn spawns<F: Future + Send>(future: F) -> F {
        future
    }

    async fn load(text: &'static str, pair: (&'static str, u32)) -> &'static str {
        tokio::task::yield_now().await;
        if pair.1 > 0 { text } else { pair.0 }
    }

    fn told(call: &CallInfo<'_>, (text, (_, n)): (&'static str, &(&'static str, u32)), returned: &&'static str) {
        LOG.add(format!("{} {text} {n} {returned}", outcome(call)));
    }

    #[cached(on_hit = told, on_miss = told, on_evict = |_, (_, pair), value| LOG.add(format!("{} {value}", pair.1)))]
    async fn borrowed(text: &'static str, pair: (&'static str, u32)) -> &'static str {
        load(text, pair).await
    }

    #[cached(cache = "default", on_hit = |_, (list, _), n| LOG.add(format!("{list:?} {n}")),
             on_miss = |_, (list, _), n| LOG.add(format!("{list:?} {n}")))]
    async fn shared(list: Vec<String>, text: &str) -> usize {
        tokio::task::yield_now().await;
        list.len() + text.len()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn tell_too_and_stay_send() {
        assert_eq!(tokio::spawn(borrowed("a", ("b", 1))).await.unwrap(), "a");
        assert_eq!(spawns(borrowed("a", ("b", 1))).await, "a");
        assert_eq!(spawns(borrowed::refresh("a", ("b", 1))).await, "a");
        assert_eq!(LOG.take(), ["load a 1 a", "hit a 1 a", "load a 1 a"]);
        assert_eq!(spawns(shared(vec!["x".into()], "yz")).await, 3);
        assert_eq!(spawns(shared(vec!["x".into()], "yz")).await, 3);
        assert_eq!(LOG.take(), ["[\"x\"] 3", "[\"x\"] 3"]);
    }

    #[tokio::test]
    async fn that_wait_for_another_are_told_of_a_miss() {
        static TOLD: Log = Log::new();
        static BOTH: LazyLock<Barrier> = LazyLock::new(|| Barrier::new(2));
        #[cached(on_miss = |call, (name, _)| TOLD.add(format!("{} {name}", outcome(call))), ignore = name)]
        async fn joined(name: String, n: u32) -> u32 {
            let _ = name;
            BOTH.wait().await;
            n
        }
        let calls = async { tokio::join!(joined("first".into(), 1), joined("second".into(), 1)) };
        let (values, _) = tokio::join!(calls, BOTH.wait());
        assert_eq!(values, (1, 1));
        let mut told = TOLD.take();
        told.sort();
        assert_eq!(told, ["join second", "load first"]);
    }
}

mod keys {
    use super::*;

    static LOG: Log = Log::new();

    #[test]
    fn are_shown_to_every_hook_of_a_function_with_a_shared_level() {
        fn key(call: &CallInfo<'_>) {
            let text = call.key().map(|key| key.text().to_owned());
            LOG.add(format!("{} {}", outcome(call), text.unwrap()));
        }
        #[cached(cache = "default", on_hit = key, on_miss = key)]
        fn keyed(text: &str, n: u32) -> usize {
            text.len() + n as usize
        }
        assert_eq!((keyed("a", 1), keyed("a", 1)), (2, 2));
        let key = keyed::key("a", 1).unwrap();
        assert_eq!(LOG.take(), [format!("load {key}"), format!("hit {key}")]);
        assert_eq!(keyed::stats().hook_panics, 0);
    }

    #[test]
    fn are_absent_without_a_shared_level() {
        #[cached(on_hit = |call| assert!(call.key().is_none()), on_miss = |call| assert!(call.key().is_none()))]
        fn local(n: u32) -> u32 {
            n
        }
        assert_eq!((local(1), local(1), local::stats().hook_panics), (1, 1, 0));
    }
}

mod panics {
    use super::*;

    #[test]
    fn in_hooks_that_take_arguments_fail_no_call() {
        fn panics(_: &CallInfo<'_>, (n,): (&u32,), returned: &u32) {
            panic!("from a hook about {n} and {returned}: this text belongs into the test's output");
        }
        #[cached(on_hit = panics, on_miss = panics)]
        fn told(n: u32) -> u32 {
            n
        }
        assert_eq!((told(1), told(1), told::refresh(1)), (1, 1, 1));
        assert_eq!((told::stats().hook_panics, told::stats().hits(), told::stats().loads), (3, 1, 2));
    }
}

mod re_entry {
    use super::*;

    #[test]
    fn a_hook_may_call_the_function_it_is_told_of() {
        #[cached(on_hit = |_, (n,)| if *n > 0 { again(n - 1); }, on_miss = |_, (n,)| { again(*n); })]
        fn again(n: u32) -> u32 {
            n
        }
        assert_eq!(again(0), 0);
        assert_eq!(again(1), 1);
        assert_eq!((again::stats().loads, again::stats().hook_panics), (2, 0));
    }
}
