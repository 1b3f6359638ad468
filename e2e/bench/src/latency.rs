//! How long something took, kept whole: a run has few enough of them, and nothing is lost in buckets.

use std::time::Duration;

/// Times in microseconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times(Vec<u32>);

impl Times {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(u32::try_from(took.as_micros()).unwrap_or(u32::MAX));
    }

    pub(crate) fn merge(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// In milliseconds; 0 of nothing.
    pub(crate) fn mean_ms(&self) -> f64 {
        let count = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        let sum: f64 = self.0.iter().map(|us| f64::from(*us)).sum();
        if count == 0 { 0.0 } else { sum / f64::from(count) / 1000.0 }
    }

    /// The time that `percent` of all did not exceed (nearest rank), in milliseconds; 0 of nothing.
    pub(crate) fn percentile_ms(&mut self, percent: usize) -> f64 {
        if self.0.is_empty() {
            return 0.0;
        }
        let rank = (self.0.len() * percent).div_ceil(100).clamp(1, self.0.len());
        let (_, at, _) = self.0.select_nth_unstable(rank - 1);
        f64::from(*at) / 1000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_nearest_rank() {
        let mut times = Times::default();
        for ms in (1..=100).rev() {
            times.add(Duration::from_millis(ms));
        }
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(times.percentile_ms(50), 50.0));
        assert!(close(times.percentile_ms(99), 99.0));
        assert!(close(times.percentile_ms(100), 100.0));
        assert!(close(Times::default().percentile_ms(99), 0.0));
        assert!(close(times.mean_ms(), 50.5) && close(Times::default().mean_ms(), 0.0));
    }
}
