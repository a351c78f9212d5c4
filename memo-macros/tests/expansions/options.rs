/// What a thing costs.
#[cached(timeout = "1h 30m", capacity = 10_000, prefix = "price", version = 2, on_miss = log, single_flight = false)]
pub(crate) fn price(article: &str, amount: u32) -> u64 {
    article.len() as u64 * u64::from(amount)
}
