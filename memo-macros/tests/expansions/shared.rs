#[cached(cache = "default", codec = Json, local_timeout = 5)]
fn user(id: u64) -> User {
    load(id)
}
