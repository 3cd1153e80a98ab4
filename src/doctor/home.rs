//! A user that is there for the checks alone.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// The skill that the checks choose.
pub(super) const CHOSEN: &str = "chosen";
/// One that they don't.
const OTHER: &str = "other";

/// A throwaway home with two skills, whose model is an endpoint of ours.
#[derive(Debug)]
pub(super) struct ThrowawayHome {
    folder: TempDir,
}

impl ThrowawayHome {
    pub(super) fn new(model: &str) -> io::Result<Self> {
        let home = Self {
            folder: TempDir::with_prefix("codex-loadout-doctor-")?,
        };
        fs::create_dir_all(home.codex_home())?;
        fs::create_dir_all(home.project())?;
        let provider = "codex-loadout-doctor";
        let config = format!(
            "model = \"doctor\"\nmodel_provider = \"{provider}\"\napproval_policy = \"never\"\nsandbox_mode = \"read-only\"\n\
             check_for_update_on_startup = false\n\n[model_providers.{provider}]\nname = \"{provider}\"\nbase_url = \"{model}\"\n\
             wire_api = \"responses\"\nrequires_openai_auth = false\nsupports_websockets = false\n\n[analytics]\nenabled = false\n"
        );
        fs::write(home.codex_home().join("config.toml"), config)?;
        home.add_skill(CHOSEN)?;
        home.add_skill(OTHER)?;
        Ok(home)
    }

    pub(super) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn codex_home(&self) -> PathBuf {
        self.path().join(".codex")
    }

    pub(super) fn project(&self) -> PathBuf {
        self.path().join("project")
    }

    pub(super) fn add_skill(&self, name: &str) -> io::Result<()> {
        let folder = self.path().join(".agents/skills").join(name);
        fs::create_dir_all(&folder)?;
        let text = format!("---\nname: {name}\ndescription: The skill {name}.\n---\n\nNothing.\n");
        fs::write(folder.join("SKILL.md"), text)
    }
}
