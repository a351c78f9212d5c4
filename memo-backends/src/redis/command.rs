//! The commands behind each operation and what their replies mean. No I/O here: the blocking and the async client
//! send the same operations.

use super::apart::Token;
use super::error::{Doing, Failure, Object, granted};
use crate::common::whole_millis;
use memo_core::{Found, TimeToLive, Want, is_reserved};
use redis::{Cmd, Pipeline, ToRedisArgs, Value};
use std::time::Duration;

/// How many keys one request carries: large enough for the round trip not to count, small enough for the server to
/// serve others in between.
pub(super) const BATCH: usize = 1000;

/// How many bytes of values one request carries, unless one value has more: a network of 100 Mbit/s takes them within the
/// default `operation_timeout`.
pub(super) const BATCH_BYTES: usize = 4 << 20;

/// About 285,000 years. Redis adds the timeout to its clock and refuses a sum that overflows.
const LONGEST_MILLIS: u64 = 1 << 53;

/// What sending an operation a second time would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Effect {
    /// It changes nothing.
    Read,
    /// It writes, and writing twice is like writing once.
    Repeatable,
    /// It writes, and its answer would be wrong if it had already run: a second `add` finds what the first stored.
    Once,
}

/// What is sent in one go.
pub(super) enum Commands {
    One(Cmd),
    /// Answered one by one; a transaction is spelled out with MULTI and EXEC.
    Many(Pipeline),
}

impl Commands {
    /// How many, and so how many replies.
    pub(super) fn len(&self) -> usize {
        match self {
            Commands::One(_) => 1,
            Commands::Many(pipeline) => pipeline.len(),
        }
    }

    /// Appends them as the server reads them.
    pub(super) fn pack(&self, bytes: &mut Vec<u8>) {
        match self {
            Commands::One(command) => command.write_packed_command(bytes),
            Commands::Many(pipeline) => bytes.append(&mut pipeline.get_packed_pipeline()),
        }
    }
}

/// Which server of a cluster runs an operation. Where there is one server, it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place<'a> {
    /// Any master.
    Any,
    /// The one that owns this key. All keys of an operation must be this one, or share its `{hash tag}`.
    OwnerOf(&'a str),
}

/// One operation: what to send where, and what the replies mean.
pub(super) struct Operation<'a, T> {
    pub(super) doing: Doing<'a>,
    pub(super) place: Place<'a>,
    pub(super) commands: Commands,
    pub(super) effect: Effect,
    pub(super) parse: fn(Vec<Value>) -> Result<T, Nonsense>,
}

/// The replies are none that the command has.
pub(super) struct Nonsense;

/// Operations of one command each as one request, with the greatest of their effects. With `asking`, each has the command
/// before it that has a node serve it from a slot that is on its way there, and that has a reply of its own.
pub(super) fn together<'a, T: 'a>(
    operations: impl ExactSizeIterator<Item = &'a Operation<'a, T>>,
    asking: bool,
) -> Result<(Commands, Effect), Nonsense> {
    let (mut pipeline, mut effect) = (Pipeline::with_capacity(operations.len() << u32::from(asking)), Effect::Read);
    for operation in operations {
        effect = effect.max(operation.effect);
        if asking {
            pipeline.add_command(redis::cmd("ASKING"));
        }
        match &operation.commands {
            Commands::One(command) => pipeline.add_command(command.clone()),
            Commands::Many(_) => return Err(Nonsense),
        };
    }
    Ok((Commands::Many(pipeline), effect))
}

impl<T> Operation<'_, T> {
    /// What the replies mean; a refusal is the operation's failure.
    pub(super) fn understand(&self, replies: Vec<Value>) -> Result<T, Failure> {
        (self.parse)(granted(replies)?).map_err(|Nonsense| Failure::Nonsense)
    }
}

/// As the server takes it.
pub(super) fn millis(timeout: Duration) -> u64 {
    whole_millis(timeout).min(LONGEST_MILLIS)
}

