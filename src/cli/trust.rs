//! `codex-loadout trust`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use serde_json::json;

use super::options::Output;
use super::print::pretty;
use crate::loadouts::Loadouts;

#[derive(Debug, Subcommand)]
pub(super) enum TrustVerb {
    /// Let the profiles in a project's `.codex-loadout` count
    Project(TrustProject),
}

#[derive(Debug, Args)]
pub(super) struct TrustProject {
    /// The folder that holds `.codex-loadout`
    #[arg(value_name = "DIR")]
    pub(super) folder: PathBuf,
    /// Let them count no longer
    #[arg(long)]
    pub(super) remove: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn trust(verb: TrustVerb) -> Result<String> {
    let TrustVerb::Project(arguments) = verb;
    let trusts = !arguments.remove;
    let loadouts = Loadouts::of_this_user()?;
    let project = loadouts.trust_project(&arguments.folder, trusts).await?;
    let project = project.display().to_string();
    if arguments.output.json {
        return pretty(&json!({ "project": project, "trusted": trusts }));
    }
    let verb = if trusts { "count" } else { "do not count" };
    Ok(format!("the profiles of `{project}` {verb}\n"))
}
