//! A handler that calls a tool of an MCP server.

use serde_json::{Map, Value, json};

use super::handler::{Handler, HandlerDraft, finish, plain_matcher};
use super::matcher::Reach;
use crate::report::{Code, Finding};

/// A handler that calls a tool of an MCP server.
pub(super) fn call(
    draft: &mut HandlerDraft<'_, '_>,
    reach: Option<&Reach>,
) -> Result<Handler, Vec<Finding>> {
    let (Some(server), Some(tool)) = (draft.text("server"), draft.text("tool")) else {
        return draft.refuse(Code::HookMalformed, "It names no `server` and `tool`.");
    };
    if server.is_empty() || tool.is_empty() {
        return draft.refuse(Code::HookMalformed, "It names no `server` and `tool`.");
    }
    let target = draft.plugin.context.target;
    let platform = target.name();
    if !target.has_tool_hooks() {
        let message = format!("{platform} runs no hooks of the type `mcp_tool`.");
        return draft.refuse(Code::HookTypeUnsupported, message);
    }
    if draft.is("SessionEnd") {
        let message = format!("{platform} calls no tool at the end of a session.");
        return draft.refuse(Code::HookTypeUnsupported, message);
    }
    let mut definition = Map::new();
    definition.insert("type".to_owned(), json!("mcp_tool"));
    let server = draft
        .plugin
        .servers
        .get(server)
        .map_or(server, String::as_str);
    definition.insert("server".to_owned(), json!(server));
    definition.insert("tool".to_owned(), json!(tool));
    if let Some(input) = draft.handler.get("input").filter(|input| input.is_object()) {
        // One `null` in it may lose all hooks of the file.
        definition.insert("input".to_owned(), without_nulls(input));
    }
    if draft
        .handler
        .get("if")
        .is_some_and(|condition| !condition.is_null())
    {
        return draft.refuse(
            Code::HookConditionUnsupported,
            "It has a condition (`if`), and nothing can test it before a tool is called.",
        );
    }
    if reach.is_some_and(Reach::differs) {
        draft.say(
            Code::HookInputDiffers,
            format!("{platform} edits with patches: there is no `file_path` to give on."),
        );
    }
    let matcher = match reach {
        Some(reach) => reach.for_target(false, target, |name| draft.plugin.mcp_name(name)),
        None => plain_matcher(draft),
    };
    finish(draft, matcher, definition, false)
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Array(list) => list
            .iter()
            .filter(|value| !value.is_null())
            .map(without_nulls)
            .collect(),
        Value::Object(map) => map
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(key, value)| (key.clone(), without_nulls(value)))
            .collect(),
        value => value.clone(),
    }
}
