//! Bundles that are added here, beside what Codex has installed: `capability/bundle/*`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Adds a bundle.
pub const CAPABILITY_BUNDLE_ADD: &str = "capability/bundle/add";
/// The bundles that there are.
pub const CAPABILITY_BUNDLE_LIST: &str = "capability/bundle/list";
/// One bundle with all that is known of it.
pub const CAPABILITY_BUNDLE_READ: &str = "capability/bundle/read";
/// Fetches bundles anew, and says what that changes.
pub const CAPABILITY_BUNDLE_UPDATE: &str = "capability/bundle/update";
/// Removes a bundle.
pub const CAPABILITY_BUNDLE_REMOVE: &str = "capability/bundle/remove";
/// Reads what is kept of bundles again, and compares.
pub const CAPABILITY_BUNDLE_VERIFY: &str = "capability/bundle/verify";
/// Approves what a content can run, or takes that back.
pub const CAPABILITY_BUNDLE_TRUST: &str = "capability/bundle/trust";

/// What stands behind the `@` in the id of a bundle that was added here.
pub const BUNDLE: &str = "bundle";

/// The id of a bundle: what a selection names it by.
#[must_use]
pub fn bundle_id(name: &str) -> String {
    format!("{name}@{BUNDLE}")
}

/// The name of the bundle with this id.
#[must_use]
pub fn bundle_name(id: &str) -> Option<&str> {
    let (name, of) = id.rsplit_once('@')?;
    (of == BUNDLE).then_some(name)
}

/// What kind of thing can run.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ExecutableKind {
    /// A hook: Codex runs its command at an event.
    Hook,
    /// An MCP server: Codex starts its command, or talks to its address.
    McpServer,
    /// A script: the model may run it, where a skill tells it to.
    Script,
}

/// One thing of a bundle that can run.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub struct Executable {
    /// What kind of thing it is.
    pub kind: ExecutableKind,
    /// Its name: of a hook its event, of a script its path.
    pub name: String,
    /// The command or address, without values of its environment and without headers; of a script, who names it.
    pub detail: String,
    /// The file that it is, or that declares it.
    pub path: String,
}

/// Whether a bundle stays tied to its folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum BundleLink {
    /// New threads get what the folder holds at that moment.
    Link,
    /// So do idle threads, at once.
    Live,
}

/// What was fetched of a bundle at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BundleVersion {
    /// Its author's word for the version.
    pub version: Option<String>,
    /// `sha256:…` of its content.
    pub digest: String,
    /// Where it came from, to the letter: `{"kind": "folder" | "git" | "archive" | "npm", …}`, with a commit, a
    /// version or a checksum where there is one.
    pub resolved: Map<String, Value>,
    /// The commit of a git repository.
    pub commit: Option<String>,
    /// Names of its skills.
    pub skills: Vec<String>,
    /// Names of its agents.
    pub agents: Vec<String>,
    /// What of it can run, sorted.
    pub executes: Vec<Executable>,
    /// What became of each part when it was made into something that Codex can be given; `null` where that was
    /// nothing, since it is made for Codex.
    #[serde(default)]
    pub report: Option<Value>,
    /// Who signed it, where a policy asks for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
    /// When it was fetched, in Unix seconds.
    pub at: i64,
}

/// A bundle that was added here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Bundle {
    /// What a selection names it by: `name@bundle`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Where it comes from, as it was asked for: `{"source": {"kind": …}, "plugin": …}`.
    pub origin: Map<String, Value>,
    /// Whether it stays tied to its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<BundleLink>,
    /// Whether what it can run is approved; also where there is nothing to approve.
    pub approved: bool,
    /// What an approval is given for: the digest of its content; of a linked bundle one of its folder's path, whatever
    /// lies there.
    pub approval_digest: String,
    /// What new threads get.
    pub current: BundleVersion,
}

/// Parameters of `capability/bundle/add`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityBundleAddParams {
    /// A folder, a git URL, a `.tar.gz` or `.zip` (a file, or `https://…`), or `npm:PACKAGE`.
    pub source: String,
    /// A branch, a tag or a commit of a git repository.
    #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The folder in the repository or archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// The plugin of the marketplace that lies there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// What to call it; default: as its author does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What an archive's SHA-256 has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Whether it stays tied to its folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<BundleLink>,
    /// Approves what it can run.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub trust: bool,
}