fn set_command(key: &str, bytes: &[u8], timeout: Option<Duration>) -> Cmd {
    let mut set = Cmd::with_capacity(6, key.len() + bytes.len() + 32);
    set.arg("SET").arg(key).arg(bytes);
    if let Some(timeout) = timeout {
        set.arg("PX").arg(millis(timeout));
    }
    set
}

/// What hits are made of, so in no more allocations than it takes.
pub(super) fn get_command(key: &str) -> Cmd {
    let mut get = Cmd::with_capacity(2, "GET".len() + key.len());
    get.arg("GET").arg(key);
    get
}

fn command<A: ToRedisArgs>(name: &str, argument: A) -> Cmd {
    let mut command = redis::cmd(name);
    command.arg(argument);
    command
}

/// MULTI, the commands, EXEC: all or nothing at one moment, in one round trip.
fn transaction(commands: [Cmd; 2]) -> Commands {
    let mut pipeline = Pipeline::with_capacity(4);
    pipeline.add_command(redis::cmd("MULTI"));
    for command in commands {
        pipeline.add_command(command);
    }
    pipeline.add_command(redis::cmd("EXEC"));
    Commands::Many(pipeline)
}

/// The two results of a [`transaction`].
fn transaction_results(mut replies: Vec<Value>) -> Result<[Value; 2], Nonsense> {
    replies.pop().map_or(Err(Nonsense), array)?.try_into().map_err(|_| Nonsense)
}

pub(super) fn array(value: Value) -> Result<Vec<Value>, Nonsense> {
    if let Value::Array(values) = value { Ok(values) } else { Err(Nonsense) }
}

pub(super) fn bytes(value: Value) -> Result<Option<Vec<u8>>, Nonsense> {
    match value {
        Value::Nil => Ok(None),
        Value::BulkString(bytes) => Ok(Some(bytes)),
        _ => Err(Nonsense),
    }
}

/// A value, unless there is none yet: see [`Token`].
fn value(reply: Value) -> Result<Option<Vec<u8>>, Nonsense> {
    Ok(bytes(reply)?.filter(|bytes| !Token::is_one(bytes)))
}

pub(super) fn only(mut replies: Vec<Value>) -> Result<Value, Nonsense> {
    if replies.len() == 1 { replies.pop().ok_or(Nonsense) } else { Err(Nonsense) }
}

pub(super) fn number(value: &Value) -> Result<i64, Nonsense> {
    if let Value::Int(number) = value { Ok(*number) } else { Err(Nonsense) }
}

fn count(replies: Vec<Value>) -> Result<u64, Nonsense> {
    u64::try_from(number(&only(replies)?)?).map_err(|_| Nonsense)
}

/// An error unless it is the reply to a SET that stored.
fn stored(reply: &Value) -> Result<(), Nonsense> {
    if *reply == Value::Okay { Ok(()) } else { Err(Nonsense) }
}

pub(super) fn ping() -> Operation<'static, ()> {
    Operation {
        doing: Doing { verb: "reaching", object: Object::Server },
        place: Place::Any,
        commands: Commands::One(redis::cmd("PING")),
        effect: Effect::Read,
        parse: |replies| only(replies).map(|_| ()),
    }
}

pub(super) fn get(key: &str) -> Operation<'_, Option<Vec<u8>>> {
    Operation {
        doing: Doing { verb: "reading", object: Object::Key(key) },
        place: Place::OwnerOf(key),
        commands: Commands::One(get_command(key)),
        effect: Effect::Read,
        parse: |replies| value(only(replies)?),
    }
}

