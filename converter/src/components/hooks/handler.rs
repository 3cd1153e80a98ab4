//! One handler.

use serde_json::{Map, Value, json};

use super::adaptation::{check_condition, spec, tell_losses};
use super::matcher::{Matcher, Reach};
use super::plugin::PluginHooks;
use super::tool_call::call;
use super::{command, signs, timeout};
use crate::report::{Code, Finding, Location};
use crate::source::HookSource;
use crate::target::{Adapter, HookEvent, HookSubject};

/// A handler for the target.
pub(super) struct Handler {
    pub(super) matcher: Option<String>,
    pub(super) definition: Value,
    pub(super) is_adapted: bool,
    pub(super) findings: Vec<Finding>,
}

/// A handler under conversion.
pub(super) struct HandlerDraft<'a, 'c> {
    pub(super) plugin: &'a PluginHooks<'a, 'c>,
    pub(super) source: &'a HookSource,
    pub(super) handler: &'a Map<String, Value>,
    pub(super) event: HookEvent,
    findings: Vec<Finding>,
}

impl HandlerDraft<'_, '_> {
    /// Says something of the handler.
    pub(super) fn say(&mut self, code: Code, message: impl Into<String>) {
        let place = Location::new(&self.source.file, self.source.line);
        self.findings.push(Finding::new(code, place, message));
    }

    /// Gives the handler up: the last finding says why.
    pub(super) fn refuse<T>(
        &mut self,
        code: Code,
        message: impl Into<String>,
    ) -> Result<T, Vec<Finding>> {
        self.say(code, message);
        Err(std::mem::take(&mut self.findings))
    }

    /// What the target is called.
    pub(super) fn platform(&self) -> &'static str {
        self.plugin.context.target.name()
    }

    /// The program that runs a hook of Claude's in the target.
    pub(super) fn adapter(&self) -> Adapter {
        self.plugin.context.target.adapter()
    }

    /// Whether it is a hook of this event.
    pub(super) fn is(&self, event: &str) -> bool {
        self.source.event == event
    }

    /// A text of the handler.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.handler.get(key)?.as_str()
    }
}

/// Converts a handler, or says why it is dropped.
pub(super) fn convert(
    source: &HookSource,
    plugin: &PluginHooks<'_, '_>,
) -> Result<Handler, Vec<Finding>> {
    let place = || Location::new(&source.file, source.line);
    let Some(event) = plugin.context.target.hook_event(&source.event) else {
        let message = format!(
            "{} has no event `{}`.",
            plugin.context.target.name(),
            source.event
        );
        return Err(vec![Finding::new(
            Code::HookEventUnsupported,
            place(),
            message,
        )]);
    };
    let Some(handler) = source.handler.as_object() else {
        let message = "The handler is not an object.";
        return Err(vec![Finding::new(Code::HookMalformed, place(), message)]);
    };
    let mut draft = HandlerDraft {
        plugin,
        source,
        handler,
        event,
        findings: Vec::new(),
    };
    let kind = handler
        .get("type")
        .map(|kind| kind.as_str().unwrap_or_default());
    if source.is_native && matches!(kind, Some("command" | "mcp_tool")) {
        return as_written(&mut draft);
    }
    let reach = read_matcher(&mut draft)?;
    match kind {
        Some("command") | None => run(&mut draft, reach),
        Some("mcp_tool") => call(&mut draft, reach.as_ref()),
        Some("http") => {
            let message = format!("{} has no hooks that call a web address.", draft.platform());
            draft.refuse(Code::HookHttpDropped, message)
        }
        Some(kind) => {
            let message = format!("{} runs no hooks of the type `{kind}`.", draft.platform());
            draft.refuse(Code::HookTypeUnsupported, message)
        }
    }
}

/// A handler that is written for the target: only its paths are put in.
fn as_written(draft: &mut HandlerDraft<'_, '_>) -> Result<Handler, Vec<Finding>> {
    let context = draft.plugin.context;
    let mut definition = draft.handler.clone();
    definition.remove("timeout");
    if let Some(command) = draft.text("command") {
        let exports = command::exports(context, false);
        let command = command::placed(command, context);
        definition.insert("command".to_owned(), json!(format!("{exports}{command}")));
    }
    let matcher = draft.source.matcher.clone();
    finish(draft, matcher, definition, false)
}

/// What the matcher reaches, if the event has tools.
fn read_matcher(draft: &mut HandlerDraft<'_, '_>) -> Result<Option<Reach>, Vec<Finding>> {
    let written = draft.source.matcher.clone();
    let matcher = Matcher::of(written.as_deref());
    if draft.event.subject != HookSubject::Tool {
        if let Matcher::Pattern(pattern) = &matcher
            && draft.event.subject != HookSubject::Nothing
            && regex::Regex::new(pattern).is_err()
        {
            let message = format!("The matcher is no pattern that {} reads.", draft.platform());
            return draft.refuse(Code::HookMatcherInvalid, message);
        }
        return Ok(None);
    }
    let Some(reach) = Reach::of(&matcher, draft.plugin.context.target) else {
        return draft.refuse(Code::HookMatcherInvalid, "The matcher is no pattern.");
    };
    if !reach.never.is_empty() {
        let message = format!(
            "Nothing in {} is a call of `{}`.",
            draft.platform(),
            reach.never.join("`, `")
        );
        if reach.is_empty() {
            return draft.refuse(Code::HookMatcherNeverFires, message);
        }
        draft.say(Code::HookMatcherNeverFires, message);
    }
    Ok(Some(reach))
}

