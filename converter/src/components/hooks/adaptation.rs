//! What of a hook the target can't do by itself: what the adapter does, and what is lost.

use serde_json::{Map, Value, json};

use super::condition::{self, Untestable};
use super::handler::HandlerDraft;
use super::matcher::Reach;
use super::signs::Signs;
use crate::report::{Code, Finding};
use crate::target::HookSubject;

/// Drops a handler whose condition nothing can test.
pub(super) fn check_condition(
    draft: &mut HandlerDraft<'_, '_>,
    condition: &Value,
    reach: Option<&Reach>,
) -> Result<(), Vec<Finding>> {
    let target = draft.plugin.context.target;
    let platform = target.name();
    let checked = match condition.as_str() {
        Some(condition) => condition::check(condition, reach, target),
        None => Err(Untestable::Malformed),
    };
    match checked {
        Ok(()) => {
            draft.say(Code::HookConditionEmulated, "The adapter tests its condition (`if`).");
            Ok(())
        }
        // Without its condition it would run always.
        Err(Untestable::Malformed) => draft.refuse(Code::HookConditionUnsupported, "Its condition (`if`) is no rule such as `Bash(git *)`."),
        Err(Untestable::UnknownTool) => draft.refuse(Code::HookMatcherNeverFires, format!("Its condition (`if`) speaks of a tool that nothing in {platform} stands for.")),
        Err(Untestable::NoCall) => draft.refuse(Code::HookConditionUnsupported, "Its condition (`if`) speaks of a call of a tool, and the event is none: in Claude Code, too, it never runs."),
    }
}

/// What the adapter has to do; `None` where the hook works unaided.
pub(super) fn spec(
    draft: &mut HandlerDraft<'_, '_>,
    reach: Option<&Reach>,
    signs: Signs,
    is_readable: bool,
) -> Option<Map<String, Value>> {
    let mut spec = Map::new();
    let mut is_needed = draft.adapter().for_all || signs.transcript || signs.answer;
    if let Some(reach) = reach {
        let names_mcp = reach.any_mcp || !reach.mcp_names.is_empty();
        let servers = draft.plugin.claude_servers();
        if names_mcp && !servers.is_empty() {
            is_needed |= !reach.all;
            spec.insert("servers".to_owned(), Value::Object(servers));
        }
        if let Some(matcher) = draft.source.matcher.as_deref().filter(|_| !reach.all) {
            spec.insert("matcher".to_owned(), json!(matcher));
        }
        is_needed |= reach.differs() || reach.for_adapter;
        is_needed |= draft.is("PostToolUse") && signs.response;
    }
    if draft.event.subject == HookSubject::WordForAdapter
        && let Some(matcher) = draft.source.matcher.as_deref()
    {
        spec.insert("matcher".to_owned(), json!(matcher));
    }
    // What it answers can't be told, and an answer that the target does not know lets pass what it guards.
    is_needed |= draft.event.can_block && !is_readable;
    if let Some(condition) = draft.text("if") {
        spec.insert("if".to_owned(), json!(condition));
        is_needed = true;
    }
    if signs.transcript {
        spec.insert("transcript".to_owned(), json!(true));
    }
    if draft.is("Stop") || draft.is("SubagentStop") {
        draft.say(
            Code::HookLoopCapped,
            "If it blocks eight times in a row, the adapter lets the turn end.",
        );
        is_needed = true;
    }
    is_needed.then_some(spec)
}

/// Tells what is lost even so.
pub(super) fn tell_losses(draft: &mut HandlerDraft<'_, '_>, reach: Option<&Reach>, signs: Signs) {
    let platform = draft.platform();
    if reach.is_some_and(Reach::differs) {
        draft.say(
            Code::HookInputDiffers,
            format!("{platform} edits with patches: the hook is told of each file with the lines that change, not with the whole text."),
        );
    }
    if signs.transcript {
        let gets = match draft.plugin.context.target.gives_transcript() {
            true => {
                "the adapter gives them messages and calls in Claude's form, and nothing else of it"
                    .to_owned()
            }
            false => format!("it has another form in {platform}"),
        };
        let message = format!("The plugin's scripts read the transcript: {gets}.");
        draft.say(Code::HookInputDiffers, message);
    }
    if draft.is("PreToolUse") && signs.asks {
        draft.say(
            Code::HookDecisionUnsupported,
            "The plugin's scripts may have the user asked: here such a call is refused, with the reason.",
        );
    }
    if draft.is("PostToolUse") && signs.output {
        draft.say(
            Code::HookDecisionUnsupported,
            format!("The plugin's scripts may change what a tool gave back: {platform} keeps the tool's own."),
        );
    }
    if draft.is("SessionStart") && signs.env_file {
        draft.say(
            Code::HookEnvFileUnsupported,
            format!("The plugin's scripts set variables by `CLAUDE_ENV_FILE`: no command in {platform} sees them."),
        );
    }
}
