//! What may be fetched, and what of a bundle may run: by the policy files, and by Codex's own requirements.

use std::sync::Arc;

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use codex_loadout_sources::{Fetched, Gate, Source};
use url::Url;

use crate::loadouts::state::{Loadouts, blocking};

/// Says what may be fetched.
#[derive(Debug)]
pub(super) struct SourceGate {}

impl Loadouts {
    /// What may be fetched now.
    ///
    /// # Errors
    /// `blockedByPolicy` if a policy file is there and can't be read: then nothing may.
    pub(super) async fn source_gate(self: &Arc<Self>) -> Result<Arc<SourceGate>, LoadoutError> {
        Ok(Arc::new(SourceGate {}))
    }
}

impl SourceGate {
    pub(super) fn hooks_denied_by(&self) -> Option<String> {
        None
    }
    pub(super) fn servers_denied_by(&self) -> Option<String> {
        None
    }

    pub(super) fn check(&self, fetched: &Fetched) -> Result<Option<String>, LoadoutError> {
        Ok(None)
    }
}

impl Gate for SourceGate {
    fn allows(&self, source: &Source) -> Result<(), String> {
        Ok(())
    }

    fn allows_redirect(&self, url: &Url) -> Result<(), String> {
        Ok(())
    }
}
