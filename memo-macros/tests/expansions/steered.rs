#[cached(bypass = dry_run, refresh = force, ignore = [connection])]
fn balance(connection: &mut Connection, account: u64, dry_run: bool, force: bool) -> i64 {
    connection.ask(account)
}
