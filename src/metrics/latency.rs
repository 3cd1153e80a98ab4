//! How long a request has waited for this program.

use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

/// What is worked on for one claimed request, over all its stages. It is counted when the request ends.
#[derive(Debug)]
pub(crate) struct AddedLatency {
    histogram: Histogram,
    spent: Duration,
}

impl AddedLatency {
    /// Nothing was spent on the request yet.
    #[must_use]
    pub(super) fn new(histogram: Histogram) -> Self {
        Self {
            histogram,
            spent: Duration::ZERO,
        }
    }

    /// A stage took this long.
    pub(crate) fn add(&mut self, spent: Duration) {
        self.spent += spent;
    }
}

impl Drop for AddedLatency {
    fn drop(&mut self) {
        self.histogram.observe(self.spent.as_secs_f64());
    }
}
