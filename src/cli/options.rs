//! Options that verbs share.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::{ErrorKind, LoadoutError};

#[derive(Debug, Args)]
pub(super) struct Folder {
    /// The folder whose project skills and servers count [default: this one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,
    /// The Codex to ask [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct Output {
    /// Print JSON for programs
    #[arg(long)]
    pub(super) json: bool,
}

/// A folder that is there, by its one real path.
pub(super) fn resolved(cwd: &Path) -> Result<PathBuf> {
    cwd.canonicalize().map_err(|error| {
        let message = format!("`{}` is no folder: {error}", cwd.display());
        LoadoutError::new(ErrorKind::InvalidSelection, message)
            .with_hint("Name a folder that is there with `--cwd`.")
            .into()
    })
}
