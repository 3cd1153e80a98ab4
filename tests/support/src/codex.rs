//! The pinned Codex, installed from npm once.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The version that tests use unless they are about versions.
pub const DEFAULT_VERSION: &str = "0.169.0";

/// Every version with a lock file in `tests/codex`, oldest first.
pub const VERSIONS: [&str; 5] = ["0.144.1", "0.150.1", "0.157.1", "0.163.0", DEFAULT_VERSION];

/// The executable of one Codex version, installed on first use under `target/codex/<version>`.
///
/// Several test processes may ask at once: one installs, the others wait.
///
/// # Errors
///
/// When the version is not pinned, or npm is missing or fails.
pub fn codex(version: &str) -> Result<PathBuf> {
    let pins = workspace::root().join("tests/codex").join(version);
    let pinned = fs::read(pins.join("package-lock.json")).with_context(|| {
        format!("Codex {version} is not pinned: tests/codex/{version}/package-lock.json is missing (there are {VERSIONS:?})")
    })?;
    let installs = workspace::target().join("codex");
    let folder = installs.join(version);
    fs::create_dir_all(&folder)?;
    let lock = File::create(installs.join(format!("{version}.lock")))?;
    lock.lock().context("cannot lock target/codex")?;
    // The lock file that npm finished with, written last: an interrupted install has none.
    let finished = folder.join("installed-lock.json");
    if fs::read(&finished).is_ok_and(|installed| installed == pinned)
        && let Ok(executable) = native_executable(&folder)
    {
        return Ok(executable);
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(pins.join(file), folder.join(file))
            .with_context(|| format!("cannot copy {file} of Codex {version}"))?;
    }
    npm_ci(version, &folder)?;
    let executable = native_executable(&folder)?;
    fs::write(finished, pinned)?;
    Ok(executable)
}

#[expect(
    clippy::print_stderr,
    reason = "a first run that downloads for a minute must say so"
)]
fn npm_ci(version: &str, folder: &Path) -> Result<()> {
    eprintln!(
        "installing Codex {version} from npm into {}, about 400 MB once …",
        folder.display()
    );
    let npm = if cfg!(windows) { "npm.cmd" } else { "npm" };
    let output = Command::new(npm)
        .args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context(
            "cannot run npm: install Node.js 20 or newer, which brings it (https://nodejs.org)",
        )?;
    if !output.status.success() {
        bail!(
            "npm ci of Codex {version} in {} failed ({}):\n{}",
            folder.display(),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
    }
    eprintln!("installed Codex {version}");
    Ok(())
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
