//! What a model request shows the model of skills, MCP servers and agents.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How the list of skills begins that codex-loadout writes.
pub const LIST_START: &str = "<codex_loadout_skills>";
/// How it ends.
pub const LIST_END: &str = "</codex_loadout_skills>";
/// What its lines stand under, as those of Codex's own.
pub const LIST_HEADING: &str = "### Available skills";
/// The sections that tell of skills: Codex's own and ours.
const SECTIONS: [(&str, &str); 2] = [
    ("<skills_instructions>", "</skills_instructions>"),
    (LIST_START, LIST_END),
];
/// What stands between a skill's name and its description.
const NAME_END: &str = ": ";

/// What one request showed the model. The forms are those of Codex 0.144.1 to 0.169.0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Seen {
    /// Names in the skills sections of the last message that lists any, sorted. Earlier ones are history
    /// and stay in the input. A section of Codex's that lists none is a notice about the thread's roots.
    pub skills: Vec<String>,
    /// Characters of those sections, with their tags.
    pub skills_chars: usize,
    /// How many skills sections the input holds.
    pub skills_sections: usize,
    /// Skills whose body a `$name` mention put into the input, ever in this thread.
    pub injected_skills: Vec<String>,
    /// Tools by MCP namespace, which is `mcp__` and the server's name with `_` for `-`; sorted.
    pub mcp_servers: BTreeMap<String, Vec<String>>,
    /// Characters of those tools' definitions.
    pub mcp_chars: usize,
    /// Roles that the spawn tool offers, in its order. Codex names none, not even its own, unless
    /// the config has one.
    pub agents: Vec<String>,
    /// All other tools and tool namespaces, in Codex's order.
    pub other_tools: Vec<String>,
}

impl Seen {
    /// Reads the body of a `POST /v1/responses`.
    #[must_use]
    pub fn of(body: &Value) -> Self {
        Self::knowing(body, &[])
    }

    /// The same, where names of skills may hold a `:` and a space: in a list only those who know such a
    /// name can tell it from the description behind it.
    #[must_use]
    pub fn knowing(body: &Value, names: &[&str]) -> Self {
        let mut unclear: Vec<&str> = names.to_vec();
        unclear.retain(|name| name.contains(NAME_END));
        // Of two that fit, the longer one is meant.
        unclear.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let mut seen = Self::default();
        let mut injected = BTreeSet::new();
        for message in list(&body["input"]) {
            let texts = || list(&message["content"]).filter_map(|part| part["text"].as_str());
            let sections: Vec<&str> = texts().flat_map(sections_in).collect();
            seen.skills_sections += sections.len();
            if sections
                .iter()
                .any(|section| section.contains(LIST_HEADING))
            {
                // The user's own skills and those of selected roots have a section each.
                let mut names: Vec<String> = sections
                    .iter()
                    .flat_map(|section| listed_skills(section, &unclear))
                    .collect();
                names.sort();
                names.dedup();
                seen.skills = names;
                seen.skills_chars = sections.iter().map(|text| text.chars().count()).sum();
            }
            injected.extend(texts().filter_map(injected_skill).map(str::to_owned));
        }
        seen.injected_skills = injected.into_iter().collect();
        for tool in list(&body["tools"]) {
            seen.add_tool(tool);
        }
        seen
    }

    /// Characters of context that skills and MCP tools take.
    #[must_use]
    pub fn context_chars(&self) -> usize {
        self.skills_chars + self.mcp_chars
    }

    /// All MCP tools, as `mcp__server.tool`.
    #[must_use]
    pub fn mcp_tools(&self) -> Vec<String> {
        let of_server = |(server, tools): (&String, &Vec<String>)| {
            tools
                .iter()
                .map(|tool| format!("{server}.{tool}"))
                .collect::<Vec<_>>()
        };
        self.mcp_servers.iter().flat_map(of_server).collect()
    }

