//! Words that mean Claude Code itself: they are left, and reported.

use super::draft::TextDraft;
use super::words;
use crate::report::Code;

/// What is looked for, and what is said of it.
const MENTIONS: &[(&str, &str)] = &[
    (
        "CLAUDE.md",
        "`CLAUDE.md` is Claude Code's file of instructions; others read `AGENTS.md`",
    ),
    ("~/.claude/", "`~/.claude/` is Claude Code's own folder"),
    ("claude -p", "`claude -p` starts Claude Code"),
];

/// Reports them, each once a line.
pub(super) fn run(draft: &mut TextDraft<'_>) {
    let body = draft.body();
    for (mention, message) in MENTIONS {
        for at in words::each(body, mention) {
            let inside = words::before(body, at).is_some_and(words::is_word)
                || body[at + mention.len()..].starts_with(words::is_word)
                    && !mention.ends_with('/');
            if !inside {
                draft.find(at, Code::ClaudeSpecificText, *message);
            }
        }
    }
}
