//! Scripts: what must happen in one step on the server.
//!
//! The numbers of invalidations are one sorted set, so that they live and die together: the member `s` is the sequence,
//! `f` the floor, `n` and a name the record of that name. A tombstone is a key of its own in the slot of its entry, and
//! holds the number in decimal.

use super::command::{Commands, Effect, Nonsense, Operation, Place, array, bytes, get_command, millis, number, only};
use super::error::{Doing, Object};
use super::script::{Run, script};
use super::slots::{hash_tag, slot_of};
use crate::common::MOST_NAMES;
use memo_core::bus::Snapshot;
use memo_core::invalidation::{Loaded, Records, Stored};
use redis::{Cmd, Value};
use std::borrow::Cow;
use std::time::Duration;

/// The sorted set.
const NUMBERS: &str = "memo!numbers";

script!(
    /// The next number, recorded for the names and told with them, so that no process waits for a number that was given
    /// and never heard of. Where there are too many names, the older half goes and the floor takes its place.
    NEXT,
    r"
local key, seen, most = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local channel, head, tail = ARGV[3], ARGV[4], ARGV[5]
local sequence = tonumber(redis.call('ZSCORE', key, 's') or '0')
if sequence < seen then
  sequence = seen + 1
  redis.call('ZADD', key, sequence, 'f')
else
  sequence = sequence + 1
end
redis.call('ZADD', key, sequence, 's')
for i = 6, #ARGV do
  redis.call('ZADD', key, sequence, 'n' .. ARGV[i])
end
local count = redis.call('ZCARD', key)
if count > most + 2 then
  local middle = math.floor(count / 2)
  local highest = tonumber(redis.call('ZRANGE', key, middle, middle, 'WITHSCORES')[2])
  local floor = tonumber(redis.call('ZSCORE', key, 'f') or '0')
  redis.call('ZREMRANGEBYSCORE', key, '-inf', highest)
  redis.call('ZADD', key, math.max(highest, floor), 'f')
  redis.call('ZADD', key, sequence, 's')
end
local rest, bytes = sequence, ''
for _ = 1, 8 do
  bytes = bytes .. string.char(rest % 256)
  rest = math.floor(rest / 256)
end
redis.call('PUBLISH', channel, head .. bytes .. tail)
return sequence
"
);

script!(
    /// The sequence, and the number of each name.
    RECORDS,
    r"
local key, seen = KEYS[1], tonumber(ARGV[1])
local sequence = tonumber(redis.call('ZSCORE', key, 's') or '0')
if sequence < seen then
  sequence = seen + 1
  redis.call('ZADD', key, sequence, 's', sequence, 'f')
end
local floor = tonumber(redis.call('ZSCORE', key, 'f') or '0')
local found = {sequence}
for i = 2, #ARGV do
  found[i] = math.max(floor, tonumber(redis.call('ZSCORE', key, 'n' .. ARGV[i]) or '0'))
end
return found
"
);

script!(
    /// Leaves tombstones, so many of the keys; drops the entries behind them, and returns how many were there. A tombstone
    /// of a higher number stays, for the longer of both times.
    BURY,
    r"
local number, keep, tombstones, removed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), 0
for i = 1, tombstones do
  local found = tonumber(redis.call('GET', KEYS[i]) or '0') or 0
  local left = redis.call('PTTL', KEYS[i])
  if found < number then
    redis.call('SET', KEYS[i], ARGV[1], 'PX', math.max(keep, left))
  elseif left < keep then
    redis.call('PEXPIRE', KEYS[i], keep)
  end
end
for i = tombstones + 1, #KEYS do
  removed = removed + redis.call('UNLINK', KEYS[i])
end
return removed
"
);

script!(
    /// Stores unless there is a newer tombstone, whose number it returns then.
    STORE,
    r"
local found = tonumber(redis.call('GET', KEYS[2]) or '0') or 0
if found > tonumber(ARGV[2]) then
  return found
end
if ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[1])
end
return 0
"
);

script!(
    /// Stores in place of a token, if it is there.
    SWAP,
    r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[3] then
  redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
else
  redis.call('SET', KEYS[1], ARGV[2])
end
return 1
"
);

script!(
    REMOVE_IF,
    r"
if redis.call('GET', KEYS[1]) == ARGV[1] then
  return redis.call('UNLINK', KEYS[1])
end
return 0
"
);

script!(
    TOUCH_IF,
    r"
if redis.call('GET', KEYS[1]) ~= ARGV[1] then
  return 0
end
if ARGV[2] then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
else
  redis.call('PERSIST', KEYS[1])
end
return 1
"
);

