//! Which calls are one call: `make_name`, `args_to_ignore`, `key_prefix`, `query_string`, `source_check`, identities.

use crate::Runs;
use memokit::cached;
use std::collections::{BTreeMap, HashMap};

/// There, positional, keyword and default arguments are normalised.
#[test]
fn equal_arguments_are_one_call_however_they_are_written() {
    #[cached]
    fn f(a: u32, b: Option<u32>) -> u32 {
        a + b.unwrap_or(1)
    }
    let one = Some(1);
    assert_eq!((f(1, one), f(1, Some(1)), f(2 - 1, Some(3 - 2))), (2, 2, 2));
    assert_eq!(f::stats().loads, 1);
    assert_eq!((f(1, None), f::stats().loads), (2, 2), "`None` is an argument, not a default");
}

/// There, an argument that has a false value was taken for its default, and lists for their text.
#[test]
fn falsy_arguments_and_lists_are_themselves() {
    #[cached]
    fn f(list: &[&'static str], flag: Option<bool>) -> String {
        format!("{list:?} {flag:?}")
    }
    let calls: [(&[&'static str], Option<bool>); 6] =
        [(&[], None), (&[], Some(false)), (&[""], None), (&["a, b"], None), (&["a", "b"], None), (&["a\", \"b"], None)];
    for (list, flag) in calls {
        assert_eq!(f(list, flag), format!("{list:?} {flag:?}"));
    }
    assert_eq!(f::stats().loads, 6);
}

mod of_build_1 {
    #[memokit::cached(cache = "default", prefix = "flask: add")]
    pub(super) fn add(a: u32, b: u32) -> u32 {
        a + b
    }
}

mod of_build_2 {
    #[memokit::cached(cache = "default", prefix = "flask: add")]
    pub(super) fn plus(a: u32, b: u32) -> u32 {
        a + b + 1000
    }
}

/// `make_name`: the name in the key, so that a renamed function finds its entries.
#[test]
fn a_function_can_be_named_in_the_key() {
    assert_eq!((of_build_1::add(1, 2), of_build_2::plus(1, 2)), (3, 3));
    assert!(of_build_2::plus::invalidate(1, 2).unwrap(), "and invalidation still works");
    assert_eq!(of_build_1::add(1, 2), 3);
}

/// `args_to_ignore=['connection', 'self']`.
#[test]
fn args_to_ignore_may_name_self() {
    static RUNS: Runs = Runs::new();
    struct Client(u32);
    impl Client {
        #[cached(ignore = [self, connection])]
        fn get(&self, path: &str, connection: &mut Vec<u32>) -> String {
            connection.push(self.0);
            format!("{path} {}", RUNS.up())
        }
    }
    let mut connection = Vec::new();
    assert_eq!(Client(1).get("/", &mut connection), "/ 1");
    assert_eq!(Client(2).get("/", &mut connection), "/ 1");
    assert_eq!((Client(2).get("/x", &mut connection), connection), ("/x 2".into(), vec![1, 2]));
}

/// `__caching_id__`: there it, or `repr(self)`, tells instances apart. Here `Hash` and `Eq`, or what `key` names.
#[test]
fn instances_are_told_apart_by_their_identity() {
    struct User {
        id: u32,
        visits: u32,
    }
    impl User {
        #[cached(key = (self.id, by))]
        fn shifted(&self, by: u32) -> u32 {
            self.id * 100 + self.visits * 10 + by
        }
    }
    let (first, same, other) = (User { id: 1, visits: 1 }, User { id: 1, visits: 2 }, User { id: 2, visits: 3 });
    assert_eq!((first.shifted(1), same.shifted(1), other.shifted(1)), (111, 111, 231));
}

/// `@cached(key_prefix='all_posts')`: one entry, whatever the arguments.
#[test]
fn a_fixed_key_is_one_entry() {
    static RUNS: Runs = Runs::new();
    #[cached(key = "all posts")]
    fn posts(verbose: bool) -> (u32, bool) {
        (RUNS.up(), verbose)
    }
    assert_eq!((posts(true), posts(false)), ((1, true), (1, true)));
    assert!(posts::invalidate(false));
    assert_eq!(posts(false), (2, false));
}

struct Request {
    path: String,
    query: HashMap<String, String>,
    user_agent: String,
}

fn request(path: &str, query: &[(&str, &str)], user_agent: &str) -> Request {
    let query = query.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Request { path: path.to_owned(), query, user_agent: user_agent.to_owned() }
}

fn sorted(query: &HashMap<String, String>) -> BTreeMap<String, String> {
    query.clone().into_iter().collect()
}

/// `@cached()` of a view: `view/` and the path.
#[test]
fn a_view_is_cached_by_its_path() {
    static RUNS: Runs = Runs::new();
    #[cached(key = ("view", request.path))]
    fn view(request: &Request) -> String {
        format!("{} {} {}", request.path, request.user_agent, RUNS.up())
    }
    assert_eq!(view(&request("/a", &[], "x")), "/a x 1");
    assert_eq!(view(&request("/a", &[("q", "1")], "y")), "/a x 1");
    assert_eq!(view(&request("/b", &[], "y")), "/b y 2");
}

/// `query_string=True`: by the pairs of the query, in whatever order.
#[test]
fn a_view_is_cached_by_its_query_in_any_order() {
    #[cached(key = (request.path, sorted(&request.query)))]
    fn view(request: &Request) -> String {
        let mut query: Vec<_> = request.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
        query.sort();
        query.join("&")
    }
    assert_eq!(view(&request("/", &[("a", "1"), ("b", "2")], "")), "a=1&b=2");
    assert_eq!(view(&request("/", &[("b", "2"), ("a", "1")], "")), "a=1&b=2");
    assert_eq!(view(&request("/", &[("a", "1&b=2")], "")), "a=1&b=2");
    assert_eq!(view::stats().loads, 2, "the last one is another query, though it reads the same");
}

/// `source_check=True` hashes the source of the function at every call. Here a change of what a value means is a new
/// `version`, which costs nothing at a call, and does not throw away everything for a changed comment.
#[test]
fn a_changed_body_is_a_new_version() {
    mod old {
        #[memokit::cached(cache = "default", prefix = "flask: source", version = 1)]
        pub(super) fn f(n: u32) -> u32 {
            n
        }
    }
    mod new {
        #[memokit::cached(cache = "default", prefix = "flask: source", version = 2)]
        pub(super) fn f(n: u32) -> u32 {
            n + 1
        }
    }
    assert_eq!((old::f(1), new::f(1), old::f(1)), (1, 2, 1));
    assert_ne!(old::f::key(1).unwrap(), new::f::key(1).unwrap());
}

/// The version as a number that the compiler makes of the source: closer to `source_check`, for those who want that.
#[test]
fn a_version_can_be_made_of_the_source() {
    const fn hash(source: &str) -> u32 {
        let (bytes, mut hash, mut at) = (source.as_bytes(), 0x811c_9dc5_u32, 0);
        while at < bytes.len() {
            hash = (hash ^ bytes[at] as u32).wrapping_mul(0x0100_0193);
            at += 1;
        }
        hash
    }
    #[cached(cache = "default", prefix = "flask: of source", version = hash(include_str!("keys.rs")))]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!((f(1), f(1)), (1, 1));
    let version = hash(include_str!("keys.rs")).to_string();
    assert_eq!(f::key(1).unwrap().text().split(':').nth(2), Some(version.as_str()));
    assert_ne!(hash("fn f() { 1 }"), hash("fn f() { 2 }"));
}

/// `hash_method`, and `make_cache_key`. There, 96 bits of the digest are in the key; here all 256, and no choice of weaker ones.
#[test]
fn the_key_of_a_call_has_the_whole_digest() {
    #[cached(cache = "default", prefix = "flask: digest")]
    fn f(a: &str, b: usize) -> usize {
        a.len() + b
    }
    let key = f::key("a", 1).unwrap();
    let digest = key.text().rsplit(':').next().unwrap();
    assert_eq!((digest.len(), digest.bytes().all(|byte| byte.is_ascii_hexdigit())), (64, true));
}
