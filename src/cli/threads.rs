//! `codex-loadout threads` and `codex-loadout show`.

use std::collections::HashMap;

use anyhow::Result;
use clap::Args;
use codex_loadout_protocol::method::{
    Page, THREAD_CAPABILITY_LIST, THREAD_CAPABILITY_READ, ThreadCapabilityListParams,
    ThreadCapabilityReadResult, ThreadLoadout,
};
use codex_loadout_protocol::selection::FIELD;
use serde_json::json;

use super::options::Output;
use super::print::{columns, pretty};
use super::receipt::receipt;
use super::running::running;
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
    let mut threads = Loadouts::of_this_user()?.threads(&wanted).await?;
    say_where_loaded(&mut threads, &wanted).await?;
    if arguments.output.json {
        return pretty(&Page::whole(threads));
    }
    let rows: Vec<Vec<String>> = threads.iter().map(thread_row).collect();
    Ok(columns(
        &[
            "THREAD", "LOADED", "MODE", "PLUGINS", "SKILLS", "SERVERS", "FOLDER",
        ],
        &rows,
    ))
}

/// Says of each thread whether a codex-loadout that runs has it loaded, and whether something has changed underneath.
async fn say_where_loaded(
    threads: &mut [ThreadLoadout],
    wanted: &ThreadCapabilityListParams,
) -> Result<()> {
    for thread in threads.iter_mut() {
        thread.loaded = Some(false);
    }
    for mut one in running(&paths::state_home()?).await {
        let there: Result<Page<ThreadLoadout>, _> =
            one.ask(THREAD_CAPABILITY_LIST, &json!(wanted)).await;
        let there = there.map(|page| page.data).unwrap_or_default();
        let loaded: HashMap<String, Option<bool>> = there
            .into_iter()
            .filter(|thread| thread.loaded == Some(true))
            .map(|thread| (thread.thread_id, thread.stale))
            .collect();
        for thread in threads.iter_mut() {
            if let Some(stale) = loaded.get(&thread.thread_id) {
                (thread.loaded, thread.stale) = (Some(true), *stale);
            }
        }
    }
    Ok(())
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
    let loaded = match (thread.loaded, thread.stale) {
        (Some(true), Some(true)) => "stale",
        (Some(true), _) => "yes",
        _ => "no",
    };
    let mut row = vec![
        thread.thread_id.clone(),
        loaded.to_owned(),
        receipt.mode.as_str().to_owned(),
    ];
    row.extend(counts);
    row.push(thread.cwd.clone());
    row
}

pub(super) async fn show(arguments: Show) -> Result<String> {
    let loadouts = Loadouts::of_this_user()?;
    let thread = &arguments.thread;
    let recorded = loadouts.recorded(thread, &paths::codex_home()).await?;
    let mut shown = recorded.or_unknown(thread)?.loadout.receipt.into_inner();
    let (mut loaded, mut stale) = (false, false);
    for mut one in running(loadouts.state_home()).await {
        let params = json!({ "threadId": thread });
        let read: Result<ThreadCapabilityReadResult, _> =
            one.ask(THREAD_CAPABILITY_READ, &params).await;
        if let Ok(read) = read
            && read.loaded == Some(true)
        {
            (loaded, stale) = (true, read.stale);
            shown = read.capability_selection.unwrap_or(shown);
        }
    }
    if arguments.output.json {
        return pretty(&json!({ FIELD: shown, "loaded": loaded, "stale": stale }));
    }
    let state = match (loaded, stale) {
        (true, true) => {
            "loaded; something has changed underneath, and is kept out before its next turn"
        }
        (true, false) => "loaded",
        (false, _) => "not loaded by a codex-loadout that runs",
    };
    Ok(format!("{}{state}\n", receipt(&shown)))
}
