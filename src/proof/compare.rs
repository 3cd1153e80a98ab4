//! Receipt against what arrived: a pure comparison.

use std::collections::BTreeSet;

use codex_loadout_protocol::method::{CapabilityKind, Difference, Problem};
use codex_loadout_protocol::selection::Mode;
use codex_loadout_protocol::{CapabilitySelection, Receipt, Seen};

/// What a thread has without a loadout, as far as that is no difference.
#[derive(Debug, Default)]
pub(super) struct Native {
    /// Skills that stand in no list before they are mentioned.
    pub(super) mention_only: BTreeSet<String>,
    /// Roles of the user's own.
    pub(super) roles: BTreeSet<String>,
    /// Events that have hooks of the launch line.
    pub(super) hooks: BTreeSet<String>,
    /// Tools outside MCP servers.
    pub(super) tools: Vec<String>,
}

/// Every difference, sorted. In `extend`, and for kinds that a `restrict` leaves alone, what comes on
/// top of the receipt is the user's own. Skills that stand in no list before they are mentioned may be missing,
/// roles of the user's own are listed whatever they bring, and built-in tools are those of any thread.
pub(super) fn differences(
    receipt: &Receipt,
    selection: &CapabilitySelection,
    native: &Native,
    seen: &Seen,
    ran: &[String],
) -> Vec<Difference> {
    let mut found = BTreeSet::new();
    let mut differ = |kind, name: &str, problem| {
        found.insert(Difference {
            kind,
            name: name.to_owned(),
            problem,
        });
    };
    let of_plugins = receipt.plugins.iter().flat_map(|plugin| &plugin.skills);
    let skills: BTreeSet<&str> = receipt
        .skills
        .iter()
        .map(|skill| &skill.name)
        .chain(of_plugins)
        .map(String::as_str)
        .collect();
    let arrived: BTreeSet<&str> = seen.skills.iter().map(String::as_str).collect();
    for name in skills.difference(&arrived) {
        if !native.mention_only.contains(*name) {
            differ(CapabilityKind::Skill, name, Problem::Missing);
        }
    }
    // What an administrator switches on as a whole is not told part by part.
    let is_open = receipt.managed.iter().any(|managed| {
        let opens = ["features.", "plugins.", "skills."];
        opens.iter().any(|key| managed.key.starts_with(key))
    });
    let managed = |of: &'static str| {
        let keys = receipt.managed.iter().map(|managed| managed.key.as_str());
        keys.filter_map(move |key| key.strip_prefix(of))
    };
    if selection.mode() != Mode::Extend && !is_open {
        for name in arrived.difference(&skills) {
            differ(CapabilityKind::Skill, name, Problem::Unexpected);
        }
    }
    for server in &receipt.mcp_servers {
        let Some(tools) = seen.mcp_servers.get(&namespace(&server.name)) else {
            // Cut to no tool, there is nothing of it to be seen.
            if server.tools.as_ref().is_none_or(|tools| !tools.is_empty()) {
                differ(CapabilityKind::McpServer, &server.name, Problem::Missing);
            }
            continue;
        };
        let Some(chosen) = &server.tools else {
            continue;
        };
        let name = |tool: &String| format!("{}.{tool}", server.name);
        for tool in chosen.iter().filter(|tool| !tools.contains(tool)) {
            differ(CapabilityKind::McpServer, &name(tool), Problem::Missing);
        }
        for tool in tools.iter().filter(|tool| !chosen.contains(tool)) {
            differ(CapabilityKind::McpServer, &name(tool), Problem::Unexpected);
        }
    }
    let servers_are_all = match selection.mode() {
        _ if is_open => false,
        Mode::Replace => true,
        Mode::Restrict => selection.mcp_servers.is_some(),
        Mode::Extend => false,
    };
    if servers_are_all {
        let known: BTreeSet<String> = receipt
            .mcp_servers
            .iter()
            .map(|server| server.name.as_str())
            .chain(managed("mcp_servers.").filter_map(|key| key.split('.').next()))
            .map(namespace)
            .collect();
        for name in seen
            .mcp_servers
            .keys()
            .filter(|name| !known.contains(*name))
        {
            differ(CapabilityKind::McpServer, name, Problem::Unexpected);
        }
    }
    let of_plugins = receipt.plugins.iter().flat_map(|plugin| &plugin.agents);
    let single = receipt.agents.iter().map(|agent| &agent.name);
    let agents: BTreeSet<&String> = of_plugins.chain(single).collect();
    for name in agents.iter().filter(|name| !seen.agents.contains(name)) {
        differ(CapabilityKind::Agent, name, Problem::Missing);
    }
    if selection.mode() == Mode::Replace {
        let known = |name: &String| {
            let built_in = BUILT_IN_ROLES.contains(&name.as_str());
            built_in || agents.contains(name) || native.roles.contains(name)
        };
        for name in seen.agents.iter().filter(|name| !known(name)) {
            differ(CapabilityKind::Agent, name, Problem::Unexpected);
        }
        let may_run = |event: &String| {
            let active = receipt.hooks.iter().filter(|hook| hook.active);
            let of_layers = native.hooks.iter().map(String::as_str);
            let mut events = active
                .map(|hook| hook.event.as_str())
                .chain(of_layers)
                .chain(managed("hooks."));
            events.any(|known| known.eq_ignore_ascii_case(event))
        };
        for event in ran.iter().filter(|event| !may_run(event)) {
            differ(CapabilityKind::Hook, event, Problem::Unexpected);
        }
    }
    let built_in = |tools: &[String]| -> BTreeSet<String> {
        let tools = tools
            .iter()
            .filter(|tool| !COMES_WITH.contains(&tool.as_str()));
        tools.cloned().collect()
    };
    let (with, without) = (built_in(&seen.other_tools), built_in(&native.tools));
    for name in without.difference(&with) {
        differ(CapabilityKind::Tool, name, Problem::Missing);
    }
    for name in with.difference(&without) {
        differ(CapabilityKind::Tool, name, Problem::Unexpected);
    }
    found.into_iter().collect()
}

