//! Where an extension's parts lie, and what their files look like.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Gemini, manifest};
use crate::discovery::SKILL_FILE;
use crate::frontmatter::document;
use crate::target::{AgentDefinition, AgentTools, Layout, ManifestFacts};

/// Its tools, by Claude's names for them.
const TOOLS: &[(&str, &str)] = &[
    ("AskUserQuestion", "ask_user"),
    ("Bash", "run_shell_command"),
    ("Edit", "replace"),
    ("Glob", "glob"),
    ("Grep", "grep_search"),
    ("LS", "list_directory"),
    ("MultiEdit", "replace"),
    ("NotebookEdit", "replace"),
    ("NotebookRead", "read_file"),
    ("Read", "read_file"),
    ("Skill", "activate_skill"),
    ("TodoWrite", "write_todos"),
    ("WebFetch", "web_fetch"),
    ("WebSearch", "google_web_search"),
    ("Write", "write_file"),
];
/// All tools of MCP servers.
const ALL_SERVERS: &str = "mcp_*";

/// An agent's header; with any other key the agent is not loaded.
#[derive(Serialize)]
struct Header<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    tools: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_turns: Option<u64>,
}

impl Layout for Gemini {
    fn skills_folder(&self) -> &'static str {
        "skills"
    }

    /// What it has of these is replaced when it is read.
    fn skill_title(&self, name: &str) -> String {
        name.replace([':', '\\', '/', '<', '>', '*', '?', '"', '|'], "-")
    }

    fn skill_folder(&self, name: &str) -> String {
        let name = self.skill_title(name);
        let folder = name.trim_start_matches('.');
        if folder.is_empty() {
            "skill".to_owned()
        } else {
            folder.to_owned()
        }
    }

    /// `skills/x/SKILL.md`, and no deeper.
    fn skill_depth(&self) -> usize {
        3
    }

    fn finds_skill(&self, path: &str) -> bool {
        let parts: Vec<&str> = path.split('/').collect();
        let is_hidden = |folder: &str| folder.starts_with('.') || folder == "node_modules";
        match parts.as_slice() {
            ["skills", file] => *file == SKILL_FILE,
            ["skills", folder, file] => *file == SKILL_FILE && !is_hidden(folder),
            _ => false,
        }
    }

    fn skill_header(
        &self,
        name: &str,
        description: &str,
        metadata: &IndexMap<String, String>,
    ) -> String {
        document(name, description, metadata)
    }

    fn policy_file(&self) -> Option<&'static str> {
        None
    }

    fn mention_only(&self, _existing: Option<&str>) -> Option<String> {
        None
    }

    fn check_skill(&self, _plugin: &str, name: &str, text: &str) -> Vec<String> {
        let header = crate::frontmatter::read(text).header;
        let mut problems = Vec::new();
        if header.text("name").as_deref() != Some(name) {
            problems.push(format!("its frontmatter does not name it `{name}`"));
        }
        if header.text("description").is_none() {
            problems.push("it has no description".to_owned());
        }
        problems
    }

    fn migrated_folder(&self) -> Option<&'static str> {
        None
    }

    fn agents_lie_where_claudes_do(&self) -> bool {
        true
    }

    /// What Claude has alone is left out, as are other agents, which no agent can call.
    fn agent_tools(&self, tools: &AgentTools<'_>) -> Option<Vec<String>> {
        let own = |claude: &String| -> Option<String> {
            let name = claude.split('(').next().unwrap_or_default().trim();
            if name.starts_with("mcp_") {
                return Some(name.to_owned());
            }
            let tool = TOOLS.iter().find(|(known, _)| *known == name)?;
            Some(tool.1.to_owned())
        };
        let forbidden: BTreeSet<String> = tools.forbidden.iter().filter_map(own).collect();
        let allowed: BTreeSet<String> = match tools.allowed {
            Some(allowed) => allowed.iter().filter_map(own).collect(),
            None => {
                let all = TOOLS.iter().map(|(_, tool)| (*tool).to_owned());
                all.chain([ALL_SERVERS.to_owned()]).collect()
            }
        };
        Some(allowed.difference(&forbidden).cloned().collect())
    }

    fn asks_for_settings(&self) -> bool {
        true
    }

    fn has_turn_limit(&self) -> bool {
        true
    }

    fn agent_file(&self, name: &str) -> String {
        // A file whose name begins with `_` is not read.
        format!(
            "agents/{}.md",
            self.skill_folder(name).trim_start_matches('_')
        )
    }

    fn agent_definition(&self, agent: &AgentDefinition) -> String {
        let header = document(&agent.role, &agent.description, &IndexMap::new());
        let more = Header {
            tools: agent.tools.as_deref(),
            max_turns: agent.turns,
        };
        // JSON is YAML, too.
        let more: String = serde_json::to_value(&more)
            .ok()
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .map(|(key, value)| format!("{key}: {value}\n"))
            .collect();
        let head = header.strip_suffix("---\n").unwrap_or(&header);
        format!(
            "{head}{more}---\n\n{}\n",
            without_inputs(&agent.instructions)
        )
    }

    /// An agent thinks as its model does.
    fn effort(&self, _claude_effort: &str) -> Option<&'static str> {
        None
    }

    fn servers_file(&self) -> &'static str {
        self.manifest_file()
    }

    fn hooks_file(&self) -> &'static str {
        "hooks/hooks.json"
    }

    fn manifest_file(&self) -> &'static str {
        "gemini-extension.json"
    }

    fn plugin_name(&self, name: &str) -> String {
        manifest::name(name)
    }

    fn manifest(&self, facts: &ManifestFacts<'_>) -> (Map<String, Value>, Vec<String>) {
        manifest::manifest(facts)
    }
}

