//! What loads cost that are not all alike: most are cheap, few are very dear (Pareto's law).

use crate::{Random, now};
use std::time::Duration;

/// The cheapest load.
const LEAST: f64 = 200.0;
/// The dearest: the law alone would now and then give one that outweighs all the rest of a trace.
const MOST: f64 = 200_000.0;
/// How fast dear loads get rare: the fifth of the keys that costs most has about half of all cost.
const SHAPE: f64 = 1.2;

/// What loading this key costs, the same each time.
#[must_use]
pub fn cost(key: u64) -> Duration {
    let mut random = Random::new(key ^ 0x9E37_79B9_7F4A_7C15);
    // Neighbouring seeds begin alike.
    for _ in 0..4 {
        random.next();
    }
    let nanos = LEAST * (1.0 - random.unit()).powf(-1.0 / SHAPE);
    Duration::from_secs_f64(nanos.min(MOST) * 1e-9)
}

/// A body that takes as long as its key costs: for contenders that measure what a load took.
pub fn spend(key: u64) {
    let (begin, cost) = (now(), cost(key));
    while begin.elapsed() < cost {
        std::hint::spin_loop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_keys_have_much_of_the_cost() {
        let mut costs: Vec<f64> = (0..100_000).map(|key| cost(key).as_secs_f64()).collect();
        costs.sort_by(f64::total_cmp);
        let share = costs[80_000..].iter().sum::<f64>() / costs.iter().sum::<f64>();
        assert!((0.5..0.75).contains(&share), "{share}");
        assert!((199e-9..202e-9).contains(&costs[0]) && costs[99_999] <= 201e-6, "{} {}", costs[0], costs[99_999]);
        let median = costs[50_000] / costs[0];
        assert!((1.7..1.9).contains(&median), "{median}");
    }

    #[test]
    fn a_body_takes_what_it_costs() {
        let dear = (0..10_000).max_by_key(|key| cost(*key)).expect("keys");
        let begin = now();
        spend(dear);
        assert!(begin.elapsed() >= cost(dear));
    }
}
