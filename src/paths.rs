//! What the environment says: the one place that reads it for folders.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use codex_loadout_protocol::{ErrorKind, LoadoutError};

/// Names the folder that holds the state.
pub(crate) const HOME_VARIABLE: &str = "CODEX_LOADOUT_HOME";

/// Names a loadout for all threads of a process that say none.
pub(crate) const LOADOUT_VARIABLE: &str = "CODEX_LOADOUT";
/// Names the task that a process is started for.
pub(crate) const TASK_VARIABLE: &str = "CODEX_LOADOUT_TASK";

/// What the environment says of the threads of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    /// A loadout: a profile, a file, or a selection in JSON.
    pub loadout: Option<String>,
    /// The key of a task.
    pub task: Option<String>,
}

/// Reads [`LOADOUT_VARIABLE`] and [`TASK_VARIABLE`].
#[must_use]
pub(crate) fn carried() -> Carried {
    let read = |name| variable(name).map(|value| value.to_string_lossy().into_owned());
    Carried {
        loadout: read(LOADOUT_VARIABLE),
        task: read(TASK_VARIABLE),
    }
}

/// The registry that npm is told of, where it is another than its own.
#[must_use]
pub(crate) fn npm_registry() -> Option<String> {
    let set = ["npm_config_registry", "NPM_CONFIG_REGISTRY"];
    let set = set.into_iter().find_map(variable)?;
    Some(set.to_string_lossy().into_owned())
}

fn no_home() -> LoadoutError {
    let message = "there is no home folder for the state";
    LoadoutError::new(ErrorKind::StateUnavailable, message)
        .with_hint(format!("Set {HOME_VARIABLE} to a folder."))
}

/// Where this program lay when it was first asked for: what is installed over it lies there, too.
#[must_use]
pub(crate) fn this_program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> =
        LazyLock::new(|| env::current_exe().unwrap_or_else(|_| PathBuf::from("codex-loadout")));
    &PROGRAM
}

/// `$CODEX_LOADOUT_HOME`, else `~/.codex-loadout`, as an absolute path: Codex keeps it.
///
/// # Errors
/// `stateUnavailable` if neither is known.
pub(crate) fn state_home() -> Result<PathBuf, LoadoutError> {
    let folder = variable(HOME_VARIABLE).or_else(|| Some(env::home_dir()?.join(".codex-loadout")));
    folder
        .and_then(|folder| std::path::absolute(folder).ok())
        .ok_or_else(no_home)
}

/// Where a plugin of Claude's may keep data of its own: in the state folder, since Codex's own folder
/// for that is the user's.
///
/// # Errors
/// As [`state_home`].
pub(crate) fn data_folder(plugin_id: &str) -> Result<PathBuf, LoadoutError> {
    Ok(state_home()?.join("data").join(folder_name(plugin_id)))
}

/// An id as the name of a folder: no two ids have the same.
fn folder_name(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for part in id.chars() {
        match part {
            'a'..='z' | '0'..='9' | '-' | '_' | '.' | '@' => name.push(part),
            // Some systems take capitals for small letters.
            _ => name.push_str(&format!("%{:x}.", u32::from(part))),
        }
    }
    name
}

/// `$CODEX_HOME`, else `~/.codex`, as Codex itself finds it.
#[must_use]
pub(crate) fn codex_home() -> PathBuf {
    variable("CODEX_HOME")
        .or_else(|| Some(env::home_dir()?.join(".codex")))
        .unwrap_or_else(|| PathBuf::from(".codex"))
}

fn variable(name: &str) -> Option<PathBuf> {
    env::var_os(name)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from)
}

/// The state folder is not this user's alone.
#[derive(Debug, thiserror::Error)]
pub enum NotPrivate {
    /// Whoever owns it decides what lies there.
    #[error("the state folder `{}` belongs to another user", .0.display())]
    Foreign(PathBuf),
    /// Others may read what lies there, secrets of plugins and servers among it, or write it.
    #[error("the state folder `{}` is open to other users (its mode is {mode:03o})", folder.display())]
    Open {
        /// The folder.
        folder: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl From<NotPrivate> for LoadoutError {
    fn from(error: NotPrivate) -> Self {
        let hint = match &error {
            NotPrivate::Foreign(_) => format!("Set {HOME_VARIABLE} to a folder of your own."),
            NotPrivate::Open { folder, .. } => format!(
                "Run `chmod 700 '{}'`, and see who could read or change what lies there.",
                folder.display()
            ),
        };
        Self::new(ErrorKind::StateUnavailable, error.to_string()).with_hint(hint)
    }
}

/// Whether a folder is this user's alone; one that is not there, or can't be looked at, is nobody's yet.
///
/// # Errors
/// [`NotPrivate`].
pub(crate) fn check_private(folder: &Path) -> Result<(), NotPrivate> {
    #[cfg(unix)]
    if let Ok(found) = std::fs::metadata(folder) {
        use std::os::unix::fs::MetadataExt;
        if found.uid() != rustix::process::geteuid().as_raw() {
            return Err(NotPrivate::Foreign(folder.to_owned()));
        }
        let mode = found.mode() & 0o777;
        if mode & 0o077 != 0 {
            let folder = folder.to_owned();
            return Err(NotPrivate::Open { folder, mode });
        }
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// Opens a file to write to its end; if it has to be made, only its owner can read it.
///
/// # Errors
/// What the system says if it can't be made or opened.
pub(crate) fn private_file(file: &Path) -> std::io::Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(file)
}

/// Makes a temporary folder that only its owner can enter.
///
/// # Errors
/// What the system says if it can't be made.
pub(crate) fn private_temporary_folder(
    prefix: &str,
    within: &Path,
) -> std::io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o700));
    }
    builder.tempdir_in(within)
}

/// Makes a folder that only its owner can enter; one that is there stays as it is.
///
/// # Errors
/// What the system says if it can't be made.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    // A look is quicker than to try.
    if folder.is_dir() {
        return Ok(());
    }
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_plugins_share_a_folder_for_their_data() {
        let ids = [
            "a-b@c", "a@b-c", "a/b@c", "A-b@c", "a%2f.b@c", "a.b@c", "a_b@c", "ä@c", "a@c/..",
        ];
        let mut names: Vec<String> = ids.map(folder_name).to_vec();
        assert_eq!(names[0], "a-b@c");
        assert!(names.iter().all(|name| !name.contains('/')));
        names.sort_by_key(|name| name.to_lowercase());
        names.dedup_by_key(|name| name.to_lowercase());
        assert_eq!(names.len(), ids.len());
    }
}
