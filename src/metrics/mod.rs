//! What this program counts and knows of itself, for those who watch it: numbers for Prometheus, and a [`Status`] for
//! people. Nothing here holds a message, a name of a file in a loadout, or anything secret.
//!
//! Counting is an addition to an atomic number; messages are counted by the batch.

mod counts;
mod happenings;
mod latency;
mod presence;
mod status;

pub(crate) use counts::{Metrics, Sender};
pub(crate) use happenings::HappeningCounts;
pub(crate) use latency::AddedLatency;
pub(crate) use presence::Presence;
#[cfg(test)]
pub(crate) use status::HostStatus;
pub(crate) use status::{CodexStatus, Status, StoreSize, ThreadStatus};

/// A label and its value: of each, there are only as many as this program has words for.
type Label = [(&'static str, &'static str); 1];