    fn add_tool(&mut self, tool: &Value) {
        // Built-in tools such as web_search have a type and no name.
        let name = tool["name"]
            .as_str()
            .or(tool["type"].as_str())
            .unwrap_or_default();
        if name.starts_with("mcp__") {
            let mut tools = names(&tool["tools"]);
            tools.sort();
            self.mcp_servers.insert(name.to_owned(), tools);
            self.mcp_chars += tool.to_string().chars().count();
            return;
        }
        self.other_tools.push(name.to_owned());
        let spawn = list(&tool["tools"])
            .chain([tool])
            .find(|tool| tool["name"] == "spawn_agent");
        if let Some(roles) = spawn.and_then(|spawn| {
            spawn["parameters"]["properties"]["agent_type"]["description"].as_str()
        }) {
            self.agents = listed_roles(roles);
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn names(tools: &Value) -> Vec<String> {
    list(tools)
        .filter_map(|tool| tool["name"].as_str())
        .map(str::to_owned)
        .collect()
}

/// The sections of a text, with their tags.
fn sections_in(text: &str) -> impl Iterator<Item = &str> {
    SECTIONS.into_iter().flat_map(move |(start, end)| {
        text.match_indices(start).filter_map(move |(at, _)| {
            let section = text.get(at..)?;
            section.get(..section.find(end)? + end.len())
        })
    })
}

/// The names in `- name: description (file: …)`. A name may hold a `:`, but a space after it only if it is one
/// of the `unclear` ones.
fn listed_skills(section: &str, unclear: &[&str]) -> Vec<String> {
    let Some((_, skills)) = section.split_once(LIST_HEADING) else {
        return Vec::new();
    };
    let names: BTreeSet<_> = skills
        .lines()
        .take_while(|line| !line.starts_with('#') && !line.starts_with("</"))
        .filter_map(|line| {
            let line = line.strip_prefix("- ")?;
            let is_it = |name: &&&str| {
                let rest = line.strip_prefix(**name);
                rest.is_some_and(|rest| rest.starts_with(NAME_END))
            };
            let known = unclear.iter().find(is_it).copied();
            Some(
                known
                    .or_else(|| Some(line.split_once(NAME_END)?.0))?
                    .to_owned(),
            )
        })
        .collect();
    names.into_iter().collect()
}

fn injected_skill(text: &str) -> Option<&str> {
    let (_, rest) = text.strip_prefix("<skill>")?.split_once("<name>")?;
    Some(rest.split_once("</name>")?.0)
}

/// The names in `name: {`, each followed by its description and a `}` of its own line.
fn listed_roles(description: &str) -> Vec<String> {
    let Some((_, roles)) = description.split_once("Available roles:\n") else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let mut inside = false;
    for line in roles.lines() {
        if inside {
            inside = line != "}";
        } else if let Some(name) = line.strip_suffix(": {") {
            names.push(name.to_owned());
            inside = true;
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn message(text: &str) -> Value {
        json!({"role": "developer", "content": [{"type": "input_text", "text": text}]})
    }

    #[test]
    fn the_last_message_with_skills_counts() {
        let old = "<skills_instructions>\n### Available skills\n- gone: Was here. (file: r0/gone/SKILL.md)\n</skills_instructions>";
        let new = "<skills_instructions>\n## Skills\n- not: a skill\n### Available skills\n\
                   - ns:one: Says: hello. (executor package: e0/ns/one)\n- alone: Works. (file: r1/alone/SKILL.md)\n\
                   ### How to use skills\n- Rule: none\n</skills_instructions>";
        let of_roots = "<skills_instructions>### Available skills\n- root: Of a root. (executor package: e0/root)\n</skills_instructions>";
        let both = json!({"content": [{"text": new}, {"text": of_roots}]});
        let notice = "<skills_instructions>\n## Skills update\nThey are available again.\n</skills_instructions>";
        let seen =
            Seen::of(&json!({"input": [message(old), both, message("later"), message(notice)]}));
        assert_eq!(seen.skills, ["alone", "ns:one", "root"]);
        assert_eq!(seen.skills_sections, 4);
        assert_eq!(seen.skills_chars, new.len() + of_roots.len());
    }

    #[test]
    fn a_list_of_ours_counts_as_codexs_own() {
        let lines = "- a: Is: b. (file: /x/a/SKILL.md)\n- ns:b: (file: /x/b/SKILL.md)\n";
        let list = format!("{LIST_START}\n## Skills\nUse them.\n{LIST_HEADING}\n{lines}{LIST_END}");
        let text = format!("Be kind.\n\n{list}");
        let seen = Seen::of(&json!({"input": [message(&text)]}));
        assert_eq!(seen.skills, ["a", "ns:b"]);
        assert_eq!((seen.skills_sections, seen.skills_chars), (1, list.len()));
    }

    #[test]
    fn a_name_that_ends_like_a_name_is_told_by_those_who_know_it() {
        let list = "<skills_instructions>\n### Available skills\n- p:Review: Slow. (file: a)\n\
                    - p:Review: Fast: Is fast. (file: b)\n- p:Review: Fast: Too: Is both. (file: c)\n</skills_instructions>";
        let body = json!({"input": [message(list)]});
        for (known, skills) in [
            (vec![], vec!["p:Review"]),
            (
                vec!["p:Review", "p:Review: Fast", "p:Review: Fast: Too"],
                vec!["p:Review", "p:Review: Fast", "p:Review: Fast: Too"],
            ),
            (vec!["p:Review: F"], vec!["p:Review"]),
        ] {
            assert_eq!(Seen::knowing(&body, &known).skills, skills, "{known:?}");
        }
    }

    #[test]
    fn a_request_without_anything_shows_nothing() {
        assert_eq!(
            Seen::of(&json!({"input": [message("hello")], "tools": []})),
            Seen::default()
        );
    }

    #[test]
    fn tools_roles_and_mentions() {
        let roles = "Override.\nAvailable roles:\nscout: {\nLooks: {\n}\ndefault: {\nAll.\n}";
        let spawn = json!({"name": "spawn_agent", "parameters": {"properties": {"agent_type": {"description": roles}}}});
        let seen = Seen::of(&json!({
            "input": [message("<skill>\n<name>ns:one</name>\n<path>x</path>\nbody</skill>")],
            "tools": [{"type": "web_search"}, {"type": "namespace", "name": "multi_agent_v1", "tools": [spawn]},
                      {"name": "mcp__a_b", "tools": [{"name": "two"}, {"name": "one"}]}],
        }));
        assert_eq!(seen.injected_skills, ["ns:one"]);
        assert_eq!(seen.agents, ["scout", "default"]);
        assert_eq!(seen.other_tools, ["web_search", "multi_agent_v1"]);
        assert_eq!(seen.mcp_servers["mcp__a_b"], ["one", "two"]);
    }
}
