//! The hooks by which Codex asks before it asks the model, and before it goes on by itself.
//!
//! Of all levers this one alone makes Codex wait: a `UserPromptSubmit` hook runs
//! when what the turn shows of skills is settled and written to the session file,
//! and before the model is asked (measured on 0.144.1 to 0.169.0, for spawned
//! threads too). If it blocks, the turn ends and the model is never asked.
//!
//! A turn that goes on with a goal is nobody's prompt and runs no such hook (0.163 and 0.169). What comes
//! before it is the end of the turn before, where Codex waits for `Stop` hooks.

use serde::Deserialize;
use serde_json::{Map, Value, json};

/// A turn has begun: it can be ended here.
const BEGINS: &str = "UserPromptSubmit";
/// A turn ends.
const ENDS: &str = "Stop";
/// When Codex asks.
pub(super) const EVENTS: [&str; 2] = [BEGINS, ENDS];
/// Of our hook and no other; nobody sees it, what Codex says of this hook is not passed on.
const STATUS: &str = "codex-loadout: is the loadout whole?";
/// In seconds. Codex goes on when it has passed; so it is as long as Codex's own.
pub const GATE_TIMEOUT: u64 = 600;

/// A command that lets every turn pass: for a thread that nobody guards.
pub const OPEN_GATE: &str = "true";

/// The hook's handler.
pub(super) fn handler(command: &str) -> Map<String, Value> {
    let handler = json!({ "type": "command", "command": command, "timeout": GATE_TIMEOUT, "statusMessage": STATUS });
    match handler {
        Value::Object(handler) => handler,
        _ => Map::new(),
    }
}

/// Whether our part of a thread's config holds the hook.
#[must_use]
pub fn has_gate(config: &Map<String, Value>) -> bool {
    let groups = config.get("hooks").and_then(|hooks| hooks.get(BEGINS));
    let mut groups = groups.and_then(Value::as_array).into_iter().flatten();
    groups.any(|group| group["hooks"][0]["statusMessage"] == STATUS)
}

/// Whether what Codex says of a hook (`hook/started`, `hook/completed`) is said of this one.
#[must_use]
pub fn is_said_of_gate(params: &Value) -> bool {
    params["run"]["statusMessage"] == STATUS
}

/// What Codex tells the hook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct GateInput {
    /// The thread, or for a spawned one the first of its line.
    pub session_id: String,
    /// The turn.
    pub turn_id: String,
    /// The thread's session file; an ephemeral thread has none.
    #[serde(default)]
    pub transcript_path: Option<String>,
    /// Which hook it is.
    #[serde(default, rename = "hook_event_name")]
    pub event: String,
}

impl GateInput {
    /// Whether the turn ends: what it was asked for is done.
    #[must_use]
    pub fn ends(&self) -> bool {
        self.event == ENDS
    }
}

/// The exit code with which the hook ends the turn; the reason stands on stderr. Not by what it prints:
/// a shell's own words may stand before that. Codex goes on with any other code.
pub const BLOCKED: u8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hook_is_known_by_what_codex_says_of_it() {
        let run = |status: &str| json!({ "run": { "statusMessage": status } });
        assert!(is_said_of_gate(&run(STATUS)));
        assert!(!is_said_of_gate(&run("checking")) && !is_said_of_gate(&json!({})));
        let group = |handler| json!({ "hooks": { BEGINS: [{ "hooks": [handler] }] } });
        let ours = group(Value::Object(handler("x")));
        assert!(has_gate(ours.as_object().unwrap()));
        let other = group(json!({ "type": "command", "command": "x" }));
        assert!(!has_gate(other.as_object().unwrap()) && !has_gate(&Map::new()));
        let told: GateInput = serde_json::from_str(
            r#"{"session_id":"s","turn_id":"t","transcript_path":null,"prompt":"p"}"#,
        )
        .unwrap();
        assert!(told.transcript_path.is_none() && !told.ends());
        let told: GateInput =
            serde_json::from_str(r#"{"session_id":"s","turn_id":"t","hook_event_name":"Stop"}"#)
                .unwrap();
        assert!(told.ends());
    }
}
