//! Hooks of chosen plugins as hooks of one thread.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use codex_loadout_converter::target::hook_trust::{SESSION_SOURCE, hook_hash, hook_key};
use serde_json::{Map, Value, json};

use super::lower::Lowering;
use super::server_definition::name_place;
use crate::bundle::{KEPT_AT, PROGRAM_AT};
use crate::resolver::PlannedHook;

/// What Codex exports to a plugin's own hooks, and not to those of a thread.
const ROOT_VARIABLES: [&str; 2] = ["PLUGIN_ROOT", "CLAUDE_PLUGIN_ROOT"];

impl Lowering<'_> {
    /// Hooks of snapshots that run, with the trust that lets them run.
    pub(super) fn hooks(&mut self) {
        let placed = self.plan.active_hooks(self.catalog).map(|hook| {
            let place = (self.files.snapshot)(hook.bundle);
            (hook, place.to_string_lossy().into_owned())
        });
        let behind = of_launch_line(&self.catalog.launch_line);
        let hooks = for_config(placed, self.files.program, &behind);
        for (event, groups) in hooks {
            match groups {
                Value::Object(state) => {
                    for (key, trust) in state {
                        self.set(&["hooks", &event, &key], trust);
                    }
                }
                groups => self.set(&["hooks", &event], groups),
            }
        }
    }
}

/// `config.hooks` of a thread: each hook, and that it may run. Codex 0.144 to 0.169 compare a hook's
/// trust with a hash of its definition; so both can be given at once, at start, resume and fork.
///
/// `hooks` come with the place of their plugin's snapshot. `behind` says how many groups the launch line has of
/// each event: ours come behind them.
fn for_config<'a>(
    hooks: impl Iterator<Item = (&'a PlannedHook, String)>,
    program: &Path,
    behind: &BTreeMap<String, usize>,
) -> Map<String, Value> {
    let program = quoted(&program.to_string_lossy());
    let mut config = Hooks {
        behind,
        events: Map::new(),
        state: Map::new(),
    };
    for (hook, place) in hooks {
        let handler = placed(&hook.handler, &place, &program);
        config.add(&hook.event, hook.matcher.as_deref(), handler);
    }
    let mut events = config.events;
    if !config.state.is_empty() {
        events.insert("state".to_owned(), Value::Object(config.state));
    }
    events
}

/// The events that the launch line has hooks of, and how many groups of each.
pub(super) fn of_launch_line(launch_line: &Map<String, Value>) -> BTreeMap<String, usize> {
    let hooks = launch_line.get("hooks").and_then(Value::as_object);
    let events = hooks.into_iter().flatten();
    events
        .filter_map(|(event, groups)| Some((event.clone(), groups.as_array()?.len())))
        .filter(|(_, groups)| *groups > 0)
        .collect()
}

/// The events that a layer of config has hooks of.
#[must_use]
pub(crate) fn hook_events(layer: &Map<String, Value>) -> BTreeSet<String> {
    of_launch_line(layer).into_keys().collect()
}

/// Whether Codex's key of a hook is that of one of the launch line.
pub(super) fn is_of_launch_line(key: &str) -> bool {
    key.strip_prefix(SESSION_SOURCE)
        .is_some_and(|rest| rest.starts_with(':'))
}

struct Hooks<'a> {
    behind: &'a BTreeMap<String, usize>,
    events: Map<String, Value>,
    state: Map<String, Value>,
}

impl Hooks<'_> {
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
        let before = self.behind.get(event).copied().unwrap_or_default();
        let key = hook_key(SESSION_SOURCE, event, before + groups.len(), 0);
        self.state.insert(key, json!({ "trusted_hash": hash }));
        let mut group = json!({ "hooks": [handler] });
        if let Some(matcher) = matcher {
            group["matcher"] = matcher.into();
        }
        groups.push(group);
    }
}

/// A word of the shell; no path has a NUL in it.
fn quoted(text: &str) -> String {
    shlex::try_quote(text).unwrap_or_default().into_owned()
}

/// The handler with the place of its plugin. A converted one names it; any other takes it from variables.
fn placed(handler: &Map<String, Value>, place: &str, program: &str) -> Map<String, Value> {
    let mut placed = Value::Object(handler.clone());
    name_place(&mut placed, place);
    let Value::Object(mut placed) = placed else {
        return handler.clone();
    };
    if let Some(Value::String(command)) = placed.get_mut("command")
        && command.contains(PROGRAM_AT)
    {
        *command = command.replace(PROGRAM_AT, program);
    }
    if let Some(Value::String(command)) = placed.get_mut("command")
        && !handler["command"]
            .as_str()
            .is_some_and(|text| text.contains(KEPT_AT))
        && ROOT_VARIABLES
            .iter()
            .any(|variable| command.contains(variable))
    {
        let place = quoted(place);
        let exports = ROOT_VARIABLES.map(|variable| format!("{variable}={place}"));
        *command = format!("export {}; {command}", exports.join(" "));
    }
    placed
}
