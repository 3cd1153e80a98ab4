//! Hooks.
//!
//! What a platform reads of Claude's form, and what it takes for something else, is its own affair: each handler is
//! written anew, and what the platform can't do by itself is done by a small program in the bundle, the adapter.

use std::collections::BTreeMap;

use codex_loadout_bundle::TreeFile;
use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::report::{Account, Finding, Kind, Location, Outcome};
use crate::source::HookSource;
use crate::target::Target;

mod adaptation;
#[cfg(test)]
mod adapter_tests;
mod command;
mod condition;
mod handler;
mod matcher;
mod plugin;
mod signs;
#[cfg(test)]
mod tests;
mod timeout;
mod tool_call;

/// The hooks of a bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConvertedHooks {
    /// What `hooks/hooks.json` holds; `None` if there are no hooks.
    pub(crate) file: Option<Value>,
    /// Programs that the hooks need, by their place in the bundle.
    pub(crate) files: Vec<(String, TreeFile)>,
    /// Its handlers, each with its origin.
    pub(crate) handlers: Vec<BundleHook>,
    /// One for each source.
    pub(crate) accounts: Vec<Account>,
}

/// One handler of a bundle's hooks.
#[derive(Debug, Clone, PartialEq)]
pub struct BundleHook {
    /// The event.
    pub event: String,
    /// Which of its occasions it runs at; `None`: at all.
    pub matcher: Option<String>,
    /// The handler, as the bundle's own file has it.
    pub handler: Map<String, Value>,
    /// What it was made of.
    pub origin: HookOrigin,
}

/// Where a handler stands in the source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookOrigin {
    /// The file that declares it.
    pub file: String,
    /// Its group in the list of its event, from 0.
    pub group: usize,
    /// Its place in the group, from 0.
    pub handler: usize,
}

/// Handlers that stay together: of one group of the source, with one matcher.
struct Group {
    source: (String, usize),
    matcher: Option<String>,
    handlers: Vec<Value>,
}

/// Converts every hook of a plugin.
pub(crate) fn convert(context: &Context<'_>) -> ConvertedHooks {
    let sources = &context.plugin.hooks;
    let mut result = ConvertedHooks::default();
    if sources.is_empty() {
        return result;
    }
    let adapter = adapter_path(context);
    let hooks = plugin::PluginHooks {
        context,
        signs: signs::of_plugin(&context.source.tree),
        adapter: &adapter,
        servers: super::servers::names(context.plugin, context.options, context.target),
    };
    let mut events: IndexMap<&str, Vec<Group>> = IndexMap::new();
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut places: BTreeMap<(&str, &str, usize), usize> = BTreeMap::new();
    let mut is_adapted = false;
    for source in sources {
        let name = name(source, &mut counts);
        let group = (source.file.as_str(), source.event.as_str(), source.group);
        let place = places.entry(group).or_default();
        let origin = HookOrigin {
            file: source.file.clone(),
            group: source.group,
            handler: *place,
        };
        *place += 1;
        let target = context.target;
        let account = match handler::convert(source, &hooks) {
            Ok(handler) => {
                is_adapted |= handler.is_adapted;
                if let Value::Object(definition) = &handler.definition {
                    result.handlers.push(BundleHook {
                        event: source.event.clone(),
                        matcher: handler.matcher.clone(),
                        handler: definition.clone(),
                        origin,
                    });
                }
                let event = target.hook_event(&source.event);
                let event = event.map_or(source.event.as_str(), |event| event.name);
                let groups = events.entry(event).or_default();
                add(groups, source, handler.matcher, handler.definition);
                kept(source, name, handler.findings, target)
            }
            Err(findings) => dropped(source, name, findings),
        };
        result.accounts.push(account);
    }
    if is_adapted && context.options.adapter.is_none() {
        result
            .files
            .push((adapter, TreeFile::plain(context.target.adapter().program)));
    }
    result.file = (!events.is_empty()).then(|| written(events));
    result
}

/// Where the adapter lies: beside the hooks, under a name that the plugin has not taken.
fn adapter_path(context: &Context<'_>) -> String {
    let name = context.target.adapter().name;
    let mut path = format!("hooks/{name}.mjs");
    let mut number = 2;
    while context.source.tree.get(&path).is_some() {
        path = format!("hooks/{name}-{number}.mjs");
        number += 1;
    }
    path
}

/// `PreToolUse:Bash#1`.
fn name(source: &HookSource, counts: &mut BTreeMap<String, usize>) -> String {
    let matcher = match source.matcher.as_deref() {
        None | Some("") => "*",
        Some(matcher) => matcher,
    };
    let name = format!("{}:{matcher}", source.event);
    let count = counts.entry(name.clone()).or_default();
    *count += 1;
    format!("{name}#{count}")
}

fn add(groups: &mut Vec<Group>, source: &HookSource, matcher: Option<String>, handler: Value) {
    let key = (source.file.clone(), source.group);
    match groups.last_mut() {
        Some(last) if last.source == key && last.matcher == matcher => last.handlers.push(handler),
        _ => groups.push(Group {
            source: key,
            matcher,
            handlers: vec![handler],
        }),
    }
}

fn written(events: IndexMap<&str, Vec<Group>>) -> Value {
    let group = |group: Group| {
        let mut object = Map::new();
        if let Some(matcher) = group.matcher {
            object.insert("matcher".to_owned(), json!(matcher));
        }
        object.insert("hooks".to_owned(), Value::Array(group.handlers));
        Value::Object(object)
    };
    let hooks: Map<String, Value> = events
        .into_iter()
        .map(|(event, groups)| (event.to_owned(), groups.into_iter().map(group).collect()))
        .collect();
    json!({ "hooks": hooks })
}

fn kept(source: &HookSource, name: String, warnings: Vec<Finding>, target: &dyn Target) -> Account {
    let event = target.hook_event(&source.event);
    let loses = warnings.iter().any(|finding| finding.code.loses());
    Account {
        kind: Kind::Hook,
        name,
        source: Location::new(&source.file, source.line),
        outcome: if loses {
            Outcome::Lossy
        } else {
            Outcome::Converted
        },
        target: event.map(|event| event.name.to_owned()),
        path: Some(target.hooks_file().to_owned()),
        reason: None,
        warnings,
    }
}

fn dropped(source: &HookSource, name: String, why: Vec<Finding>) -> Account {
    Account {
        kind: Kind::Hook,
        name,
        source: Location::new(&source.file, source.line),
        outcome: Outcome::Dropped,
        target: None,
        path: None,
        reason: why.last().map(|finding| finding.message.clone()),
        warnings: why,
    }
}
