//! Hooks, by event and command.

use codex_loadout_bundle::{PROGRAM_AT, Tree};
use serde_json::{Map, Value};

use super::manifest::Manifest;
use super::{Executable, ExecutableKind};
use crate::address::escaped;
use crate::redact;

/// The adapter that a converted bundle may have in it.
const ADAPTER: &str = "adapter.mjs";

pub(super) fn of(tree: &Tree, manifest: &Manifest) -> Vec<Executable> {
    if manifest.is_agent_plugin {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (file, value) in manifest.declared(tree, "hooks", "hooks/hooks.json") {
        let wrapped = value.get("hooks").filter(|hooks| hooks.is_object());
        let Some(events) = wrapped.unwrap_or(&value).as_object() else {
            continue;
        };
        for (event, groups) in events {
            for group in groups.as_array().into_iter().flatten() {
                let handlers = group.get("hooks").and_then(Value::as_array);
                for handler in handlers.into_iter().flatten().filter_map(Value::as_object) {
                    let matcher = group.get("matcher").and_then(Value::as_str);
                    found.push(Executable {
                        kind: ExecutableKind::Hook,
                        name: name(event, matcher),
                        detail: what_it_runs(handler),
                        path: file.clone(),
                    });
                }
            }
        }
    }
    found
}

fn name(event: &str, matcher: Option<&str>) -> String {
    match matcher {
        None | Some("" | "*") => escaped(event),
        Some(matcher) => escaped(&format!("{event} {matcher}")),
    }
}

fn what_it_runs(handler: &Map<String, Value>) -> String {
    let text = |key: &str| handler.get(key).and_then(Value::as_str);
    if let Some(command) = text("command") {
        let args = handler.get("args").and_then(Value::as_array);
        let args = args.into_iter().flatten().filter_map(Value::as_str);
        let line: Vec<&str> = std::iter::once(command).chain(args).collect();
        let line = line.join(" ");
        return redact::command(&adapted(&line).unwrap_or(line));
    }
    let kind = text("type").unwrap_or("nothing");
    match (text("server"), text("tool"), text("url").or(text("prompt"))) {
        (Some(server), Some(tool), _) => {
            escaped(&format!("tool {tool} of the MCP server {server}"))
        }
        (_, _, Some(more)) => redact::command(&format!("{kind}: {more}")),
        _ => escaped(kind),
    }
}

/// The command of a hook that the adapter runs: the last of the adapter's own words.
fn adapted(line: &str) -> Option<String> {
    if !line.contains(PROGRAM_AT) && !line.contains(ADAPTER) {
        return None;
    }
    let words = shlex::split(line)?;
    (words.len() > 2).then(|| words.last().cloned()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_adapter_is_seen_through() {
        let own = "sh \"${CLAUDE_PLUGIN_ROOT}/x.sh\"";
        let line = format!(
            "{PROGRAM_AT} hook '{{}}' {}",
            shlex::try_quote(own).unwrap()
        );
        assert_eq!(adapted(&line).as_deref(), Some(own));
        assert_eq!(adapted("sh x.sh"), None);
    }
}
