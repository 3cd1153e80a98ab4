//! Hooks of chosen plugins as hooks of one thread.

use codex_loadout_converter::target::hook_trust::{SESSION_SOURCE, hook_hash, hook_key};
use serde_json::{Map, Value, json};

use super::server_definition::name_place;
use crate::bundle::KEPT_AT;
use crate::resolver::PlannedHook;

/// What Codex exports to a plugin's own hooks, and not to those of a thread.
const ROOT_VARIABLES: [&str; 2] = ["PLUGIN_ROOT", "CLAUDE_PLUGIN_ROOT"];

/// `config.hooks` of a thread: each hook, and that it may run. Codex 0.144 to 0.169 compare a hook's
/// trust with a hash of its definition; so both can be given at once, at start, resume and fork.
///
/// `hooks` come with the place of their plugin's snapshot.
pub(super) fn for_config<'a>(
    hooks: impl Iterator<Item = (&'a PlannedHook, String)>,
) -> Map<String, Value> {
    let mut config = Hooks::default();
    for (hook, place) in hooks {
        let handler = placed(&hook.handler, &place);
        config.add(&hook.event, hook.matcher.as_deref(), handler);
    }
    let mut events = config.events;
    if !config.state.is_empty() {
        events.insert("state".to_owned(), Value::Object(config.state));
    }
    events
}

#[derive(Default)]
struct Hooks {
    events: Map<String, Value>,
    state: Map<String, Value>,
}

impl Hooks {
    fn add(&mut self, event: &str, matcher: Option<&str>, handler: Map<String, Value>) {
        let Some(hash) = hook_hash(event, matcher, &handler) else {
            // Codex would not take it either.
            return;
        };
        let groups = self
            .events
            .entry(event)
            .or_insert_with(|| Value::Array(Vec::new()));
        let Some(groups) = groups.as_array_mut() else {
            return;
        };
        let key = hook_key(SESSION_SOURCE, event, groups.len(), 0);
        self.state.insert(key, json!({ "trusted_hash": hash }));
        let mut group = json!({ "hooks": [handler] });
        if let Some(matcher) = matcher {
            group["matcher"] = matcher.into();
        }
        groups.push(group);
    }
}

/// The handler with the place of its plugin. A converted one names it; any other takes it from variables.
fn placed(handler: &Map<String, Value>, place: &str) -> Map<String, Value> {
    let mut placed = Value::Object(handler.clone());
    name_place(&mut placed, place);
    let Value::Object(mut placed) = placed else {
        return handler.clone();
    };
    if let Some(Value::String(command)) = placed.get_mut("command")
        && !handler["command"]
            .as_str()
            .is_some_and(|text| text.contains(KEPT_AT))
        && ROOT_VARIABLES
            .iter()
            .any(|variable| command.contains(variable))
    {
        let quoted = place.replace('\'', r"'\''");
        let exports = ROOT_VARIABLES.map(|variable| format!("{variable}='{quoted}'"));
        *command = format!("export {}; {command}", exports.join(" "));
    }
    placed
}
