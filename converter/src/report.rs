//! What became of each component of a plugin.

use std::fmt;

use codex_loadout_bundle::Digest;
use serde::{Serialize, Serializer};

mod code;
mod display;

pub use code::Code;

/// What became of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The plugin's name.
    pub plugin: String,
    /// Its version, as declared.
    pub version: Option<String>,
    /// Digest of the tree it was made from.
    pub source_digest: Digest,
    /// Digest of the bundle's tree; `None` if a check failed.
    pub digest: Option<Digest>,
    /// How many components there are, by what became of them.
    pub summary: Summary,
    /// One for each component, sorted by kind, name and place.
    pub components: Vec<Account>,
    /// What concerns the plugin as a whole, and texts that belong to no component.
    pub warnings: Vec<Finding>,
    /// Why the plugin can't be used; empty: it can.
    pub failures: Vec<Finding>,
}

/// How many components there are, by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Nothing is lost.
    pub converted: usize,
    /// It works, but not all of it was carried over.
    pub lossy: usize,
    /// It is not in the bundle.
    pub dropped: usize,
}

/// What became of one component.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What it is.
    pub kind: Kind,
    /// Its name without the plugin's.
    pub name: String,
    /// Where it is declared.
    pub source: Location,
    /// What became of it.
    pub outcome: Outcome,
    /// Its name in the bundle, as it is called there; `None` if it was dropped.
    pub target: Option<String>,
    /// Its file in the bundle; `None` if it was dropped.
    pub path: Option<String>,
    /// Why it was dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What was lost or changed, and where.
    pub warnings: Vec<Finding>,
}

/// What became of a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Nothing is lost.
    Converted,
    /// It works, but not all of it was carried over: its warnings say what.
    Lossy,
    /// It is not in the bundle: its reason says why.
    Dropped,
}

/// The kinds of components.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A `SKILL.md`.
    Skill,
    /// A command.
    Command,
    /// An agent.
    Agent,
    /// One handler of a hook.
    Hook,
    /// An MCP server.
    McpServer,
    /// Anything else, by what Claude calls it.
    Other(&'static str),
}

impl Kind {
    /// The word for it in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skill => "skill",
            Self::Command => "command",
            Self::Agent => "agent",
            Self::Hook => "hook",
            Self::McpServer => "mcpServer",
            Self::Other(name) => name,
        }
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Location {
    /// Relative to the plugin's root.
    pub file: String,
    /// From 1.
    pub line: usize,
}

impl Location {
    /// A place in a file.
    pub fn new(file: impl Into<String>, line: usize) -> Self {
        Self {
            file: file.into(),
            line,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// Something a reader of the report should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What kind of thing.
    pub code: Code,
    /// One sentence. Never a value of an environment variable or header.
    pub message: String,
    /// Where.
    #[serde(flatten)]
    pub location: Location,
}

impl Finding {
    /// Something at a place.
    pub fn new(code: Code, location: Location, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            location,
        }
    }
}
