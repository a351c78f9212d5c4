#[cached(cache = cache_of_users(), local = false)]
async fn user(id: u64) -> Result<User, Error> {
    load(id).await
}
