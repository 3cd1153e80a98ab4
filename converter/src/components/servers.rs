//! MCP servers: read as Claude Code reads them, written by the target.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::context::Context;
use crate::options::Options;
use crate::report::{Account, Code, Finding, Kind, Location, Outcome};
use crate::source::{Plugin, ServerSource};
use crate::target::Target;

pub(crate) mod definition;
pub(crate) mod reads;
#[cfg(test)]
pub(super) mod tests;
pub(crate) mod texts;
pub(crate) mod variables;

/// The servers of a bundle.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConvertedServers {
    /// What `mcpServers` holds.
    pub(crate) servers: Map<String, Value>,
    /// One for each source.
    pub(crate) accounts: Vec<Account>,
}

/// The name each server runs under, by the plugin's own name for it.
///
/// Names are global to a thread, so a taken one gets the plugin's name in front; what was decided
/// elsewhere counts.
pub(crate) fn names(
    plugin: &Plugin,
    options: &Options,
    target: &dyn Target,
) -> BTreeMap<String, String> {
    let allowed = |name: &str| allowed(name, target);
    let mut taken: BTreeSet<String> = options.taken_servers.iter().cloned().collect();
    let mut names = BTreeMap::new();
    // Names that may stay are given first: a mended name must not push out a good one.
    let (good, other): (Vec<&ServerSource>, Vec<&ServerSource>) = plugin
        .servers
        .iter()
        .partition(|server| allowed(&server.name) == server.name);
    for server in good.into_iter().chain(other) {
        if names.contains_key(&server.name) {
            continue;
        }
        let bare = allowed(&server.name);
        let prefixed = allowed(&format!("{}-{}", plugin.name, server.name));
        let free = free_name(bare, prefixed, &taken);
        let name = options.renamed_servers.get(&free).cloned().unwrap_or(free);
        taken.insert(name.clone());
        names.insert(server.name.clone(), name);
    }
    names
}

fn free_name(bare: String, prefixed: String, taken: &BTreeSet<String>) -> String {
    let numbered = (2..).map(|number| format!("{prefixed}-{number}"));
    [bare, prefixed.clone()]
        .into_iter()
        .chain(numbered)
        .find(|candidate| !taken.contains(candidate))
        .unwrap_or(prefixed)
}

/// A name made of allowed characters only.
fn allowed(name: &str, target: &dyn Target) -> String {
    let mended: String = name
        .chars()
        .map(|c| if target.is_server_name(c) { c } else { '-' })
        .collect();
    let trimmed = mended.trim_matches('-');
    match trimmed {
        _ if mended == name && !name.is_empty() => mended,
        "" => "server".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// Converts every server of a plugin.
pub(crate) fn convert(context: &Context<'_>) -> ConvertedServers {
    let plugin = context.plugin;
    let names = names(plugin, context.options, context.target);
    let mut converted = ConvertedServers::default();
    let last: BTreeMap<&str, &ServerSource> = plugin
        .servers
        .iter()
        .map(|server| (server.name.as_str(), server))
        .collect();
    for source in &plugin.servers {
        let later = last
            .get(source.name.as_str())
            .filter(|later| !std::ptr::eq(**later, source));
        let place = Location::new(&source.file, source.line);
        let result = match later {
            // As Claude Code merges: what comes later wins.
            Some(later) => Err(Finding::new(
                Code::McpOverridden,
                place.clone(),
                format!(
                    "The definition of `{}` in {}:{} is used instead.",
                    source.name, later.file, later.line
                ),
            )),
            None => definition::convert(source, context),
        };
        let name = names.get(&source.name).unwrap_or(&source.name);
        converted.accounts.push(match result {
            Ok((definition, mut findings)) => {
                if *name != source.name {
                    findings.push(Finding::new(
                        Code::McpRenamed,
                        place.clone(),
                        format!("`{}` runs under the name `{name}`.", source.name),
                    ));
                }
                converted
                    .servers
                    .insert(name.clone(), Value::Object(definition));
                kept(source, name, place, findings, context.target)
            }
            Err(why) => dropped(source, place, why),
        });
    }
    converted
}

fn kept(
    source: &ServerSource,
    name: &str,
    place: Location,
    warnings: Vec<Finding>,
    target: &dyn Target,
) -> Account {
    let loses = warnings.iter().any(|finding| finding.code.loses());
    Account {
        kind: Kind::McpServer,
        name: source.name.clone(),
        source: place,
        outcome: if loses {
            Outcome::Lossy
        } else {
            Outcome::Converted
        },
        target: Some(name.to_owned()),
        path: Some(target.servers_file().to_owned()),
        reason: None,
        warnings,
    }
}

fn dropped(source: &ServerSource, place: Location, why: Finding) -> Account {
    Account {
        kind: Kind::McpServer,
        name: source.name.clone(),
        source: place,
        outcome: Outcome::Dropped,
        target: None,
        path: None,
        reason: Some(why.message.clone()),
        warnings: vec![why],
    }
}
