#[cached]
impl<T> Shop<T> {
    #[cached]
    pub fn open(id: u32) -> Self {
        Shop::new(id)
    }

    fn close(self) {}
}
