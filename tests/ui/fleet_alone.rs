use memokit::cached;

#[cached(single_flight = "fleet")]
fn without_a_cache(id: u64) -> u64 {
    id
}

#[cached(cache = "default", single_flight = "fleet", store_result = false)]
fn guard(id: u64) -> u64 {
    id
}

#[cached(cache = "default", single_flight = "all")]
fn other_word(id: u64) -> u64 {
    id
}

fn main() {}
