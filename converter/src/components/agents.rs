//! Agents become roles: what they are told, whether they may change anything, how hard they think.

use codex_loadout_bundle::TreeFile;

use super::{Converted, description};
use crate::context::Context;
use crate::frontmatter::Header;
use crate::naming::NamedAgent;
use crate::report::{Account, Code, Finding, Kind, Location, Outcome};
use crate::target::AgentDefinition;
use crate::text::{self, Role, Text};

/// Tools that change something, or run what may.
const WRITING: &[&str] = &["Edit", "Write", "MultiEdit", "NotebookEdit", "Bash"];
/// Keys without a counterpart.
const LOST: &[&str] = &[
    "maxTurns",
    "memory",
    "background",
    "isolation",
    "color",
    "initialPrompt",
];

/// Converts an agent; what is registered stands beside its file.
pub(crate) fn convert(
    agent: &NamedAgent<'_>,
    context: &Context<'_>,
) -> (Converted, AgentDefinition) {
    let document = &agent.document;
    let header = &document.header;
    let file = agent.source.file.as_str();
    let mut findings = document.findings(file);
    findings.extend(agent.findings.iter().cloned());
    let mut work = Work {
        header,
        file,
        context,
        findings,
    };
    let role = format!("{}:{}", context.plugin.name, agent.name);
    let at = work.at("description");
    let own = header.text("description");
    if own.is_none() {
        work.find(
            Code::DescriptionSynthesized,
            "description",
            "it has no description: one was made from its text",
        );
    }
    let text = own
        .or_else(|| description::first_paragraph(document.body))
        .unwrap_or_else(|| format!("The agent `{role}`."));
    let description = description::convert(&text, &at, &agent.bundle_file, context);
    let body = text::convert(
        Text {
            body: document.body,
            file,
            first_line: document.body_line,
            bundle_file: &agent.bundle_file,
            role: Role::Agent,
        },
        context,
    );
    let read_only = work.tools();
    let mut instructions = work.preface(read_only);
    instructions.push_str(body.body.trim_end().trim_start_matches(['\n', '\r']));
    if instructions.trim().is_empty() {
        // A role without instructions is refused.
        instructions.clone_from(&description.body);
    }
    let definition = AgentDefinition {
        role: role.clone(),
        description: description.body,
        instructions,
        read_only,
        effort: work.effort(),
    };
    work.losses();
    let mut warnings = work.findings;
    warnings.extend(description.findings);
    warnings.extend(body.findings);
    let content = context.target.agent_definition(&definition);
    let converted = Converted {
        account: Account {
            kind: Kind::Agent,
            name: agent.name.clone(),
            source: Location::new(file, 1),
            outcome: Outcome::Converted,
            target: Some(role),
            path: Some(agent.bundle_file.clone()),
            reason: None,
            warnings,
        },
        files: vec![(agent.bundle_file.clone(), TreeFile::plain(content))],
        reads: description.reads.into_iter().chain(body.reads).collect(),
    };
    (converted, definition)
}

struct Work<'a> {
    header: &'a Header,
    file: &'a str,
    context: &'a Context<'a>,
    findings: Vec<Finding>,
}

impl Work<'_> {
    fn at(&self, key: &str) -> Location {
        Location::new(self.file, self.header.line(key))
    }

    fn find(&mut self, code: Code, key: &str, message: impl Into<String>) {
        let finding = Finding::new(code, self.at(key), message);
        self.findings.push(finding);
    }

    /// Whether the agent may change nothing. No Codex up to 0.169 holds a role to it, so it is told, too.
    fn tools(&mut self) -> bool {
        let allowed = self.header.list("tools");
        let forbidden = self.header.list("disallowedTools");
        let named = |tools: &[String], name: &str| {
            tools.iter().any(|tool| {
                tool.split('(')
                    .next()
                    .is_some_and(|tool| tool.trim() == name)
            })
        };
        let everything = allowed.is_empty() || named(&allowed, "*") || named(&allowed, "All tools");
        // Servers' tools may write outside the sandbox, so an agent that has them counts as one that writes.
        let has_servers = allowed.iter().any(|tool| tool.starts_with("mcp__"));
        let read_only = !has_servers
            && WRITING
                .iter()
                .all(|tool| named(&forbidden, tool) || (!everything && !named(&allowed, tool)));
        let what = if read_only {
            "its tools are those of the thread: that it may change nothing, it is only told"
        } else {
            "its tools are those of the thread"
        };
        if !everything {
            self.find(Code::ToolsNotEnforced, "tools", what);
        } else if !forbidden.is_empty() {
            self.find(Code::ToolsNotEnforced, "disallowedTools", what);
        }
        read_only
    }

    fn effort(&mut self) -> Option<&'static str> {
        let effort = self.header.text("effort")?;
        let word = self.context.target.effort(&effort);
        if word.is_none() {
            let message = format!("`effort: {effort}` has no counterpart");
            self.find(Code::AgentFieldDropped, "effort", message);
        }
        word
    }

    /// What stands above the agent's own text.
    fn preface(&mut self, read_only: bool) -> String {
        let mut text = String::new();
        if read_only {
            text.push_str("Change nothing: write no file, and run no command that does.\n\n");
        }
        let skills = self.header.list("skills");
        if !skills.is_empty() {
            let calls: Vec<String> = skills.iter().map(|skill| self.skill(skill)).collect();
            text.push_str(&format!(
                "Read these skills first: {}.\n\n",
                calls.join(", ")
            ));
        }
        let forbidden = self.header.list("disallowedTools");
        if !forbidden.is_empty() {
            text.push_str(&format!(
                "Do not use these tools: {}.\n\n",
                forbidden.join(", ")
            ));
        }
        text
    }

    /// How a text calls a skill that frontmatter names, with or without its plugin.
    fn skill(&self, name: &str) -> String {
        let (plugin, skill) = name
            .split_once(':')
            .unwrap_or((&self.context.plugin.name, name));
        let renamed = self
            .context
            .names
            .plugins
            .get(plugin)
            .and_then(|names| names.skills.get(skill));
        let skill = renamed.map_or(skill, String::as_str);
        self.context.target.skill_call(&format!("{plugin}:{skill}"))
    }

    fn losses(&mut self) {
        if let Some(model) = self.header.text("model").filter(|model| model != "inherit") {
            let message = format!("it runs with the thread's own model, not `{model}`");
            self.find(Code::ModelDropped, "model", message);
        }
        for key in LOST {
            if self.header.get(key).is_some() {
                let message = format!("`{key}` has no counterpart");
                self.find(Code::AgentFieldDropped, key, message);
            }
        }
    }
}