/// Result of `capability/bundle/add` and `capability/bundle/read`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBundleResult {
    /// The bundle.
    pub bundle: Bundle,
    /// Of a bundle whose content was approved once and is another now: what can run now and could not then.
    #[serde(default)]
    pub executes_since: Vec<Executable>,
    /// Earlier versions that are still kept, the newest first.
    #[serde(default)]
    pub earlier: Vec<BundleVersion>,
    /// What its user should know.
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Parameters of `capability/bundle/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityBundleListParams {
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000, default 100.
    pub limit: Option<u32>,
}

/// Parameters of `capability/bundle/read` and `capability/bundle/remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityBundleNameParams {
    /// The bundle's name or id.
    pub name: String,
}

/// Parameters of `capability/bundle/update`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityBundleUpdateParams {
    /// The bundle's name or id; without one, all bundles.
    pub name: Option<String>,
    /// Another branch, tag or commit than it was added with.
    #[serde(rename = "ref")]
    pub reference: Option<String>,
    /// Says what would change, and changes nothing.
    pub dry_run: bool,
    /// Only to the content with this digest: what an earlier call with `dryRun` has shown.
    pub expected: Option<String>,
    /// Approves what the new content can run.
    pub trust: bool,
}

/// What an update changes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct BundleChanges {
    /// Files that are new.
    pub files_added: Vec<String>,
    /// Files that are gone.
    pub files_removed: Vec<String>,
    /// Files of another content.
    pub files_changed: Vec<String>,
    /// Skills that are new.
    pub skills_added: Vec<String>,
    /// Skills that are gone.
    pub skills_removed: Vec<String>,
    /// What can run now and could not before.
    pub executes_added: Vec<Executable>,
    /// What runs otherwise: another command, another content.
    pub executes_changed: Vec<Executable>,
    /// What could run and can't any more.
    pub executes_removed: Vec<Executable>,
}

/// What became of one bundle.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BundleUpdate {
    /// Its name.
    pub name: String,
    /// The digest that new threads got before.
    pub from: String,
    /// The digest of what was fetched; the same where nothing changed.
    pub to: String,
    /// What is different.
    pub changes: BundleChanges,
    /// Whether new threads get it from now on.
    pub applied: bool,
    /// Whether what it can run is approved.
    pub approved: bool,
    /// What its user should know.
    pub warnings: Vec<String>,
}

/// Result of `capability/bundle/update`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBundleUpdateResult {
    /// Each bundle that was looked at, by name.
    pub data: Vec<BundleUpdate>,
}

/// Parameters of `capability/bundle/verify`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityBundleVerifyParams {
    /// The bundle's name or id; without one, all bundles.
    pub name: Option<String>,
}

/// What a content is found to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BundleVerdict {
    /// The bundle's name.
    pub name: String,
    /// The digest that the content was recorded with.
    pub digest: String,
    /// Whether it still has it.
    pub intact: bool,
    /// What is wrong with it.
    pub problem: Option<String>,
}

/// Result of `capability/bundle/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBundleVerifyResult {
    /// Each content that is kept, by name.
    pub data: Vec<BundleVerdict>,
}

/// Parameters of `capability/bundle/trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityBundleTrustParams {
    /// `sha256:…` of the content, as `capability/bundle/read` tells it.
    pub digest: String,
    /// Takes the approval back.
    #[serde(default)]
    pub revoke: bool,
}

/// Result of `capability/bundle/trust`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBundleTrustResult {
    /// The bundle that has, or had, this content.
    pub name: String,
    /// Whether it may run what it has.
    pub approved: bool,
    /// What that is.
    pub executes: Vec<Executable>,
}

/// Result of `capability/bundle/remove`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBundleRemoveResult {
    /// The bundle that is gone.
    pub name: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_the_name_in_it() {
        assert_eq!(bundle_name(&bundle_id("tools")), Some("tools"));
        assert_eq!(bundle_name("tools@internal"), None);
        assert_eq!(bundle_name("tools"), None);
    }
}
