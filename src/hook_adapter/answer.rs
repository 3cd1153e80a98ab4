//! What a hook's command decides, and how Codex is told.

use std::process::Output;

use serde_json::{Map, Value, json};

use super::STOPS;

/// What Codex takes plain text of.
const TAKES_TEXT: [&str; 3] = ["SessionStart", "UserPromptSubmit", "SubagentStart"];
const NO_REASON: &str = "A hook refused this and gave no reason.";

/// What one run of the command decides.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// Why it does not let pass.
    pub(super) block: Option<String>,
    /// What is said to the user.
    pub(super) message: Option<String>,
    /// How it failed.
    failed: Option<String>,
    /// Why the turn ends.
    stop: Option<String>,
    /// Plain text that it has written.
    text: String,
    /// What the model is told.
    context: Vec<String>,
    /// Other input for the call.
    updated_input: Option<Value>,
    /// Whether it gives the permission that is asked for.
    allow: bool,
}

impl Answer {
    /// Reads what a command has left. `is_same_call`: other input could be put into the one call there is.
    pub(super) fn read(done: &Output, event: &str, is_same_call: bool) -> Self {
        let said = String::from_utf8_lossy(&done.stderr).trim().to_owned();
        let or = |other: &str| {
            if said.is_empty() {
                other.to_owned()
            } else {
                said.clone()
            }
        };
        match done.status.code() {
            Some(0) => {}
            Some(2) => {
                return Self {
                    block: Some(or("Blocked by a hook that gave no reason.")),
                    ..Self::default()
                };
            }
            code => {
                let code = code.map_or_else(|| done.status.to_string(), |code| code.to_string());
                return Self {
                    failed: Some(or(&format!("The hook ended with {code}."))),
                    ..Self::default()
                };
            }
        }
        let text = String::from_utf8_lossy(&done.stdout).trim().to_owned();
        match serde_json::from_str::<Value>(&text) {
            Ok(answer) if answer.is_object() => Self::decided(&answer, event, is_same_call),
            _ => Self {
                text,
                ..Self::default()
            },
        }
    }

    fn decided(answer: &Value, event: &str, is_same_call: bool) -> Self {
        let own = &answer["hookSpecificOutput"];
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let context = [&own["additionalContext"], &answer["additionalContext"]];
        let mut result = Self {
            context: context
                .into_iter()
                .filter_map(text)
                .filter(|text| !text.is_empty())
                .collect(),
            message: text(&answer["systemMessage"]).filter(|text| !text.is_empty()),
            ..Self::default()
        };
        let reasons = [
            &own["permissionDecisionReason"],
            &answer["reason"],
            &answer["stopReason"],
        ];
        let reason = reasons
            .into_iter()
            .find_map(text)
            .unwrap_or_else(|| NO_REASON.to_owned());
        if answer["continue"] == json!(false) {
            let why = text(&answer["stopReason"]).unwrap_or(reason);
            match event {
                "PreToolUse" | "PermissionRequest" => result.block = Some(why),
                _ => result.stop = Some(why),
            }
            return result;
        }
        match event {
            "PreToolUse" => {
                let decision = own["permissionDecision"].as_str();
                let older = (answer["decision"] == "block").then_some("deny");
                let updated = Some(&own["updatedInput"]).filter(|input| input.is_object());
                match (decision.or(older), updated) {
                    (Some("deny"), _) => result.block = Some(reason),
                    (Some("ask" | "defer"), _) => {
                        result.block = Some(format!(
                            "{reason} (The hook wants the user to be asked first, which a hook can't do in Codex: tell the user what you want to do and why, and leave it to them.)"
                        ));
                    }
                    (_, Some(input)) if is_same_call => result.updated_input = Some(input.clone()),
                    (_, Some(_)) => {
                        result.block = Some(format!(
                            "{reason} (The hook wants other input for this call, which can't be put into a patch.)"
                        ));
                    }
                    (_, None) => {}
                }
            }
            "PermissionRequest" => {
                let decision = &own["decision"];
                match decision["behavior"].as_str() {
                    Some("deny") => {
                        let message = text(&decision["message"]).filter(|text| !text.is_empty());
                        result.block = Some(message.unwrap_or(reason));
                    }
                    // Allowed was another input than this one: then the user decides.
                    Some("allow") => result.allow = decision["updatedInput"].is_null(),
                    _ => {}
                }
            }
            _ if answer["decision"] == "block" => result.block = Some(reason),
            _ => {}
        }
        result
    }
}

