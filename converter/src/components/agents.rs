//! Agents: what they are told, whether they may change anything, how hard they think.

use codex_loadout_bundle::TreeFile;

use super::{Converted, description};
use crate::context::Context;
use crate::frontmatter::Header;
use crate::naming::NamedAgent;
use crate::report::{Account, Code, Finding, Kind, Location, Outcome};
use crate::target::{AgentDefinition, AgentTools};
use crate::text::{self, Role, Text};

/// Tools that change something, or run what may.
const WRITING: &[&str] = &["Edit", "Write", "MultiEdit", "NotebookEdit", "Bash"];
/// Keys without a counterpart.
const LOST: &[&str] = &[
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
    let mut draft = AgentDraft {
        header,
        file,
        context,
        findings,
    };
    let target = context.target;
    let role = target.agent_name(&context.plugin.name, &agent.name);
    let at = draft.at("description");
    let own = header.text("description");
    if own.is_none() {
        draft.find(
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
    let tools = draft.target_tools();
    let read_only = draft.is_read_only();
    if tools.is_none() {
        draft.tell_tools(read_only);
    }
    let mut instructions = draft.preface(read_only);
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
        effort: draft.effort(),
        tools,
        turns: draft.turns(),
    };
    draft.losses();
    let mut warnings = draft.findings;
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

/// Whether a tool is among those of a header.
fn named(tools: &[String], name: &str) -> bool {
    tools.iter().any(|tool| {
        tool.split('(')
            .next()
            .is_some_and(|tool| tool.trim() == name)
    })
}

struct AgentDraft<'a> {
    header: &'a Header,
    file: &'a str,
    context: &'a Context<'a>,
    findings: Vec<Finding>,
}

impl AgentDraft<'_> {
    fn at(&self, key: &str) -> Location {
        Location::new(self.file, self.header.line(key))
    }

    fn find(&mut self, code: Code, key: &str, message: impl Into<String>) {
        let finding = Finding::new(code, self.at(key), message);
        self.findings.push(finding);
    }

    /// The target's tools that the agent has, where the target can be told.
    fn target_tools(&mut self) -> Option<Vec<String>> {
        let (allowed, forbidden) = (self.allowed(), self.header.list("disallowedTools"));
        if allowed.is_none() && forbidden.is_empty() {
            return None;
        }
        let context = self.context;
        // Servers' tools run under the names that the servers have here.
        let renamed = |tools: Vec<String>| -> Vec<String> {
            let tools = tools.into_iter();
            tools
                .map(|tool| context.mcp_tool(&tool).unwrap_or(tool))
                .collect()
        };
        context.target.agent_tools(&AgentTools {
            allowed: allowed.map(renamed).as_deref(),
            forbidden: &renamed(forbidden),
        })
    }

    /// The tools that it has in Claude; `None`: all.
    fn allowed(&self) -> Option<Vec<String>> {
        let allowed = self.header.list("tools");
        let everything = allowed.is_empty() || named(&allowed, "*") || named(&allowed, "All tools");
        (!everything).then_some(allowed)
    }

    /// Whether the agent may change nothing.
    fn is_read_only(&self) -> bool {
        let allowed = self.allowed();
        let forbidden = self.header.list("disallowedTools");
        let everything = allowed.is_none();
        let allowed = allowed.unwrap_or_default();
        // Servers' tools may write outside the sandbox, so an agent that has them counts as one that writes.
        let has_servers = allowed.iter().any(|tool| tool.starts_with("mcp__"));
        !has_servers
            && WRITING
                .iter()
                .all(|tool| named(&forbidden, tool) || (!everything && !named(&allowed, tool)))
    }

    /// Says that it is not held to its tools.
    fn tell_tools(&mut self, read_only: bool) {
        let what = if read_only {
            "its tools are those of the thread: that it may change nothing, it is only told"
        } else {
            "its tools are those of the thread"
        };
        if self.allowed().is_some() {
            self.find(Code::ToolsNotEnforced, "tools", what);
        } else if !self.header.list("disallowedTools").is_empty() {
            self.find(Code::ToolsNotEnforced, "disallowedTools", what);
        }
    }

    /// How many turns it may take, where the target can be told.
    fn turns(&mut self) -> Option<u64> {
        let turns = self.header.get("maxTurns")?;
        let number = turns.as_u64().or_else(|| turns.as_str()?.parse().ok());
        let number = number.filter(|_| self.context.target.has_turn_limit());
        if number.is_none() {
            self.find(
                Code::AgentFieldDropped,
                "maxTurns",
                "`maxTurns` has no counterpart",
            );
        }
        number.filter(|number| *number > 0)
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
        let target = self.context.target;
        target.skill_call(&target.skill_name(plugin, skill))
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