/// The bytes, and the time they still have if it is wanted: then both in one transaction, since between two commands
/// another value with another timeout could be stored.
pub(super) fn read(key: &str, want: Want) -> Operation<'_, Option<Found<Vec<u8>>>> {
    let doing = Doing { verb: "reading", object: Object::Key(key) };
    match want {
        Want::Bytes => Operation {
            doing,
            place: Place::OwnerOf(key),
            commands: Commands::One(get_command(key)),
            effect: Effect::Read,
            parse: |replies| {
                let found = value(only(replies)?)?;
                Ok(found.map(|bytes| Found { bytes, time_to_live: TimeToLive::Unknown }))
            },
        },
        Want::BytesAndTimeToLive => Operation {
            doing,
            place: Place::OwnerOf(key),
            commands: transaction([get_command(key), command("PTTL", key)]),
            effect: Effect::Read,
            parse: |replies| {
                let [found, left] = transaction_results(replies)?;
                let time_to_live = match number(&left)? {
                    // -1: no timeout. -2: no such key, and then there are no bytes either.
                    ..0 => TimeToLive::Forever,
                    left => TimeToLive::Left(Duration::from_millis(left.unsigned_abs())),
                };
                Ok(value(found)?.map(|bytes| Found { bytes, time_to_live }))
            },
        },
    }
}

pub(super) fn set<'a>(key: &'a str, bytes: &[u8], timeout: Option<Duration>) -> Operation<'a, ()> {
    Operation {
        doing: Doing { verb: "storing", object: Object::Key(key) },
        place: Place::OwnerOf(key),
        commands: Commands::One(set_command(key, bytes, timeout)),
        effect: Effect::Repeatable,
        parse: |replies| stored(&only(replies)?),
    }
}

pub(super) fn add<'a>(key: &'a str, bytes: &[u8], timeout: Option<Duration>) -> Operation<'a, bool> {
    let mut add = set_command(key, bytes, timeout);
    add.arg("NX");
    Operation {
        doing: Doing { verb: "adding", object: Object::Key(key) },
        place: Place::OwnerOf(key),
        commands: Commands::One(add),
        effect: Effect::Once,
        parse: |replies| match only(replies)? {
            Value::Okay => Ok(true),
            Value::Nil => Ok(false),
            _ => Err(Nonsense),
        },
    }
}

pub(super) fn remove(key: &str) -> Operation<'_, bool> {
    Operation {
        doing: Doing { verb: "removing", object: Object::Key(key) },
        place: Place::OwnerOf(key),
        commands: Commands::One(command("UNLINK", key)),
        effect: Effect::Once,
        parse: |replies| Ok(count(replies)? == 1),
    }
}

/// At most [`BATCH`] keys, at least one.
pub(super) fn get_many<'a>(keys: &[&str]) -> Operation<'a, Vec<Option<Vec<u8>>>> {
    Operation {
        doing: Doing { verb: "reading", object: Object::Keys(keys.len()) },
        place: Place::Any,
        commands: Commands::One(command("MGET", keys)),
        effect: Effect::Read,
        parse: |replies| array(only(replies)?)?.into_iter().map(value).collect(),
    }
}

/// At most [`BATCH`] entries, at least one. MSET has no timeout, so these are single SETs in one round trip.
pub(super) fn set_many<'a>(entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Operation<'a, ()> {
    let mut pipeline = Pipeline::with_capacity(entries.len());
    for (key, bytes) in entries {
        pipeline.add_command(set_command(key, bytes, timeout));
    }
    Operation {
        doing: Doing { verb: "storing", object: Object::Keys(entries.len()) },
        place: Place::Any,
        commands: Commands::Many(pipeline),
        effect: Effect::Repeatable,
        parse: |replies| replies.iter().try_for_each(stored),
    }
}

/// At least one key. The server counts: a key that is named twice is gone by its second turn.
pub(super) fn remove_many<'a, K: ToRedisArgs>(keys: &[K]) -> Operation<'a, u64> {
    Operation {
        doing: Doing { verb: "removing", object: Object::Keys(keys.len()) },
        place: Place::Any,
        commands: Commands::One(command("UNLINK", keys)),
        effect: Effect::Once,
        parse: count,
    }
}

