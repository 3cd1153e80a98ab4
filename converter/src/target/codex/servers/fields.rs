//! The fields of a server besides those that say how it is reached.

use serde_json::{Number, Value};

use crate::components::servers::definition::{ServerDraft, Transport};
use crate::report::Code;

/// Fields that the transports have read.
const READ: [&str; 12] = [
    "type",
    "command",
    "args",
    "env",
    "cwd",
    "url",
    "headers",
    "oauth",
    "env_vars",
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
];

/// Fields of the one transport that stand in a definition of the other.
const OF_STDIO: [&str; 5] = ["command", "args", "env", "cwd", "env_vars"];
const OF_HTTP: [&str; 6] = [
    "url",
    "headers",
    "oauth",
    "http_headers",
    "env_http_headers",
    "bearer_token_env_var",
];

/// Carries over what has a meaning in Codex, and tells of the rest.
pub(super) fn carry(draft: &mut ServerDraft<'_, '_>, transport: Transport) {
    let source = draft.source;
    let foreign: &[&str] = match transport {
        Transport::Stdio => &OF_HTTP,
        Transport::Http => &OF_STDIO,
    };
    for (key, value) in source {
        let key = key.as_str();
        if value.is_null() {
            continue;
        }
        if foreign.contains(&key) {
            draft.say(
                Code::McpFieldDropped,
                format!("`{key}` means nothing to a server that is reached this way."),
            );
            continue;
        }
        if READ.contains(&key) {
            continue;
        }
        match (key, field(transport, key)) {
            ("timeout", _) => timeout(draft, value),
            (_, Some(shape)) => match fitting(shape, value) {
                Some(value) => {
                    draft.result.insert(key.to_owned(), value);
                }
                None => draft.say(
                    Code::McpFieldDropped,
                    format!("`{key}` is not of the form that Codex reads."),
                ),
            },
            ("alwaysLoad", None) => draft.say(
                Code::McpFieldDropped,
                "`alwaysLoad` has no counterpart in Codex.",
            ),
            (_, None) => draft.say(
                Code::McpKeyIgnored,
                format!("`{key}` means nothing in Codex and was left out."),
            ),
        }
    }
}

/// What a field's value must be: a wrong one can keep a whole thread from starting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldShape {
    Text,
    Flag,
    /// Seconds or milliseconds.
    Number,
    Texts,
    TextMap,
    /// A list of texts or of objects.
    List,
    Object,
}

/// What 0.169.0 takes; a field of the other transport is an error there, an unknown one a warning.
fn field(transport: Transport, key: &str) -> Option<FieldShape> {
    use FieldShape::{Flag, List, Number, Object, Text, TextMap, Texts};
    let common = match key {
        "startup_timeout_sec" | "startup_timeout_ms" | "tool_timeout_sec" => Some(Number),
        "enabled" | "required" | "supports_parallel_tool_calls" => Some(Flag),
        "enabled_tools" | "disabled_tools" | "scopes" => Some(Texts),
        "default_tools_approval_mode" | "environment_id" | "name" => Some(Text),
        "tools" => Some(Object),
        _ => None,
    };
    common.or(match (transport, key) {
        (Transport::Stdio, "command" | "cwd") => Some(Text),
        (Transport::Stdio, "args") => Some(Texts),
        (Transport::Stdio, "env") => Some(TextMap),
        (Transport::Stdio, "env_vars") => Some(List),
        (Transport::Http, "url" | "bearer_token_env_var" | "oauth_resource" | "auth") => Some(Text),
        (Transport::Http, "http_headers" | "env_http_headers" | "oauth") => Some(TextMap),
        _ => None,
    })
}

/// Claude's `timeout` is in milliseconds, for one call of a tool.
fn timeout(draft: &mut ServerDraft<'_, '_>, value: &Value) {
    let milliseconds = value
        .as_f64()
        .or_else(|| value.as_str().and_then(|text| text.trim().parse().ok()))
        .filter(|milliseconds: &f64| milliseconds.is_finite() && *milliseconds > 0.0);
    if draft.source.contains_key("tool_timeout_sec") {
        return;
    }
    match milliseconds.and_then(|milliseconds| Number::from_f64(milliseconds / 1000.0)) {
        Some(seconds) => {
            draft
                .result
                .insert("tool_timeout_sec".to_owned(), seconds.into());
        }
        None => draft.say(
            Code::McpFieldDropped,
            "`timeout` is not a number of milliseconds.",
        ),
    }
}

/// The value, if Codex takes it there.
fn fitting(shape: FieldShape, value: &Value) -> Option<Value> {
    let texts = |value: &Value| {
        value
            .as_array()
            .is_some_and(|list| list.iter().all(Value::is_string))
    };
    let fits = match shape {
        FieldShape::Text => value.is_string(),
        FieldShape::Flag => value.is_boolean(),
        FieldShape::Number => value.as_f64().is_some_and(|number| number >= 0.0),
        FieldShape::Texts => texts(value),
        FieldShape::TextMap => value
            .as_object()
            .is_some_and(|map| map.values().all(Value::is_string)),
        FieldShape::List => value.is_array(),
        FieldShape::Object => value.is_object(),
    };
    fits.then(|| value.clone())
}
