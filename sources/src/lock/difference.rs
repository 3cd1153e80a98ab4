//! Where what there is differs from a lock.

use std::collections::BTreeSet;
use std::fmt;

use codex_loadout_bundle::Digest;

use super::{LoadoutLock, LockedBundle};

/// One thing that `--frozen` doesn't let pass. Its text is a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockDifference {
    /// It is in the lock only.
    Missing {
        /// The bundle.
        name: String,
    },
    /// It is not in the lock.
    Additional {
        /// The bundle.
        name: String,
    },
    /// Its content is another.
    Digest {
        /// The bundle.
        name: String,
        /// The lock's.
        locked: Digest,
        /// Of what there is.
        have: Digest,
    },
    /// The content is the same, but of another commit.
    Commit {
        /// The bundle.
        name: String,
        /// The lock's.
        locked: Option<String>,
        /// Of what there is.
        have: Option<String>,
    },
    /// The content is the same, but of another place.
    Source {
        /// The bundle.
        name: String,
    },
    /// The content is the same, but the lock tells its readers something else about what it executes.
    Executes {
        /// The bundle.
        name: String,
        /// What it executes and the lock does not tell.
        untold: BTreeSet<String>,
        /// What the lock tells and it does not execute.
        made_up: BTreeSet<String>,
    },
}

impl LockDifference {
    /// Which bundle.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Missing { name }
            | Self::Additional { name }
            | Self::Digest { name, .. }
            | Self::Commit { name, .. }
            | Self::Source { name }
            | Self::Executes { name, .. } => name,
        }
    }
}

impl LoadoutLock {
    /// What differs from this lock where `have` is what there is, by name.
    #[must_use]
    pub fn differences(&self, have: &Self) -> Vec<LockDifference> {
        let names: BTreeSet<&String> = self.bundles.keys().chain(have.bundles.keys()).collect();
        let mut differences = Vec::new();
        for name in names {
            match (self.bundles.get(name), have.bundles.get(name)) {
                (Some(locked), Some(have)) => between(name, locked, have, &mut differences),
                (Some(_), None) => differences.push(LockDifference::Missing { name: name.clone() }),
                (None, _) => differences.push(LockDifference::Additional { name: name.clone() }),
            }
        }
        differences
    }
}

fn between(
    name: &str,
    locked: &LockedBundle,
    have: &LockedBundle,
    differences: &mut Vec<LockDifference>,
) {
    let name = name.to_owned();
    if locked.digest != have.digest {
        differences.push(LockDifference::Digest {
            name,
            locked: locked.digest,
            have: have.digest,
        });
        return;
    }
    if locked.origin != have.origin || locked.resolved != have.resolved {
        differences.push(LockDifference::Source { name: name.clone() });
    }
    if locked.commit != have.commit {
        differences.push(LockDifference::Commit {
            name: name.clone(),
            locked: locked.commit.clone(),
            have: have.commit.clone(),
        });
    }
    if locked.executes != have.executes {
        let beyond = |one: &BTreeSet<String>, other| one.difference(other).cloned().collect();
        differences.push(LockDifference::Executes {
            name,
            untold: beyond(&have.executes, &locked.executes),
            made_up: beyond(&locked.executes, &have.executes),
        });
    }
}

impl fmt::Display for LockDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let commit =
            |commit: &Option<String>| commit.clone().unwrap_or_else(|| "no commit".to_owned());
        match self {
            Self::Missing { name } => write!(f, "`{name}` is in the lock, but not here."),
            Self::Additional { name } => write!(f, "`{name}` is here, but not in the lock."),
            Self::Digest { name, locked, have } => {
                write!(
                    f,
                    "`{name}` has other content: {have} here, {locked} in the lock."
                )
            }
            Self::Commit { name, locked, have } => write!(
                f,
                "`{name}` is of another commit: {} here, {} in the lock.",
                commit(have),
                commit(locked)
            ),
            Self::Source { name } => {
                write!(
                    f,
                    "`{name}` is here from another place than the lock names."
                )
            }
            Self::Executes {
                name,
                untold,
                made_up,
            } => {
                write!(f, "`{name}` executes something else than the lock says")?;
                let listed = |lines: &BTreeSet<String>| {
                    lines.iter().cloned().collect::<Vec<_>>().join("`, `")
                };
                if !untold.is_empty() {
                    write!(f, "; not in the lock: `{}`", listed(untold))?;
                }
                if !made_up.is_empty() {
                    write!(f, "; only in the lock: `{}`", listed(made_up))?;
                }
                f.write_str(".")
            }
        }
    }
}
