//! Texts that the model reads: every pass over a body.
//!
//! The Markdown is read once. Each pass asks for changes of the original text, so that all lines in
//! findings are the source's; where two passes want the same place, the first one has it. Lines
//! stay where they are, but for what is said at the top.

pub(crate) mod agent_names;
mod agents;
mod arguments;
mod calls;
mod draft;
mod dynamic;
mod edits;
mod file_names;
mod includes;
mod leftovers;
mod links;
mod literals;
mod locate;
mod mcp;
mod mentions;
mod paths;
mod positions;
mod preamble;
mod reads;
mod references;
mod scan;
mod variables;
mod vocabulary;
mod words;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use crate::context::Context;
use crate::report::Finding;
use draft::TextDraft;
use preamble::Notes;
use scan::Scan;

/// Converts a text; its own check of the result is part of it.
pub(crate) fn convert(text: Text<'_>, context: &Context<'_>) -> ConvertedText {
    let scan = Scan::of(text.body);
    let mut draft = TextDraft::new(text, context, &scan);
    let body = run(&mut draft);
    done(draft, body)
}

/// Converts a text that is too short for what else would be said at its top.
pub(crate) fn convert_line(text: Text<'_>, context: &Context<'_>) -> ConvertedText {
    let scan = Scan::of(text.body);
    let mut draft = TextDraft::new(text, context, &scan);
    let body = run(&mut draft);
    draft.notes.say_no_words();
    done(draft, body)
}

/// Converts a text and the one that stands below it: what has to be said of both is said once, above the first that
/// needs it, and they count arguments alike.
pub(crate) fn convert_both(
    texts: [Text<'_>; 2],
    context: &Context<'_>,
) -> (ConvertedText, ConvertedText) {
    let [above, below] = texts;
    let scans = [Scan::of(above.body), Scan::of(below.body)];
    let mut above = TextDraft::new(above, context, &scans[0]);
    let mut below = TextDraft::new(below, context, &scans[1]);
    let positions = above.positions.with(below.positions);
    above.positions = positions;
    below.positions = positions;
    let bodies = (run(&mut above), run(&mut below));
    if above.notes != Notes::default() {
        above.notes.take_over(std::mem::take(&mut below.notes));
    }
    (done(above, bodies.0), done(below, bodies.1))
}

/// All passes, and the check.
fn run(draft: &mut TextDraft<'_>) -> String {
    // What is larger comes before what can be part of it.
    for pass in [
        reads::run,
        includes::run,
        dynamic::run,
        agents::run,
        references::run,
        links::run,
        paths::run,
        mcp::run,
        variables::run,
        arguments::run,
        mentions::run,
        vocabulary::run,
        literals::run,
    ] {
        pass(draft);
    }
    let edited = draft.edits.apply(draft.text.body);
    leftovers::run(draft, &edited);
    edited.text
}

fn done(mut draft: TextDraft<'_>, body: String) -> ConvertedText {
    ConvertedText {
        body: draft.notes.put_above(body, draft.context.target.name()),
        findings: draft.take_findings(),
        reads: draft.reads,
    }
}

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
        arguments: Arguments<'a>,
    },
    /// The body of a command.
    Command { arguments: Arguments<'a> },
    /// The instructions of an agent: it is not told where its own file lies.
    Agent,
    /// A file that a skill, command or agent reads.
    Support,
}

/// What the header of a prompt says of its arguments.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Arguments<'a> {
    /// Whether it says that there are any.
    pub(crate) declared: bool,
    /// The names of single ones.
    pub(crate) names: &'a [String],
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
