#[cached]
fn parse<T: FromStr + Clone + Send + Sync + 'static, const N: usize>(text: &str) -> Option<[T; N]>
where
    T::Err: Debug,
{
    text.parse().ok()
}
