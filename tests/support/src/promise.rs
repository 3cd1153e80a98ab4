//! What a thread's model is to see, to be held against what it saw.

use std::collections::BTreeSet;

use crate::Seen;

/// What Codex 0.144.1 to 0.169.0 bundle; `plugin-creator` is gone since 0.163.0.
const BUNDLED_SKILLS: [&str; 5] = [
    "imagegen",
    "openai-docs",
    "plugin-creator",
    "skill-creator",
    "skill-installer",
];

/// Skills and MCP tools that a thread is to have, and no others.
#[derive(Debug, Clone, Default)]
pub struct Promise {
    skills: BTreeSet<String>,
    tools: BTreeSet<String>,
    servers: usize,
    bundled_skills: bool,
}

impl Promise {
    /// Exactly these skills, and no MCP server.
    #[must_use]
    pub fn of_skills(skills: &[&str]) -> Self {
        Self {
            skills: skills.iter().map(|name| (*name).to_owned()).collect(),
            ..Self::default()
        }
    }

    /// What a thread without a selection has in the standard home ([`crate::HomeBuilder::standard`]).
    #[must_use]
    pub fn native() -> Self {
        Self::of_skills(&[
            "dependency-upgrade",
            "github:pull-request",
            "house-style",
            "incident-debugging",
            "linear:issue-writing",
            "planning",
            "release-notes",
            "repo-review",
        ])
        .and_bundled_skills()
        .server("github", &["comment", "list_pull_requests", "read_diff"])
        .server("linear", &["create_issue", "search_issues"])
        .server("team-notes", &["search_notes", "write_note"])
    }

    /// And these skills.
    #[must_use]
    pub fn and_skills(mut self, skills: &[&str]) -> Self {
        self.skills
            .extend(skills.iter().map(|name| (*name).to_owned()));
        self
    }

    /// And this MCP server with exactly these tools.
    #[must_use]
    pub fn server(mut self, name: &str, tools: &[&str]) -> Self {
        let namespace = format!("mcp__{}", name.replace('-', "_"));
        self.tools
            .extend(tools.iter().map(|tool| format!("{namespace}.{tool}")));
        self.servers += 1;
        self
    }

    /// And the skills that Codex bundles, whichever its version has.
    #[must_use]
    pub fn and_bundled_skills(mut self) -> Self {
        self.bundled_skills = true;
        self
    }

    /// How many MCP servers it has.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.servers
    }

    /// What is missing and what is too much, a line each; empty when the promise is kept.
    #[must_use]
    pub fn breaches(&self, seen: &Seen) -> Vec<String> {
        let tools: BTreeSet<_> = seen.mcp_tools().into_iter().collect();
        let skills: BTreeSet<_> = seen
            .skills
            .iter()
            .filter(|name| {
                !self.bundled_skills
                    || self.skills.contains(*name)
                    || !BUNDLED_SKILLS.contains(&name.as_str())
            })
            .cloned()
            .collect();
        let breaches = [
            ("did not see the skills", &self.skills - &skills),
            ("saw the skills", &skills - &self.skills),
            ("did not see the MCP tools", &self.tools - &tools),
            ("saw the MCP tools", &tools - &self.tools),
        ];
        breaches
            .into_iter()
            .filter(|(_, names)| !names.is_empty())
            .map(|(what, names)| {
                format!(
                    "{what} {}",
                    names.into_iter().collect::<Vec<_>>().join(", ")
                )
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(skills: &[&str], server: &str, tools: &[&str]) -> Seen {
        let strings = |names: &[&str]| {
            names
                .iter()
                .map(|name| (*name).to_owned())
                .collect::<Vec<_>>()
        };
        let mcp_servers = [(server.to_owned(), strings(tools))].into();
        Seen {
            skills: strings(skills),
            mcp_servers,
            ..Seen::default()
        }
    }

    #[test]
    fn more_and_less_are_both_breaches() {
        let promise = Promise::of_skills(&["a", "b"]).server("x-y", &["one", "two"]);
        assert_eq!(promise.servers(), 1);
        assert_eq!(
            promise.breaches(&seen(&["a", "b"], "mcp__x_y", &["one", "two"])),
            Vec::<String>::new()
        );
        assert_eq!(
            promise.breaches(&seen(&["a", "c"], "mcp__x_y", &["one", "three"])),
            [
                "did not see the skills b",
                "saw the skills c",
                "did not see the MCP tools mcp__x_y.two",
                "saw the MCP tools mcp__x_y.three",
            ]
        );
    }

    #[test]
    fn bundled_skills_are_let_through_but_no_others() {
        let promise = Promise::of_skills(&["a"])
            .server("x", &["one"])
            .and_bundled_skills();
        let breaches = promise.breaches(&seen(&["a", "imagegen", "other"], "mcp__x", &["one"]));
        assert_eq!(breaches, ["saw the skills other"]);
    }
}
