#[cached]
fn started() {
    start();
}
