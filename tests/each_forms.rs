//! What `each` can be put on: arguments, maps, places of functions, other options.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::needless_pass_by_value, clippy::ptr_arg, reason = "the forms are what is tested")]
#![allow(clippy::unused_async, clippy::unused_self, reason = "samples of what users write")]
#![allow(clippy::implicit_hasher, clippy::boxed_local, reason = "samples of what users write")]

use memokit::cached;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt::Debug;
use std::hash::{BuildHasherDefault, DefaultHasher, Hash};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// One test for each form: of two calls that share an id, the second one runs the body for the other id only.
macro_rules! forms {
    ($($test:ident: $ids:ty => $map:ty, $list:expr, |$id:ident| $key:expr;)+) => {$(
        #[test]
        fn $test() {
            static LOADED: AtomicU64 = AtomicU64::new(0);
            #[cached(each = ids)]
            fn lengths(ids: $ids) -> $map {
                LOADED.fetch_add(ids.len() as u64, SeqCst);
                ids.iter().map(|$id| ($key, format!("{:?}", $id).len())).collect()
            }
            let first: $ids = $list(&["a", "bc"]);
            let second: $ids = $list(&["bc", "def"]);
            let all = lengths(Clone::clone(&first));
            assert_eq!((all.len(), LOADED.load(SeqCst)), (2, 2));
            let all = lengths(second);
            assert_eq!((all.len(), LOADED.load(SeqCst)), (2, 3), "one more was missing");
            assert_eq!(lengths::stats().local_hits, 1);
            assert!(lengths::invalidate(first));
            assert_eq!(lengths::stats().entries, 1);
        }
    )+};
}

fn strings<C: FromIterator<String>>(ids: &[&'static str]) -> C {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn lent<C: FromIterator<String>>(ids: &[&'static str]) -> &'static C {
    Box::leak(Box::new(strings(ids)))
}

