//! The methods of our own: their names, parameters and results.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::bundle::{
    CAPABILITY_BUNDLE_ADD, CAPABILITY_BUNDLE_LIST, CAPABILITY_BUNDLE_READ,
    CAPABILITY_BUNDLE_REMOVE, CAPABILITY_BUNDLE_TRUST, CAPABILITY_BUNDLE_UPDATE,
    CAPABILITY_BUNDLE_VERIFY,
};
use crate::receipt::Receipt;
use crate::seen::Seen;
use crate::selection::CapabilitySelection;

/// Everything that could be selected.
pub const CAPABILITY_LIST: &str = "capability/list";
/// The receipt that a start would give, without starting.
pub const CAPABILITY_RESOLVE: &str = "capability/resolve";
/// The receipt in force for a thread.
pub const THREAD_CAPABILITY_READ: &str = "thread/capability/read";
/// What the model would really see, captured by a model endpoint of the proxy's own.
pub const THREAD_CAPABILITY_PROVE: &str = "thread/capability/prove";
/// A new loadout for a thread that lives.
pub const THREAD_CAPABILITY_UPDATE: &str = "thread/capability/update";
/// Which threads have what.
pub const THREAD_CAPABILITY_LIST: &str = "thread/capability/list";
/// What happened to loadouts, the oldest first.
pub const CAPABILITY_AUDIT_LIST: &str = "capability/audit/list";

/// The profiles that there are.
pub const CAPABILITY_PROFILE_LIST: &str = "capability/profile/list";
/// One profile, and what it comes to.
pub const CAPABILITY_PROFILE_READ: &str = "capability/profile/read";
/// Makes or replaces a profile of the user's.
pub const CAPABILITY_PROFILE_WRITE: &str = "capability/profile/write";
/// Removes a profile of the user's.
pub const CAPABILITY_PROFILE_DELETE: &str = "capability/profile/delete";
/// Which profile counts where.
pub const CAPABILITY_BINDING_LIST: &str = "capability/binding/list";
/// Says which profile counts for a task, a folder, a host, or this user.
pub const CAPABILITY_BINDING_WRITE: &str = "capability/binding/write";
/// Takes that back.
pub const CAPABILITY_BINDING_DELETE: &str = "capability/binding/delete";

/// Every method the proxy answers itself.
pub const METHODS: [&str; 21] = [
    CAPABILITY_LIST,
    CAPABILITY_RESOLVE,
    THREAD_CAPABILITY_READ,
    THREAD_CAPABILITY_PROVE,
    THREAD_CAPABILITY_UPDATE,
    THREAD_CAPABILITY_LIST,
    CAPABILITY_AUDIT_LIST,
    CAPABILITY_PROFILE_LIST,
    CAPABILITY_PROFILE_READ,
    CAPABILITY_PROFILE_WRITE,
    CAPABILITY_PROFILE_DELETE,
    CAPABILITY_BINDING_LIST,
    CAPABILITY_BINDING_WRITE,
    CAPABILITY_BINDING_DELETE,
    CAPABILITY_BUNDLE_ADD,
    CAPABILITY_BUNDLE_LIST,
    CAPABILITY_BUNDLE_READ,
    CAPABILITY_BUNDLE_UPDATE,
    CAPABILITY_BUNDLE_REMOVE,
    CAPABILITY_BUNDLE_VERIFY,
    CAPABILITY_BUNDLE_TRUST,
];

/// Notification: a thread was bound to its loadout anew, or to another one.
pub const THREAD_CAPABILITY_UPDATED: &str = "thread/capability/updated";

/// Notification: what could be selected has changed, by whatever process: a profile, a binding, a bundle. It has no
/// members.
pub const CAPABILITY_CHANGED: &str = "capability/changed";

/// Parameters of `capability/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityListParams {
    /// The folder whose project skills and servers count; default: the proxy's own.
    pub cwd: Option<String>,
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000; left out: all of them.
    pub limit: Option<u32>,
}

/// The largest page of a list.
pub const MAX_LIMIT: u32 = 1000;

/// A page of a list, in the shape of Codex's own lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The entries.
    pub data: Vec<T>,
    /// Where the next page starts; `null` at the end.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The only page there is.
    #[must_use]
    pub fn whole(data: Vec<T>) -> Self {
        Self {
            data,
            next_cursor: None,
        }
    }
}

