//! A record as a value.

use std::path::PathBuf;

use codex_loadout_protocol::{CapabilitySelection, Receipt};
use serde::{Deserialize, Serialize};

use crate::resolver::{Plan, Scope};

/// A loadout as it was given to a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadoutRecord {
    /// The thread's root, by id. Forks and children share that of the thread they came out of.
    pub root: Option<String>,
    /// What the host asked for.
    pub selection: CapabilitySelection,
    /// What that came to.
    pub plan: Plan,
    /// What the host was told.
    pub receipt: Receipt,
    /// The `CODEX_HOME` it was made for.
    pub codex_home: PathBuf,
    /// The thread's folder.
    pub cwd: PathBuf,
    /// When, in Unix seconds.
    pub recorded_at: i64,
}

impl LoadoutRecord {
    /// Whether a skill may be in the list that the model reads.
    ///
    /// A `restrict` that leaves plugins as they are also leaves those that are installed later.
    #[must_use]
    pub fn may_show(&self, skill: &str) -> bool {
        let open = self.plan.host_plugins == Scope::All && skill.contains(':');
        open || self.receipt.skill_names().any(|name| name == skill)
    }
}

/// How a thread came by its loadout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Lineage {
    /// Its host asked for it.
    Started,
    /// It was forked from a thread that has it.
    Forked,
    /// A thread that has it spawned it.
    Spawned,
    /// Found again through Codex's session file.
    Recovered,
}

/// A thread and its loadout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ThreadRecord {
    /// Codex's id of the thread.
    pub thread_id: String,
    /// How it came by its loadout.
    pub lineage: Lineage,
    /// The thread it was forked from or spawned by.
    pub inherited_from: Option<String>,
    /// Its loadout.
    pub loadout: LoadoutRecord,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::resolver::{receipt, resolve};

    /// An empty loadout, recorded at this time.
    pub(crate) fn loadout(recorded_at: i64) -> LoadoutRecord {
        let selection = CapabilitySelection::default();
        let plan = resolve(&selection, &Catalog::default()).unwrap();
        LoadoutRecord {
            root: Some("root".to_owned()),
            receipt: receipt(&plan, &Catalog::default()),
            selection,
            plan,
            codex_home: PathBuf::from("/home/.codex"),
            cwd: PathBuf::from("/project"),
            recorded_at,
        }
    }
}
