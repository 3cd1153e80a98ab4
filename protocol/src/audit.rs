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
    /// New threads get another content of a bundle.
    BundleUpdate,
    /// A bundle was removed.
    BundleRemove,
    /// What a content of a bundle can run was approved, or no longer is.
    BundleTrust,
    /// A content of a bundle was found to be another than it was recorded with.
    BundleVerify,
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
    /// Of a refusal of ours: its kind.
    pub error: Option<ErrorKind>,
}

/// The largest page of the audit.
pub const MAX_LIMIT: u32 = 1000;

/// Parameters of `capability/audit/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityAuditListParams {
    /// Only what happened at this time or later, in Unix seconds.
    pub since: Option<i64>,
    /// Only what happened to this thread.
    pub thread_id: Option<String>,
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000, default 100.
    pub limit: Option<u32>,
}