/// What kind of thing can be selected.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum CapabilityKind {
    /// A plugin, by `name@marketplace`.
    Plugin,
    /// A skill, by its logical name.
    Skill,
    /// An MCP server, by its name.
    McpServer,
    /// An agent (Codex: role), by its name.
    Agent,
    /// A hook, by its event: told of in proofs, and selected with its plugin.
    Hook,
    /// A tool of Codex's own, which no loadout gives or takes: told of in proofs.
    Tool,
}

/// One thing that could be selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Capability {
    /// What to write in a selection.
    pub id: String,
    /// Which list of a selection it belongs in.
    pub kind: CapabilityKind,
    /// Where it comes from: a Codex scope, `config`, or a plugin id.
    pub source: String,
    /// Whether a thread without a selection gets it.
    pub enabled: bool,
    /// The version, where its source has one.
    pub version: Option<String>,
    /// What it is for, in its author's words.
    pub description: Option<String>,
}

/// Parameters of `thread/capability/read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThreadCapabilityReadParams {
    /// The thread.
    pub thread_id: String,
}

/// Result of `thread/capability/read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCapabilityReadResult {
    /// The receipt in force; `null` for a thread without a loadout.
    pub capability_selection: Option<Receipt>,
    /// Whether something changed underneath that the thread awaits a re-bind for.
    pub stale: bool,
    /// At the control door: whether the Codex behind it has the thread loaded. A host knows that itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// Of a loadout that was made from profiles: whether one says something else now, or is gone. That counts for
    /// threads that are started from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_changed: Option<bool>,
    /// Of a loadout with bundles that were added here: whether new threads get another content of one, or it is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update_available: Option<bool>,
}

/// Parameters of `thread/capability/prove`: a thread, or a selection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThreadCapabilityProveParams {
    /// The thread whose loadout is proven.
    #[serde(default)]
    pub thread_id: Option<String>,
    /// The selection that is proven, where no thread is named.
    #[serde(default)]
    pub capability_selection: Option<CapabilitySelection>,
    /// The folder whose project skills and servers count; default: the thread's, or the proxy's own.
    #[serde(default)]
    pub cwd: Option<String>,
}

/// How what the model saw differs from the receipt.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// What kind of thing.
    pub kind: CapabilityKind,
    /// Its name; of a tool: `server.tool`.
    pub name: String,
    /// What is the matter with it.
    pub problem: Problem,
}

/// What is the matter with a difference.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Problem {
    /// The receipt has it, and the model did not see it.
    Missing,
    /// The model saw it, and the receipt does not have it.
    Unexpected,
}

/// Result of `thread/capability/prove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCapabilityProof {
    /// The receipt that is proven.
    pub capability_selection: Receipt,
    /// What arrived at the model.
    pub seen: Seen,
    /// Events whose hooks ran.
    pub hooks: Vec<String>,
    /// About how many tokens skills and MCP tools take: a quarter of their characters.
    pub estimated_tokens: usize,
    /// Every difference; empty if the receipt holds.
    pub differences: Vec<Difference>,
}

/// Parameters of `thread/capability/update`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ThreadCapabilityUpdateParams {
    /// The thread.
    pub thread_id: String,
    /// What it is to get from now on; `null`: back to native.
    pub capability_selection: Option<CapabilitySelection>,
}

/// Result of `thread/capability/update`, and parameters of `thread/capability/updated` but for the thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCapabilityUpdateResult {
    /// The receipt in force; `null` for a thread that went back to native.
    pub capability_selection: Option<Receipt>,
}

/// Parameters of the notification `thread/capability/updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadCapabilityUpdated {
    /// The thread.
    pub thread_id: String,
    /// The receipt in force; `null` for a thread that went back to native.
    pub capability_selection: Option<Receipt>,
}

/// Parameters of `thread/capability/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ThreadCapabilityListParams {
    /// Only threads whose loadout was made from this profile.
    pub profile: Option<String>,
    /// Only threads whose loadout holds this plugin.
    pub plugin: Option<String>,
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000; left out: all of them.
    pub limit: Option<u32>,
}

/// One thread of `thread/capability/list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ThreadLoadout {
    /// The thread.
    pub thread_id: String,
    /// Its folder when the loadout was recorded.
    pub cwd: String,
    /// When the loadout was recorded, in Unix seconds.
    pub recorded_at: i64,
    /// What it holds.
    pub capability_selection: Receipt,
    /// At the control door: whether the Codex behind it has it loaded with that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loaded: Option<bool>,
    /// At the control door, of one that is loaded: whether something changed underneath that it awaits a re-bind for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<bool>,
}