/// Tools that Codex 0.144 to 0.169 give a thread that has an MCP server, or a root.
const COMES_WITH: [&str; 4] = [
    "list_mcp_resources",
    "list_mcp_resource_templates",
    "read_mcp_resource",
    "skills",
];

/// The roles that Codex 0.144 to 0.169 bring themselves.
const BUILT_IN_ROLES: [&str; 3] = ["default", "explorer", "worker"];

/// How Codex 0.144 to 0.169 name a server's tools: what can't stand in such a name becomes `_`.
fn namespace(server: &str) -> String {
    let part: String = server
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    format!("mcp__{part}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn compared(mode: &str, skills: &[&str], servers: serde_json::Value) -> Vec<String> {
        with_agents(mode, skills, servers, &["default", "p:role"])
    }

    fn with_agents(
        mode: &str,
        skills: &[&str],
        servers: serde_json::Value,
        agents: &[&str],
    ) -> Vec<String> {
        let selection = CapabilitySelection::from_json(
            &json!({ "mode": mode, "skills": ["a"], "mcpServers": ["one"] }).to_string(),
        )
        .unwrap();
        let receipt: Receipt = serde_json::from_value(json!({
            "digest": format!("sha256:{}", "0".repeat(64)), "mode": mode, "profile": [],
            "plugins": [{ "id": "p@m", "version": null, "digest": "", "source": "codex", "skills": ["p:b"], "mcpServers": [], "agents": ["p:role"] }],
            "skills": [{ "name": "a", "source": "user", "path": "/a", "digest": "" },
                { "name": "quiet", "source": "user", "path": "/q", "digest": "" }],
            "mcpServers": [{ "name": "my-one", "source": "config", "tools": null },
                { "name": "cut", "source": "config", "tools": ["x"] },
                { "name": "mute", "source": "config", "tools": [] }],
            "agents": [], "hooks": [{ "event": "Stop", "source": "p@m", "trusted": true, "active": true }], "excluded": { "skills": 0, "plugins": 0, "mcpServers": 0 },
            "context": { "skillsChars": 0, "skillsCharsWithout": 0 }, "inheritedFrom": null, "warnings": []
        }))
        .unwrap();
        let seen = Seen {
            skills: skills.iter().map(|name| (*name).to_owned()).collect(),
            agents: agents.iter().map(|name| (*name).to_owned()).collect(),
            mcp_servers: serde_json::from_value(servers).unwrap(),
            ..Seen::default()
        };
        let quiet = BTreeSet::from(["quiet".to_owned()]);
        let ran = ["stop".to_owned(), "sessionStart".to_owned()];
        let native = Native {
            mention_only: quiet,
            roles: BTreeSet::from(["own".to_owned()]),
            ..Native::default()
        };
        differences(&receipt, &selection, &native, &seen, &ran)
            .into_iter()
            .map(|difference| format!("{} {:?}", difference.name, difference.problem))
            .collect()
    }

    #[test]
    fn a_built_in_tool_given_back_or_taken_away_is_a_difference() {
        let receipt: Receipt = serde_json::from_value(json!({
            "digest": "", "mode": "replace", "profile": [], "plugins": [], "skills": [], "mcpServers": [],
            "agents": [], "hooks": [], "excluded": { "skills": 0, "plugins": 0, "mcpServers": 0 },
            "context": { "skillsChars": 0, "skillsCharsWithout": 0 }, "inheritedFrom": null, "warnings": []
        }))
        .unwrap();
        let tools = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let seen = Seen {
            other_tools: tools(&["exec_command", "skills", "web_search"]),
            ..Seen::default()
        };
        let native = Native {
            tools: tools(&["read_mcp_resource", "view_image", "web_search"]),
            ..Native::default()
        };
        let found = differences(
            &receipt,
            &CapabilitySelection::default(),
            &native,
            &seen,
            &[],
        );
        let found: Vec<_> = found
            .iter()
            .map(|difference| (difference.name.as_str(), difference.problem))
            .collect();
        assert_eq!(
            found,
            [
                ("exec_command", Problem::Unexpected),
                ("view_image", Problem::Missing)
            ]
        );
    }

    #[test]
    fn each_thing_missing_or_too_much_is_a_difference() {
        let all = json!({ "mcp__my_one": ["t"], "mcp__cut": ["x"] });
        assert_eq!(
            compared("replace", &["a", "p:b"], all.clone()),
            ["sessionStart Unexpected"]
        );
        assert_eq!(
            with_agents(
                "replace",
                &["a", "p:b"],
                all.clone(),
                &["worker", "mine", "own"]
            ),
            [
                "mine Unexpected",
                "p:role Missing",
                "sessionStart Unexpected"
            ]
        );
        assert_eq!(
            compared(
                "replace",
                &["a", "z"],
                json!({ "mcp__cut": ["x", "y"], "mcp__new": ["n"] })
            ),
            [
                "p:b Missing",
                "z Unexpected",
                "cut.y Unexpected",
                "mcp__new Unexpected",
                "my-one Missing",
                "sessionStart Unexpected"
            ]
        );
        // What an extend adds to, is the user's own.
        let more = json!({ "mcp__my_one": ["t"], "mcp__cut": ["x"], "mcp__own": ["o"] });
        assert_eq!(
            compared("extend", &["a", "p:b", "own"], more.clone()),
            Vec::<String>::new()
        );
        assert_eq!(
            compared("restrict", &["a", "p:b"], more),
            ["mcp__own Unexpected"]
        );
    }
}
