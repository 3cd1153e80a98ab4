//! What a running proxy tells those who watch it, over the HTTP of its listeners.

use std::sync::Arc;

use futures_util::FutureExt;

use super::process::CodexProcess;
use crate::connection::{Page, Pages, page};
use crate::metrics::{Status, StoreSize, ThreadStatus};

/// Where the metrics are.
pub(crate) const METRICS: &str = "/metrics";
/// Where the [`Status`] is.
pub(crate) const STATUS: &str = "/status";

/// The text format that Prometheus and others read.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl CodexProcess {
    /// The pages of a listener: numbers for whoever reaches it, and the status, which names hosts and threads, where
    /// that is this user alone.
    #[must_use]
    pub(crate) fn pages(self: &Arc<Self>, is_of_this_user: bool) -> Pages {
        let process = self.clone();
        Arc::new(move |path| {
            let process = process.clone();
            match path {
                METRICS => Some(process.metrics_page().boxed()),
                STATUS if is_of_this_user => Some(process.status_page().boxed()),
                _ => None,
            }
        })
    }

    async fn metrics_page(self: Arc<Self>) -> Page {
        let store = self.measured().await;
        let threads = self.applied.all().len();
        page(OPEN_METRICS, self.metrics.text(threads, store))
    }

    async fn status_page(self: Arc<Self>) -> Page {
        let status = self.status().await;
        let json = serde_json::to_string(&status).unwrap_or_default();
        page("application/json", json)
    }

    async fn status(&self) -> Status {
        let threads = self.applied.all().into_iter();
        let threads = threads.map(|(thread_id, applied)| ThreadStatus {
            thread_id,
            digest: applied.loadout.receipt.digest.clone(),
        });
        Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_seconds: self.metrics.uptime_seconds(),
            codex: self.metrics.presence.codex(self.metrics.restarts()),
            hosts: self.metrics.presence.hosts(),
            threads: threads.collect(),
            state_folder: self.loadouts.state_home().to_owned(),
            store: self.measured().await,
        }
    }

    async fn measured(&self) -> Option<StoreSize> {
        let measured = self.loadouts.measured().await;
        measured
            .inspect_err(|error| tracing::warn!(%error, "the state folder can't be measured"))
            .ok()
    }
}
