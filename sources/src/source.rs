//! Where a bundle comes from.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// A place that files can be fetched from, as it is recorded and as a lock names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(
    tag = "kind",
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Source {
    /// A folder of this machine.
    Folder {
        /// Absolute.
        path: PathBuf,
    },
    /// A git repository, or a folder of it.
    Git {
        /// What `git clone` takes: `https://…`, `ssh://…`, `user@host:path`, `file://…`.
        url: String,
        /// A branch, a tag or a commit; without one, the branch that the repository names.
        #[serde(rename = "ref", default, skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// The folder of the repository, relative, `/` between the parts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
    },
    /// A `.tar.gz`, `.tgz` or `.zip`, or a folder of it.
    Archive {
        /// `https://…`, or the absolute path of a file.
        location: String,
        /// The folder in the archive, relative, `/` between the parts.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        path: Option<String>,
        /// What the archive file's SHA-256 has to be, 64 hex digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sha256: Option<String>,
    },
    /// A package of an npm registry.
    Npm {
        /// Its name, with its scope if it has one.
        package: String,
        /// A version, a range or a tag; `latest` without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The registry's address; npm's own without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        registry: Option<String>,
    },
}

/// What somebody asked for: a place, and which plugin of the marketplace that lies there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Origin {
    /// The place.
    pub source: Source,
    /// The plugin's name in the marketplace file there; without one, the place itself is the bundle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
}
