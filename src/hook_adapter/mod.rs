//! Runs a hook that was written for Claude Code as a hook of Codex: what the script in bundles that `convert` writes does
//! (`converter/assets`), for those of threads, and without Node.js.
//!
//! Codex's input comes in on stdin. The command gets it as Claude Code would give it: a patch becomes one call for each
//! file it touches. What the command answers is put into words that Codex honours; what Codex would take for a failed
//! hook, and so let pass, becomes a refusal.

mod answer;
mod calls;
mod condition;
mod shell;
mod stop;
mod transcript;

use std::ffi::OsString;
use std::io::{Read, Write};
use std::process::ExitCode;

use serde::Deserialize;
use serde_json::Value;

use answer::{Answer, Reply};

/// The verb by which a hook calls this program.
pub(crate) const VERB: &str = "run-claude-hook";

/// Events at which a call of a tool is held back.
const GUARDS: [&str; 2] = ["PreToolUse", "PermissionRequest"];
/// Events that have a tool.
const OF_TOOLS: [&str; 3] = ["PreToolUse", "PermissionRequest", "PostToolUse"];
const STOPS: [&str; 2] = ["Stop", "SubagentStop"];

/// Why a hook can't be run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdapterError {
    /// It is not called as bundles do.
    #[error("the hook is not called with what it needs and a command")]
    Arguments,
    /// What bundles say of a hook can't be read, or what Codex tells of the event.
    #[error("what came in is no input of a hook: {0}")]
    Input(#[from] serde_json::Error),
    /// Codex tells of no event.
    #[error("what came in is no input of a hook")]
    NoEvent,
    /// The command can't be started, or its files can't be written.
    #[error("the hook's command can't be run: {0}")]
    Command(#[from] std::io::Error),
}

/// What the adapter has to do for a hook.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Spec {
    /// The plugin's own matcher.
    matcher: Option<String>,
    /// The condition, one of Claude's permission rules.
    #[serde(rename = "if")]
    condition: Option<String>,
    /// What Claude Code calls the plugin's servers, by the names that they run under.
    servers: std::collections::BTreeMap<String, String>,
    /// Whether its scripts read the transcript.
    transcript: bool,
}

/// What a hook is told of.
struct Event {
    name: String,
    folder: String,
    input: Value,
}

/// Runs a hook: `SPEC COMMAND`, with Codex's input on stdin.
pub(crate) fn run(arguments: &[OsString]) -> ExitCode {
    let mut event = String::new();
    match reply(arguments, &mut event) {
        Ok(reply) => {
            if let Some(error) = &reply.error {
                let _ = writeln!(std::io::stderr(), "{error}");
            }
            if let Some(answer) = &reply.answer {
                let _ = writeln!(std::io::stdout(), "{answer}");
            }
            ExitCode::from(u8::from(reply.error.is_some()))
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "codex-loadout: {error}");
            // A guard of a tool that can't run must not let pass what it guards; anything else goes on.
            let guards = event.is_empty() || GUARDS.contains(&event.as_str());
            ExitCode::from(if guards { 2 } else { 1 })
        }
    }
}

fn reply(arguments: &[OsString], name: &mut String) -> Result<Reply, AdapterError> {
    let [spec, command] = arguments else {
        return Err(AdapterError::Arguments);
    };
    let (Some(spec), Some(command)) = (spec.to_str(), command.to_str()) else {
        return Err(AdapterError::Arguments);
    };
    let spec: Spec = serde_json::from_str(spec)?;
    let mut text = String::new();
    std::io::stdin().lock().read_to_string(&mut text)?;
    let input: Value = serde_json::from_str(&text)?;
    input["hook_event_name"]
        .as_str()
        .unwrap_or_default()
        .clone_into(name);
    if name.is_empty() {
        return Err(AdapterError::NoEvent);
    }
    let folder = match input["cwd"].as_str() {
        Some(folder) if !folder.is_empty() => folder.to_owned(),
        _ => std::env::current_dir()?.to_string_lossy().into_owned(),
    };
    let event = Event {
        name: name.clone(),
        folder,
        input,
    };
    let calls = if OF_TOOLS.contains(&event.name.as_str()) {
        calls::of_tools(&event, &spec)
    } else {
        vec![event.input.clone()]
    };
    let calls: Vec<Value> = calls
        .into_iter()
        .filter(|call| condition::is_met(&spec, call, &event.folder))
        .collect();
    let mut answers = Vec::new();
    for call in &calls {
        let is_same = calls.len() == 1 && call["tool_name"] == event.input["tool_name"];
        let done = shell::run(command, call, &event, &spec)?;
        answers.push(Answer::read(&done, &event.name, is_same));
    }
    if STOPS.contains(&event.name.as_str()) {
        let blocking = answers.iter_mut().find(|answer| answer.block.is_some());
        stop::cap(blocking, &event.input, command)?;
    }
    Ok(answer::reply(&answers, &event.name))
}
