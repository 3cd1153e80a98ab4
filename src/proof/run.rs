//! One proof, from a Codex of our own to the differences.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use codex_loadout_protocol::method::ThreadCapabilityProof;
use codex_loadout_protocol::selection::SkillListing;
use codex_loadout_protocol::{ErrorKind, LoadoutError, Seen};
use serde_json::{Value, json};

use super::compare::{Native, differences};
use super::endpoint::Endpoint;
use crate::catalog::{Catalog, CatalogCache, mention_only};
use crate::connection::{BriefCodex, UpstreamCommand};
use crate::loadouts::{Loadouts, Selected, Trial};
use crate::lowering::{Lowered, hook_events, trial_request, without_servers};
use crate::messages::thread::{START, TURN_COMPLETED};
use crate::records::LoadoutRecord;
use crate::resolver::{Plan, Scope};

/// MCP servers may take their time to start; Codex itself gives up on them earlier.
const PATIENCE: Duration = Duration::from_secs(120);
/// How often to look whether the turn has ended.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// Codex and its servers take about this many characters for a token.
const CHARS_PER_TOKEN: usize = 4;

/// What is proven.
#[derive(Debug)]
pub(crate) enum Subject {
    /// The loadout of a thread, in this folder or the thread's own.
    Thread(String, Option<PathBuf>),
    /// What a selection would give in a folder.
    Selection(Box<Selected>, PathBuf),
}

/// Proves a loadout on a Codex of its own.
///
/// # Errors
/// What is wrong with the selection, `unknownCapability` for a thread without a loadout, or
/// `unsupportedUpstream` if Codex never asked the endpoint.
pub(crate) async fn prove(
    loadouts: &Arc<Loadouts>,
    command: &UpstreamCommand,
    arguments: &[OsString],
    subject: Subject,
) -> Result<ThreadCapabilityProof, LoadoutError> {
    let codex = BriefCodex::start(command, arguments).await?;
    let proof = on(&codex, loadouts, subject).await;
    codex.end().await;
    proof
}

async fn on(
    codex: &BriefCodex,
    loadouts: &Arc<Loadouts>,
    subject: Subject,
) -> Result<ThreadCapabilityProof, LoadoutError> {
    let upstream = codex.info();
    let (trial, cwd) = match subject {
        Subject::Selection(selected, cwd) => (Trial::Selection(selected), cwd),
        Subject::Thread(thread, cwd) => {
            let recorded = loadouts.recorded(&thread, &upstream.codex_home).await?;
            let loadout = recorded.or_unknown(&thread)?.loadout;
            let cwd = cwd.unwrap_or_else(|| loadout.cwd.clone());
            (Trial::Recorded(Box::new(loadout)), cwd)
        }
    };
    let catalogs = Arc::new(CatalogCache::default());
    let home = &upstream.codex_home;
    let selected = trial.selected();
    let catalog = loadouts.catalog_for(&selected, &catalogs, codex.rpc(), home, &cwd);
    let catalog = catalog.await?;
    let (record, lowered, root) = loadouts.trial(trial, &catalog, upstream).await?;
    let names: Vec<&str> = record.receipt.skill_names().collect();
    let shown = shown(codex, lowered, Some(&root), &catalog.cwd, &names).await;
    loadouts.discard(record.clone()).await;
    let (seen, hooks) = shown?;
    let (natively, _) = shown_natively(codex, &catalog).await?;
    let LoadoutRecord {
        receipt, selection, ..
    } = record;
    let roles = catalog.roles.iter().map(|role| role.name.clone()).collect();
    let mention_only = match &record.plan.host_skills {
        Scope::All => mention_only(&catalog),
        Scope::Only(_) => unlisted(&record.plan, &catalog),
    };
    let native = Native {
        mention_only,
        roles,
        hooks: hook_events(&catalog.launch_line),
        tools: natively.other_tools,
    };
    Ok(ThreadCapabilityProof {
        differences: differences(&receipt, &selection, &native, &seen, &hooks),
        estimated_tokens: seen.context_chars().div_ceil(CHARS_PER_TOKEN),
        capability_selection: receipt.into_inner(),
        seen,
        hooks,
    })
}

/// What a thread without a loadout shows beside plugins and servers, which are left out: nothing of the
/// user's runs for it.
async fn shown_natively(
    codex: &BriefCodex,
    catalog: &Catalog,
) -> Result<(Seen, Vec<String>), LoadoutError> {
    shown(codex, without_servers(catalog), None, &catalog.cwd, &[]).await
}

/// Starts a thread, runs a turn, and reads what its model was asked.
async fn shown(
    codex: &BriefCodex,
    lowered: Lowered,
    root: Option<&Path>,
    cwd: &Path,
    names: &[&str],
) -> Result<(Seen, Vec<String>), LoadoutError> {
    let mut endpoint = Endpoint::open().await.map_err(|error| {
        LoadoutError::new(
            ErrorKind::UnsupportedUpstream,
            format!("no endpoint can be opened on loopback: {error}"),
        )
        .with_hint("Allow this program to listen on 127.0.0.1.")
    })?;
    let request = trial_request(lowered, root, cwd, &endpoint.url());
    let started: Value = codex.rpc().ask(START, &request).await?;
    let thread = &started["thread"]["id"];
    let turn = json!({ "threadId": thread,
        "input": [{ "type": "text", "text": "Say done." }] });
    let _: Value = codex.rpc().ask("turn/start", &turn).await?;
    let body = tokio::select! {
        body = endpoint.first() => body,
        () = turn_ended(codex, thread) => None,
        () = tokio::time::sleep(PATIENCE) => None,
    };
    let Some(body) = body else {
        return Err(LoadoutError::new(
            ErrorKind::UnsupportedUpstream,
            "Codex ran a turn without asking the proof's model",
        )
        .with_hint(
            "Run it again with CODEX_LOADOUT_LOG=debug, and see what Codex says on stderr.",
        ));
    };
    // Hooks run until the turn has ended.
    let deadline = Instant::now() + Duration::from_secs(10);
    while !has_ended(codex, thread) && Instant::now() < deadline {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    let said = codex.said();
    let ran = said.iter().filter(|frame| frame.method() == "hook/started");
    let hooks = ran.filter_map(|frame| {
        let message: Value = serde_json::from_slice(frame.bytes()).ok()?;
        let of_thread = message["params"]["threadId"] == *thread;
        let params = Some(&message["params"]).filter(|_| of_thread)?;
        Some(params["run"]["eventName"].as_str()?.to_owned())
    });
    Ok((Seen::knowing(&body, names), hooks.collect()))
}

/// The skills that stand in no list of ours.
fn unlisted(plan: &Plan, catalog: &Catalog) -> BTreeSet<String> {
    let skills = plan.skill_list.iter().flatten();
    let unlisted =
        skills.filter(|skill| skill.list == SkillListing::Manual || catalog.skill_list_is_off);
    unlisted.map(|skill| skill.name.clone()).collect()
}

async fn turn_ended(codex: &BriefCodex, thread: &Value) {
    while !has_ended(codex, thread) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn has_ended(codex: &BriefCodex, thread: &Value) -> bool {
    let said = codex.said();
    let mut ends = said.iter().filter(|frame| frame.method() == TURN_COMPLETED);
    ends.any(|frame| {
        let message: Result<Value, _> = serde_json::from_slice(frame.bytes());
        message.is_ok_and(|message| message["params"]["threadId"] == *thread)
    })
}
