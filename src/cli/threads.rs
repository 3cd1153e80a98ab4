//! `codex-loadout threads` and `codex-loadout show`.

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::method::{Page, ThreadCapabilityListParams, ThreadLoadout};
use codex_loadout_protocol::selection::FIELD;
use serde_json::json;

use super::options::Output;
use super::print::{columns, pretty};
use super::receipt::receipt;
use crate::loadouts::Loadouts;
use crate::paths;

#[derive(Debug, Args)]
pub(super) struct Threads {
    /// Only those whose loadout was made from this profile
    #[arg(long, value_name = "NAME")]
    pub(super) profile: Option<String>,
    /// Only those whose loadout holds this plugin
    #[arg(long, value_name = "ID")]
    pub(super) plugin: Option<String>,
    #[command(flatten)]
    pub(super) output: Output,
}

#[derive(Debug, Args)]
pub(super) struct Show {
    /// The thread's id
    #[arg(value_name = "THREAD")]
    pub(super) thread: String,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn threads(arguments: Threads) -> Result<String> {
    let wanted = ThreadCapabilityListParams {
        profile: arguments.profile,
        plugin: arguments.plugin,
        ..ThreadCapabilityListParams::default()
    };
    let threads = Loadouts::of_this_user()?.threads(&wanted).await?;
    if arguments.output.json {
        return pretty(&Page::whole(threads));
    }
    let rows: Vec<Vec<String>> = threads.iter().map(thread_row).collect();
    Ok(columns(
        &["THREAD", "MODE", "PLUGINS", "SKILLS", "SERVERS", "FOLDER"],
        &rows,
    ))
}

fn thread_row(thread: &ThreadLoadout) -> Vec<String> {
    let receipt = &thread.capability_selection;
    let skills = receipt.skills.len()
        + receipt
            .plugins
            .iter()
            .map(|plugin| plugin.skills.len())
            .sum::<usize>();
    let counts =
        [receipt.plugins.len(), skills, receipt.mcp_servers.len()].map(|count| count.to_string());
    let mut row = vec![thread.thread_id.clone(), receipt.mode.as_str().to_owned()];
    row.extend(counts);
    row.push(thread.cwd.clone());
    row
}

pub(super) async fn show(arguments: Show) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    let recorded = loadouts
        .recorded(&arguments.thread, &paths::codex_home())
        .await?;
    let found = recorded.or_unknown(&arguments.thread)?.loadout.receipt;
    if arguments.output.json {
        return pretty(&json!({ FIELD: found }));
    }
    Ok(receipt(&found))
}
