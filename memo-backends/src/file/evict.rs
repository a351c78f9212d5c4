//! Which entries go when the folder is full, and that their going gives room.
//!
//! The cursor passes sections of neighbouring keys. Of each section those entries go that are worth less than a horizon: the
//! lower part of what this section and earlier ones held. So a section of what is used often loses little, and
//! one of what nobody asks for any more loses most. Where sections lose too little the horizon rises, and in the end takes
//! everything: an eviction always ends with room.
//!
//! LMDB gives back whole pages only. An entry with pages of its own gives them back when it goes; but of small ones, which
//! share pages, a quarter could go without any page being free. So what stays of such neighbours is taken out and put
//! back, one behind the other, and fills fewer pages. What is written anew takes room until the transaction is over, so one
//! transaction does a part of that only, and the next write goes on.

use super::config::Evict;
use super::env::{EVICTION_KEY, Opened, entry_bytes};
use super::room::{Room, pass, used};
use super::uses::{Moment, Uses};
use super::value::{HEADER, Stored};
use heed::{Result, RwTxn};
use memo_core::entry;
use std::collections::VecDeque;

/// Entries that are looked at together.
const SECTION: usize = 1_024;
/// Bytes of those that are packed together: a few pages, since each that is written anew takes one more until the
/// transaction is over.
const RUN_BYTES: usize = 16 << 10;
/// Neighbours that are dropped together where all go.
const RUN: usize = 64;
/// Entries of earlier sections, of which the horizon knows.
const REMEMBERED: usize = 4_096;
/// The part of the entries that is below the horizon, in eighths: at first, and in the end.
const AT_FIRST: usize = 3;
const ALL: usize = 8;
/// Fewer than one in so many bytes of a run are not worth packing the others.
const TOO_FEW_BYTES: usize = 8;
/// A section that lost fewer than one in so many entries lets the horizon rise.
const TOO_FEW: usize = 8;

/// What an entry without a load time counts as, in microseconds.
const UNKNOWN_COST: f64 = 1_000.0;

/// What the entries of earlier sections were worth when they were passed, those that went among them.
#[derive(Default)]
pub(super) struct Worths(VecDeque<f64>);

/// An entry of a section.
struct Candidate {
    key: Vec<u8>,
    worth: f64,
    /// It lies in a page with several others.
    is_packed: bool,
    /// Its bytes there.
    in_page: usize,
}

pub(super) struct Evicting<'a> {
    pub(super) opened: &'a Opened,
    pub(super) room: &'a Room,
    pub(super) now: Moment,
    pub(super) worths: &'a mut Worths,
    /// The bytes of pages that may still be written anew in this transaction.
    pub(super) budget: usize,
}

