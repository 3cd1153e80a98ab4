//! `codex-loadout resolve`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::binding::{CapabilityResolveResult, Rule};
use codex_loadout_protocol::method::CAPABILITY_RESOLVE;
use codex_loadout_protocol::selection::FIELD;
use serde_json::json;

use super::ask::ask;
use super::options::{Folder, Output};
use super::print::pretty;
use super::receipt::receipt;
use super::selection_file::read_selection;

#[derive(Debug, Args)]
pub(super) struct Resolve {
    /// A file with the selection in JSON, or a profile in TOML; `-` reads JSON from stdin
    ///
    /// Without it, and without a profile: what a thread that is started in the folder would get, by
    /// `CODEX_LOADOUT` or a binding.
    #[arg(value_name = "SELECTION.json", conflicts_with = "profile")]
    pub(super) selection: Option<PathBuf>,
    /// A profile; several are merged left to right
    #[arg(long, short, value_name = "PROFILE")]
    pub(super) profile: Vec<String>,
    /// The host whose binding counts, as its `clientInfo.name`
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,
    /// The task whose binding counts
    #[arg(long, value_name = "KEY")]
    pub(super) task: Option<String>,
    #[command(flatten)]
    pub(super) folder: Folder,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn resolve(arguments: Resolve) -> Result<String> {
    let mut question = json!({ "host": arguments.host, "task": arguments.task });
    // Read before Codex is started for it, so that what is wrong is told at once.
    if let Some(file) = &arguments.selection {
        question[FIELD] = read_selection(file)?.1;
    } else if !arguments.profile.is_empty() {
        question[FIELD] = json!({ "profile": arguments.profile });
    }
    let answer = ask(arguments.folder, CAPABILITY_RESOLVE, question).await?;
    if arguments.output.json {
        return pretty(&answer);
    }
    let CapabilityResolveResult {
        capability_selection,
        decision,
    } = serde_json::from_value(answer)?;
    let mut text = match &capability_selection {
        Some(found) => receipt(found),
        None => "native: the thread has no loadout\n".to_owned(),
    };
    if let Some(rule) = &decision.rule {
        text.push_str(&format!("decided by: {}\n", told(rule)));
    }
    for rule in &decision.beaten {
        text.push_str(&format!("it beats: {}\n", told(rule)));
    }
    Ok(text)
}

/// A rule for people.
fn told(rule: &Rule) -> String {
    let profiles = rule.selection.iter().flat_map(|one| &one.profile.0);
    let profiles: Vec<&str> = profiles.map(String::as_str).collect();
    match (&rule.selection, profiles.as_slice()) {
        (None, _) => format!("{} (no loadout)", rule.title()),
        (Some(_), []) => rule.title(),
        (Some(_), names) => format!("{} (profile {})", rule.title(), names.join(", ")),
    }
}
