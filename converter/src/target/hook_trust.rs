//! What Codex calls a hook by, and what it compares with the user's trust.
//!
//! Measured on 0.144.1 to 0.169.0: a hook runs only if
//! `hooks.state."<key>".trusted_hash` is the hash of its definition. The hash depends on the
//! definition alone, not on file, place or plugin; so hooks and their trust can be given in one
//! `thread/start`, `thread/resume` or `thread/fork`, as `config.hooks`.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// Where the keys of hooks that a thread's own `config.hooks` holds begin.
pub const SESSION_SOURCE: &str = "/<session-flags>/config.toml";

/// The longest time limit of an event's handlers, in seconds; more is cut to it. Also what is set where a handler sets none is one second there.
pub(super) fn longest(event: &str) -> Option<u64> {
    matches!(event, "SessionEnd" | "Interrupt").then_some(3)
}

/// The key of a handler: `<source>:<event>:<group>:<handler>`.
///
/// `source` is [`SESSION_SOURCE`], or for a plugin `name@marketplace:hooks/hooks.json`. Groups and
/// handlers are counted from 0 in their lists.
#[must_use]
pub fn hook_key(source: &str, event: &str, group: usize, handler: usize) -> String {
    format!("{source}:{}:{group}:{handler}", in_snake_case(event))
}

/// The hash of a handler's definition: what `hooks/list {threadId}` gives as `currentHash`, and the
/// first half of what `hooks/list {cwds}` gives for a plugin's hook on 0.169.
///
/// `None` where Codex would refuse or skip the handler, or is not known to hash it so: another type
/// than `command` and `mcp_tool`, a field of another form than it reads, a broken number in an `input`.
#[must_use]
pub fn hook_hash(
    event: &str,
    matcher: Option<&str>,
    handler: &Map<String, Value>,
) -> Option<String> {
    let text = |key: &str| {
        handler
            .get(key)
            .map(|value| value.as_str().map(str::to_owned))
    };
    let kind = text("type")??;
    let mut normal = Map::new();
    match kind.as_str() {
        "command" => {
            let is_async = handler.get("async").map_or(Some(false), Value::as_bool)?;
            let windows = text("commandWindows").filter(|_| cfg!(windows));
            normal.insert("async".to_owned(), json!(is_async));
            normal.insert("command".to_owned(), json!(windows.or(text("command"))??));
            if let Some(limit) = handler.get("additionalContextLimit")
                && gives_context(event)
            {
                normal.insert("additionalContextLimit".to_owned(), json!(limit.as_u64()?));
            }
        }
        "mcp_tool" => {
            let input = handler.get("input").cloned().unwrap_or(json!({}));
            let input = hashed_form(&input).filter(Value::is_object)?;
            normal.insert("input".to_owned(), input);
            normal.insert("server".to_owned(), json!(text("server")??));
            normal.insert("tool".to_owned(), json!(text("tool")??));
        }
        _ => return None,
    }
    if let Some(message) = text("statusMessage") {
        normal.insert("statusMessage".to_owned(), json!(message?));
    }
    let (unset, longest) = longest(event).map_or((600, u64::MAX), |longest| (1, longest));
    let timeout = handler.get("timeout").map_or(Some(unset), Value::as_u64)?;
    normal.insert("timeout".to_owned(), json!(timeout.max(1).min(longest)));
    normal.insert("type".to_owned(), json!(kind));

    let mut identity = Map::new();
    identity.insert("event_name".to_owned(), json!(in_snake_case(event)));
    identity.insert("hooks".to_owned(), json!([normal]));
    if let Some(matcher) = matcher.filter(|_| has_matcher(event)) {
        identity.insert("matcher".to_owned(), json!(matcher));
    }
    // Codex hashes the JSON with its keys in the order of the alphabet.
    let mut identity = Value::Object(identity);
    identity.sort_all_objects();
    let digest = Sha256::digest(identity.to_string());
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    Some(format!("sha256:{hex}"))
}

/// An `input` in the form in which Codex hashes it: whole numbers as its JSON library keeps them.
///
/// `None` if it has a `null`, which Codex refuses, or a number that is not whole.
fn hashed_form(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) | Value::Bool(_) => Some(value.clone()),
        Value::Number(number) if number.is_i64() => {
            Some(json!({ "$serde_json::private::Number": number.to_string() }))
        }
        Value::Null | Value::Number(_) => None,
        Value::Array(list) => list.iter().map(hashed_form).collect(),
        Value::Object(map) => {
            let pairs = map
                .iter()
                .map(|(key, value)| Some((key.clone(), hashed_form(value)?)));
            pairs
                .collect::<Option<Map<String, Value>>>()
                .map(Value::Object)
        }
    }
}