impl Evicting<'_> {
    /// Drops entries until they take no more than `target`, the budget is used up, or none is left. Not `gently`: all of
    /// each section, which takes the fewest pages to do, and without a budget.
    pub(super) fn until(&mut self, txn: &mut RwTxn<'_>, target: u64, gently: bool) -> Result<()> {
        let mut share = if gently { AT_FIRST } else { ALL };
        while used(self.opened, txn)? > target && (self.budget > 0 || !gently) {
            let mut section = Vec::with_capacity(SECTION);
            let passed = pass(EVICTION_KEY, self.opened, txn, SECTION, &mut |key, stored| {
                section.push(self.judge(key, stored));
            })?;
            if passed.is_over() {
                return Ok(());
            }
            let horizon = self.horizon(&section, share);
            let (dropped, gone_through) = self.drop_some(txn, &section, horizon, target, gently)?;
            let of_those = section[..gone_through].iter().map(|entry| entry.worth);
            self.worths.0.extend(of_those.filter(|worth| worth.is_finite()));
            let forgotten = self.worths.0.len().saturating_sub(REMEMBERED);
            self.worths.0.drain(..forgotten);
            // The next one goes on where this one stopped: what is passed over here would be passed over every time.
            let stopped = section[..gone_through].last().filter(|_| gone_through < section.len());
            match stopped {
                Some(last) => passed.keep_up_to(&last.key, self.opened, txn)?,
                None => passed.keep(self.opened, txn)?,
            }
            if dropped * TOO_FEW < gone_through.max(TOO_FEW) {
                share = (share + 1).min(ALL);
            }
        }
        Ok(())
    }

    /// Drops entries of a section up to the horizon, until the target is met. How many, and how many it went through.
    fn drop_some(
        &mut self,
        txn: &mut RwTxn<'_>,
        section: &[Candidate],
        horizon: f64,
        target: u64,
        gently: bool,
    ) -> Result<(usize, usize)> {
        let mut dropped = 0;
        if !gently {
            for run in section.chunks(RUN) {
                run.iter().try_for_each(|entry| self.opened.entries.delete(txn, &entry.key).map(drop))?;
                dropped += run.len();
                if used(self.opened, txn)? <= target {
                    break;
                }
            }
            return Ok((dropped, dropped));
        }
        // Those that are not packed, the least worth first.
        let mut large: Vec<_> = section.iter().filter(|entry| !entry.is_packed && entry.worth <= horizon).collect();
        large.sort_unstable_by(|one, other| one.worth.total_cmp(&other.worth));
        for entry in large {
            self.opened.entries.delete(txn, &entry.key)?;
            dropped += 1;
            // The page it was in is written anew.
            self.budget = self.budget.saturating_sub(usize::try_from(self.opened.page_bytes).unwrap_or(usize::MAX));
            if used(self.opened, txn)? <= target || self.budget == 0 {
                return Ok((dropped, section.len()));
            }
        }
        let mut gone_through = 0;
        while gone_through < section.len() {
            let mut bytes = 0;
            let fits = |entry: &&Candidate| {
                bytes += entry.in_page;
                bytes <= RUN_BYTES
            };
            let rest = &section[gone_through..];
            let run = &rest[..rest.iter().take_while(fits).count().max(1)];
            dropped += self.drop_and_pack(txn, run, horizon)?;
            gone_through += run.len();
            if used(self.opened, txn)? <= target || self.budget == 0 {
                break;
            }
        }
        Ok((dropped, gone_through))
    }

    /// Drops those entries of a run that share pages and are up to the horizon, and packs those that stay. How many it
    /// dropped.
    fn drop_and_pack(&mut self, txn: &mut RwTxn<'_>, run: &[Candidate], horizon: f64) -> Result<usize> {
        let entries = self.opened.entries;
        let small = run.iter().filter(|entry| entry.is_packed);
        let (dropped, kept): (Vec<_>, Vec<_>) = small.partition(|entry| entry.worth <= horizon);
        let bytes = |some: &[&Candidate]| some.iter().map(|entry| entry.in_page).sum::<usize>();
        let (of_dropped, of_kept) = (bytes(&dropped), bytes(&kept));
        if of_dropped * TOO_FEW_BYTES <= of_kept {
            return Ok(0);
        }
        self.budget = self.budget.saturating_sub(of_dropped + of_kept);
        for entry in &dropped {
            entries.delete(txn, &entry.key)?;
        }
        let mut packed = Vec::with_capacity(kept.len());
        for entry in kept {
            if let Some(stored) = entries.get(txn, &entry.key)? {
                packed.push((&entry.key, stored.to_vec()));
                entries.delete(txn, &entry.key)?;
            }
        }
        for (key, stored) in packed {
            entries.put(txn, key, &stored)?;
        }
        Ok(dropped.len())
    }

    /// What an entry is worth; what has ended, or is none, nothing.
    fn judge(&self, key: &[u8], stored: &[u8]) -> Candidate {
        let worth = match Stored::live(stored, self.room.max_age()) {
            None => f64::NEG_INFINITY,
            Some(entry) => self.worth(key, entry),
        };
        // Of those that share a page with one or two, packing gains little: a page that lost one takes another later.
        let is_packed = ((key.len() + stored.len()) as u64) < self.opened.page_bytes / 4;
        let in_page = key.len() + if is_packed { stored.len() } else { HEADER };
        Candidate { key: key.to_vec(), worth, is_packed, in_page }
    }

    fn worth(&self, key: &[u8], stored: Stored<'_>) -> f64 {
        let last = self.room.uses.last(key).min(self.now);
        // Of what was used in the same moment any may go, but not neighbours only.
        let chance = f64::from(Uses::chance(key)) / f64::from(u16::MAX);
        match self.room.evict {
            Evict::LastUse => f64::from(last) + chance,
            Evict::LoadCost => {
                let cost = entry::read_header(stored.bytes).map_or(0.0, |header| header.load_cost.as_secs_f64() * 1e6);
                let cost = if cost == 0.0 { UNKNOWN_COST } else { cost };
                #[expect(clippy::cast_precision_loss, reason = "an entry is far smaller than 2^52 bytes")]
                let bytes = entry_bytes(key.len(), stored.bytes.len(), self.opened.page_bytes) as f64;
                cost / bytes / (f64::from(self.now - last) + 1.0 + chance)
            }
        }
    }

    /// The worth up to which entries go.
    fn horizon(&self, section: &[Candidate], share: usize) -> f64 {
        if share == ALL {
            return f64::INFINITY;
        }
        let live = section.iter().map(|entry| entry.worth).filter(|worth| worth.is_finite());
        let mut worths: Vec<f64> = live.chain(self.worths.0.iter().copied()).collect();
        if worths.is_empty() {
            return f64::NEG_INFINITY;
        }
        let at = worths.len() * share / ALL;
        *worths.select_nth_unstable_by(at, f64::total_cmp).1
    }
}
