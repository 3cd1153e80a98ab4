//! One file for each kind of component.

pub(crate) mod agents;
pub(crate) mod commands;
mod description;
mod header;
pub(crate) mod hooks;
#[cfg(test)]
mod on_codex;
pub(crate) mod others;
pub(crate) mod servers;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod skills;

use std::collections::BTreeSet;

use codex_loadout_bundle::TreeFile;

use crate::report::Account;

/// A component whose text was converted.
#[derive(Debug)]
pub(crate) struct Converted {
    /// What became of it.
    pub(crate) account: Account,
    /// Its files in the bundle, its own text first.
    pub(crate) files: Vec<(String, TreeFile)>,
    /// Files of the plugin (source paths) that it has the model read.
    pub(crate) reads: BTreeSet<String>,
}
