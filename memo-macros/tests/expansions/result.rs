#[cached(cache_if = |list: &Vec<String>| !list.is_empty())]
pub fn lines(path: &Path) -> io::Result<Vec<String>> {
    read(path)
}
