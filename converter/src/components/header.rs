//! What the frontmatter of a skill or command becomes. Commands take the same keys.

use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde_json::Value;

use super::description;
use crate::context::Context;
use crate::frontmatter::{Document, Field, Header};
use crate::report::{Code, Finding, Location};
use crate::word_list::is_listed;

/// Keys that have a meaning of their own: all others are kept as metadata.
const UNDERSTOOD: &str = "
    agent allowed-tools argument-hint arguments background context description disable-model-invocation
    disallowed-tools effort hooks instructions metadata model name paths shell user-invocable when_to_use";

/// What frontmatter becomes.
#[derive(Debug, Default)]
pub(super) struct Prepared {
    /// What it is for.
    pub(super) description: String,
    /// What is to be read before the body, and the line it begins on: a part of the text.
    pub(super) instructions: Option<(String, usize)>,
    /// Paragraphs that stand above the body.
    pub(super) preface: Vec<String>,
    /// Whether it says that it takes arguments.
    pub(super) takes_arguments: bool,
    /// Names of its arguments.
    pub(super) arguments: Vec<String>,
    /// Whether only users call it.
    pub(super) mention_only: bool,
    /// The agent that is to do all of it: how a text names it.
    pub(super) fork: Option<String>,
    /// What else its author says of it.
    pub(super) metadata: IndexMap<String, String>,
    /// What was lost on the way.
    pub(super) findings: Vec<Finding>,
    /// Files of the plugin that its texts have the model read.
    pub(super) reads: BTreeSet<String>,
}

/// Where a header stands, and where its text will lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Files<'a> {
    /// In the source.
    pub(super) source: &'a str,
    /// In the bundle.
    pub(super) bundle: &'a str,
}

/// Goes through the keys; `fallback` is a description made from the text.
pub(super) fn prepare(
    document: &Document<'_>,
    files: Files<'_>,
    fallback: String,
    context: &Context<'_>,
) -> Prepared {
    let mut prepared = Prepared {
        findings: document.findings(files.source),
        ..Prepared::default()
    };
    let draft = HeaderDraft {
        header: &document.header,
        files,
        context,
    };
    draft.description(fallback, &mut prepared);
    draft.preface(&mut prepared);
    draft.losses(&mut prepared);
    draft.fork(&mut prepared);
    draft.metadata(&mut prepared);
    let instructions = document.header.text("instructions");
    prepared.instructions = instructions.map(|text| (text, document.header.line("instructions")));
    prepared.arguments = arguments(&document.header);
    prepared.takes_arguments =
        !prepared.arguments.is_empty() || document.header.written("argument-hint").is_some();
    prepared.mention_only = document.header.flag("disable-model-invocation") == Some(true);
    prepared
}

struct HeaderDraft<'a> {
    header: &'a Header,
    files: Files<'a>,
    context: &'a Context<'a>,
}

