//! Placeholder, until the real one is merged.

use codex_loadout_bundle::TreeFile;
use serde_json::Value;

use crate::context::Context;
use crate::report::Account;

/// Hooks of a plugin, converted.
#[derive(Debug, Default)]
pub(crate) struct ConvertedHooks {
    /// What the file of hooks says.
    pub(crate) file: Option<Value>,
    /// Files to add.
    pub(crate) files: Vec<(String, TreeFile)>,
    /// One for each hook.
    pub(crate) accounts: Vec<Account>,
}

pub(crate) fn convert(_context: &Context<'_>) -> ConvertedHooks {
    ConvertedHooks::default()
}
