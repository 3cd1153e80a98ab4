//! Texts of a definition, made texts where they are other scalars.

use serde_json::{Value, json};

use super::definition::ServerDraft;
use crate::report::Code;

/// A scalar as text; JSON of other kinds has no such form.
pub(crate) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// The texts of a map, scalars made texts.
pub(crate) fn text_map(draft: &mut ServerDraft<'_, '_>, key: &str) -> Vec<(String, String)> {
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
pub(crate) fn set_map(draft: &mut ServerDraft<'_, '_>, key: &str, texts: Vec<(String, String)>) {
    if !texts.is_empty() {
        let map: serde_json::Map<String, Value> = texts
            .into_iter()
            .map(|(name, text)| (name, json!(text)))
            .collect();
        draft.result.insert(key.to_owned(), Value::Object(map));
    }
}
