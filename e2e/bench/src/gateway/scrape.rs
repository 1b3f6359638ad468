//! A histogram of a service's metrics: what came to it between two looks.

use super::target::Target;
use anyhow::{Context as _, Result};
use prometheus::{Histogram, HistogramOpts, exponential_buckets};

/// Buckets that are 5 % wide, from 50 µs to 16 s: those of the services themselves begin at a millisecond.
pub(crate) fn fine(name: &str, help: &str) -> Result<Histogram> {
    let buckets = exponential_buckets(0.000_05, 1.05, 260)?;
    Ok(Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?)
}

/// What a histogram has counted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Counted {
    /// Upper bound in seconds, and how many were not above it.
    buckets: Vec<(f64, f64)>,
    sum: f64,
    count: f64,
}

impl Counted {
    pub(crate) async fn read(target: &Target, name: &str) -> Result<Self> {
        Self::parse(&target.page("/metrics").await?, name)
            .with_context(|| format!("no {name} in the metrics"))
    }

    fn parse(text: &str, name: &str) -> Option<Self> {
        let mut counted = Self::default();
        let mut found = false;
        for line in text.lines() {
            let Some(rest) = line.strip_prefix(name) else { continue };
            let (series, value) = rest.rsplit_once(' ')?;
            let value: f64 = value.parse().ok()?;
            if series.starts_with("_bucket{") {
                let bound = series.split("le=\"").nth(1)?.split('"').next()?;
                counted.buckets.push((bound.parse().ok()?, value));
            } else if series.starts_with("_sum") {
                counted.sum = value;
            } else if series.starts_with("_count") {
                (counted.count, found) = (value, true);
            }
        }
        found.then_some(counted)
    }

    /// What came since `earlier`.
    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let less = |(now, was): (&(f64, f64), &(f64, f64))| (now.0, now.1 - was.1);
        let buckets = self.buckets.iter().zip(&earlier.buckets).map(less).collect();
        Self { buckets, sum: self.sum - earlier.sum, count: self.count - earlier.count }
    }

    /// In milliseconds; 0 of nothing.
    pub(crate) fn mean_ms(&self) -> f64 {
        if self.count > 0.0 { self.sum / self.count * 1000.0 } else { 0.0 }
    }

    /// The time that this part of all did not exceed: the upper bound of its bucket, in milliseconds; 0 of nothing.
    pub(crate) fn percentile_ms(&self, percent: f64) -> f64 {
        let rank = self.count * percent / 100.0;
        let at = self.buckets.iter().find(|(_, upto)| *upto >= rank && *upto > 0.0);
        at.map_or(0.0, |(bound, _)| bound * 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus::{Registry, TextEncoder};

    fn look(registry: &Registry) -> Counted {
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        Counted::parse(&text, "golden_wait_seconds").unwrap()
    }

    #[test]
    fn only_what_came_between_two_looks_counts() {
        let labels = [("service".to_owned(), "x".to_owned())].into();
        let registry = Registry::new_custom(None, Some(labels)).unwrap();
        let histogram = fine("golden_wait_seconds", "Waiting.").unwrap();
        registry.register(Box::new(histogram.clone())).unwrap();
        histogram.observe(9.0);
        let earlier = look(&registry);
        for _ in 0..98 {
            histogram.observe(0.002);
        }
        histogram.observe(0.1);
        histogram.observe(0.1);
        let between = look(&registry).since(&earlier);
        assert!((between.mean_ms() - 3.96).abs() < 0.01, "{}", between.mean_ms());
        assert!((2.0..2.1).contains(&between.percentile_ms(50.0)), "{}", between.percentile_ms(50.0));
        assert!((100.0..105.0).contains(&between.percentile_ms(99.0)), "{}", between.percentile_ms(99.0));
        assert!(earlier.since(&earlier).percentile_ms(99.0) < 1e-9);
        assert_eq!(Counted::parse("golden_other_sum 1\n", "golden_wait_seconds"), None);
    }
}
