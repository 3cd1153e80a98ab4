//! What a request carries: in the field, and in its `config`.

use codex_loadout_protocol::binding::{Carrier, Rule};
use codex_loadout_protocol::selection::{CONFIG_KEYS, FIELD, SCHEMA_HINT, TASK_KEYS};
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};

use super::spelling::in_field_spelling;
use crate::wire::{EditError, RawObject};

/// What a request says of its thread's loadout.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Requested {
    /// What it carries, the nearest first. Empty: it says nothing.
    pub rules: Vec<Rule>,
    /// The key of the task that it starts the thread for.
    pub task: Option<String>,
}

impl Requested {
    /// The selection that the request asks for. `None`: it asks for nothing, or for no loadout.
    #[must_use]
    pub(crate) fn selection(&self) -> Option<&CapabilitySelection> {
        self.rules.first()?.selection.as_ref()
    }
}

/// Whether a key of `config` is ours; the part of it behind that.
pub(super) fn own_key<'k>(key: &'k str, own: &[&str]) -> Option<&'k str> {
    own.iter().find_map(|own| {
        let rest = key.strip_prefix(own)?;
        match rest {
            "" => Some(""),
            rest => rest.strip_prefix('.'),
        }
    })
}

/// Reads what a request carries.
///
/// # Errors
/// `invalidSelection`, naming the member that is wrong.
pub(crate) fn in_request(params: &RawObject<'_>) -> Result<Requested, LoadoutError> {
    let mut rules = Vec::new();
    if let Some(text) = params.get(FIELD) {
        let selection = match text {
            "null" => None,
            text => Some(CapabilitySelection::from_json(text)?),
        };
        rules.push(Rule::without_key(Carrier::Field, selection));
    }
    // A config that is no object is Codex's affair.
    let config = RawObject::parse(params.get("config").unwrap_or_default(), "config");
    let config = config.unwrap_or_default();
    let mut selection = None;
    let mut task = None;
    for (key, json) in config.iter() {
        let is_task = TASK_KEYS.contains(&key);
        let Some(rest) = own_key(key, &CONFIG_KEYS) else {
            if is_task {
                task = Some(read_task(json)?);
            }
            continue;
        };
        let value: Value = serde_json::from_str(json).map_err(|_| {
            LoadoutError::from(EditError::NotAnObject("config.capability_selection"))
        })?;
        put(&mut selection, rest, value);
    }
    if let Some(value) = selection {
        let place = format!("config.{}", CONFIG_KEYS[0]);
        rules.push(Rule::without_key(
            Carrier::Config,
            from_value(value, &place)?,
        ));
    }
    Ok(Requested { rules, task })
}

fn read_task(json: &str) -> Result<String, LoadoutError> {
    serde_json::from_str(json).map_err(|_| {
        let place = format!("config.{}", TASK_KEYS[0]);
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{place}` is not valid: expected a string"),
        )
        .with_hint("It is the key of a task, as `codex-loadout binding write --task KEY` has it.")
        .with_items(vec![ErrorItem::named(place)])
    })
}

/// Puts what a key says into the selection that several may say together.
pub(super) fn put(selection: &mut Option<Value>, path: &str, value: Value) {
    if path.is_empty() {
        match (selection, value) {
            (Some(Value::Object(known)), Value::Object(more)) => known.extend(more),
            (selection, value) => *selection = Some(value),
        }
        return;
    }
    let mut at = selection.get_or_insert_with(|| Value::Object(Map::new()));
    for part in path.split('.') {
        if !at.is_object() {
            // A profile's name goes along with what is said beside it.
            let profile = std::mem::take(at);
            *at = Value::Object(Map::new());
            if profile.is_string() {
                at["profile"] = profile;
            }
        }
        at = &mut at[part];
    }
    *at = value;
}

/// A selection as people write it: an object in either spelling, a profile's name, or `null`.
///
/// # Errors
/// `invalidSelection`, naming the member that is wrong.
pub(super) fn from_value(
    value: Value,
    place: &str,
) -> Result<Option<CapabilitySelection>, LoadoutError> {
    match value {
        Value::Null => Ok(None),
        Value::String(name) => Ok(Some(CapabilitySelection::of_profiles(vec![name]))),
        value @ Value::Object(_) => {
            let selection = CapabilitySelection::read(in_field_spelling(value))
                .map_err(|error| error.at(place))?;
            selection.check_size()?;
            Ok(Some(selection))
        }
        _ => Err(LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{place}` is not valid: expected an object or a profile's name"),
        )
        .with_hint(SCHEMA_HINT)
        .with_items(vec![ErrorItem::named(place)])),
    }
}

