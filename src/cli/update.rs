//! `codex-loadout update`.

use std::path::PathBuf;

use anyhow::Result;
use clap::{ArgGroup, Args};
use codex_loadout_protocol::method::{
    THREAD_CAPABILITY_READ, THREAD_CAPABILITY_UPDATE, ThreadCapabilityReadResult,
    ThreadCapabilityUpdateResult,
};
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Value, json};

use super::options::Output;
use super::print::pretty;
use super::receipt::receipt;
use super::running::{Running, running};
use super::selection_file::read_selection;
use crate::paths;

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true).args(["selection", "profile", "native"]))]
pub(super) struct Update {
    /// The thread's id
    #[arg(value_name = "THREAD")]
    pub(super) thread: String,
    /// A file with the selection in JSON, or a profile in TOML; `-` reads JSON from stdin
    #[arg(value_name = "SELECTION.json")]
    pub(super) selection: Option<PathBuf>,
    /// A profile; several are merged left to right
    #[arg(long, short, value_name = "PROFILE")]
    pub(super) profile: Vec<String>,
    /// No loadout: back to native
    #[arg(long)]
    pub(super) native: bool,
    #[command(flatten)]
    pub(super) output: Output,
}

pub(super) async fn update(arguments: Update) -> Result<String> {
    let selection = match &arguments.selection {
        Some(file) => read_selection(file)?.1,
        None if arguments.native => Value::Null,
        None => json!({ "profile": arguments.profile }),
    };
    let thread = &arguments.thread;
    let mut one = one_that_has(thread).await?;
    let params = json!({ "threadId": thread, FIELD: selection });
    let updated: Value = one.ask(THREAD_CAPABILITY_UPDATE, &params).await?;
    if arguments.output.json {
        return pretty(&updated);
    }
    let updated: ThreadCapabilityUpdateResult = serde_json::from_value(updated)?;
    Ok(match updated.capability_selection {
        Some(found) => receipt(&found),
        None => "native: the thread has no loadout\n".to_owned(),
    })
}

/// The one that has a thread loaded; else one whose Codex knows it.
async fn one_that_has(thread: &str) -> Result<Running, LoadoutError> {
    let params = json!({ "threadId": thread });
    let mut knows = None;
    for mut one in running(&paths::state_home()?).await {
        let read: Result<ThreadCapabilityReadResult, _> =
            one.ask(THREAD_CAPABILITY_READ, &params).await;
        match read {
            Ok(read) if read.loaded == Some(true) => return Ok(one),
            Ok(_) => knows = Some(one),
            Err(error) => tracing::debug!(%error, "it does not know the thread"),
        }
    }
    knows.ok_or_else(|| {
        let message = format!("no codex-loadout that runs knows thread `{thread}`");
        LoadoutError::new(ErrorKind::ThreadNotFound, message)
            .with_hint("Open the thread in its host and try again, or resume it with `capabilitySelection`.")
            .with_items(vec![ErrorItem::named(thread)])
    })
}
