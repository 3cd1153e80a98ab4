//! Why a plugin can't be read at all.

use crate::report::{Kind, Location};

/// A plugin can't be read at all: there is nothing to report on.
///
/// What can be read but not used is a failure in the report instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConversionError {
    /// A file that says what the plugin consists of is not JSON.
    #[error("`{}` is not valid JSON (line {}, column {column}): {message}", location.file, location.line)]
    Json {
        /// Where it breaks.
        location: Location,
        /// From 1.
        column: usize,
        /// What the JSON reader says.
        message: String,
    },
    /// Such a file is JSON, but not what it has to be.
    #[error("`{}` (line {}): {message}", location.file, location.line)]
    Shape {
        /// Where.
        location: Location,
        /// One sentence.
        message: String,
    },
    /// Such a file is not text.
    #[error("`{}` is not UTF-8 (line {})", location.file, location.line)]
    Encoding {
        /// The first line that is not.
        location: Location,
    },
    /// The folder holds nothing that could be converted.
    #[error("`{folder}` holds no plugin: no manifest, no skill, no command, no agent")]
    NoPlugin {
        /// Its name.
        folder: String,
    },
    /// The converter forgot a component, or made one up: a fault of its own.
    #[error("the {} `{name}` ({location}) is {problem}", kind.as_str())]
    Unaccounted {
        /// What it is.
        kind: Kind,
        /// Its name.
        name: String,
        /// Where it is declared.
        location: Location,
        /// `in no account of the report`, or `in the report but not in the plugin`.
        problem: &'static str,
    },
}

impl ConversionError {
    /// Where it is, if it is at one place.
    #[must_use]
    pub fn location(&self) -> Option<&Location> {
        match self {
            Self::Json { location, .. }
            | Self::Shape { location, .. }
            | Self::Encoding { location }
            | Self::Unaccounted { location, .. } => Some(location),
            Self::NoPlugin { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Json { .. } => {
                "mend the file; JSON has no comments and no comma before a closing bracket"
            }
            Self::Shape { .. } => "mend the file, or leave the key out",
            Self::Encoding { .. } => "save the file as UTF-8",
            Self::NoPlugin { .. } => {
                "name the folder that holds `.claude-plugin/plugin.json`, `skills`, `commands` or `agents`, or a folder of skills"
            }
            Self::Unaccounted { .. } => {
                "this is a fault of codex-loadout: please report it with the plugin's address"
            }
        }
    }
}
