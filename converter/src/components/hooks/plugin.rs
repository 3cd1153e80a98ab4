//! What the handlers of one plugin have in common.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::signs::Signs;
use crate::context::Context;

/// What the handlers of one plugin have in common.
pub(super) struct PluginHooks<'a, 'c> {
    pub(super) context: &'a Context<'c>,
    pub(super) signs: Signs,
    /// The adapter's place in the bundle.
    pub(super) adapter: &'a str,
    /// The names that the plugin's servers run under, by the plugin's own.
    pub(super) servers: BTreeMap<String, String>,
}

impl PluginHooks<'_, '_> {
    /// How Claude Code calls a server of the plugin in names of tools, by the name it runs under.
    pub(super) fn claude_servers(&self) -> Map<String, Value> {
        let word = |text: &str| -> String {
            let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            text.chars()
                .map(|c| if is_word(c) { c } else { '_' })
                .collect()
        };
        let plugin = word(&self.context.plugin.name);
        self.servers
            .iter()
            .map(|(own, name)| {
                (
                    name.clone(),
                    json!(format!("plugin_{plugin}_{}", word(own))),
                )
            })
            .collect()
    }

    /// A tool of an MCP server as the target calls it.
    pub(super) fn mcp_name(&self, tool: &str) -> String {
        for (name, claude) in self.claude_servers() {
            let prefix = format!("mcp__{}__", claude.as_str().unwrap_or_default());
            if let Some(tool) = tool.strip_prefix(&prefix) {
                return self.context.target.mcp_tool(&name, tool);
            }
        }
        match tool
            .strip_prefix("mcp__")
            .and_then(|tool| tool.split_once("__"))
        {
            Some((server, tool)) => self.context.target.mcp_tool(server, tool),
            None => tool.to_owned(),
        }
    }
}
