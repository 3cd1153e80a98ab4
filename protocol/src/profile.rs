//! Profiles: selections with a name.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::selection::{CapabilitySelection, ProfileNames};

/// Members of a profile that a selection does not have.
pub const DESCRIPTION: &str = "description";
/// Names of profiles that it begins with, merged left to right.
pub const EXTENDS: &str = "extends";

/// Whose a profile is. Of several with one name, the first of these counts.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum ProfileLayer {
    /// The administrator's of this machine.
    Admin,
    /// A project's own.
    Project,
    /// The user's.
    User,
}

impl ProfileLayer {
    /// The word used for this layer on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Project => "project",
            Self::User => "user",
        }
    }
}

/// One profile of `capability/profile/list`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProfileEntry {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub layer: ProfileLayer,
    /// Its file.
    pub path: String,
    /// Whether it counts under its name: another's of the same name may come first, and its project may not be
    /// trusted.
    pub active: bool,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// The profiles it begins with.
    pub extends: Vec<String>,
    /// Why it can't be used.
    pub error: Option<String>,
}

/// Parameters of `capability/profile/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityProfileListParams {
    /// The folder whose project's profiles count; default: the proxy's own.
    pub cwd: Option<String>,
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000; left out: all of them.
    pub limit: Option<u32>,
}

/// Parameters of `capability/profile/read`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityProfileReadParams {
    /// The profile's name.
    pub name: String,
    /// The folder whose project's profiles count; default: the proxy's own.
    #[serde(default)]
    pub cwd: Option<String>,
}

/// A profile as it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// Whose it is.
    pub layer: ProfileLayer,
    /// Its file.
    pub path: String,
    /// What it is for, in its author's words.
    pub description: Option<String>,
    /// The profiles it begins with.
    pub extends: Vec<String>,
    /// Its text, in TOML.
    pub text: String,
    /// What it comes to, with all that it begins with.
    pub selection: CapabilitySelection,
}

/// Result of `capability/profile/read` and `capability/profile/write`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityProfileResult {
    /// The profile.
    pub profile: Profile,
}

/// Parameters of `capability/profile/write`: the user's profile of this name is made or replaced.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityProfileWriteParams {
    /// The profile's name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: Option<String>,
    /// The profiles it begins with.
    #[serde(default)]
    pub extends: ProfileNames,
    /// What it selects itself.
    #[serde(default)]
    pub selection: Option<CapabilitySelection>,
    /// The whole of it as TOML, in the place of the three before.
    #[serde(default)]
    pub text: Option<String>,
}

/// Parameters of `capability/profile/delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityProfileDeleteParams {
    /// The name of a profile of the user's.
    pub name: String,
}