/// A missing number is created as 0 with its timeout and then added to, in one transaction. Adding to 0 can't
/// overflow, so where INCRBY fails the number was there before, SET did nothing, and nothing has changed.
pub(super) fn increment(key: &str, by: i64, timeout: Option<Duration>) -> Operation<'_, i64> {
    let mut create = set_command(key, b"0", timeout);
    create.arg("NX");
    let mut increment = command("INCRBY", key);
    increment.arg(by);
    Operation {
        doing: Doing { verb: "incrementing", object: Object::Key(key) },
        place: Place::OwnerOf(key),
        commands: transaction([create, increment]),
        effect: Effect::Once,
        parse: |replies| number(&transaction_results(replies)?[1]),
    }
}

pub(super) fn touch(key: &str, timeout: Option<Duration>) -> Operation<'_, bool> {
    let doing = Doing { verb: "touching", object: Object::Key(key) };
    match timeout {
        Some(timeout) => {
            let mut expire = command("PEXPIRE", key);
            expire.arg(millis(timeout));
            Operation {
                doing,
                place: Place::OwnerOf(key),
                commands: Commands::One(expire),
                effect: Effect::Repeatable,
                parse: |replies| Ok(count(replies)? == 1),
            }
        }
        // PERSIST answers 0 both for a missing key and for one without a timeout, hence EXISTS.
        None => Operation {
            doing,
            place: Place::OwnerOf(key),
            commands: transaction([command("PERSIST", key), command("EXISTS", key)]),
            effect: Effect::Repeatable,
            parse: |replies| Ok(number(&transaction_results(replies)?[1])? == 1),
        },
    }
}

/// One step of a scan.
pub(super) struct Page {
    /// Where the next step begins; 0 at the end.
    pub(super) cursor: u64,
    /// Keys that are not UTF-8 are not ours, and reserved ones no entries: both are left out.
    pub(super) keys: Vec<String>,
}

pub(super) fn scan(prefix: &str, cursor: u64) -> Operation<'_, Page> {
    let mut scan = command("SCAN", cursor);
    if !prefix.is_empty() {
        scan.arg("MATCH").arg(pattern(prefix));
    }
    scan.arg("COUNT").arg(BATCH);
    Operation {
        doing: Doing { verb: "scanning", object: Object::Prefix(prefix) },
        place: Place::Any,
        commands: Commands::One(scan),
        effect: Effect::Read,
        parse: |replies| {
            let [cursor, page]: [Value; 2] = array(only(replies)?)?.try_into().map_err(|_| Nonsense)?;
            let cursor = String::from_utf8(bytes(cursor)?.ok_or(Nonsense)?).map_err(|_| Nonsense)?;
            let cursor = cursor.parse().map_err(|_| Nonsense)?;
            let page = array(page)?;
            let mut keys = Vec::with_capacity(page.len());
            for key in page {
                match String::from_utf8(bytes(key)?.ok_or(Nonsense)?) {
                    Ok(key) if !is_reserved(&key) => keys.push(key),
                    _ => {}
                }
            }
            Ok(Page { cursor, keys })
        },
    }
}

/// The glob pattern for all keys that start with `prefix`.
fn pattern(prefix: &str) -> String {
    let mut pattern = String::with_capacity(prefix.len() + 8);
    for character in prefix.chars() {
        if matches!(character, '*' | '?' | '[' | ']' | '\\') {
            pattern.push('\\');
        }
        pattern.push(character);
    }
    pattern.push('*');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_round_up_and_never_to_zero() {
        let cases = [
            (Duration::ZERO, 1),
            (Duration::from_nanos(1), 1),
            (Duration::from_micros(999), 1),
            (Duration::from_millis(1), 1),
            (Duration::from_micros(1500), 2),
            (Duration::from_secs(3), 3000),
            (Duration::MAX, LONGEST_MILLIS),
        ];
        for (timeout, expected) in cases {
            assert_eq!(millis(timeout), expected, "{timeout:?}");
        }
    }

    #[test]
    fn a_prefix_matches_itself_only() {
        assert_eq!(pattern("memo:a"), "memo:a*");
        assert_eq!(pattern(r"a*b?c[d]e\"), r"a\*b\?c\[d\]e\\*");
    }
}
