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
                let event = [("event", word(event))];
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

fn word(event: AuditEvent) -> &'static str {
    match event {
        AuditEvent::Start => "start",
        AuditEvent::Resume => "resume",
        AuditEvent::Fork => "fork",
        AuditEvent::Spawn => "spawn",
        AuditEvent::Rebind => "rebind",
        AuditEvent::Update => "update",
        AuditEvent::Refusal => "refusal",
        AuditEvent::Healed => "healed",
        AuditEvent::Tampered => "tampered",
        AuditEvent::Recovered => "recovered",
        AuditEvent::Trust => "trust",
        AuditEvent::BundleAdd => "bundle_add",
        AuditEvent::BundleUpdate => "bundle_update",
        AuditEvent::BundleRemove => "bundle_remove",
        AuditEvent::BundleTrust => "bundle_trust",
        AuditEvent::BundleVerify => "bundle_verify",
    }
}
