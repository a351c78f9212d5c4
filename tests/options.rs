//! First light.
use memokit::cached;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

static RUNS: AtomicU32 = AtomicU32::new(0);

#[cached(timeout = 100)]
fn add(a: &str, b: u64, c: Option<&str>) -> String {
    RUNS.fetch_add(1, SeqCst);
    format!("{a}{b}{c:?}")
}

#[cached]
fn fib(n: u64) -> u64 {
    if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
}

type Odd<T> = Result<T, NotClone>;
#[derive(Debug)]
struct NotClone;

#[cached(capacity = 10)]
fn odd(n: u64) -> Odd<u64> {
    if n == 0 { Err(NotClone) } else { Ok(n) }
}

#[cached]
async fn fetch(n: u64) -> std::io::Result<u64> {
    RUNS.fetch_add(1, SeqCst);
    Ok(n)
}

#[cached]
fn size<T: 'static>(n: usize) -> usize {
    n * std::mem::size_of::<T>()
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Thing(u8);

#[cached]
impl Thing {
    #[cached]
    fn make(n: u8) -> Thing {
        Thing(n)
    }
    #[cached(key = self.0)]
    fn twice(&self) -> u8 {
        self.0 * 2
    }
}

#[test]
fn works() {
    assert_eq!(add("x", 1, None), "x1None");
    assert_eq!(add("x", 1, None), "x1None");
    assert_eq!(RUNS.load(SeqCst), 1);
    assert!(add::invalidate("x", 1, None));
    assert!(!add::invalidate("x", 1, None));
    assert_eq!(add::refresh("x", 1, None), "x1None");
    assert_eq!(add::peek("x", 1, None), Some("x1None".to_string()));
    assert_eq!(fib(50), 12_586_269_025);
    assert!(odd(0).is_err());
    assert_eq!(odd(1).unwrap(), 1);
    odd::put(2, Ok(7));
    assert_eq!(odd(2).unwrap(), 7);
    assert_eq!((size::<u8>(3), size::<u64>(3)), (3, 24));
    assert_eq!(Thing::make(3).twice(), 6);
    assert!(Thing::make_invalidate(3));
    assert!(Thing(3).twice_contains());
    println!("{:?}", add::stats());
    memokit::check().unwrap();
}
