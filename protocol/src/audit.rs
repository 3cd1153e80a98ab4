//! The audit: what happened to loadouts, in order.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ErrorKind;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum AuditEvent {
    /// A thread was started with a loadout.
    Start,
    /// A thread was resumed with its loadout.
    Resume,
    /// A thread was forked from one that has a loadout, or with a loadout.
    Fork,
    /// A thread with a loadout spawned this one.
    Spawn,
    /// A loaded thread was told anew, since something had changed underneath it.
    Rebind,
    /// A thread got another loadout, or went back to native.
    Update,
    /// A request was refused.
    Refusal,
    /// A snapshot had been changed or was gone, and was brought back from its source.
    Healed,
    /// A snapshot was changed and could not be brought back: the request was refused.
    Tampered,
    /// A thread's record was missing, and was made again through Codex's session file.
    Recovered,
    /// The user trusts a project, or no longer.
    Trust,
    /// A bundle was added.
    BundleAdd,
    /// A bundle has another version.
    BundleUpdate,
    /// A bundle was removed.
    BundleRemove,
    /// What a bundle can run was approved, or no longer is.
    BundleTrust,
    /// A bundle was held against its digest.
    BundleVerify,
}

impl AuditEvent {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Start,
        Self::Resume,
        Self::Fork,
        Self::Spawn,
        Self::Rebind,
        Self::Update,
        Self::Refusal,
        Self::Healed,
        Self::Tampered,
        Self::Recovered,
        Self::Trust,
        Self::BundleAdd,
        Self::BundleUpdate,
        Self::BundleRemove,
        Self::BundleTrust,
        Self::BundleVerify,
    ];

    /// The word used for it on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Resume => "resume",
            Self::Fork => "fork",
            Self::Spawn => "spawn",
            Self::Rebind => "rebind",
            Self::Update => "update",
            Self::Refusal => "refusal",
            Self::Healed => "healed",
            Self::Tampered => "tampered",
            Self::Recovered => "recovered",
            Self::Trust => "trust",
            Self::BundleAdd => "bundleAdd",
            Self::BundleUpdate => "bundleUpdate",
            Self::BundleRemove => "bundleRemove",
            Self::BundleTrust => "bundleTrust",
            Self::BundleVerify => "bundleVerify",
        }
    }
}

/// One entry of the audit. It holds names, paths and digests, and no value of anybody's config.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Names the entry; later ones sort behind it.
    pub id: String,
    /// When, in Unix seconds.
    pub at: i64,
    /// What happened.
    pub event: AuditEvent,
    /// The thread it happened to, where there is one.
    pub thread_id: Option<String>,
    /// The digest of the loadout in question; `null` where there is none.
    pub digest: Option<String>,
    /// Why, or by what.
    pub cause: String,
    /// Who asked for it: a host by its `clientInfo.name`, `cli`, or `control`; `null` where nobody did, and in
    /// entries of versions that did not write it down.
    pub actor: Option<String>,
    /// The plugins and bundles that it is about.
    pub plugins: Vec<String>,
    /// Of a refusal of ours: its kind.
    pub error: Option<ErrorKind>,
}

/// Who asked, where it is the command line.
pub const CLI: &str = "cli";
/// Who asked, where it is a client of the control door.
pub const CONTROL: &str = "control";

/// Parameters of `capability/audit/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityAuditListParams {
    /// Only what happened at this time or later, in Unix seconds.
    pub since: Option<i64>,
    /// Only what happened before this time, in Unix seconds.
    pub until: Option<i64>,
    /// Only what happened to this thread.
    pub thread_id: Option<String>,
    /// Only this.
    pub event: Option<AuditEvent>,
    /// Only what this host, `cli` or `control` has asked for.
    pub actor: Option<String>,
    /// Only what is about this plugin or bundle: its id, or its name alone.
    pub plugin: Option<String>,
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000, default 100.
    pub limit: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_wire() {
        for event in AuditEvent::ALL {
            assert_eq!(serde_json::json!(event), event.as_str());
        }
    }
}
