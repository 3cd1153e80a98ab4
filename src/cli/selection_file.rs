//! A selection in a file, or on stdin.

use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};
use serde_json::Value;

/// Reads one: the selection alone, or as it stands in a request, in `capabilitySelection`. What is wrong is told
/// with the path of the field.
pub(super) fn read_selection(path: &Path) -> Result<(CapabilitySelection, Value)> {
    Ok(selection(text_of(path)?.trim_start_matches('\u{feff}'))?)
}

fn selection(text: &str) -> Result<(CapabilitySelection, Value), LoadoutError> {
    let whole: Option<Value> = serde_json::from_str(text).ok();
    let wrapped = whole.as_ref().and_then(|whole| whole.get(FIELD));
    let inner = wrapped.map(Value::to_string);
    let text = inner.as_deref().unwrap_or(text);
    let selection = CapabilitySelection::from_json(text).map_err(|error| {
        let lies_deeper = whole.as_ref().is_some_and(|whole| find(whole).is_some());
        match lies_deeper && wrapped.is_none() {
            true => error.with_hint(format!(
                "The file holds more than a selection: leave what stands in `{FIELD}` alone in it."
            )),
            false => error,
        }
    })?;
    let value = serde_json::from_str(text).unwrap_or_default();
    Ok((selection, value))
}

/// The selection in a request or a part of one.
fn find(value: &Value) -> Option<&Value> {
    let members = value.as_object()?;
    members
        .get(FIELD)
        .or_else(|| members.values().find_map(find))
}

fn text_of(path: &Path) -> Result<String> {
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("stdin can't be read")?;
        return Ok(text);
    }
    std::fs::read_to_string(path).map_err(|error| {
        let message = format!("`{}` can't be read: {error}", path.display());
        LoadoutError::new(ErrorKind::InvalidSelection, message)
            .with_hint("Name a file with a selection in JSON, or `-` for stdin.")
            .into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selection_may_stand_in_its_field_and_elsewhere_it_is_pointed_at() {
        let alone = r#"{"mode":"extend","skills":["a"]}"#;
        let (plain, value) = selection(alone).unwrap();
        let wrapped = selection(&format!(r#"{{"cwd":"/p","{FIELD}":{alone}}}"#)).unwrap();
        assert_eq!(wrapped, (plain, value));
        let request = format!(r#"{{"method":"thread/start","params":{{"{FIELD}":{alone}}}}}"#);
        assert!(selection(&request).unwrap_err().hint.contains("alone"));
        let wrong = selection(&format!(r#"{{"{FIELD}":{{"skill":[]}}}}"#)).unwrap_err();
        assert_eq!(wrong.items[0].name, format!("{FIELD}.skill"));
        assert!(selection("no json").is_err());
    }
}
