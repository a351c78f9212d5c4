//! Cached functions with a shared level.

use memokit::cached;

#[cached(cache = "default", timeout = "1m", codec = Json, version = 3)]
fn look_up(file: &str, build: u32) -> Option<String> {
    (build > 0).then(|| format!("{file}-{build}"))
}

#[cached(cache = "default", local = false)]
async fn fetch(name: String) -> Result<u64, std::fmt::Error> {
    if name.is_empty() { Err(std::fmt::Error) } else { Ok(name.len() as u64) }
}

#[cached(cache = "nobody")]
fn lonely(n: u8) -> u8 {
    n
}

#[test]
fn values_go_through_the_shared_level() {
    assert_eq!(look_up("a", 1), Some("a-1".into()));
    assert_eq!(look_up("a", 0), None);
    assert_eq!(look_up("a", 0), None);
    assert!(look_up::key("a", 1).unwrap().text().starts_with("memo:backends/look_up:3:"));
    assert!(look_up::invalidate("a", 1).unwrap());
    assert!(!look_up::contains("a", 1).unwrap());
    assert_eq!(look_up::refresh("a", 1).unwrap(), Some("a-1".into()));
    assert_eq!(look_up::peek("a", 1).unwrap(), Some(Some("a-1".into())));
    look_up::put("a", 1, Some("b".into())).unwrap();
    assert_eq!(look_up("a", 1), Some("b".into()));
    look_up::invalidate_all().unwrap();
    assert_eq!(look_up("a", 1), Some("a-1".into()));
    assert_eq!(lonely(3), 3);
    assert_eq!(lonely(3), 3);
    assert_eq!(lonely::stats().local_hits, 1);
    assert!(memokit::check().is_err());
}

#[tokio::test]
async fn tasks_do_too() {
    let all = tokio::spawn(async {
        assert_eq!(fetch("abc".into()).await.unwrap(), 3);
        assert_eq!(fetch("abc".into()).await.unwrap(), 3);
        assert_eq!(fetch::stats().shared_hits, 1);
        assert!(fetch::invalidate("abc".into()).await.unwrap());
        fetch::put("abc".into(), 9).await.unwrap();
        assert_eq!(fetch::peek("abc".into()).await.unwrap(), Some(9));
        assert_eq!(fetch::refresh("abc".into()).await.unwrap().unwrap(), 3);
        fetch::invalidate_all().await.unwrap();
    });
    all.await.unwrap();
}
