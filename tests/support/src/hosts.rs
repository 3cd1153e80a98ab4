//! Public hosts from npm and PyPI, pinned in `tests/hosts`, installed once under `target/hosts`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// One installer at a time: tests run side by side.
static INSTALLING: Mutex<()> = Mutex::new(());

/// The folder of the hosts from npm, with the scripts that run them (`ai-sdk.mjs`, …).
///
/// # Errors
///
/// When npm is missing or fails.
pub fn npm_hosts() -> Result<PathBuf> {
    install("", "package-lock.json", &mut npm_ci())
}

/// The folder of npm's `happy`, 100 MB, with the script that runs it. What its own interface takes is left out: its
/// client of Codex does without.
///
/// # Errors
///
/// When npm is missing or fails.
pub fn happy() -> Result<PathBuf> {
    install("happy", "package-lock.json", &mut npm_ci())
}

fn npm_ci() -> Command {
    let mut npm = Command::new("npm");
    // Their own copies of Codex are not wanted.
    npm.args(["ci", "--omit=optional", "--ignore-scripts"]);
    npm.args(["--no-audit", "--no-fund"]);
    npm
}

/// The folder of the hosts from PyPI, whose packages lie in `python` beside the scripts; `None` where there is no Python.
///
/// # Errors
///
/// When pip fails.
pub fn python_hosts() -> Result<Option<PathBuf>> {
    let mut python = Command::new("python3");
    let pip = python.args(["-m", "pip", "--version"]).output();
    if !pip.is_ok_and(|output| output.status.success()) {
        return Ok(None);
    }
    let mut pip = Command::new("python3");
    // They would bring their own copy of Codex.
    pip.args(["-m", "pip", "install", "--quiet", "--no-deps"]);
    pip.args(["--target", "python", "-r", "requirements.txt"]);
    install("", "requirements.txt", &mut pip).map(Some)
}

/// Runs an installer unless it has run already for the same pins.
fn install(below: &str, pins: &str, installer: &mut Command) -> Result<PathBuf> {
    let _one = INSTALLING.lock().unwrap_or_else(PoisonError::into_inner);
    let folder = workspace::target().join("hosts").join(below);
    copy(&workspace::root().join("tests/hosts").join(below), &folder)?;
    let mark = folder.join(format!(".{pins}.installed"));
    let wanted = fs::read_to_string(folder.join(pins))?;
    if fs::read_to_string(&mark).is_ok_and(|found| found == wanted) {
        return Ok(folder);
    }
    let output = installer
        .current_dir(&folder)
        .output()
        .with_context(|| format!("{installer:?} can't be run"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{installer:?}: {said}");
    fs::write(mark, wanted)?;
    Ok(folder)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