/// What the adapter writes.
#[derive(Debug, Default)]
pub(super) struct Reply {
    /// To stderr: the hook has failed.
    pub(super) error: Option<String>,
    /// To stdout.
    pub(super) answer: Option<Value>,
}

/// One answer for all calls, of fields that Codex takes for this event only: any other fails the hook.
pub(super) fn reply(answers: &[Answer], event: &str) -> Reply {
    let block = answers.iter().find_map(|answer| answer.block.as_ref());
    let failed = answers.iter().find_map(|answer| answer.failed.clone());
    if let (Some(failed), None) = (failed, block) {
        return Reply {
            error: Some(failed),
            answer: None,
        };
    }
    let takes_text = TAKES_TEXT.contains(&event);
    let texts = answers.iter().map(|answer| &answer.text);
    let texts = texts.filter(|text| takes_text && !text.is_empty());
    let context: Vec<&str> = answers
        .iter()
        .flat_map(|answer| &answer.context)
        .chain(texts)
        .map(String::as_str)
        .collect();
    let messages: Vec<&str> = answers
        .iter()
        .filter_map(|answer| answer.message.as_deref())
        .collect();
    let block = block.map(|block| match block.as_str() {
        "" => "Blocked by a hook.",
        block => block,
    });
    let mut out = Map::new();
    let mut own = Map::new();
    let mut say = |key: &str, value: Value| out.insert(key.to_owned(), value);
    if !messages.is_empty() {
        say("systemMessage", json!(messages.join("\n")));
    }
    if !context.is_empty() && (takes_text || matches!(event, "PreToolUse" | "PostToolUse")) {
        own.insert("additionalContext".to_owned(), json!(context.join("\n")));
    }
    if let Some(stop) = answers.iter().find_map(|answer| answer.stop.as_ref()) {
        say("continue", json!(false));
        say("stopReason", json!(stop));
    }
    let allows = !answers.is_empty() && answers.iter().all(|answer| answer.allow);
    match (event, block) {
        ("PreToolUse", Some(block)) => {
            own.insert("permissionDecision".to_owned(), json!("deny"));
            own.insert("permissionDecisionReason".to_owned(), json!(block));
        }
        ("PermissionRequest", Some(block)) => {
            own.insert(
                "decision".to_owned(),
                json!({ "behavior": "deny", "message": block }),
            );
        }
        ("PermissionRequest", None) if allows => {
            own.insert("decision".to_owned(), json!({ "behavior": "allow" }));
        }
        (event, Some(block))
            if matches!(event, "UserPromptSubmit" | "PostToolUse") || STOPS.contains(&event) =>
        {
            say("decision", json!("block"));
            say("reason", json!(block));
        }
        (_, Some(block)) => {
            say("continue", json!(false));
            say("stopReason", json!(block));
        }
        (_, None) => {}
    }
    let updated = answers
        .iter()
        .find_map(|answer| answer.updated_input.as_ref());
    if let (Some(updated), None) = (updated, block) {
        own.insert("permissionDecision".to_owned(), json!("allow"));
        own.insert("updatedInput".to_owned(), updated.clone());
    }
    if !own.is_empty() {
        let mut named = Map::from_iter([("hookEventName".to_owned(), json!(event))]);
        named.append(&mut own);
        out.insert("hookSpecificOutput".to_owned(), Value::Object(named));
    }
    Reply {
        error: None,
        answer: (!out.is_empty()).then(|| Value::Object(out)),
    }
}
