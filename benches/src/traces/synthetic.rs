//! Traces made from seeds, the same in every run: for those who have no recorded ones.

use super::Trace;
use crate::{Random, Zipf};

/// The traces' names.
pub const NAMES: [&str; 5] = ["Zipf 0.9", "Zipf 1.0", "synthetic loop", "Zipf and scans", "moving set"];

const REQUESTS: usize = 1_000_000;

/// Makes one.
///
/// # Panics
/// If the name is none of [`NAMES`].
#[must_use]
pub fn make(name: &'static str) -> Trace {
    let seed = NAMES.iter().position(|known| *known == name).expect("one of NAMES") as u64;
    let mut random = Random::new(100 + seed);
    let (keys, requests) = match name {
        "Zipf 0.9" => popular(100_000, 0.9, &mut random),
        "Zipf 1.0" => popular(100_000, 1.0, &mut random),
        "synthetic loop" => (1_000, (0..REQUESTS).map(|at| at % 1_000).collect()),
        "Zipf and scans" => scans(&mut random),
        _ => moving_set(&mut random),
    };
    let number = |key| u32::try_from(key).expect("fewer than 2^32 keys");
    Trace { name, keys, requests: requests.into_iter().map(number).collect() }
}

fn popular(keys: usize, exponent: f64, random: &mut Random) -> (usize, Vec<usize>) {
    let zipf = Zipf::new(keys, exponent, random);
    (keys, (0..REQUESTS).map(|_| zipf.pick(random)).collect())
}

/// Popular keys, and after each 10,000 requests for them 10,000 others once each: what reads a whole table.
fn scans(random: &mut Random) -> (usize, Vec<usize>) {
    const POPULAR: usize = 20_000;
    const SCANNED: usize = 100_000;
    const STRETCH: usize = 10_000;
    let zipf = Zipf::new(POPULAR, 1.0, random);
    let request = |at: usize| {
        let (stretch, within) = (at / STRETCH, at % STRETCH);
        match stretch % 2 {
            0 => zipf.pick(random),
            _ => POPULAR + (stretch / 2 * STRETCH + within) % SCANNED,
        }
    };
    (POPULAR + SCANNED, (0..REQUESTS).map(request).collect())
}

/// Any of 2,000 neighbours, which move on by one every 20 requests.
fn moving_set(random: &mut Random) -> (usize, Vec<usize>) {
    const SET: usize = 2_000;
    const STEP: usize = 20;
    (REQUESTS / STEP + SET, (0..REQUESTS).map(|at| at / STEP + random.below(SET)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn traces_are_the_same_each_time_and_keys_are_in_range() {
        for name in NAMES {
            let (one, other) = (make(name), make(name));
            assert!(one.requests == other.requests, "{name}");
            assert_eq!(one.requests.len(), REQUESTS, "{name}");
            assert!(one.requests.iter().all(|key| (*key as usize) < one.keys), "{name}");
        }
    }
}
