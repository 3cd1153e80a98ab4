//! `mcp__plugin_P_S__tool`: tools of MCP servers, as the platform calls them, under the names the servers run under.

use std::collections::BTreeMap;

use super::draft::TextDraft;
use super::words;
use crate::context::Context;
use crate::report::Code;

/// Renames the tools.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
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
        let names = names.get_or_insert_with(|| known(draft.context));
        let known = ends
            .iter()
            .rev()
            .find_map(|end| Some((*end, names.get(&rest[..*end])?)));
        match known {
            Some((end, new)) => {
                let tool = rest[end..].strip_prefix("__");
                let said = match tool {
                    Some(tool) => draft.context.target.mcp_tool(new, tool),
                    None => draft.context.target.mcp_tool(new, ""),
                };
                let said = match tool {
                    Some(_) => said.as_str(),
                    // The server alone: without what would stand before a tool.
                    None => said.trim_end_matches('_'),
                };
                if body[at..token.end] != *said {
                    draft.replace(at..token.end, said);
                }
            }
            None if rest.starts_with("plugin_") => draft.find(
                at,
                Code::UnresolvedReference,
                format!("no plugin is known that `mcp__{rest}` belongs to"),
            ),
            None => {}
        }
    }
}

/// New name by what stands between `mcp__` and the tool. A plugin's own servers are also called without the plugin's name.
fn known(context: &Context<'_>) -> BTreeMap<String, String> {
    let mut known = BTreeMap::new();
    for (plugin, names) in &context.names.plugins {
        for (server, new) in &names.servers {
            let plugin = as_token(plugin);
            known.insert(format!("plugin_{plugin}_{}", as_token(server)), new.clone());
        }
    }
    if let Some(own) = context.names.plugins.get(&context.plugin.name) {
        for (server, new) in &own.servers {
            known.entry(as_token(server)).or_insert_with(|| new.clone());
        }
    }
    known
}

impl Context<'_> {
    /// A tool of an MCP server as the platform calls it, by Claude's name for it (`mcp__server__tool`).
    pub(crate) fn mcp_tool(&self, claude: &str) -> Option<String> {
        let (server, tool) = claude.strip_prefix("mcp__")?.split_once("__")?;
        let known = known(self);
        let server = known.get(server).map_or(server, String::as_str);
        Some(self.target.mcp_tool(server, tool))
    }
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
