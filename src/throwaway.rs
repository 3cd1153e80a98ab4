//! A user that is there for a check alone.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use codex_loadout_files::open_regular;
use tempfile::TempDir;

use crate::paths::{private_file, private_temporary_folder};

/// What its model provider and its folder are called.
const NAME: &str = "codex-loadout-throwaway";
/// Locked as long as somebody uses the home, however he ends.
const IN_USE: &str = "in-use.lock";

/// A temporary folder of its user alone that goes with him; if he is killed, whoever cleans up next takes it away.
#[derive(Debug)]
pub(crate) struct ThrowawayFolder {
    folder: TempDir,
    _in_use: File,
}

impl ThrowawayFolder {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = private_temporary_folder(NAME, &std::env::temp_dir())?;
        let in_use = private_file(&folder.path().join(IN_USE))?;
        in_use.lock()?;
        Ok(Self {
            folder,
            _in_use: in_use,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}

/// A throwaway home whose model is an endpoint of ours, with room for any list of skills.
#[derive(Debug)]
pub(crate) struct ThrowawayHome {
    folder: ThrowawayFolder,
}

impl ThrowawayHome {
    pub(crate) fn new(model: &str) -> io::Result<Self> {
        let home = Self {
            folder: ThrowawayFolder::new()?,
        };
        fs::create_dir_all(home.codex_home())?;
        fs::create_dir_all(home.project())?;
        let config = format!(
            "model = \"none\"\nmodel_context_window = 10000000\nmodel_provider = \"{NAME}\"\napproval_policy = \"never\"\nsandbox_mode = \"read-only\"\n\
             check_for_update_on_startup = false\n\n[model_providers.{NAME}]\nname = \"{NAME}\"\nbase_url = \"{model}\"\n\
             wire_api = \"responses\"\nrequires_openai_auth = false\nsupports_websockets = false\n\n[analytics]\nenabled = false\n"
        );
        fs::write(home.codex_home().join("config.toml"), config)?;
        Ok(home)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn codex_home(&self) -> PathBuf {
        self.path().join(".codex")
    }

    pub(crate) fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    /// A folder with a link to this one, for what is to be found below a capability root.
    pub(crate) fn root_of(&self, name: &str, folder: &Path) -> io::Result<PathBuf> {
        let root = self.path().join("roots").join(name);
        fs::create_dir_all(&root)?;
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.canonicalize()?, root.join(name))?;
        #[cfg(not(unix))]
        return Err(io::Error::new(
            io::ErrorKind::Unsupported,
            folder.display().to_string(),
        ));
        Ok(root)
    }

    pub(crate) fn add_skill(&self, name: &str) -> io::Result<()> {
        let folder = self.path().join(".agents/skills").join(name);
        fs::create_dir_all(&folder)?;
        let text = format!("---\nname: {name}\ndescription: The skill {name}.\n---\n\nNothing.\n");
        fs::write(folder.join("SKILL.md"), text)
    }
}

/// The throwaway homes in a folder whose users have ended without removing them.
pub(crate) fn left_behind(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let is_left = |path: &PathBuf| {
        let is_home = path
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(NAME));
        // Only a home has such a file, and only its user can open it.
        is_home
            && path.symlink_metadata().is_ok_and(|found| found.is_dir())
            && open_regular(&path.join(IN_USE)).is_ok_and(|lock| lock.try_lock().is_ok())
    };
    let mut left: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_left).collect();
    left.sort();
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_whose_user_was_killed_is_left_behind() {
        let mine = |homes: Vec<PathBuf>, home: &Path| homes.contains(&home.to_owned());
        let home = ThrowawayFolder::new().unwrap();
        let path = home.path().to_owned();
        let folder = path.parent().unwrap();
        assert!(!mine(left_behind(folder), &path), "it is used");
        let ThrowawayFolder {
            folder: kept,
            _in_use,
        } = home;
        drop(_in_use);
        assert!(mine(left_behind(folder), &path));
        fs::remove_file(path.join(IN_USE)).unwrap();
        assert!(!mine(left_behind(folder), &path), "it may be anybody's");
        drop(kept);
    }
}
