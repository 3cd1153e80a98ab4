//! `loadout.lock`: where the bundles of a project come from, to the byte, so that another machine has the same.
//!
//! In reading order: [`LoadoutLock`] says what a lock holds, `read` and `write` are its text, `difference` is what
//! `--frozen` looks at, and `foreign` reads the lock files of the `skills` CLI and of APM.
//!
//! *Architecture invariant:* text in, values out; no file is read here.

mod difference;
mod error;
mod foreign;
mod places;
mod read;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use codex_loadout_bundle::Digest;

use crate::{Origin, Source};

pub use difference::LockDifference;
pub use error::LockError;
pub use foreign::{FOREIGN_LOCKS, ForeignEntry, ForeignLock, LeftOut, read_foreign};
pub(crate) use places::is_commit;

/// The name of the file.
pub const LOCK_FILE: &str = "loadout.lock";

/// The version of the text that is written and read.
const VERSION: i64 = 1;

/// What a project's profiles need.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadoutLock {
    /// By name.
    pub bundles: BTreeMap<String, LockedBundle>,
}

/// A bundle, pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockedBundle {
    /// What was asked for. Its paths are absolute, as everywhere.
    pub origin: Origin,
    /// Whether folders and files are written relative to the lock's folder: what lies in the project is there on
    /// another machine, too.
    pub relative: bool,
    /// Where the files came from in the end, if that is another place: what a marketplace leads to, or the version of
    /// a package that a range chose.
    pub resolved: Option<Source>,
    /// The commit of the repository that the files came from.
    pub commit: Option<String>,
    /// The digest of the bundle.
    pub digest: Digest,
    /// What it can execute, a line each: `hook Stop: notify.sh`, `server github: npx …`, `script scripts/x.sh`.
    pub executes: BTreeSet<String>,
}

impl LoadoutLock {
    /// Takes over what another lock says: its entries replace those of the same name, the others stay.
    pub fn merge(&mut self, newer: Self) {
        self.bundles.extend(newer.bundles);
    }
}

#[cfg(test)]
mod tests;
