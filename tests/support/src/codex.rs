//! The pinned Codex, installed from npm once.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::npm::Pinned;

/// The version that tests use unless they are about versions.
pub const DEFAULT_VERSION: &str = "0.169.0";

/// Every version with a lock file in `tests/codex`, oldest first.
pub const VERSIONS: [&str; 5] = ["0.144.1", "0.150.1", "0.157.1", "0.163.0", DEFAULT_VERSION];

/// The executable of one Codex version, installed on first use under `target/codex/<version>`.
///
/// # Errors
///
/// When the version is not pinned, or npm is missing or fails.
pub fn codex(version: &str) -> Result<PathBuf> {
    Pinned {
        name: "codex",
        version,
        size: "400 MB",
        executable: native_executable,
    }
    .install()
    .with_context(|| format!("there are {VERSIONS:?}"))
}

/// The native program inside the one platform package that npm chose.
///
/// Not `.bin/codex`, a Node launcher around it: that one takes some 70 ms and 44 MB more, and a
/// `kill -9` of it would orphan Codex instead of killing it. Arguments, output and exit codes are
/// the same; the launcher only adds `CODEX_MANAGED_*` variables, for update hints.
fn native_executable(folder: &Path) -> Result<PathBuf> {
    let scope = folder.join("node_modules/@openai");
    for package in entries(&scope) {
        for triple in entries(&package.join("vendor")) {
            let executable = triple
                .join("bin")
                .join(format!("codex{}", std::env::consts::EXE_SUFFIX));
            if executable.is_file() {
                return executable
                    .canonicalize()
                    .context("cannot resolve the path of Codex");
            }
        }
    }
    bail!(
        "npm put no Codex program for {} on {} into {}: is that platform in tests/codex's lock file?",
        std::env::consts::OS,
        std::env::consts::ARCH,
        scope.display()
    )
}

/// What lies in a folder; nothing when there is no such folder.
fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
}
