//! Storing while an entry and its tombstone may be on two nodes of a cluster.
//!
//! While a slot moves, its nodes refuse what uses two keys, unless they have both: TRYAGAIN, until the move is over. For
//! a new entry, or without a tombstone, no node ever has both. So a value is stored in steps of one key each:
//!
//! 1. A token that nobody else has takes the entry's place.
//! 2. The tombstone is looked at. A newer one refuses the value.
//! 3. The value takes the token's place, if that is still there.
//!
//! An invalidation on a cluster leaves its tombstone first and drops the entry then. One whose tombstone comes before the
//! second step is seen there. Any other drops its entry after the first step: before the third it takes the token away,
//! and after that the value. So once an invalidation has returned, nothing is there that was loaded before it, and what is
//! read meanwhile is nothing.
//!
//! A token is no value: all who read take it for nothing. It stays for the time of an operation at the most.

use super::command;
use super::deadline::Deadline;
use super::error::{Failure, Lost};
use super::io::Io;
use super::script::attempt_each;
use super::scripts;
use super::topology::Topology;
use memo_core::Error;
use memo_core::invalidation::{Loaded, Stored};
use redis::{ErrorKind, ServerErrorKind};
use std::hash::{BuildHasher, Hasher, RandomState};

/// What no value of ours begins with.
const MARK: [u8; 8] = *b"memo!on\0";

/// Stands for a value that is about to be stored.
#[derive(Clone, Copy)]
pub(super) struct Token([u8; MARK.len() + 16]);

impl Token {
    fn new() -> Token {
        let mut token = [0; MARK.len() + 16];
        let (mark, number) = token.split_at_mut(MARK.len());
        mark.copy_from_slice(&MARK);
        // Seeded by the system, each anew.
        for half in number.chunks_exact_mut(8) {
            half.copy_from_slice(&RandomState::new().build_hasher().finish().to_le_bytes());
        }
        Token(token)
    }

    pub(super) fn is_one(bytes: &[u8]) -> bool {
        bytes.len() == size_of::<Token>() && bytes.starts_with(&MARK)
    }
}

/// Stores a value unless its tombstone is newer, in one step if one node has both.
pub(super) async fn store<I: Io>(topology: &Topology, io: &I, entry: Loaded<'_>) -> Result<Stored, Error> {
    let (end, run) = (topology.end(), scripts::store(entry));
    let doing = run.doing;
    let mut result = run.attempt(topology, io, end).await;
    if are_apart(&result)
        && let Some(in_steps) = store_in_steps(topology, io, &[entry], end).await.pop()
    {
        result = in_steps;
    }
    result.map_err(|lost| lost.into_error(&doing, &topology.address))
}

/// As [`store`], of many, all of them in the time of one operation.
pub(super) async fn store_many<I: Io>(
    topology: &Topology,
    io: &I,
    entries: &[Loaded<'_>],
) -> Vec<Result<Stored, Error>> {
    let end = topology.end();
    let runs: Vec<_> = entries.iter().map(|entry| scripts::store(*entry)).collect();
    let doing: Vec<_> = runs.iter().map(|run| run.doing).collect();
    let mut results = attempt_each(runs, topology, io, end).await;
    let apart: Vec<usize> = (0..entries.len()).filter(|at| are_apart(&results[*at])).collect();
    if !apart.is_empty() {
        let some: Vec<_> = apart.iter().map(|at| entries[*at]).collect();
        for (at, result) in apart.into_iter().zip(store_in_steps(topology, io, &some, end).await) {
            results[at] = result;
        }
    }
    let failed =
        |(result, doing): (Result<Stored, Lost>, _)| result.map_err(|lost| lost.into_error(&doing, &topology.address));
    results.into_iter().zip(doing).map(failed).collect()
}

/// The keys are in a slot on its way, and not all at one node.
fn are_apart(result: &Result<Stored, Lost>) -> bool {
    let Err(Lost { failure: Failure::Reported(error), .. }) = result else { return false };
    error.kind() == ErrorKind::Server(ServerErrorKind::TryAgain)
}

async fn store_in_steps<I: Io>(
    topology: &Topology,
    io: &I,
    entries: &[Loaded<'_>],
    end: Deadline,
) -> Vec<Result<Stored, Lost>> {
    let tokens: Vec<Token> = entries.iter().map(|_| Token::new()).collect();
    let keep = end.left().unwrap_or_default();
    let both = entries.iter().zip(&tokens);
    let placing: Vec<_> = both.map(|(entry, token)| command::set(entry.key, &token.0, Some(keep))).collect();
    let placed = topology.attempt_all(io, &placing, end).await;
    let mut results: Vec<_> = placed.into_iter().map(|placed| placed.map(|()| Stored::Stored)).collect();

    let placed = positions(&results, Result::is_ok);
    refuse_old(topology, io, entries, &mut results, &placed, end).await;

    let wanted = positions(&results, |result| matches!(result, Ok(Stored::Stored)));
    let swaps: Vec<_> = wanted.iter().map(|at| scripts::swap(entries[*at], &tokens[*at].0).in_full()).collect();
    let mut others = Vec::new();
    for (at, swapped) in wanted.into_iter().zip(topology.attempt_all(io, &swaps, end).await) {
        match swapped {
            Ok(true) => {}
            Ok(false) => others.push(at),
            Err(lost) => results[at] = Err(lost),
        }
    }
    // What was there instead came after the token, as it would have come after the value: unless that was an invalidation,
    // the value has been stored and was replaced or dropped.
    refuse_old(topology, io, entries, &mut results, &others, end).await;

    let refused = positions(&results, |result| matches!(result, Ok(Stored::Refused { .. })));
    let tokens = refused.iter().map(|at| scripts::remove_if(entries[*at].key, &tokens[*at].0).in_full());
    // One that stays for all that expires.
    let _ = topology.attempt_all(io, &tokens.collect::<Vec<_>>(), end).await;
    results
}

/// Has those refused whose tombstones are newer.
async fn refuse_old<I: Io>(
    topology: &Topology,
    io: &I,
    entries: &[Loaded<'_>],
    results: &mut [Result<Stored, Lost>],
    which: &[usize],
    end: Deadline,
) {
    let looks: Vec<_> = which.iter().map(|at| scripts::tombstone_of(entries[*at].key)).collect();
    for (at, number) in which.iter().zip(topology.attempt_all(io, &looks, end).await) {
        match number {
            Ok(sequence) if sequence > entries[*at].since => results[*at] = Ok(Stored::Refused { sequence }),
            Ok(_) => {}
            Err(lost) => results[*at] = Err(lost),
        }
    }
}

fn positions<R>(results: &[R], fits: impl Fn(&R) -> bool) -> Vec<usize> {
    (0..results.len()).filter(|at| fits(&results[*at])).collect()
}
