//! Popularity as it is: the second most wanted is wanted half as often as the first, the third a third as often.

/// Ranks from 0, drawn by Zipf's law.
pub(crate) struct Zipf {
    /// The share of all draws that fall on this rank or one before it.
    up_to: Vec<f64>,
}

impl Zipf {
    /// Over so many ranks; at least one.
    pub(crate) fn new(ranks: usize) -> Self {
        let mut sum = 0.0;
        let mut weight = 0.0;
        let mut up_to: Vec<f64> = (0..ranks.max(1))
            .map(|_| {
                weight += 1.0;
                sum += 1.0 / weight;
                sum
            })
            .collect();
        for share in &mut up_to {
            *share /= sum;
        }
        Zipf { up_to }
    }

    /// The rank that a random number from 0 to 1 falls on.
    pub(crate) fn rank(&self, random: f64) -> usize {
        self.up_to.partition_point(|share| *share <= random).min(self.up_to.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rank_is_drawn_in_proportion_to_its_weight() {
        let zipf = Zipf::new(3);
        let mut drawn = [0_u32; 3];
        for step in 0..11_000 {
            drawn[zipf.rank(f64::from(step) / 11_000.0)] += 1;
        }
        // 1 to 1/2 to 1/3 are 6, 3 and 2 of 11.
        for (count, expected) in drawn.into_iter().zip([6000_u32, 3000, 2000]) {
            assert!(count.abs_diff(expected) <= 1, "{drawn:?}");
        }
    }

    #[test]
    fn every_random_number_has_a_rank() {
        for ranks in [0, 1, 2, 1000] {
            let zipf = Zipf::new(ranks);
            assert_eq!(zipf.rank(0.0), 0);
            assert_eq!(zipf.rank(1.0), ranks.max(1) - 1);
            assert_eq!(zipf.rank(f64::NAN), 0);
        }
    }
}
