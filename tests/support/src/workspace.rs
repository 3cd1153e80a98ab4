//! Where things lie in this workspace, and the proxy's own binary.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The top of the repository.
pub(crate) fn root() -> PathBuf {
    let support = Path::new(env!("CARGO_MANIFEST_DIR"));
    support.ancestors().nth(2).unwrap_or(support).to_path_buf()
}

/// Cargo's target folder, where everything built or downloaded goes.
pub(crate) fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => root().join(folder),
        None => root().join("target"),
    }
}

/// Builds `codex-loadout` in the profile of the running example and returns its path.
///
/// Tests and benches have `env!("CARGO_BIN_EXE_codex-loadout")`; an example does not, and
/// `cargo run --example` does not build the binary.
///
/// # Errors
///
/// When the running program does not lie where Cargo puts examples, or the build fails.
pub fn proxy() -> Result<PathBuf> {
    let example = std::env::current_exe().context("where is this program?")?;
    let folder = example
        .parent()
        .and_then(Path::parent)
        .context("an example lies in target/<profile>/examples")?;
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args([
            "build",
            "--quiet",
            "--bin",
            "codex-loadout",
            "--profile",
            profile,
        ])
        .current_dir(root())
        .stdin(Stdio::null())
        .status()
        .context("cannot run cargo to build codex-loadout")?;
    ensure!(
        status.success(),
        "cargo could not build codex-loadout ({status})"
    );
    let binary = folder.join(format!("codex-loadout{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        binary.is_file(),
        "{} is missing after the build; is the example run from another target folder?",
        binary.display()
    );
    Ok(binary)
}
