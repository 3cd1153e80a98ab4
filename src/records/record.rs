//! A record as a value.

use std::path::PathBuf;

use codex_loadout_protocol::binding::{Carrier, Rule};
use codex_loadout_protocol::{CapabilitySelection, Receipt};
use serde::{Deserialize, Serialize};

use crate::resolver::Plan;
use crate::shared::Shared;

/// A loadout as it was given to a thread.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LoadoutRecord {
    /// The thread's root, by id. Forks and children share that of the thread they came out of.
    pub root: Option<String>,
    /// What was asked for, with the profiles that it names in it.
    pub selection: Shared<CapabilitySelection>,
    /// By what it was asked for, and how it was said there. `None`: by the field, in a version that knew no other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<Rule>,
    /// What that came to.
    pub plan: Shared<Plan>,
    /// What the host was told.
    pub receipt: Shared<Receipt>,
    /// The developer's instructions that the host gave its thread.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_instructions: Option<String>,
    /// Whether the thread's history may show another list of skills than the loadout's: the loadout became
    /// another, or was recorded by a version that left the list to Codex.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub list_is_due: bool,
    /// The `CODEX_HOME` it was made for.
    pub codex_home: PathBuf,
    /// The thread's folder.
    pub cwd: PathBuf,
    /// When, in Unix seconds.
    pub recorded_at: i64,
}

impl LoadoutRecord {
    /// What the audit says of a request that brought it: by which profiles, and by what they were named.
    #[must_use]
    pub fn cause(&self, method: &str) -> String {
        let mut cause = method.to_owned();
        if !self.receipt.profile.is_empty() {
            let names = self.receipt.profile.join(", ");
            cause = format!("{cause}, profile {names}");
        }
        match &self.rule {
            Some(rule) if rule.carrier != Carrier::Field => {
                format!("{cause}, by {}", rule.title())
            }
            _ => cause,
        }
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

impl Lineage {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Forked => "forked",
            Self::Spawned => "spawned",
            Self::Recovered => "recovered",
        }
    }
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
            receipt: receipt(&plan, &Catalog::default()).into(),
            selection: selection.into(),
            rule: None,
            plan: plan.into(),
            host_instructions: None,
            list_is_due: false,
            codex_home: PathBuf::from("/home/.codex"),
            cwd: PathBuf::from("/project"),
            recorded_at,
        }
    }
}
