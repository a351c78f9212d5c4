//! Under an alias the compiler finds out that what is returned is no map.
use memokit::cached;

type Names = Vec<String>;

#[cached(each = ids)]
fn names(ids: &[u64]) -> Names {
    ids.iter().map(u64::to_string).collect()
}

fn main() {
    names(&[1]);
}
