#[cached(key = (self.id, page))]
pub fn page(&self, page: u32) -> Arc<str> {
    self.load(page)
}
