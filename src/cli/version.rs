//! `codex-loadout version`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use crate::connection::UpstreamCommand;

/// `version`.
#[derive(Debug, Args)]
pub(super) struct Version {
    /// The Codex to ask [default: $CODEX_LOADOUT_CODEX, then `codex` on PATH]
    #[arg(long, value_name = "PATH")]
    pub(super) codex: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn version(arguments: &Version) -> Result<String> {
    let own = env!("CARGO_PKG_VERSION");
    let command = UpstreamCommand::find(arguments.codex.clone())?;
    let (line, path) = (command.version_line()?, command.path.display());
    if arguments.json {
        let codex = serde_json::json!({ "version": line, "path": path.to_string() });
        let told = serde_json::json!({ "version": own, "codex": codex });
        return Ok(format!("{told:#}\n"));
    }
    Ok(format!("codex-loadout {own}\n{line} at {path}\n"))
}