/// A handler that runs a command.
fn run(draft: &mut HandlerDraft<'_, '_>, reach: Option<Reach>) -> Result<Handler, Vec<Finding>> {
    let context = draft.plugin.context;
    let Some(line) = command::of(draft.handler) else {
        return draft.refuse(
            Code::HookMalformed,
            "It has no `command`, or `args` that are no texts.",
        );
    };
    if let Some(condition) = draft
        .handler
        .get("if")
        .filter(|condition| !condition.is_null())
    {
        check_condition(draft, condition, reach.as_ref())?;
    }
    let (line, mut settings) = command::with_settings(&line);
    settings.retain(|name| !context.is_asked_for(name));
    if !settings.is_empty() {
        let message = format!(
            "Claude Code asks the user for a setting; here `{}` has to be in {}'s environment.",
            settings.join("`, `"),
            draft.platform()
        );
        draft.say(Code::EnvVarUnset, message);
    }
    let is_readable = signs::is_readable(&line, &context.source.tree);
    let signs = draft.plugin.signs | signs::of_text(line.as_bytes());
    let line = command::placed(&line, context);
    let spec = spec(draft, reach.as_ref(), signs, is_readable);
    tell_losses(draft, reach.as_ref(), signs);

    let (matcher, command) = match &spec {
        Some(spec) => {
            let through = match context.options.adapter {
                Some(_) => "It runs through codex-loadout.",
                None => "It runs through the bundle's adapter, which needs Node.js.",
            };
            draft.say(Code::HookAdapted, through);
            let also = draft.is("PreToolUse") && reach.as_ref().is_some_and(Reach::differs);
            let matcher = match &reach {
                Some(reach) => {
                    reach.for_target(also, context.target, |name| draft.plugin.mcp_name(name))
                }
                None => plain_matcher(draft),
            };
            let adapter = draft.plugin.adapter;
            // A tool is held back, what the user has written is not.
            let guards = draft.event.can_block && draft.event.subject == HookSubject::Tool;
            (
                matcher,
                command::adapted(&line, spec, adapter, guards, context),
            )
        }
        None => (plain_matcher(draft), line),
    };
    let exports = command::exports(context, spec.is_none() && signs.project);
    if matcher.is_some() && matcher != draft.source.matcher {
        draft.say(
            Code::HookMatcherRewritten,
            format!("Its matcher was put in {}'s names.", draft.platform()),
        );
    }
    let mut definition = Map::new();
    definition.insert("type".to_owned(), json!("command"));
    definition.insert("command".to_owned(), json!(format!("{exports}{command}")));
    finish(draft, matcher, definition, spec.is_some())
}

/// The matcher as the target reads it, of a hook without the adapter or without tools.
pub(super) fn plain_matcher(draft: &HandlerDraft<'_, '_>) -> Option<String> {
    let written = draft.source.matcher.as_deref()?;
    if matches!(
        draft.event.subject,
        HookSubject::Nothing | HookSubject::WordForAdapter
    ) {
        return None;
    }
    let Matcher::Names(names) = Matcher::of(Some(written)) else {
        return Some(written.to_owned());
    };
    let name = |name: String| match draft.event.subject {
        HookSubject::Tool => draft.plugin.mcp_name(&name),
        HookSubject::Agent => match draft.plugin.context.target.built_in_agent(&name) {
            Some((agent, _)) => agent.to_owned(),
            None => name,
        },
        HookSubject::Word | HookSubject::WordForAdapter | HookSubject::Nothing => name,
    };
    Some(names.into_iter().map(name).collect::<Vec<_>>().join("|"))
}

/// The fields that all types have.
pub(super) fn finish(
    draft: &mut HandlerDraft<'_, '_>,
    matcher: Option<String>,
    mut definition: Map<String, Value>,
    is_adapted: bool,
) -> Result<Handler, Vec<Finding>> {
    let limit = timeout::of(draft.handler.get("timeout"), draft.event.longest);
    if let Some(seconds) = limit.seconds {
        let limit = draft.plugin.context.target.hook_timeout(seconds);
        definition.insert("timeout".to_owned(), json!(limit));
    }
    if limit.changed {
        draft.say(
            Code::HookTimeoutChanged,
            format!(
                "Its `timeout` was not in whole seconds that {} grants, and was changed.",
                draft.platform()
            ),
        );
    }
    if let Some(message) = draft.text("statusMessage") {
        definition.insert("statusMessage".to_owned(), json!(message));
    }
    let is_true = |key: &str| draft.handler.get(key) == Some(&json!(true));
    let runs = definition.contains_key("command");
    let (is_async, wakes) = (is_true("async") && runs, is_true("asyncRewake") && runs);
    if is_async || wakes {
        definition.insert("async".to_owned(), json!(true));
    }
    if wakes {
        draft.say(
            Code::HookFieldDropped,
            "It runs beside the turn, but can't wake the model (`asyncRewake`).",
        );
    }
    if draft.plugin.context.target.trusts_each_hook() {
        draft.say(
            Code::HookUntrusted,
            "It does not run before the user has trusted it.",
        );
    }
    Ok(Handler {
        matcher,
        definition: Value::Object(definition),
        is_adapted,
        findings: std::mem::take(&mut draft.findings),
    })
}
