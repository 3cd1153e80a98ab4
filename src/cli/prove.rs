//! `codex-loadout prove`.

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::CapabilitySelection;
use codex_loadout_protocol::binding::{Carrier, Rule};
use codex_loadout_protocol::method::{Problem, ThreadCapabilityProof};

use super::options::{Folder, Output, resolved};
use super::print::{columns, pretty};
use super::selection_file::read_selection;
use crate::connection::UpstreamCommand;
use crate::loadouts::Loadouts;
use crate::proof::{self, Subject};

#[derive(Debug, Args)]
pub(super) struct Prove {
    /// A thread's id, or a file with a selection in JSON or a profile in TOML; `-` reads JSON from stdin
    #[arg(
        value_name = "THREAD | SELECTION.json",
        required_unless_present = "profile",
        conflicts_with = "profile"
    )]
    pub(super) subject: Option<String>,
    /// A profile; several are merged left to right
    #[arg(long, short, value_name = "PROFILE")]
    pub(super) profile: Vec<String>,
    #[command(flatten)]
    pub(super) folder: Folder,
    #[command(flatten)]
    pub(super) output: Output,
}

/// The proof for people or programs, and whether it holds.
pub(super) async fn prove(arguments: Prove) -> Result<(String, bool)> {
    let cwd = arguments.folder.cwd.as_deref().map(resolved).transpose()?;
    let loadouts = Loadouts::of_this_user()?;
    let file = arguments.subject.as_deref().map(PathBuf::from);
    let is_file = |file: &PathBuf| file.as_os_str() == "-" || file.is_file();
    let selection = match (&file, arguments.subject) {
        (Some(file), _) if is_file(file) => Ok(read_selection(file)?.0),
        (_, Some(thread)) => Err(thread),
        (_, None) => Ok(CapabilitySelection::of_profiles(arguments.profile)),
    };
    let subject = match selection {
        Err(thread) => Subject::Thread(thread, cwd),
        Ok(selection) => {
            let cwd = cwd.map_or_else(std::env::current_dir, Ok)?;
            let rule = Rule::without_key(Carrier::Field, Some(selection));
            let selected = loadouts.select(rule, &cwd).await?.unwrap_or_default();
            Subject::Selection(Box::new(selected), cwd)
        }
    };
    let command = UpstreamCommand::find(arguments.folder.codex)?;
    let proof = proof::prove(&loadouts, &command, &["app-server".into()], subject).await?;
    let holds = proof.differences.is_empty();
    let text = if arguments.output.json {
        pretty(&proof)?
    } else {
        proven(&proof)
    };
    Ok((text, holds))
}

/// A proof for people.
fn proven(proof: &ThreadCapabilityProof) -> String {
    let seen = &proof.seen;
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |kind: &str, name: String| rows.push(vec![kind.to_owned(), name]);
    for skill in &seen.skills {
        row("skill", skill.clone());
    }
    for tool in seen.mcp_tools() {
        row("tool", tool);
    }
    for agent in &seen.agents {
        row("agent", agent.clone());
    }
    for hook in &proof.hooks {
        row("hook ran", hook.clone());
    }
    let mut text = format!("{}\n\n", proof.capability_selection.digest);
    text.push_str(&columns(&["KIND", "THE MODEL SAW"], &rows));
    text.push_str(&format!(
        "\nskills and MCP tools: {} characters, about {} tokens\n",
        seen.context_chars(),
        proof.estimated_tokens
    ));
    for difference in &proof.differences {
        let problem = match difference.problem {
            Problem::Missing => "the model did not see",
            Problem::Unexpected => "not in the receipt, but the model saw",
        };
        text.push_str(&format!("differs: {problem} {}\n", difference.name));
    }
    if proof.differences.is_empty() {
        text.push_str("the receipt holds\n");
    }
    text
}
