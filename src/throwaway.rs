//! A user that is there for a check alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// What its model provider and its folder are called.
const NAME: &str = "codex-loadout-throwaway";

/// A throwaway home whose model is an endpoint of ours, with room for any list of skills.
#[derive(Debug)]
pub(crate) struct ThrowawayHome {
    folder: TempDir,
}

impl ThrowawayHome {
    pub(crate) fn new(model: &str) -> io::Result<Self> {
        let home = Self {
            folder: TempDir::with_prefix(NAME)?,
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
