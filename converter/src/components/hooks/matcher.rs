//! Which of the target's calls a matcher means.

use std::collections::BTreeSet;

use regex::Regex;

use crate::target::{HookTool, Target};

/// A matcher as Claude Code reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Matcher {
    /// Everything.
    All,
    /// These names, with `|` or `,` between them.
    Names(Vec<String>),
    /// A pattern.
    Pattern(String),
}

impl Matcher {
    pub(super) fn of(matcher: Option<&str>) -> Self {
        let is_of_names = |c: char| c.is_ascii_alphanumeric() || "_-:, |".contains(c);
        match matcher.map(str::trim) {
            None | Some("" | "*") => Self::All,
            Some(names) if names.chars().all(is_of_names) => Self::Names(
                names
                    .split(['|', ','])
                    .map(|name| name.trim().to_owned())
                    .collect(),
            ),
            Some(pattern) => Self::Pattern(pattern.to_owned()),
        }
    }
}

/// What a matcher of tools reaches.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach {
    /// What the target has for the tools it names.
    pub(super) tools: Vec<HookTool>,
    /// Names of MCP tools, as the plugin knows them.
    pub(super) mcp_names: Vec<String>,
    /// Whether it may mean other MCP tools.
    pub(super) any_mcp: bool,
    /// Whether it means everything.
    pub(super) all: bool,
    /// Names that nothing in the target stands for.
    pub(super) never: Vec<String>,
    /// Whether only the adapter can read the pattern: a pattern there may know no looking around.
    pub(super) for_adapter: bool,
}

impl Reach {
    /// What a matcher reaches; `None` if it is no pattern.
    pub(super) fn of(matcher: &Matcher, target: &dyn Target) -> Option<Self> {
        let mut reach = Self::default();
        match matcher {
            Matcher::All => {
                reach.all = true;
                reach.any_mcp = true;
                reach.tools = target.hook_tools().iter().map(|(_, tool)| *tool).collect();
            }
            Matcher::Names(names) => {
                for name in names {
                    match target.hook_tool(name) {
                        Some(tool) => reach.tools.push(tool),
                        None if name.starts_with("mcp__") => reach.mcp_names.push(name.clone()),
                        None => reach.never.push(name.clone()),
                    }
                }
            }
            Matcher::Pattern(pattern) => reach.read_pattern(pattern, target)?,
        }
        Some(reach)
    }

    fn read_pattern(&mut self, pattern: &str, target: &dyn Target) -> Option<()> {
        let fits: Box<dyn Fn(&str) -> bool> = match Regex::new(pattern) {
            Ok(regex) => Box::new(move |name| regex.is_match(name)),
            Err(_)
                if ["(?=", "(?!", "(?<"]
                    .iter()
                    .any(|sign| pattern.contains(sign)) =>
            {
                self.for_adapter = true;
                Box::new(|_| true)
            }
            Err(_) => return None,
        };
        self.any_mcp = pattern.contains("mcp") || fits("mcp__server__tool");
        let tools = target.hook_tools().iter();
        self.tools = tools
            .filter(|(name, _)| fits(name))
            .map(|(_, tool)| *tool)
            .collect();
        if self.is_empty() {
            self.never.push(pattern.to_owned());
        }
        Some(())
    }

    /// Whether nothing in the target ever fits.
    pub(super) fn is_empty(&self) -> bool {
        self.tools.is_empty() && self.mcp_names.is_empty() && !self.any_mcp
    }

    /// Whether what a hook is told differs from what it was written for.
    pub(super) fn differs(&self) -> bool {
        self.tools.iter().any(|tool| !tool.same_input)
    }

    /// The target's matcher of a hook that runs through the adapter, which reads the plugin's own.
    ///
    /// `also` is for events before a call: they are seen for other ways to the same end.
    pub(super) fn for_target(
        &self,
        also: bool,
        target: &dyn Target,
        mcp_name: impl Fn(&str) -> String,
    ) -> Option<String> {
        if self.all {
            return None;
        }
        let tools = self.tools.iter().map(|tool| tool.name.to_owned());
        let others = self
            .tools
            .iter()
            .filter_map(|tool| tool.also.filter(|_| also).map(ToOwned::to_owned));
        let mcp = self.mcp_names.iter().map(|name| mcp_name(name));
        let names: BTreeSet<String> = tools.chain(others).chain(mcp).collect();
        let names: Vec<String> = names.into_iter().collect();
        Some(target.hook_matcher(&names, self.any_mcp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Codex;

    #[test]
    fn matchers_reach_what_codex_has() {
        for (matcher, codex, never) in [
            (Some("Bash"), Some("Bash"), vec![]),
            (Some("Write|Edit"), Some("Bash|apply_patch"), vec![]),
            (Some("Edit, MultiEdit"), Some("Bash|apply_patch"), vec![]),
            (Some("^(Edit|Write)$"), Some("Bash|apply_patch"), vec![]),
            (
                Some("Task|Read|Grep"),
                Some("spawn_agent"),
                vec!["Read", "Grep"],
            ),
            (Some("WebFetch"), Some(""), vec!["WebFetch"]),
            (Some("^Web.*"), Some(""), vec!["^Web.*"]),
            (Some("mcp__a__b|Bash"), Some("Bash|mcp__A__b"), vec![]),
            (Some("mcp__memory__.*"), Some("^mcp__.*$"), vec![]),
            (Some("Bash|mcp__.*"), Some("^(?:Bash|mcp__.*)$"), vec![]),
            (Some("*"), None, vec![]),
            (None, None, vec![]),
        ] {
            let reach = Reach::of(&Matcher::of(matcher), &Codex).unwrap();
            assert_eq!(reach.never, never, "{matcher:?}");
            let name = |name: &str| name.replace("mcp__a", "mcp__A");
            assert_eq!(
                reach.for_target(true, &Codex, name).as_deref(),
                codex,
                "{matcher:?}"
            );
        }
        assert!(Reach::of(&Matcher::of(Some("Bash(")), &Codex).is_none());
        assert!(
            Reach::of(&Matcher::of(Some("(?!Bash).*")), &Codex)
                .unwrap()
                .for_adapter
        );
    }
}