/// Whether a matcher means something to an event's hooks; elsewhere it is left out.
fn has_matcher(event: &str) -> bool {
    !matches!(
        event,
        "UserPromptSubmit" | "Stop" | "Interrupt" | "PreModelRequest" | "PostModelRequest"
    )
}

/// Whether an event's hooks can add to what the model reads; elsewhere the limit of it is left out.
fn gives_context(event: &str) -> bool {
    matches!(
        event,
        "PreToolUse" | "PostToolUse" | "UserPromptSubmit" | "SessionStart" | "SubagentStart"
    )
}

fn in_snake_case(event: &str) -> String {
    let mut name = String::with_capacity(event.len() + 4);
    for c in event.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `hooks/list` of Codex 0.169.0 gave them.
    #[test]
    fn hashes_are_those_of_codex() {
        for (event, matcher, handler, hash) in [
            (
                "PreToolUse",
                Some("Bash"),
                json!({"type": "command", "command": "true"}),
                "sha256:39057ebd30cc98418da09c661f1ff844e076ba83820ea7f8a14b085993f1a440",
            ),
            (
                "Stop",
                Some("ignored"),
                json!({"type": "command", "command": "true"}),
                "sha256:2ba34c7a02841fada06b868a093d041fd3d9de81883c789a321916b0aa118851",
            ),
            (
                "SessionEnd",
                None,
                json!({"type": "command", "command": "true", "timeout": 100}),
                "sha256:0408973db4c606ef0b942b13de03431201c09e7746a6fbf2d078370f1af83d68",
            ),
            (
                "Interrupt",
                None,
                json!({"type": "command", "command": "true"}),
                "sha256:fb1ffe26e8dbd2e7fb8855d602d1545f7e1b53854ebfb71aead8f18db9e7607a",
            ),
            (
                "PostToolUse",
                Some("*"),
                json!({"statusMessage": "hé \"\\ \u{2028} \u{1} x/y", "type": "command", "timeout": 0,
                       "command": "true", "additionalContextLimit": 5, "async": true}),
                "sha256:8915df9b3ee5334598cdafd4986c1c18f079db8f9e4cf3be1638310d59a453da",
            ),
            (
                "SubagentStop",
                Some(""),
                json!({"type": "command", "command": "true", "additionalContextLimit": 5, "once": true}),
                "sha256:ae41612a8a5cebfa310f6ae21d9585478ab1c774a3ba7b63a66aef71bd41ad53",
            ),
            (
                "PreToolUse",
                Some("Bash"),
                json!({"type": "mcp_tool", "server": "x", "tool": "t"}),
                "sha256:52d597fba6beae3cffc279d749bc7d39240e33b23f24d7b012829b13fd788eb4",
            ),
            (
                "PreToolUse",
                Some("Bash"),
                json!({"type": "mcp_tool", "server": "x", "tool": "t", "input": {"a": 2}}),
                "sha256:0d80b9eeccd5901575e97bc8a298aef4baa0c037b69ac1ab01853adf71490ea5",
            ),
            (
                "PreToolUse",
                Some("Bash"),
                json!({"type": "mcp_tool", "server": "x", "tool": "t", "timeout": 9, "statusMessage": "s",
                       "input": {"p": "${tool_input.command}", "f": true, "l": ["x", {"k": "v"}]}}),
                "sha256:3fc8be2288237ce25d40505dc76f480bc8268db1a4c621ff5a6c64f666b0dca6",
            ),
        ] {
            let handler = handler.as_object().unwrap();
            assert_eq!(
                hook_hash(event, matcher, handler).as_deref(),
                Some(hash),
                "{event}"
            );
        }
    }

    #[test]
    fn what_codex_refuses_has_no_hash() {
        for handler in [
            json!({"type": "http", "url": "x"}),
            json!({"type": "mcp_tool", "server": "x", "tool": "y", "input": {"a": 1.5}}),
            json!({"type": "mcp_tool", "server": "x", "tool": "y", "input": {"a": null}}),
            json!({"type": "mcp_tool", "server": "x"}),
            json!({"type": "command"}),
            json!({"type": "command", "command": "true", "timeout": "10"}),
            json!({"type": "command", "command": "true", "timeout": 1.5}),
            json!({"type": "command", "command": "true", "async": "yes"}),
        ] {
            assert_eq!(hook_hash("Stop", None, handler.as_object().unwrap()), None);
        }
    }

    #[test]
    fn keys_are_those_of_codex() {
        assert_eq!(
            hook_key(SESSION_SOURCE, "UserPromptSubmit", 0, 2),
            "/<session-flags>/config.toml:user_prompt_submit:0:2"
        );
        assert_eq!(
            hook_key("p@m:hooks/hooks.json", "Stop", 1, 0),
            "p@m:hooks/hooks.json:stop:1:0"
        );
    }
}
