//! Codex's files, as measured with 0.169.0.

use indexmap::IndexMap;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{Codex, manifest, rules};
use crate::discovery::{SKILL_FILE, is_hidden};
use crate::frontmatter::document;
use crate::paths::file_name;
use crate::target::{AgentDefinition, AgentTools, Layout, ManifestFacts};

/// A role's file; any other key, and the role is lost.
#[derive(Serialize)]
struct Role<'a> {
    name: &'a str,
    description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sandbox_mode: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    model_reasoning_effort: Option<&'a str>,
    developer_instructions: &'a str,
}

impl Layout for Codex {
    fn skills_folder(&self) -> &'static str {
        "skills"
    }

    fn finds_skill(&self, path: &str) -> bool {
        file_name(path) == SKILL_FILE && !is_hidden(path)
    }

    fn migrated_folder(&self) -> Option<&'static str> {
        Some("commands")
    }

    fn skill_title(&self, name: &str) -> String {
        name.to_owned()
    }

    /// What no file system takes becomes `-`; a folder whose name begins with a dot would not be searched.
    fn skill_folder(&self, name: &str) -> String {
        let folder: String = name
            .chars()
            .map(|c| match c {
                ':' | '/' | '\\' => '-',
                c if c.is_control() => '-',
                c => c,
            })
            .collect();
        match folder.strip_prefix('.') {
            Some(rest) => format!("-{rest}"),
            None => folder,
        }
    }

    /// Six folders below a root, the bundle's own among them.
    fn skill_depth(&self) -> usize {
        6
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
        Some("agents/openai.yaml")
    }

    /// JSON is YAML, too: where there is more to say than the policy, it is written as that.
    fn mention_only(&self, existing: Option<&str>) -> Option<String> {
        let Some(existing) = existing.filter(|text| !text.trim().is_empty()) else {
            return Some("policy:\n  allow_implicit_invocation: false\n".to_owned());
        };
        let mut value: Value = serde_saphyr::from_str(existing).ok()?;
        let policy = value
            .as_object_mut()?
            .entry("policy")
            .or_insert_with(|| json!({}));
        if policy.is_null() {
            *policy = json!({});
        }
        policy
            .as_object_mut()?
            .insert("allow_implicit_invocation".to_owned(), json!(false));
        Some(serde_json::to_string_pretty(&value).ok()? + "\n")
    }

    fn check_skill(&self, plugin: &str, name: &str, text: &str) -> Vec<String> {
        rules::check_skill(plugin, name, text)
    }

    fn agents_lie_where_claudes_do(&self) -> bool {
        false
    }

    fn agent_tools(&self, _tools: &AgentTools<'_>) -> Option<Vec<String>> {
        None
    }

    fn asks_for_settings(&self) -> bool {
        false
    }

    fn has_turn_limit(&self) -> bool {
        false
    }

    fn agent_file(&self, name: &str) -> String {
        format!("agents/{}.toml", self.skill_folder(name))
    }

    fn agent_definition(&self, agent: &AgentDefinition) -> String {
        let role = Role {
            name: &agent.role,
            description: &agent.description,
            sandbox_mode: agent.read_only.then_some("read-only"),
            model_reasoning_effort: agent.effort,
            developer_instructions: &agent.instructions,
        };
        // Texts can always be written; were it otherwise, the checks would refuse the empty file.
        toml::to_string_pretty(&role).unwrap_or_default()
    }

    fn effort(&self, claude_effort: &str) -> Option<&'static str> {
        match claude_effort {
            "low" => Some("low"),
            "medium" => Some("medium"),
            "high" => Some("high"),
            "xhigh" | "max" => Some("xhigh"),
            _ => None,
        }
    }

    fn servers_file(&self) -> &'static str {
        ".mcp.json"
    }

    fn hooks_file(&self) -> &'static str {
        "hooks/hooks.json"
    }

    fn manifest_file(&self) -> &'static str {
        ".codex-plugin/plugin.json"
    }

    fn plugin_name(&self, name: &str) -> String {
        manifest::plugin_name(name)
    }

    fn manifest(&self, facts: &ManifestFacts<'_>) -> (Map<String, Value>, Vec<String>) {
        manifest::manifest(self, facts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_of_names() {
        for (name, folder) in [
            ("plain", "plain"),
            ("git:push", "git-push"),
            ("a/b", "a-b"),
            ("My Skill", "My Skill"),
            (".hidden", "-hidden"),
            ("..", "-."),
            ("a\u{7}b", "a-b"),
        ] {
            assert_eq!(Codex.skill_folder(name), folder);
        }
    }

    #[test]
    fn policies_are_merged() {
        let denies = |text: &str| {
            let value: Value = serde_saphyr::from_str(text).unwrap();
            value["policy"]["allow_implicit_invocation"] == json!(false)
        };
        for existing in [
            None,
            Some(""),
            Some("interface:\n  display_name: \"X: y\"\n"),
            Some("policy:\n  allow_implicit_invocation: true\n  products: [codex]\n"),
            Some("policy:\n"),
        ] {
            assert!(
                denies(&Codex.mention_only(existing).unwrap()),
                "{existing:?}"
            );
        }
        let merged = Codex.mention_only(Some("interface:\n  display_name: \"X: y\"\n"));
        let merged: Value = serde_saphyr::from_str(&merged.unwrap()).unwrap();
        assert_eq!(merged["interface"]["display_name"], "X: y");
        for unreadable in ["policy: [", "- a", "policy: text"] {
            assert_eq!(Codex.mention_only(Some(unreadable)), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn agents_are_read_again(
            role in "\\PC{1,20}",
            description in proptest::collection::vec(proptest::char::any(), 0..40),
            instructions in "(\\PC|[\n\r\t\"'\\\\\u{0}-\u{1f}]){0,80}",
        ) {
            let agent = AgentDefinition {
                role,
                description: description.into_iter().collect(),
                instructions,
                read_only: true,
                effort: Some("high"),
                tools: None,
                turns: None,
            };
            let table: toml::Table = Codex.agent_definition(&agent).parse().unwrap();
            proptest::prop_assert_eq!(table["name"].as_str(), Some(agent.role.as_str()));
            proptest::prop_assert_eq!(table["description"].as_str(), Some(agent.description.as_str()));
            proptest::prop_assert_eq!(table["developer_instructions"].as_str(), Some(agent.instructions.as_str()));
            proptest::prop_assert_eq!(table["sandbox_mode"].as_str(), Some("read-only"));
            proptest::prop_assert_eq!(table.len(), 5);
        }
    }
}
