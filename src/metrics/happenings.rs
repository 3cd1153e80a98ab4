//! How often what happened.

use codex_loadout_protocol::ErrorKind;
use codex_loadout_protocol::audit::AuditEvent;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;

use super::Label;

/// What has happened to threads since this process was started. Clones count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct HappeningCounts {
    pub(super) events: Family<Label, Counter>,
    pub(super) refusals: Family<Label, Counter>,
}

impl HappeningCounts {
    /// Something happened to a thread, or a request was refused.
    pub(crate) fn happened(&self, event: AuditEvent, error: Option<ErrorKind>) {
        match error {
            Some(kind) => self.refused(kind),
            None => {
                let event = [("event", event.as_str())];
                self.events.get_or_create(&event).inc();
            }
        }
    }

    /// A request was refused.
    pub(crate) fn refused(&self, kind: ErrorKind) {
        let kind = [("kind", kind.as_str())];
        self.refusals.get_or_create(&kind).inc();
    }
}
