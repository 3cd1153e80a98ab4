//! `mcp__plugin_P_S__tool`: tools of MCP servers, under the names the servers run under.

use std::collections::BTreeMap;

use super::words;
use super::work::Work;
use crate::report::Code;

/// Renames the tools.
pub(super) fn run(work: &mut Work<'_>) {
    let body = work.body();
    let mut names = None;
    let mut from = 0;
    while let Some(found) = body[from..].find("mcp__") {
        let at = from + found;
        let token = words::run(body, at, 512, |c| {
            c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
        });
        from = token.end;
        if words::before(body, at).is_some_and(words::is_word) {
            continue;
        }
        let start = at + "mcp__".len();
        let rest = &body[start..token.end];
        // `mcp__plugin_p_s` alone is a server; a name may have `__` in it.
        let mut ends: Vec<usize> = rest
            .match_indices("__")
            .map(|(end, _)| end)
            .take(8)
            .collect();
        ends.push(rest.len());
        let names = names.get_or_insert_with(|| known(work));
        let known = ends
            .iter()
            .rev()
            .find_map(|end| Some((*end, names.get(&rest[..*end])?)));
        match known {
            Some((end, new)) if rest[..end] != **new => {
                work.replace(start..start + end, new);
            }
            Some(_) => {}
            None if rest.starts_with("plugin_") => work.find(
                at,
                Code::UnresolvedReference,
                format!("no plugin is known that `mcp__{rest}` belongs to"),
            ),
            None => {}
        }
    }
}

/// New name by what stands between `mcp__` and the tool. A plugin's own servers are also called without the plugin's name.
fn known(work: &Work<'_>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for (plugin, names) in &work.context.names.plugins {
        for (server, new) in &names.servers {
            let plugin = as_token(plugin);
            known.insert(format!("plugin_{plugin}_{}", as_token(server)), new.clone());
        }
    }
    if let Some(own) = work.context.names.plugins.get(&work.context.plugin.name) {
        for (server, new) in &own.servers {
            known.entry(as_token(server)).or_insert_with(|| new.clone());
        }
    }
    known
}

/// A name as Claude writes it in a tool's name.
fn as_token(name: &str) -> String {
    name.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') {
                c
            } else {
                '_'
            }
        })
        .collect()
}
