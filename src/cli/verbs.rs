//! The verbs that show something.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow};
use codex_loadout_protocol::binding::{CapabilityResolveResult, Carrier, Rule};
use codex_loadout_protocol::method::{
    CAPABILITY_LIST, CAPABILITY_RESOLVE, Capability, Page, Problem, ThreadCapabilityListParams,
    ThreadCapabilityProof, ThreadLoadout,
};
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError, Receipt};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::arguments::{Doctor, Folder, List, Prove, Resolve, Show, Threads};
use super::selection_file::read_selection;
use super::table::columns;
use crate::catalog::read_policy;
use crate::connection::{BriefCodex, CodexCommand, UpstreamCommand};
use crate::control::{self, Control};
use crate::doctor::{self, Finding};
use crate::loadouts::{LaunchCarriers, Loadouts};
use crate::lowering::{PolicyMeaning, policy_meaning};
use crate::paths;
use crate::profiles::LaunchLine;
use crate::proof::{self, Subject};

/// How much of a description fits a line.
const DESCRIPTION: usize = 60;

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

/// What was found for people or programs, and whether no thread saw too much.
pub(super) async fn doctor(arguments: Doctor) -> Result<(String, bool)> {
    let command = UpstreamCommand::find(arguments.codex)?;
    let policy = policy_in_force(&command).await;
    let checks = doctor::examine(&command).await?;
    let holds = checks.iter().all(|check| check.finding != Finding::Wider);
    if arguments.output.json {
        let policy = match policy {
            Ok(policy) => json!(policy),
            Err(why) => json!({ "unreadable": why }),
        };
        return Ok((pretty(&json!({ "data": checks, "policy": policy }))?, holds));
    }
    let rows: Vec<Vec<String>> = checks
        .iter()
        .map(|check| {
            let finding = serde_json::to_value(check.finding).unwrap_or_default();
            vec![
                check.check.clone(),
                finding.as_str().unwrap_or_default().to_owned(),
                check.detail.clone(),
            ]
        })
        .collect();
    let text = columns(&["CHECK", "FOUND", "THE MODEL SAW"], &rows);
    let policy = match policy {
        Ok(policy) if policy.is_empty() => "none that concerns loadouts".to_owned(),
        Ok(policy) => {
            let row = |found: PolicyMeaning| vec![found.layer, found.key, found.meaning];
            let rows: Vec<Vec<String>> = policy.into_iter().map(row).collect();
            format!("\n{}", columns(&["LAYER", "KEY", "WHAT IT MEANS"], &rows))
        }
        Err(why) => format!("can't be read, so Codex refuses every thread: {why}"),
    };
    let codex = command.path.display();
    Ok((
        format!("{codex}\n\n{text}\nPolicy of an administrator: {policy}"),
        holds,
    ))
}

/// What an administrator's config means on this machine.
async fn policy_in_force(command: &UpstreamCommand) -> Result<Vec<PolicyMeaning>, String> {
    let codex = BriefCodex::start(command, &["app-server".into()])
        .await
        .map_err(|error| error.message)?;
    let cwd = std::env::current_dir().unwrap_or_default();
    let policy = read_policy(codex.rpc(), &cwd).await;
    codex.end().await;
    let policy = policy.map_err(|error| error.to_string())?;
    Ok(policy_meaning(&policy))
}

