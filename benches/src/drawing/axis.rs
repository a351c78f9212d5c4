//! Where a figure lies from left to right.

pub(super) struct Axis {
    from: f64,
    to: f64,
    step: f64,
    left: f64,
    right: f64,
}

impl Axis {
    /// From a round figure at or below `lowest` at `left` to one at or above `highest` at `right`.
    pub(super) fn new(lowest: f64, highest: f64, left: f64, right: f64) -> Self {
        let step = round_step((highest - lowest).max(f64::MIN_POSITIVE) / 6.0);
        let (from, to) = ((lowest / step).floor() * step, (highest / step).ceil() * step);
        Axis { from, to, step, left, right }
    }

    /// The place of a figure.
    pub(super) fn at(&self, value: f64) -> f64 {
        self.left + (value - self.from) / (self.to - self.from) * (self.right - self.left)
    }

    /// The figures to mark.
    pub(super) fn marks(&self) -> impl Iterator<Item = f64> {
        (0..=20_u32)
            .map(|at| self.from + self.step * f64::from(at))
            .take_while(|mark| *mark < self.to + self.step / 2.0)
    }

    /// A mark's figure with as many digits as the steps need.
    pub(super) fn label(&self, mark: f64) -> String {
        let decimals = (0..6_usize).zip([1.0, 10.0, 100.0, 1e3, 1e4, 1e5]);
        let enough = |(_, scale): &(usize, f64)| ((self.step * scale).round() - self.step * scale).abs() < 1e-9;
        let decimals = decimals.clone().find(enough).map_or(6, |(decimals, _)| decimals);
        format!("{mark:.decimals$}")
    }
}

/// 1, 2 or 5 of a power of ten, at least this.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].map(|digit| digit * power).into_iter().find(|step| *step >= least).unwrap_or(10.0 * power)
}

#[cfg(test)]
mod tests {
    use super::Axis;

    #[test]
    fn marks_are_round_and_enclose_the_figures() {
        let axis = Axis::new(0.0, 93.8, 100.0, 500.0);
        let labels: Vec<_> = axis.marks().map(|mark| axis.label(mark)).collect();
        assert_eq!(labels, ["0", "20", "40", "60", "80", "100"]);
        assert!((axis.at(50.0) - 300.0).abs() < 1e-9);
        let fine = Axis::new(0.31, 0.44, 0.0, 1.0);
        assert_eq!(fine.marks().map(|mark| fine.label(mark)).next().as_deref(), Some("0.30"));
    }
}
