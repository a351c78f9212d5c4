//! Numbers from measurements, and how they are written.

use std::time::{Duration, Instant};

/// The time, by a real clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the library's clock can be set by tests; a measurement needs a real one"
)]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The value that `share` of all values do not exceed; 0 for none.
pub(crate) fn percentile(sorted: &[u64], share: f64) -> u64 {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of requests are far below 2^52, and the share is from 0 to 1"
    )]
    let place = (sorted.len() as f64 * share).ceil() as usize;
    sorted.get(place.clamp(1, sorted.len().max(1)) - 1).copied().unwrap_or(0)
}

/// How many a second.
pub(crate) fn per_second(count: u64, time: Duration) -> f64 {
    if time.is_zero() {
        return 0.0;
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of requests are far below 2^52")]
    let count = count as f64;
    count / time.as_secs_f64()
}

/// A time with three digits or so, in the unit that suits it.
pub(crate) fn time(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    match seconds {
        1.0.. => format!("{seconds:.1} s"),
        0.01.. => format!("{:.0} ms", seconds * 1e3),
        0.001.. => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{:.0} us", seconds * 1e6),
    }
}

/// A count with its thousands apart.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_values() {
        let values: Vec<u64> = (1..=100).collect();
        assert_eq!(percentile(&values, 0.5), 50);
        assert_eq!(percentile(&values, 0.99), 99);
        assert_eq!(percentile(&values, 1.0), 100);
        assert_eq!(percentile(&values, 0.0), 1);
        assert_eq!(percentile(&[7], 0.99), 7);
        assert_eq!(percentile(&[], 0.5), 0);
    }

    #[test]
    fn times_have_the_unit_that_suits_them() {
        assert_eq!(time(Duration::from_millis(12_340)), "12.3 s");
        assert_eq!(time(Duration::from_millis(56)), "56 ms");
        assert_eq!(time(Duration::from_micros(5_600)), "5.6 ms");
        assert_eq!(time(Duration::from_micros(78)), "78 us");
        assert_eq!(time(Duration::ZERO), "0 us");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1 000", "1 234 567"]);
    }

    #[test]
    fn a_rate_over_no_time_is_none() {
        assert!((per_second(10, Duration::from_secs(4)) - 2.5).abs() < 1e-9);
        assert!(per_second(10, Duration::ZERO).abs() < 1e-9);
    }
}
