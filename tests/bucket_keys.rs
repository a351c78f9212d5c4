//! Keys of a bucket by a part of what the user has at hand.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use memokit::codec::Postcard;
use memokit::key::Digest;
use memokit::{Bucket, Cache, Error, ErrorKind, KeyBy, KeyMaker, MemoryCache};
use std::collections::HashMap;
use std::sync::Arc;

/// Neither `Serialize` nor `Hash`.
struct User {
    id: u64,
    name: String,
    _score: f64,
}

fn user(id: u64, name: &str) -> User {
    User { id, name: name.to_owned(), _score: f64::NAN }
}

fn cache() -> Arc<dyn Cache> {
    Arc::new(MemoryCache::new())
}

#[test]
fn what_the_closure_returns_is_the_key() {
    let cache = cache();
    let visits = Bucket::<u32>::new(Arc::clone(&cache), "visits").with_keys(|user: &User| user.id);
    visits.set(&user(1, "Ann"), &10).unwrap();
    assert_eq!(visits.get(&user(1, "Anna")).unwrap(), Some(10));
    assert_eq!(visits.get(&user(2, "Ann")).unwrap(), None);
    let by_id: Bucket<u32> = Bucket::new(cache, "visits");
    assert_eq!(by_id.get(&1_u64).unwrap(), Some(10), "as if the part were the key");
    assert!(visits.remove(&user(1, "")).unwrap() && !by_id.contains(&1_u64).unwrap());
}

#[test]
fn operations_on_many_take_keys_or_references() {
    let visits = Bucket::<u32>::new(cache(), "visits").with_keys(|user: &User| (user.id, user.name.clone()));
    let users = [user(1, "Ann"), user(2, "Bob"), user(3, "Eve")];
    visits.set_many(users.iter().zip(&[10, 20])).unwrap();
    assert_eq!(visits.get_many(&users).unwrap(), [Some(10), Some(20), None]);
    assert_eq!(visits.remove_many(users).unwrap(), 2);

    let mut guard = visits.deferred();
    guard.set(&user(4, "Joe"), &40).unwrap();
    assert_eq!(guard.get_many([user(4, "Joe"), user(4, "Jo")]).unwrap(), [Some(40), None]);
    drop(guard);
    assert!(visits.contains(&user(4, "Joe")).unwrap());
}

#[test]
fn a_part_may_be_a_collection_and_a_key_unsized() {
    let by_words = Bucket::<u8>::new(cache(), "words")
        .with_keys(|text: &str| text.split(' ').map(|word| (word.to_owned(), word.len())).collect::<HashMap<_, _>>());
    by_words.set("to be or not", &1).unwrap();
    assert_eq!(by_words.get("or to not be").unwrap(), Some(1));
    assert_eq!(by_words.get_many(["or to not be", "to be"]).unwrap(), [Some(1), None]);
}

/// The name, in small letters.
struct ByName;

impl KeyMaker<User> for ByName {
    fn digest(&self, user: &User) -> Result<Digest, Error> {
        if user.name.is_empty() {
            return Err(Error::new(ErrorKind::Key, "making a key of a user without a name"));
        }
        Digest::of(&user.name.to_lowercase())
    }
}

#[tokio::test]
async fn a_maker_by_hand_may_refuse_a_key() {
    let bucket = Bucket::<u32>::new(cache(), "names").with_key_maker(ByName);
    bucket.set(&user(1, "Ann"), &1).unwrap();
    assert_eq!(bucket.get_async(&user(2, "ANN")).await.unwrap(), Some(1));
    let nobody = user(3, "");
    for error in [
        bucket.get(&nobody).unwrap_err(),
        bucket.get_async(&nobody).await.unwrap_err(),
        bucket.set(&nobody, &1).unwrap_err(),
        bucket.remove(&nobody).unwrap_err(),
        bucket.unload(&nobody).unwrap_err(),
        bucket.deferred().set(&nobody, &1).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::Key);
        assert!(error.to_string().contains("without a name"), "{error}");
    }
}

type ById = KeyBy<User, fn(&User) -> u64>;

/// A bucket in a struct needs a name for its type.
struct Visits {
    by_function: Bucket<u32, Postcard, ById>,
    by_any: Bucket<u32, Postcard, Arc<dyn KeyMaker<User>>>,
}

#[test]
fn the_type_of_such_a_bucket_can_be_named() {
    let salt = 7_u64;
    let closure = KeyBy::new(move |user: &User| (salt, user.id));
    let id: fn(&User) -> u64 = |user| user.id;
    let visits = Visits {
        by_function: Bucket::new(cache(), "named").with_keys(id),
        by_any: Bucket::new(cache(), "any").with_key_maker(Arc::new(closure)),
    };
    visits.by_function.set(&user(1, "Ann"), &1).unwrap();
    visits.by_any.set(&user(1, "Ann"), &2).unwrap();
    assert_eq!(visits.by_function.get(&user(1, "")).unwrap(), Some(1));
    assert_eq!(visits.by_any.clone().get(&user(1, "")).unwrap(), Some(2));
}

#[test]
fn a_key_that_does_not_serialize_is_told_of() {
    let bucket: Bucket<u32> = Bucket::new(cache(), "refused");
    let deep = (0..300).fold(serde_json::Value::Null, |inner, _| serde_json::Value::Array(vec![inner]));
    let error = bucket.get(&deep).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Key);
}
