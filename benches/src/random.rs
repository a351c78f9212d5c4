//! Random numbers and indices that are the same in every run.

use crate::float;

/// Random numbers, the same in every run (xorshift64*).
pub struct Random(u64);

impl Random {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(2).wrapping_add(1))
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends, and nobody iterates over it")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// An index below `count`.
    pub fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.next() % count as u64).unwrap_or(0)
    }

    /// A number from zero to one, without the one.
    pub fn unit(&mut self) -> f64 {
        float(self.next() >> 11) / float(1 << 53)
    }
}

/// Indices of which the n-th most popular comes `1 / n^exponent` as often as the first (Zipf's law).
pub struct Zipf {
    /// The sums of the shares up to each rank.
    sums: Vec<f64>,
    /// Where the index of a rank lies: popular ones lie anywhere, not side by side.
    places: Vec<usize>,
}

impl Zipf {
    /// Over the indices below `count`.
    #[must_use]
    pub fn new(count: usize, exponent: f64, random: &mut Random) -> Self {
        let share = |rank: usize| float(rank as u64).powf(-exponent);
        let sums = (1..=count).scan(0.0, |sum, rank| {
            *sum += share(rank);
            Some(*sum)
        });
        let sums = sums.collect();
        let mut places: Vec<usize> = (0..count).collect();
        for last in (1..count).rev() {
            places.swap(last, random.below(last + 1));
        }
        Zipf { sums, places }
    }

    /// The next index.
    pub fn pick(&self, random: &mut Random) -> usize {
        let point = random.unit() * self.sums.last().copied().unwrap_or(0.0);
        let rank = self.sums.partition_point(|upto| *upto < point);
        self.places[rank.min(self.places.len() - 1)]
    }
}

/// `length` indices below `count` by Zipf's law with the exponent 1, in an order without a pattern.
#[must_use]
pub fn zipf(count: usize, length: usize) -> Vec<usize> {
    let mut random = Random::new(7);
    let zipf = Zipf::new(count, 1.0, &mut random);
    (0..length).map(|_| zipf.pick(&mut random)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn popular_indices_come_more_often() {
        let mut counts = [0; 100];
        for index in zipf(100, 10_000) {
            counts[index] += 1;
        }
        counts.sort_unstable();
        assert!(counts[99] > 1_500 && counts[0] < 60, "{counts:?}");
    }
}
