//! `codex-loadout list`.

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::method::{CAPABILITY_LIST, Capability, Page};
use serde_json::json;

use super::ask::ask;
use super::options::{Folder, Output};
use super::print::{columns, pretty};

/// How much of a description fits a line.
const DESCRIPTION: usize = 60;

#[derive(Debug, Args)]
pub(super) struct List {
    #[command(flatten)]
    pub(super) folder: Folder,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn list(arguments: List) -> Result<String> {
    let answer = ask(arguments.folder, CAPABILITY_LIST, json!({})).await?;
    if arguments.output.json {
        return pretty(&answer);
    }
    let page: Page<Capability> = serde_json::from_value(answer)?;
    let rows: Vec<Vec<String>> = page.data.iter().map(capability_row).collect();
    Ok(columns(
        &["KIND", "ID", "SOURCE", "ON", "DESCRIPTION"],
        &rows,
    ))
}

fn capability_row(capability: &Capability) -> Vec<String> {
    let kind = serde_json::to_value(capability.kind).unwrap_or_default();
    let on = if capability.enabled { "yes" } else { "no" };
    let description = capability.description.as_deref().unwrap_or_default();
    let mut short: String = description.chars().take(DESCRIPTION).collect();
    if short.len() < description.len() {
        short.push('…');
    }
    vec![
        kind.as_str().unwrap_or_default().to_owned(),
        capability.id.clone(),
        capability.source.clone(),
        on.to_owned(),
        short,
    ]
}