/// The key of an entry's tombstone, in the same slot as the entry's: both have the same `{hash tag}`, or the tombstone's
/// is the whole of the entry's key.
pub(super) fn tombstone_key(key: &str) -> String {
    match hash_tag(key) {
        Some(tag) => format!("memo!t:{{{tag}}}:{key}"),
        None if !key.contains('}') => format!("memo!t:{{{key}}}"),
        None => {
            // Such a key can't be within a tag. Of these numbers one in 16,384 has its slot; all slots have some.
            let slot = slot_of(key);
            let number = (0..1_000_000).find(|number: &u32| slot_of(&number.to_string()) == slot).unwrap_or(0);
            format!("memo!t:{{{number}}}:{key}")
        }
    }
}

fn numbers(verb: &'static str) -> Doing<'static> {
    Doing { verb, object: Object::Key(NUMBERS) }
}

fn unsigned(value: &Value) -> Result<u64, Nonsense> {
    u64::try_from(number(value)?).map_err(|_| Nonsense)
}

fn truth(replies: Vec<Value>) -> Result<bool, Nonsense> {
    Ok(number(&only(replies)?)? == 1)
}

/// The next number of the sequence. Twice is a number that nobody needs. The message is that of the bus, around the number.
pub(super) fn next(names: &[&str], seen: u64, channel: &str, (head, tail): (&[u8], &[u8])) -> Run<'static, u64> {
    let doing = numbers("counting invalidations in");
    let how = (doing, Place::OwnerOf(NUMBERS), Effect::Repeatable);
    let mut run = Run::new(&NEXT, &[NUMBERS], 2 * tail.len(), how, |replies| unsigned(&only(replies)?));
    run.by_name.arg(seen).arg(MOST_NAMES).arg(channel).arg(head).arg(tail).arg(names);
    run
}

pub(super) fn records(names: &[&str], seen: u64) -> Run<'static, Records> {
    let doing = numbers("reading the records in");
    let how = (doing, Place::OwnerOf(NUMBERS), Effect::Repeatable);
    let mut run = Run::new(&RECORDS, &[NUMBERS], 0, how, |replies| {
        let found = array(only(replies)?)?;
        let found: Vec<u64> = found.iter().map(unsigned).collect::<Result<_, _>>()?;
        let (sequence, numbers) = found.split_first().ok_or(Nonsense)?;
        Ok(Records { sequence: *sequence, numbers: numbers.to_vec() })
    });
    run.by_name.arg(seen).arg(names);
    run
}

/// Drops entries and leaves tombstones, where there are no slots; how many were there.
pub(super) fn bury<'a>(keys: &[&'a str], sequence: u64, keep: Duration) -> Run<'a, u64> {
    let tombstones: Vec<String> = keys.iter().map(|key| tombstone_key(key)).collect();
    let all: Vec<&str> = tombstones.iter().map(String::as_str).chain(keys.iter().copied()).collect();
    let how = (invalidating(keys), Place::Any, Effect::Once);
    buried(&all, keys.len(), sequence, keep, how)
}

/// Leaves the tombstone of one entry, which must be dropped afterwards. In a step of its own: while a slot moves, its keys
/// may be on two nodes.
pub(super) fn tombstone(key: &str, sequence: u64, keep: Duration) -> Run<'_, u64> {
    let how = (invalidating(&[key]), Place::OwnerOf(key), Effect::Repeatable);
    buried(&[&tombstone_key(key)], 1, sequence, keep, how)
}

fn invalidating<'a>(keys: &[&'a str]) -> Doing<'a> {
    let object = if let [key] = keys { Object::Key(key) } else { Object::Keys(keys.len()) };
    Doing { verb: "invalidating", object }
}

fn buried<'a>(
    keys: &[&str],
    tombstones: usize,
    sequence: u64,
    keep: Duration,
    how: (Doing<'a>, Place<'a>, Effect),
) -> Run<'a, u64> {
    let mut run = Run::new(&BURY, keys, 0, how, |replies| unsigned(&only(replies)?));
    run.by_name.arg(sequence).arg(millis(keep)).arg(tombstones);
    run
}

pub(super) fn store(Loaded { key, bytes, timeout, since }: Loaded<'_>) -> Run<'_, Stored> {
    let doing = Doing { verb: "storing", object: Object::Key(key) };
    let keys = [key, &tombstone_key(key)];
    let how = (doing, Place::OwnerOf(key), Effect::Repeatable);
    let mut run = Run::new(&STORE, &keys, bytes.len(), how, |replies| {
        Ok(match unsigned(&only(replies)?)? {
            0 => Stored::Stored,
            sequence => Stored::Refused { sequence },
        })
    });
    run.by_name.arg(bytes).arg(since).arg(timeout.map(millis));
    run
}

/// The last of the steps in [`apart`](super::apart). Twice is once: what is answered then is that another value, or none,
/// has taken the token's place, which does not change what is there.
pub(super) fn swap<'a>(Loaded { key, bytes, timeout, .. }: Loaded<'a>, token: &[u8]) -> Run<'a, bool> {
    let doing = Doing { verb: "storing", object: Object::Key(key) };
    let how = (doing, Place::OwnerOf(key), Effect::Repeatable);
    let mut run = Run::new(&SWAP, &[key], bytes.len(), how, truth);
    run.by_name.arg(token).arg(bytes).arg(timeout.map(millis));
    run
}

