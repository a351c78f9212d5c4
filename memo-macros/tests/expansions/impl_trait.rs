#[cached(key = value.to_string())]
fn show(value: impl Display, width: usize) -> String {
    format!("{value:width$}")
}
