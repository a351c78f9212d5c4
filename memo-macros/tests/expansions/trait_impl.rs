#[cached]
impl<U: Clone> Convert<U> for Number {
    type Error = Overflow;

    #[cached(companion = to_u, key = self.0)]
    fn convert(&self) -> Result<U, Self::Error> {
        Err(Self::Error::new())
    }
}