pub(super) async fn threads(arguments: Threads) -> Result<String> {
    let wanted = ThreadCapabilityListParams {
        profile: arguments.profile,
        plugin: arguments.plugin,
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
    let receipt = recorded.or_unknown(&arguments.thread)?.loadout.receipt;
    if arguments.output.json {
        return pretty(&json!({ FIELD: receipt }));
    }
    Ok(self::receipt(&receipt))
}

/// Asks a Codex of our own.
async fn ask(folder: Folder, method: &str, mut params: Value) -> Result<Value> {
    if let Some(cwd) = folder.cwd {
        params["cwd"] = json!(resolved(&cwd)?);
    }
    let loadouts = Loadouts::of_this_user()?;
    let of_codex = CodexCommand {
        command: UpstreamCommand::find(folder.codex)?,
        arguments: vec!["app-server".into()],
    };
    let codex = BriefCodex::start(&of_codex.command, &of_codex.arguments).await?;
    let (_upstream, watching) = watch::channel(Some(codex.info().clone()));
    let rpc = codex.rpc().clone();
    let launch = LaunchCarriers::new(&LaunchLine::default(), &paths::carried())?;
    let control = Control::new(control::Context {
        loadouts,
        rpc,
        catalogs: Arc::default(),
        applied: Arc::default(),
        upstream: watching,
        launch: Arc::new(launch),
        codex: of_codex,
        host: Arc::default(),
    });
    let (member, json) = control.call(method, Some(&params.to_string())).await;
    codex.end().await;
    let value: Value = serde_json::from_str(&json)?;
    if member == "result" {
        return Ok(value);
    }
    // Our errors keep their kind, so that the hint and the candidates are shown.
    match value
        .get("data")
        .cloned()
        .map(serde_json::from_value::<LoadoutError>)
    {
        Some(Ok(error)) => Err(error.into()),
        _ => Err(anyhow!(
            "{}",
            value["message"].as_str().unwrap_or("the method failed")
        )),
    }
}

pub(super) fn resolved(cwd: &Path) -> Result<PathBuf> {
    cwd.canonicalize().map_err(|error| {
        let message = format!("`{}` is no folder: {error}", cwd.display());
        LoadoutError::new(ErrorKind::InvalidSelection, message)
            .with_hint("Name a folder that is there with `--cwd`.")
            .into()
    })
}

pub(super) fn pretty<T: Serialize>(value: &T) -> Result<String> {
    Ok(format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// A receipt for people.
fn receipt(receipt: &Receipt) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |kind: &str, name: &str, source: &str, more: String| {
        rows.push(vec![
            kind.to_owned(),
            name.to_owned(),
            source.to_owned(),
            more,
        ])
    };
    for plugin in &receipt.plugins {
        row(
            "plugin",
            &plugin.id,
            &plugin.source,
            plugin.version.clone().unwrap_or_default(),
        );
        for skill in &plugin.skills {
            row("  skill", skill, &plugin.id, String::new());
        }
        for agent in &plugin.agents {
            row("  agent", agent, &plugin.id, String::new());
        }
    }
    for skill in &receipt.skills {
        row("skill", &skill.name, &skill.source, skill.path.clone());
    }
    for server in &receipt.mcp_servers {
        let tools = server.tools.as_ref().map_or_else(
            || "all tools".to_owned(),
            |tools| format!("tools: {}", tools.join(", ")),
        );
        row("mcpServer", &server.name, &server.source, tools);
    }
    for agent in &receipt.agents {
        row("agent", &agent.name, &agent.source, String::new());
    }
    for hook in &receipt.hooks {
        let state = match (hook.active, hook.trusted) {
            (true, _) => "runs",
            (false, true) => "trusted, not asked for",
            (false, false) => "not trusted",
        };
        row("hook", &hook.event, &hook.source, state.to_owned());
    }
    let mut text = format!("{} {}\n\n", receipt.mode.as_str(), receipt.digest);
    text.push_str(&columns(&["KIND", "NAME", "SOURCE", ""], &rows));
    let excluded = receipt.excluded;
    text.push_str(&format!(
        "\nleft out: {} skills, {} plugins, {} MCP servers\nskill list: {} characters instead of {}\n",
        excluded.skills, excluded.plugins, excluded.mcp_servers, receipt.context.skills_chars, receipt.context.skills_chars_without
    ));
    if let Some(source) = &receipt.inherited_from {
        text.push_str(&format!("inherited from {source}\n"));
    }
    for warning in &receipt.warnings {
        text.push_str(&format!(
            "warning: {} ({})\n",
            warning.message, warning.code
        ));
    }
    text
}