/// The name of an agent: that of a tool.
pub(super) fn slug(name: &str) -> String {
    name.to_lowercase()
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .collect()
}

/// An agent's instructions without what would be taken for its inputs: with `${NAME}` of another name it does not start.
fn without_inputs(text: &str) -> String {
    let mut rest = text;
    let mut written = String::with_capacity(text.len());
    while let Some(at) = rest.find("${") {
        let (before, found) = rest.split_at(at);
        written.push_str(before);
        let name = found[2..].split('}').next().unwrap_or_default();
        let is_input = found[2 + name.len()..].starts_with('}')
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && found[..2 + name.len() + 1] != *super::FOLDER;
        if !is_input {
            written.push_str("${");
            rest = &found[2..];
            continue;
        }
        rest = &found[name.len() + 3..];
        // A shell's variable means the same so, and what stands in other code is read so, too.
        let is_of_shell = name.chars().all(|c| !c.is_lowercase());
        let dash = if is_of_shell { "-" } else { " " };
        written.push_str(&format!("${{{name}{dash}}}"));
    }
    written.push_str(rest);
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_have_no_inputs() {
        for (text, without) in [
            ("a ${HOME}/x", "a ${HOME-}/x"),
            ("${extensionPath}/a ${item}", "${extensionPath}/a ${item }"),
            ("$HOME ${A:-b} ${", "$HOME ${A:-b} ${"),
        ] {
            assert_eq!(without_inputs(text), without);
        }
    }

    #[test]
    fn agents_have_the_tools_that_are_there() {
        let list = |names: &[&str]| -> Vec<String> {
            names.iter().map(|name| (*name).to_owned()).collect()
        };
        let (some, none) = (
            list(&["Read", "Task", "Bash(git *)", "mcp_db_query"]),
            list(&[]),
        );
        let tools = |allowed: Option<&[String]>, forbidden: &[String]| {
            Gemini
                .agent_tools(&AgentTools { allowed, forbidden })
                .unwrap()
        };
        assert_eq!(
            tools(Some(&some), &none),
            ["mcp_db_query", "read_file", "run_shell_command"]
        );
        let rest = tools(None, &list(&["Write", "Edit"]));
        assert!(!rest.contains(&"replace".to_owned()) && rest.contains(&"mcp_*".to_owned()));
    }

    #[test]
    fn names_of_agents_are_those_of_tools() {
        for (name, slug_) in [
            ("forge-Code Reviewer", "forge-code-reviewer"),
            ("a:b", "a-b"),
        ] {
            assert_eq!(slug(name), slug_);
        }
    }

    #[test]
    fn skills_lie_in_one_folder() {
        for (path, is_found) in [
            ("skills/a/SKILL.md", true),
            ("skills/SKILL.md", true),
            ("skills/a/b/SKILL.md", false),
            ("docs/SKILL.md", false),
            ("skills/.a/SKILL.md", false),
        ] {
            assert_eq!(Gemini.finds_skill(path), is_found, "{path}");
        }
    }
}
