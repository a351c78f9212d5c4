#[cached(timeout = 60)]
async fn fetch(url: &str, retries: u32) -> Result<String, Error> {
    get(url, retries).await
}
