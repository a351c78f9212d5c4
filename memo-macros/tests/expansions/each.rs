#[cached(each = ids, timeout = 60)]
fn users(tenant: u32, ids: &[u64]) -> Result<HashMap<u64, User>, Error> {
    load(tenant, ids)
}
