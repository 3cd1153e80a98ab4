//! A receipt for people.

use codex_loadout_protocol::Receipt;

use super::print::columns;

/// What a thread has, a part a line, and what was left out.
pub(super) fn receipt(receipt: &Receipt) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |kind: &str, name: &str, source: &str, more: String| {
        rows.push(vec![
            kind.to_owned(),
            name.to_owned(),
            source.to_owned(),
            more,
        ])
    };
    for plugin in &receipt.plugins {
        row(
            "plugin",
            &plugin.id,
            &plugin.source,
            plugin.version.clone().unwrap_or_default(),
        );
        for skill in &plugin.skills {
            row("  skill", skill, &plugin.id, String::new());
        }
        for agent in &plugin.agents {
            row("  agent", agent, &plugin.id, String::new());
        }
    }
    for skill in &receipt.skills {
        row("skill", &skill.name, &skill.source, skill.path.clone());
    }
    for server in &receipt.mcp_servers {
        let tools = server.tools.as_ref().map_or_else(
            || "all tools".to_owned(),
            |tools| format!("tools: {}", tools.join(", ")),
        );
        row("mcpServer", &server.name, &server.source, tools);
    }
    for agent in &receipt.agents {
        row("agent", &agent.name, &agent.source, String::new());
    }
    for hook in &receipt.hooks {
        let state = match (hook.active, hook.trusted) {
            (true, _) => "runs",
            (false, true) => "trusted, not asked for",
            (false, false) => "not trusted",
        };
        row("hook", &hook.event, &hook.source, state.to_owned());
    }
    let mut text = format!("{} {}\n\n", receipt.mode.as_str(), receipt.digest);
    text.push_str(&columns(&["KIND", "NAME", "SOURCE", ""], &rows));
    let excluded = receipt.excluded;
    text.push_str(&format!(
        "\nleft out: {} skills, {} plugins, {} MCP servers\nskill list: {} characters instead of {}\n",
        excluded.skills, excluded.plugins, excluded.mcp_servers, receipt.context.skills_chars, receipt.context.skills_chars_without
    ));
    if let Some(source) = &receipt.inherited_from {
        text.push_str(&format!("inherited from {source}\n"));
    }
    for warning in &receipt.warnings {
        text.push_str(&format!(
            "warning: {} ({})\n",
            warning.message, warning.code
        ));
    }
    text
}