forms! {
    slice_of_strings: &[String] => HashMap<String, usize>, lent::<Vec<String>>, |id| id.clone();
    slice_of_texts: &[&str] => HashMap<String, usize>, |ids: &[&'static str]| ids.to_vec().leak(), |id| (*id).to_owned();
    vec_by_reference: &Vec<String> => HashMap<String, usize>, lent::<Vec<String>>, |id| id.clone();
    vec: Vec<String> => BTreeMap<String, usize>, strings::<Vec<String>>, |id| id.clone();
    boxed_slice: Box<[String]> => BTreeMap<String, usize>, strings::<Box<[String]>>, |id| id.clone();
    shared_slice: Arc<[String]> => BTreeMap<String, usize>, strings::<Arc<[String]>>, |id| id.clone();
    set: HashSet<String> => HashMap<String, usize>, strings::<HashSet<String>>, |id| id.clone();
    set_by_reference: &HashSet<String> => HashMap<String, usize>, lent::<HashSet<String>>, |id| id.clone();
    ordered_set: BTreeSet<String> => BTreeMap<String, usize>, strings::<BTreeSet<String>>, |id| id.clone();
    ordered_set_by_reference: &BTreeSet<String> => BTreeMap<String, usize>, lent::<BTreeSet<String>>, |id| id.clone();
    mixed: Vec<Cow<'static, str>> => HashMap<String, usize>,
        |ids: &[&'static str]| ids.iter().map(|id| Cow::Borrowed(*id)).collect::<Vec<_>>(), |id| id.clone().into_owned();
    tuples: Vec<(u8, &str)> => HashMap<(u8, String), usize>,
        |ids: &[&'static str]| ids.iter().map(|id| (1, *id)).collect::<Vec<_>>(), |id| (id.0, id.1.to_owned());
    own_hasher: &[String] => HashMap<String, usize, BuildHasherDefault<DefaultHasher>>, lent::<Vec<String>>, |id| id.clone();
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Article(u32);

#[test]
fn ids_of_a_type_of_the_users_own() {
    #[cached(each = articles)]
    fn names(articles: &[Article]) -> HashMap<Article, String> {
        articles.iter().map(|article| (article.clone(), format!("{article:?}"))).collect()
    }
    #[cached(each = articles)]
    fn names_by_reference(articles: &[&Article]) -> BTreeMap<Article, String> {
        articles.iter().map(|article| ((*article).clone(), format!("{article:?}"))).collect()
    }
    let all = [Article(1), Article(2)];
    assert_eq!(names(&all)[&Article(2)], "Article(2)");
    assert_eq!(names(&all[1..]).len(), 1);
    assert_eq!(names_by_reference(&[&all[0]])[&all[0]], "Article(1)");
    assert_eq!(names_by_reference(&[&all[0], &all[1]]).len(), 2);
    assert_eq!((names::stats().local_hits, names_by_reference::stats().local_hits), (1, 1));
}

struct Shop {
    name: &'static str,
    asked: AtomicU64,
}

impl Shop {
    const fn new(name: &'static str) -> Self {
        Shop { name, asked: AtomicU64::new(0) }
    }

    #[cached(each = ids, ignore = self, extra = self.name)]
    fn stock(&self, ids: &[u32]) -> HashMap<u32, String> {
        self.asked.fetch_add(1, SeqCst);
        ids.iter().map(|id| (*id, format!("{} {id}", self.name))).collect()
    }

    #[cached(each = ids, ignore = self, extra = self.name)]
    async fn offers(self: Arc<Self>, ids: Vec<u32>) -> Result<HashMap<u32, String>, std::fmt::Error> {
        self.asked.fetch_add(1, SeqCst);
        Ok(ids.into_iter().map(|id| (id, format!("{} {id}", self.name))).collect())
    }
}

#[tokio::test]
async fn methods() {
    let (one, other) = (Shop::new("one"), Arc::new(Shop::new("other")));
    assert_eq!(one.stock(&[1])[&1], "one 1");
    assert_eq!(other.stock(&[1])[&1], "other 1");
    assert_eq!(one.stock(&[1, 2]).len(), 2);
    assert!(one.stock_invalidate(&[1, 2]) && !one.stock_contains(&[1]) && other.stock_contains(&[1]));
    one.stock_put(HashMap::from([(9, "given".into())]));
    assert_eq!(one.stock_peek(&[9])[&9], "given");
    assert_eq!(one.stock_refresh(&[9])[&9], "one 9");
    assert_eq!((one.asked.load(SeqCst), Shop::stock_stats().local_hits), (3, 1));

    assert_eq!(Arc::clone(&other).offers(vec![1, 2]).await.unwrap()[&2], "other 2");
    assert_eq!(Arc::clone(&other).offers(vec![2, 3]).await.unwrap().len(), 2);
    assert_eq!(Arc::clone(&other).offers_refresh(vec![2]).await.unwrap().len(), 1);
    assert_eq!(other.asked.load(SeqCst), 4);
}

trait Catalogue {
    fn titles(&self, ids: &[u32]) -> BTreeMap<u32, String>;
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Books(u8);

#[cached]
impl Catalogue for Books {
    #[cached(each = ids)]
    fn titles(&self, ids: &[u32]) -> BTreeMap<u32, String> {
        ids.iter().map(|id| (*id, format!("{} {id}", self.0))).collect()
    }
}

#[cached]
impl Books {
    #[cached(each = ids)]
    fn all(ids: Vec<u32>) -> BTreeMap<u32, Books> {
        ids.into_iter().map(|id| (id, Books(0))).collect()
    }
}

#[test]
fn functions_of_traits_and_without_self() {
    assert_eq!(Books(1).titles(&[1])[&1], "1 1");
    assert_eq!(Books(2).titles(&[1])[&1], "2 1");
    assert!(Books(1).titles_invalidate(&[1]) && !Books(1).titles_invalidate(&[1]));
    assert_eq!(Books::all(vec![1, 2]).len(), 2);
    assert!(Books::all_contains(vec![2]));
}

#[test]
fn generic_functions() {
    #[cached(each = ids)]
    fn shown<T, const N: usize>(ids: &[T]) -> HashMap<T, String>
    where
        T: Clone + Eq + Hash + Debug + Send + Sync + 'static,
    {
        ids.iter().map(|id| (id.clone(), format!("{id:?}").repeat(N))).collect()
    }
    assert_eq!(shown::<u8, 1>(&[1])[&1], "1");
    assert_eq!(shown::<u8, 2>(&[1])[&1], "11");
    assert_eq!(shown::<char, 1>(&['a', 'b'])[&'b'], "'b'");
    assert_eq!(shown::<char, 1>(&['a']).len(), 1);
    assert_eq!((shown::stats().loads, shown::stats().local_hits), (4, 1));
}

#[test]
fn unsafe_functions() {
    /// # Safety
    /// None is needed.
    #[allow(unsafe_code, reason = "a sample of what users write")]
    #[cached(each = ids)]
    unsafe fn doubled(ids: &[u64]) -> HashMap<u64, u64> {
        ids.iter().map(|id| (*id, 2 * id)).collect()
    }
    #[allow(unsafe_code, reason = "a sample of what users write")]
    // SAFETY: nothing is asked of the caller.
    let doubled = unsafe { doubled(&[2]) };
    assert_eq!(doubled, HashMap::from([(2, 4)]));
}

#[test]
fn a_function_of_one_id_has_the_same_entries() {
    #[cached(prefix = "each_forms::user", each = ids)]
    fn users(tenant: u8, ids: &[u64]) -> HashMap<u64, String> {
        ids.iter().map(|id| (*id, format!("{tenant} {id}"))).collect()
    }
    #[cached(prefix = "each_forms::user")]
    fn user(tenant: u8, id: u64) -> Option<String> {
        (id < 100).then(|| format!("{tenant} {id}, alone"))
    }
    users(1, &[1, 2]);
    assert_eq!(user(1, 1).as_deref(), Some("1 1"));
    assert_eq!(user(1, 3).as_deref(), Some("1 3, alone"));
    assert_eq!(user(1, 100), None);
    let users = users(1, &[2, 3, 100, 4]);
    assert_eq!(users.len(), 3, "that there is no 100 is known");
    assert_eq!(users[&3], "1 3, alone");
    assert!(user::invalidate(1, 2) && !users::contains(1, &[2]));
    assert_eq!(users::stats().local_hits, 3);
}

/// What a runtime of several threads asks of a future.
fn sent<F: Future + Send>(future: F) -> F {
    future
}

#[tokio::test]
async fn futures_can_be_sent_whatever_they_return() {
    use std::error::Error;
    use std::rc::Rc;
    #[cached(each = names)]
    async fn titles(names: &[&str]) -> Result<HashMap<String, &'static str>, Box<dyn Error + Send + Sync>> {
        tokio::task::yield_now().await;
        if names.is_empty() { Err("none".into()) } else { Ok(HashMap::from([(names[0].to_owned(), "title")])) }
    }
    #[cached(each = ids)]
    async fn fails_with_what_stays(ids: Vec<u64>) -> Result<HashMap<u64, u64>, Rc<str>> {
        if ids.contains(&1) { Err("one".into()) } else { Ok(ids.into_iter().map(|id| (id, id)).collect()) }
    }
    #[cached(each = ids, cache = "default")]
    async fn shared(shop: String, ids: &HashSet<&str>) -> Result<BTreeMap<String, String>, std::io::Error> {
        Ok(ids.iter().map(|id| ((*id).to_owned(), shop.clone())).collect())
    }
    let name = String::from("a");
    assert_eq!(sent(titles(&[&name])).await.unwrap()["a"], "title");
    assert_eq!(sent(titles::refresh(&[&name])).await.unwrap().len(), 1);
    assert!(sent(fails_with_what_stays(vec![1, 2])).await.is_err());
    assert_eq!(sent(fails_with_what_stays(vec![3, 2])).await.unwrap().len(), 2);
    let ids = HashSet::from([name.as_str()]);
    assert_eq!(sent(shared("b".into(), &ids)).await.unwrap()["a"], "b");
    assert_eq!(sent(shared::peek("b".into(), &ids)).await.unwrap().len(), 1);
    sent(shared::put("b".into(), BTreeMap::from([("c".into(), "d".into())]))).await.unwrap();
    assert_eq!(sent(shared::refresh("b".into(), &ids)).await.unwrap().unwrap().len(), 1);
    assert!(sent(shared::invalidate("b".into(), &ids)).await.unwrap());
}
