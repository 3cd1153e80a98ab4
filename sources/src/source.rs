//! Where a bundle comes from.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize, Serializer};

use crate::address;

/// A place that files can be fetched from, as it is recorded and as a lock names it.
///
/// An archive's address may need a query to be fetched, and a query may hold a token. So the query is there in memory
/// only: what is written of a source, shown of it or printed for debugging has none ([`Source::recorded`]).
/// No other part of a source may hold a secret: an address with a password is no source.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
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
        #[serde(serialize_with = "without_query")]
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
        /// The registry's address; the one that the fetching is told of without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        registry: Option<String>,
    },
}

impl Source {
    /// The source as it may be written down: an archive's address without its query.
    #[must_use]
    pub fn recorded(&self) -> Self {
        let mut source = self.clone();
        if let Self::Archive { location, .. } = &mut source {
            *location = address::without_query(location);
        }
        source
    }

    /// Whether [`Self::recorded`] is less than the source: it can't be fetched from what is recorded.
    #[must_use]
    pub fn has_query(&self) -> bool {
        self != &self.recorded()
    }
}

fn without_query<S: Serializer>(location: &str, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&address::without_query(location))
}

/// For people: the address, then what is taken there. No secrets, and nothing that a terminal obeys.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (address, path, more) = match self {
            Self::Folder { path } => (path.to_string_lossy().into_owned(), None, None),
            Self::Git {
                url,
                reference,
                path,
            } => (address::shown(url), path.as_ref(), reference.as_ref()),
            Self::Archive { location, path, .. } => (address::shown(location), path.as_ref(), None),
            Self::Npm {
                package,
                version,
                registry,
            } => {
                write!(f, "npm:{}", address::escaped(package))?;
                if let Some(version) = version {
                    write!(f, "@{}", address::escaped(version))?;
                }
                return match registry {
                    Some(registry) => write!(f, " of {}", address::shown(registry)),
                    None => Ok(()),
                };
            }
        };
        f.write_str(&address::escaped(&address))?;
        if let Some(reference) = more {
            write!(f, " at {}", address::escaped(reference))?;
        }
        match path {
            Some(path) => write!(f, ", folder {}", address::escaped(path)),
            None => Ok(()),
        }
    }
}

/// As it is shown, with its kind in front.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Folder { .. } => "Folder",
            Self::Git { .. } => "Git",
            Self::Archive { .. } => "Archive",
            Self::Npm { .. } => "Npm",
        };
        write!(f, "{kind}({self})")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_neither_shown_nor_recorded() {
        let source = Source::Archive {
            location: "https://h/x.zip?token=hidden#part".to_owned(),
            path: Some("a".to_owned()),
            sha256: None,
        };
        assert_eq!(source.to_string(), "https://h/x.zip?…, folder a");
        let json = serde_json::to_string(&source).unwrap();
        for text in [format!("{source:?}"), json.clone()] {
            assert!(!text.contains("hidden"), "{text}");
        }
        let read: Source = serde_json::from_str(&json).unwrap();
        assert_eq!(read, source.recorded());
        assert!(source.has_query() && !read.has_query());
    }

    #[test]
    fn what_is_shown_is_no_command_to_a_terminal() {
        let source = Source::Npm {
            package: "a\u{1b}[2J".to_owned(),
            version: None,
            registry: Some("https://user:hidden@h/\n".to_owned()),
        };
        let shown = source.to_string();
        assert!(!shown.contains(char::is_control), "{shown}");
        assert!(!shown.contains("hidden"), "{shown}");
    }
}