/// The number of an entry's tombstone, 0 if there is none.
pub(super) fn tombstone_of(key: &str) -> Operation<'_, u64> {
    Operation {
        doing: Doing { verb: "storing", object: Object::Key(key) },
        place: Place::OwnerOf(key),
        commands: Commands::One(get_command(&tombstone_key(key))),
        effect: Effect::Read,
        parse: |replies| {
            let found = bytes(only(replies)?)?;
            // As in the scripts.
            Ok(found.and_then(|found| std::str::from_utf8(&found).ok()?.parse().ok()).unwrap_or(0))
        },
    }
}

pub(super) fn remove_if<'a>(key: &'a str, bytes: &[u8]) -> Run<'a, bool> {
    let doing = Doing { verb: "removing", object: Object::Key(key) };
    let mut run = Run::new(&REMOVE_IF, &[key], bytes.len(), (doing, Place::OwnerOf(key), Effect::Once), truth);
    run.by_name.arg(bytes);
    run
}

pub(super) fn touch_if<'a>(key: &'a str, bytes: &[u8], timeout: Option<Duration>) -> Run<'a, bool> {
    let doing = Doing { verb: "touching", object: Object::Key(key) };
    let how = (doing, Place::OwnerOf(key), Effect::Repeatable);
    let mut run = Run::new(&TOUCH_IF, &[key], bytes.len(), how, truth);
    run.by_name.arg(bytes).arg(timeout.map(millis));
    run
}

/// All that is recorded.
pub(super) fn snapshot() -> Operation<'static, Snapshot> {
    let mut range = redis::cmd("ZRANGE");
    range.arg(NUMBERS).arg(0).arg(-1).arg("WITHSCORES");
    Operation {
        doing: numbers("reading the records in"),
        place: Place::OwnerOf(NUMBERS),
        commands: Commands::One(range),
        effect: Effect::Read,
        parse: |replies| {
            let mut all = Snapshot::default();
            let mut flat = array(only(replies)?)?.into_iter().map(|value| text(value));
            while let (Some(member), Some(score)) = (flat.next(), flat.next()) {
                let (member, number) = (member?, score?.parse().map_err(|_| Nonsense)?);
                match &*member {
                    "s" => all.sequence = number,
                    "f" => all.floor = number,
                    _ => {
                        let name = member.strip_prefix('n').ok_or(Nonsense)?;
                        all.records.push((name.to_owned(), number));
                    }
                }
            }
            Ok(all)
        },
    }
}

fn text(value: Value) -> Result<Cow<'static, str>, Nonsense> {
    let bytes = bytes(value)?.ok_or(Nonsense)?;
    String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Nonsense)
}

pub(super) fn publish<'a>(channel: &str, message: &[u8]) -> Operation<'a, ()> {
    let mut publish = Cmd::with_capacity(3, message.len() + 64);
    publish.arg("PUBLISH").arg(channel).arg(message);
    Operation {
        doing: Doing { verb: "publishing on", object: Object::Server },
        place: Place::Any,
        commands: Commands::One(publish),
        // Who hears it twice has nothing to do the second time.
        effect: Effect::Repeatable,
        parse: |replies| number(&only(replies)?).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn a_tombstone_has_the_slot_of_its_entry_and_a_name_of_its_own() {
        let keys = [
            "memo:shop/price:0:12",
            "a",
            "{a}",
            "{a}b",
            "b{a}",
            "{}",
            "{}a",
            "a}b",
            "}{",
            "}{a}",
            "{{a}",
            "{a",
            "a{",
            "{a}{b}",
            "{a{b}",
            "x{a}:y",
            "x{}{a}",
            "0",
            "{0}",
            "{a}:{a}",
            "ä}{",
            "} ",
        ];
        let mut names = HashSet::new();
        for key in keys {
            let tombstone = tombstone_key(key);
            assert_eq!(slot_of(&tombstone), slot_of(key), "{key} and {tombstone}");
            assert!(memo_core::is_reserved(&tombstone));
            assert!(names.insert(tombstone), "{key}");
        }
    }
}
