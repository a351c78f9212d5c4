use memokit::cached;

#[cached(tags = "users")]
fn one(id: u64) -> u64 {
    id
}

#[cached(tags = [])]
fn none(id: u64) -> u64 {
    id
}

#[cached(tags = [id])]
fn no_text(id: u64) -> u64 {
    id
}

fn main() {}
