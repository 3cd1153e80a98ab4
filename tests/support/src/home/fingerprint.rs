//! A digest of every file that is the user's own.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{CONFIG, MARKET, PROJECT};

/// Codex unpacks its own skills here, at its first start.
const SYSTEM_SKILLS: &str = ".codex/skills/.system";

/// Every file of the user's: path, and what it is, with a digest of its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(BTreeMap<String, String>);

impl Fingerprint {
    /// Of the skills, the plugins, the marketplace, the project and config.toml of a home.
    pub(super) fn of(home: &Path) -> Result<Self> {
        let mut files = BTreeMap::new();
        for top in [
            ".agents",
            ".codex/skills",
            ".codex/plugins",
            CONFIG,
            MARKET,
            PROJECT,
        ] {
            add(home, top, &mut files)?;
        }
        Ok(Self(files))
    }

    /// What was added, removed or changed since `before`, a line each.
    #[must_use]
    pub fn changes_since(&self, before: &Self) -> Vec<String> {
        let added = self
            .0
            .keys()
            .filter(|path| !before.0.contains_key(*path))
            .map(|path| format!("added {path}"));
        let gone = before
            .0
            .keys()
            .filter(|path| !self.0.contains_key(*path))
            .map(|path| format!("removed {path}"));
        let changed = self
            .0
            .iter()
            .filter(|(path, state)| before.0.get(*path).is_some_and(|old| old != *state));
        added
            .chain(gone)
            .chain(changed.map(|(path, _)| format!("changed {path}")))
            .collect()
    }
}

fn add(home: &Path, path: &str, files: &mut BTreeMap<String, String>) -> Result<()> {
    if path == SYSTEM_SKILLS {
        return Ok(());
    }
    let full = home.join(path);
    let metadata = match fs::symlink_metadata(&full) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata.with_context(|| format!("cannot look at {}", full.display()))?,
    };
    let state = if metadata.is_symlink() {
        format!("link to {}", fs::read_link(&full)?.display())
    } else if metadata.is_dir() {
        for entry in fs::read_dir(&full)? {
            let name = entry?.file_name();
            add(home, &format!("{path}/{}", name.to_string_lossy()), files)?;
        }
        "folder".to_owned()
    } else {
        hex_digest(&fs::read(&full)?)
    };
    files.insert(
        path.to_owned(),
        format!("{state} {}", permissions(&metadata)),
    );
    Ok(())
}

#[cfg(unix)]
fn permissions(metadata: &fs::Metadata) -> String {
    use std::os::unix::fs::PermissionsExt;
    format!("{:o}", metadata.permissions().mode())
}

#[cfg(not(unix))]
fn permissions(metadata: &fs::Metadata) -> String {
    format!("readonly={}", metadata.permissions().readonly())
}

pub(super) fn hex_digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}