impl HeaderDraft<'_> {
    fn at(&self, key: &str) -> Location {
        Location::new(self.files.source, self.header.line(key))
    }

    fn find(&self, prepared: &mut Prepared, code: Code, key: &str, message: impl Into<String>) {
        prepared
            .findings
            .push(Finding::new(code, self.at(key), message));
    }

    fn description(&self, fallback: String, prepared: &mut Prepared) {
        if matches!(
            self.header.get("description"),
            Some(Value::Array(_) | Value::Object(_))
        ) {
            self.find(
                prepared,
                Code::FrontmatterRepaired,
                "description",
                "the description is not text: it was made one",
            );
        }
        let own = self.header.text("description");
        if own.is_none() {
            self.find(
                prepared,
                Code::DescriptionSynthesized,
                "description",
                "it has no description: one was made from its text",
            );
        }
        let mut text = own.unwrap_or(fallback);
        if let Some(when) = self.header.text("when_to_use") {
            text = format!("{text} {when}");
        }
        let paths = self.header.list("paths");
        if !paths.is_empty() {
            text = format!("{text} Use it for files that match {}.", quoted(&paths));
            self.find(
                prepared,
                Code::PathsDescribed,
                "paths",
                "files that match its paths do not call it: the description names them",
            );
        }
        let at = self.at("description");
        let converted = description::convert(&text, &at, self.files.bundle, self.context);
        prepared.findings.extend(converted.findings);
        prepared.reads.extend(converted.reads);
        let limit = self.context.target.description_limit();
        prepared.description = description::cut(converted.body, limit, at, &mut prepared.findings);
    }

    fn preface(&self, prepared: &mut Prepared) {
        if let Some(hint) = self.header.written("argument-hint") {
            let commands = self.context.target.commands();
            let is_command = commands.is_some_and(|commands| commands.is_file(self.files.bundle));
            let what = if is_command { "command" } else { "skill" };
            let line = format!(
                "What the user writes after the {what}'s name: `{}`",
                hint.replace('`', "'")
            );
            prepared.preface.push(line);
        }
        let forbidden = self.header.list("disallowed-tools");
        if !forbidden.is_empty() {
            prepared
                .preface
                .push(format!("Do not use {} for this.", quoted(&forbidden)));
            self.find(
                prepared,
                Code::RestrictionNotEnforced,
                "disallowed-tools",
                "tools are forbidden in words only",
            );
        }
    }

    fn losses(&self, prepared: &mut Prepared) {
        if self.header.flag("user-invocable") == Some(false) {
            self.find(
                prepared,
                Code::UserInvocableIgnored,
                "user-invocable",
                "users can call it, too",
            );
        }
        let model = self.header.text("model").filter(|model| model != "inherit");
        for (key, lost) in [("model", model), ("effort", self.header.text("effort"))] {
            if let Some(lost) = lost {
                let message = format!("it runs with the thread's own {key}, not `{lost}`");
                self.find(prepared, Code::ModelDropped, key, message);
            }
        }
        for (key, code, message) in [
            (
                "allowed-tools",
                Code::AllowedToolsDropped,
                "its tools are not approved beforehand: the thread's own approvals count",
            ),
            (
                "hooks",
                Code::SkillHooksDropped,
                "hooks of one skill would run always, so they are left out",
            ),
            ("shell", Code::FieldDropped, "`shell` has no counterpart"),
            (
                "background",
                Code::FieldDropped,
                "`background` has no counterpart",
            ),
        ] {
            if self.header.get(key).is_some() {
                self.find(prepared, code, key, message);
            }
        }
    }

    /// `context: fork` runs a skill in an agent of its own.
    fn fork(&self, prepared: &mut Prepared) {
        if self.header.text("context").as_deref() != Some("fork") {
            return;
        }
        let agent = self
            .header
            .text("agent")
            .unwrap_or_else(|| "general-purpose".to_owned());
        let meant = self.context.agent_or_any(&agent);
        if !meant.known {
            let message = format!("no agent `{agent}` is known");
            self.find(prepared, Code::AgentUnknown, "agent", message);
        }
        prepared.fork = Some(meant.noun());
        self.find(
            prepared,
            Code::ForkEmulated,
            "context",
            format!("its text asks for the agent `{agent}` instead of running in one"),
        );
    }

    fn metadata(&self, prepared: &mut Prepared) {
        match self.header.get("metadata") {
            None => {}
            Some(Value::Object(map)) => {
                for (key, value) in map {
                    keep(&mut prepared.metadata, key, value);
                }
            }
            Some(value) => {
                keep(&mut prepared.metadata, "note", value);
                self.find(
                    prepared,
                    Code::FrontmatterRepaired,
                    "metadata",
                    "`metadata` is not a map: it was made one",
                );
            }
        }
        for (key, Field { value, .. }) in self.header.iter() {
            if !is_listed(key, UNDERSTOOD) {
                keep(&mut prepared.metadata, key, value);
            }
        }
    }
}

/// Metadata are texts; what is nested is written on one line.
fn keep(metadata: &mut IndexMap<String, String>, key: &str, value: &Value) {
    let text = crate::frontmatter::flat(value);
    if !text.trim().is_empty() {
        metadata
            .entry(key.to_owned())
            .or_insert_with(|| text.trim().to_owned());
    }
}

/// Names of arguments: a list, or words with spaces or commas between.
fn arguments(header: &Header) -> Vec<String> {
    header
        .list("arguments")
        .iter()
        .flat_map(|text| text.split_whitespace())
        .map(|name| name.trim_matches(['$', '<', '>', '[', ']']).to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
