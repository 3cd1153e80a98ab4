//! What the environment says: the one place that reads it for folders.

use std::env;
use std::path::{Path, PathBuf};

/// Names the folder that holds the state.
pub const HOME_VARIABLE: &str = "CODEX_LOADOUT_HOME";

/// There is no home folder to put the state in.
#[derive(Debug, thiserror::Error)]
#[error("there is no home folder for the state\nhint: set {HOME_VARIABLE} to a folder")]
pub struct NoHome;

/// `$CODEX_LOADOUT_HOME`, else `~/.codex-loadout`, as an absolute path: Codex keeps it.
///
/// # Errors
/// [`NoHome`] if neither is known.
pub fn state_home() -> Result<PathBuf, NoHome> {
    let folder = variable(HOME_VARIABLE).or_else(|| Some(env::home_dir()?.join(".codex-loadout")));
    folder
        .and_then(|folder| std::path::absolute(folder).ok())
        .ok_or(NoHome)
}

/// Where a plugin of Claude's may keep data of its own: in the state folder, since Codex's own folder
/// for that is the user's.
///
/// # Errors
/// As [`state_home`].
pub fn data_folder(plugin_id: &str) -> Result<PathBuf, NoHome> {
    let name = plugin_id.replace(['@', '/'], "-");
    Ok(state_home()?.join("data").join(name))
}

/// `$CODEX_HOME`, else `~/.codex`, as Codex itself finds it.
#[must_use]
pub fn codex_home() -> PathBuf {
    variable("CODEX_HOME")
        .or_else(|| Some(env::home_dir()?.join(".codex")))
        .unwrap_or_else(|| PathBuf::from(".codex"))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// Makes a folder that only its owner can enter; one that is there stays as it is.
///
/// # Errors
/// What the system says if it can't be made.
pub fn private_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}
