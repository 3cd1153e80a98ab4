//! The words of a selection: how what is named relates to what the user, an administrator and the host have.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the named capabilities relate to the user's own set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The thread gets what is named and nothing else.
    #[default]
    Replace,
    /// The user's own set, each given list cut down to what it names.
    Restrict,
    /// The user's own set, plus what is named.
    Extend,
}

impl Mode {
    /// The word used for this mode on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Restrict => "restrict",
            Self::Extend => "extend",
        }
    }
}

/// What becomes of hooks and MCP servers of a bundle that the user has not approved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum UntrustedPolicy {
    /// The request fails with `untrusted`.
    #[default]
    Error,
    /// They are left out, with a warning.
    Omit,
}

/// What becomes of what an administrator's layer of config forces on every thread.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ManagedPolicy {
    /// The request fails with `policyConflict`.
    #[default]
    Refuse,
    /// The thread has it, and the receipt lists it.
    Include,
}

/// What becomes of MCP servers that the host defines in the request's own `config`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum HostServers {
    /// They are the thread's own: they run, and the receipt lists them.
    #[default]
    Keep,
    /// They are taken out of the request.
    Drop,
}
