//! Texts that the model reads: every pass over a body.

use std::collections::BTreeSet;

use crate::context::Context;
use crate::report::Finding;

/// The text of a component or of a file beside it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Text<'a> {
    /// What is converted: the body, without frontmatter.
    pub(crate) body: &'a str,
    /// The file it is in, in the source.
    pub(crate) file: &'a str,
    /// Line of the file on which the body begins, from 1.
    pub(crate) first_line: usize,
    /// Where the text will lie in the bundle.
    pub(crate) bundle_file: &'a str,
    /// What the text is.
    pub(crate) role: Role<'a>,
}

/// What a text is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Role<'a> {
    /// The body of a skill in this source folder.
    Skill {
        folder: &'a str,
        arguments: &'a [String],
    },
    /// The body of a command.
    Command { arguments: &'a [String] },
    /// The instructions of an agent: it is not told where its own file lies.
    Agent,
    /// A file that a skill, command or agent reads.
    Support,
}

/// A text after all passes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ConvertedText {
    /// The new body.
    pub(crate) body: String,
    /// What was found on the way, in the order of lines.
    pub(crate) findings: Vec<Finding>,
    /// Files of the plugin (source paths) that the text has the model read: they are texts, too.
    pub(crate) reads: BTreeSet<String>,
}

/// Placeholder, until the real one is merged.
pub(crate) fn convert(text: Text<'_>, _context: &Context<'_>) -> ConvertedText {
    ConvertedText {
        body: text.body.to_owned(),
        ..ConvertedText::default()
    }
}
