//! What happens to loadouts, written down.
//!
//! What comes with a record is written in the record's transaction: no loadout
//! without its entry, and where neither can be written the request is refused.
//! Everything else (a refusal, a re-bind, a healed snapshot) is decided whether or
//! not it can be written down: a failure is logged, and the thread is as narrow as
//! it was decided to be. It waits no longer than the database does (5 s).

use std::path::PathBuf;

use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::{AuditEntry, AuditEvent, CapabilityAuditListParams};
use codex_loadout_protocol::method::Page;

use super::state::Loadouts;
use crate::records::Happening;

impl Loadouts {
    /// Writes down what happened, as far as that can be done.
    pub(crate) async fn note(&self, happening: Happening) {
        happening.count(&self.happenings);
        let noted = async {
            let records = self.records().await?;
            Ok::<(), LoadoutError>(records.note(&happening).await?)
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, ?happening, "not in the audit");
        }
    }

    /// Writes down that snapshots were brought back from their sources, of a thread or for a new one.
    pub(crate) async fn note_healed(&self, thread: Option<&str>, sources: &[PathBuf]) {
        for source in sources {
            let cause = format!("the snapshot of `{}`", source.display());
            let happening = Happening::new(AuditEvent::Healed, cause);
            self.note(match thread {
                Some(thread) => happening.to_thread(thread),
                None => happening,
            })
            .await;
        }
    }

    /// The newest entry of the audit.
    ///
    /// # Errors
    /// `loadoutLost` if it can't be read.
    pub(crate) async fn newest_audit_id(&self) -> Result<Option<String>, LoadoutError> {
        match self.watched_records().await? {
            Some(records) => Ok(records.newest_audit_id().await?),
            None => Ok(None),
        }
    }

    /// A page of the audit, the oldest first.
    ///
    /// # Errors
    /// `loadoutLost` if it can't be read.
    pub(crate) async fn audit(
        &self,
        wanted: &CapabilityAuditListParams,
    ) -> Result<Page<AuditEntry>, LoadoutError> {
        match self.watched_records().await? {
            Some(records) => Ok(records.audit(wanted).await?),
            None => Ok(Page::whole(Vec::new())),
        }
    }
}
