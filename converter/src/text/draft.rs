//! What the passes over one text share.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::edits::Edits;
use super::positions::Positions;
use super::preamble::Notes;
use super::scan::{Markup, Scan};
use super::words;
use super::{Role, Text};
use crate::context::Context;
use crate::report::{Code, Finding, Location};
use crate::target::Expansions;

/// What the passes over one text share.
pub(super) struct TextDraft<'a> {
    /// The text.
    pub(super) text: Text<'a>,
    /// The plugin around it.
    pub(super) context: &'a Context<'a>,
    /// Where its code and links are.
    pub(super) scan: &'a Scan,
    /// The changes so far.
    pub(super) edits: Edits,
    /// How it uses single arguments.
    pub(super) positions: Positions,
    /// What is to be said at its top.
    pub(super) notes: Notes,
    /// Files of the plugin that it has the model read.
    pub(super) reads: BTreeSet<String>,
    /// What was found so far.
    pub(super) findings: BTreeSet<(usize, Code, String)>,
    /// Where files lie in the bundle, in lower case; made when it is first asked for.
    pub(super) taken: Option<BTreeSet<String>>,
    /// Which files and folders that have moved lie at their old places, too, as far as it was asked.
    pub(super) left_behind: BTreeMap<String, bool>,
    /// What is said of a kind of thing once.
    said: BTreeSet<(Code, String)>,
}

impl<'a> TextDraft<'a> {
    /// Nothing is changed yet.
    pub(super) fn new(text: Text<'a>, context: &'a Context<'a>, scan: &'a Scan) -> Self {
        let positions = match text.role {
            Role::Skill { arguments, .. } | Role::Command { arguments } => {
                Positions::of(text.body, scan, arguments.declared)
            }
            Role::Agent | Role::Support => Positions::default(),
        };
        Self {
            text,
            context,
            scan,
            positions,
            edits: Edits::default(),
            notes: Notes::default(),
            reads: BTreeSet::new(),
            findings: BTreeSet::new(),
            taken: None,
            left_behind: BTreeMap::new(),
            said: BTreeSet::new(),
        }
    }

    /// The text's original.
    pub(super) fn body(&self) -> &'a str {
        self.text.body
    }

    /// What a place is part of.
    pub(super) fn place(&self, at: usize) -> Markup {
        self.scan.place(at)
    }

    /// Whether a place is in code of any kind.
    pub(super) fn in_code(&self, at: usize) -> bool {
        matches!(self.place(at), Markup::Span(_) | Markup::Block(_))
    }

    /// Notes something about a place.
    pub(super) fn find(&mut self, at: usize, code: Code, message: impl Into<String>) {
        self.findings
            .insert((self.scan.line_number(at), code, message.into()));
    }

    /// Notes something about a kind of thing once: where it is seen first.
    pub(super) fn find_first(&mut self, at: usize, code: Code, message: impl Into<String>) {
        let message = message.into();
        if self.said.insert((code, message.clone())) {
            self.find(at, code, message);
        }
    }

    /// Whether something was found on the line of a place.
    pub(super) fn is_reported(&self, at: usize) -> bool {
        let line = self.scan.line_number(at);
        self.findings
            .range((line, Code::ALL[0], String::new())..)
            .next()
            .is_some_and(|(found, ..)| *found == line)
    }

    /// Replaces a piece, with what must be escaped where it stands escaped.
    pub(super) fn replace(&mut self, range: Range<usize>, new: &str) -> bool {
        let escaped;
        let new = match self.place(range.start) {
            Markup::Link => {
                escaped = new
                    .replace(' ', "%20")
                    .replace('(', "%28")
                    .replace(')', "%29")
                    .replace('<', "%3C")
                    .replace('>', "%3E");
                &escaped
            }
            _ if new.contains('|') && self.scan.in_table(range.start) => {
                escaped = new.replace('|', "\\|");
                &escaped
            }
            _ => new,
        };
        self.edits.replace(range, new)
    }

    /// The range of the code span that holds exactly this range, or the range itself: what words take the place of.
    pub(super) fn with_ticks(&self, range: Range<usize>) -> Range<usize> {
        match self.place(range.start) {
            Markup::Span(index) if self.scan.spans[index].content == range => {
                self.scan.spans[index].range.clone()
            }
            _ => range,
        }
    }

    /// A piece as code, unless it stands between backticks already.
    pub(super) fn as_code(&self, range: &Range<usize>, code: &str) -> String {
        let ticked = words::before(self.body(), range.start) == Some('`')
            || words::after(self.body(), range.end) == Some('`');
        if ticked {
            code.to_owned()
        } else {
            format!("`{code}`")
        }
    }

    /// Whether the text is one in which Claude replaces arguments and runs commands.
    pub(super) fn is_prompt(&self) -> bool {
        matches!(self.text.role, Role::Skill { .. } | Role::Command { .. })
    }

    /// What the platform puts into this text by itself, if it is a command's.
    pub(super) fn expansions(&self) -> Option<&'static Expansions> {
        let commands = self.context.target.commands()?;
        let is_command = commands.is_file(self.text.bundle_file);
        is_command.then(|| commands.expansions())
    }

    /// What was found, in the order of lines.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
            .into_iter()
            .map(|(line, code, message)| {
                let location = Location::new(self.text.file, self.text.first_line + line);
                Finding::new(code, location, message)
            })
            .collect()
    }
}
