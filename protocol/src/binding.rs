//! Bindings: which profile counts where nobody asks for another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::receipt::Receipt;
use crate::selection::{CapabilitySelection, ProfileNames};

/// What a binding is for, the narrowest first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum BindingScope {
    /// Threads that the host starts for a task, by a key that it chose.
    Task,
    /// Threads in a folder and in what lies in it.
    Project,
    /// Threads of a host, by its `clientInfo.name`.
    Host,
    /// All threads of this user.
    Default,
}

impl BindingScope {
    /// The word used for this scope on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Project => "project",
            Self::Host => "host",
            Self::Default => "default",
        }
    }
}

/// A profile that counts somewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityBinding {
    /// What it is for.
    pub scope: BindingScope,
    /// The task's key, the project's folder or the host's name; left out for `default`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// One profile, or several that are merged left to right.
    pub profile: ProfileNames,
}

/// Parameters of `capability/binding/write`: the binding; one of the same scope and key is replaced.
pub type CapabilityBindingWriteParams = CapabilityBinding;

/// Result of `capability/binding/write`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityBindingWriteResult {
    /// The binding as it counts from now on.
    pub binding: CapabilityBinding,
}

/// Parameters of `capability/binding/list`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityBindingListParams {
    /// Where the page starts: `nextCursor` of the one before.
    pub cursor: Option<String>,
    /// How many entries at most: 1 to 1000; left out: all of them.
    pub limit: Option<u32>,
}

/// Parameters of `capability/binding/delete`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapabilityBindingDeleteParams {
    /// What the binding is for.
    pub scope: BindingScope,
    /// The task's key, the project's folder or the host's name; left out for `default`.
    #[serde(default)]
    pub key: String,
}

/// Result of `capability/binding/delete` and `capability/profile/delete`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deleted {
    /// Always true: what is not there is an error.
    pub deleted: bool,
}

/// By what a thread's loadout is decided, the nearest to the thread first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Carrier {
    /// `capabilitySelection` of the request.
    Field,
    /// `config.capability_selection` of the request.
    Config,
    /// `--loadout`, or `-c capability_selection…`.
    LaunchLine,
    /// `CODEX_LOADOUT`.
    Environment,
    /// The binding of the task.
    Task,
    /// The binding of the folder.
    Project,
    /// The binding of the host.
    Host,
    /// The binding of the user.
    Default,
}

impl Carrier {
    /// The word used for it on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Field => "field",
            Self::Config => "config",
            Self::LaunchLine => "launchLine",
            Self::Environment => "environment",
            Self::Task => BindingScope::Task.as_str(),
            Self::Project => BindingScope::Project.as_str(),
            Self::Host => BindingScope::Host.as_str(),
            Self::Default => BindingScope::Default.as_str(),
        }
    }
}

impl From<BindingScope> for Carrier {
    fn from(scope: BindingScope) -> Self {
        match scope {
            BindingScope::Task => Self::Task,
            BindingScope::Project => Self::Project,
            BindingScope::Host => Self::Host,
            BindingScope::Default => Self::Default,
        }
    }
}

/// A selection that holds, or would, and by what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// By what.
    pub carrier: Carrier,
    /// Of a binding: the task's key, the project's folder or the host's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub key: String,
    /// What it says, before profiles are merged; `null`: no loadout.
    pub selection: Option<CapabilitySelection>,
}

impl Rule {
    /// One that no key belongs to: it is no binding.
    #[must_use]
    pub fn without_key(carrier: Carrier, selection: Option<CapabilitySelection>) -> Self {
        Self {
            carrier,
            key: String::new(),
            selection,
        }
    }

    /// For people: `project /work/shop`.
    #[must_use]
    pub fn title(&self) -> String {
        match self.key.as_str() {
            "" => self.carrier.as_str().to_owned(),
            key => format!("{} {key}", self.carrier.as_str()),
        }
    }
}

/// What decides for a thread, and what it beats.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What decided; `null`: nothing says anything, and the thread is native.
    pub rule: Option<Rule>,
    /// What would have decided without it, in this order.
    pub beaten: Vec<Rule>,
}

/// Parameters of `capability/resolve`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CapabilityResolveParams {
    /// What to resolve; left out: what a start in the folder would get without one.
    pub capability_selection: Option<CapabilitySelection>,
    /// The folder whose project skills, servers, profiles and binding count; default: the proxy's own.
    pub cwd: Option<String>,
    /// The host whose binding counts; default: the one that asks.
    pub host: Option<String>,
    /// The task whose binding counts.
    pub task: Option<String>,
}

/// Result of `capability/resolve`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CapabilityResolveResult {
    /// The receipt that a start would give; `null`: the thread would be native.
    pub capability_selection: Option<Receipt>,
    /// What decided, and what it beat.
    pub decision: Decision,
}