/// The params as Codex gets them: without what is ours. Everything else keeps its text.
#[must_use]
pub(crate) fn take_out<'a>(mut params: RawObject<'a>) -> RawObject<'a> {
    params.remove(FIELD);
    let Some(text) = params.get("config").map(str::to_owned) else {
        return params;
    };
    let Ok(config) = RawObject::parse(&text, "config") else {
        return params;
    };
    let is_ours = |key: &str| own_key(key, &CONFIG_KEYS).is_some() || TASK_KEYS.contains(&key);
    if !config.iter().any(|(key, _)| is_ours(key)) {
        return params;
    }
    let mut kept = RawObject::default();
    for (key, json) in config.iter().filter(|(key, _)| !is_ours(key)) {
        kept.set_text(key, json);
    }
    match kept.iter().next() {
        Some(_) => params.set("config", kept.to_string()),
        None => {
            params.remove("config");
        }
    }
    params
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requested(params: &str) -> Result<Requested, LoadoutError> {
        in_request(&RawObject::parse(params, "params").unwrap())
    }

    fn carried(params: &str) -> Vec<(Carrier, Option<String>)> {
        let rules = requested(params).unwrap().rules.into_iter();
        rules
            .map(|rule| {
                let selection = rule
                    .selection
                    .map(|one| serde_json::to_string(&one).unwrap());
                (rule.carrier, selection)
            })
            .collect()
    }

    #[test]
    fn the_field_and_config_carry_a_selection_however_it_is_spelled() {
        let config = |selection: &str| vec![(Carrier::Config, Some(selection.to_owned()))];
        for (params, expected) in [
            ("{}", vec![]),
            (r#"{"config":null}"#, vec![]),
            (r#"{"config":{"model":"capability_selection"}}"#, vec![]),
            (
                r#"{"config":{"capability_selection":"review"}}"#,
                config(r#"{"profile":["review"]}"#),
            ),
            (
                r#"{"config":{"capabilitySelection":{"mcp_servers":[],"skills":["a"]}}}"#,
                config(r#"{"skills":["a"],"mcpServers":[]}"#),
            ),
            (
                r#"{"config":{"capability_selection.profile":"review","capability_selection.mcpServers":[]}}"#,
                config(r#"{"profile":["review"],"mcpServers":[]}"#),
            ),
            (
                r#"{"config":{"capability_selection":"review","capability_selection.skills":["a"]}}"#,
                config(r#"{"profile":["review"],"skills":["a"]}"#),
            ),
            (
                r#"{"config":{"capability_selection":null}}"#,
                vec![(Carrier::Config, None)],
            ),
            (
                r#"{"capabilitySelection":null,"config":{"capability_selection":"a"}}"#,
                vec![
                    (Carrier::Field, None),
                    (Carrier::Config, Some(r#"{"profile":["a"]}"#.to_owned())),
                ],
            ),
        ] {
            assert_eq!(carried(params), expected, "{params}");
        }
        let task = requested(r#"{"config":{"capability_task":"42"}}"#)
            .unwrap()
            .task;
        assert_eq!(task.as_deref(), Some("42"));
    }

    #[test]
    fn what_is_wrong_in_config_is_named_there() {
        for (params, name) in [
            (
                r#"{"config":{"capability_selection":{"skils":[]}}}"#,
                "config.capability_selection.skils",
            ),
            (
                r#"{"config":{"capability_selection.skills":"a"}}"#,
                "config.capability_selection.skills",
            ),
            (
                r#"{"config":{"capability_selection":[]}}"#,
                "config.capability_selection",
            ),
            (
                r#"{"config":{"capability_task":5}}"#,
                "config.capability_task",
            ),
        ] {
            let error = requested(params).unwrap_err();
            assert_eq!(error.items[0].name, name, "{params}: {error}");
        }
    }

    #[test]
    fn codex_gets_what_is_not_ours_letter_by_letter() {
        for (params, left) in [
            (
                r#"{"cwd":"/p","config":{"a":1.10}}"#,
                r#"{"cwd":"/p","config":{"a":1.10}}"#,
            ),
            (
                r#"{"capabilitySelection":{},"cwd":"/p","config":{"a":1.10,"capability_selection.profile":"x","b":[ 1 ],"capability_task":"t"}}"#,
                r#"{"cwd":"/p","config":{"a":1.10,"b":[ 1 ]}}"#,
            ),
            (
                r#"{"config":{"capability_selection":"x"},"cwd":"/p"}"#,
                r#"{"cwd":"/p"}"#,
            ),
            (r#"{"config":5}"#, r#"{"config":5}"#),
        ] {
            let out = take_out(RawObject::parse(params, "params").unwrap());
            assert_eq!(out.to_string(), left, "{params}");
        }
    }
}
