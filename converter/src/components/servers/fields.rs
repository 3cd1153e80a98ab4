//! The fields of a server besides those that say how it is reached.

use serde_json::{Number, Value, json};

use super::definition::Draft;
use crate::report::Code;
use crate::target::{FieldShape, Transport};

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
pub(super) fn carry(draft: &mut Draft<'_, '_>, transport: Transport) {
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
        match (key, draft.context.target.server_field(transport, key)) {
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

/// Claude's `timeout` is in milliseconds, for one call of a tool.
fn timeout(draft: &mut Draft<'_, '_>, value: &Value) {
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

/// A scalar as text; JSON of other kinds has no such form.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The texts of a map, scalars made texts.
pub(super) fn text_map(draft: &mut Draft<'_, '_>, key: &str) -> Vec<(String, String)> {
    let mut texts = Vec::new();
    match draft.source.get(key) {
        None | Some(Value::Null) => {}
        Some(Value::Object(map)) => {
            for (name, value) in map {
                match scalar(value) {
                    Some(text) => {
                        if !value.is_string() {
                            draft.say(
                                Code::McpFieldRepaired,
                                format!("`{name}` in `{key}` was made a text."),
                            );
                        }
                        texts.push((name.clone(), text));
                    }
                    None => draft.say(
                        Code::McpFieldDropped,
                        format!("`{name}` in `{key}` is not a text."),
                    ),
                }
            }
        }
        Some(_) => draft.say(Code::McpFieldDropped, format!("`{key}` is not an object.")),
    }
    texts
}

/// Sets a map, unless it is empty.
pub(super) fn set_map(draft: &mut Draft<'_, '_>, key: &str, texts: Vec<(String, String)>) {
    if !texts.is_empty() {
        let map: serde_json::Map<String, Value> = texts
            .into_iter()
            .map(|(name, text)| (name, json!(text)))
            .collect();
        draft.result.insert(key.to_owned(), Value::Object(map));
    }
}
