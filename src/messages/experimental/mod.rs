//! What Codex gives only to those who ask for its experimental API, where we asked for it and the host did not.
//!
//! Codex answers such a host's requests as if it had not asked; what it sends by itself is taken back here. Measured:
//! the answers have the same members either way, so the tables below are all that differs. Tests hold them against the
//! schemas that Codex generates, and against what it says of every value that these allow.

mod tables;

use bytes::Bytes;

use tables::{APPROVAL, ELICITATION, NOTIFICATIONS, VALUES};
pub use tables::{FIELDS, METHODS, OF_APPROVAL, REQUESTS, VERIFICATION};

use super::thread::in_params;
use crate::wire::{Frame, FrameKind, RawObject, replace_params};

/// `initialize`, asking for the experimental API.
#[must_use]
pub fn asking(initialize: &Frame) -> Option<Bytes> {
    let text = std::str::from_utf8(initialize.bytes()).ok()?;
    let message = RawObject::parse(text, "message").ok()?;
    let mut params = RawObject::parse(message.get("params")?, "params").ok()?;
    let of_host = params.get("capabilities").unwrap_or_default().to_owned();
    let mut capabilities = RawObject::parse(&of_host, "capabilities").ok()?;
    capabilities.set("experimentalApi", "true".to_owned());
    params.set("capabilities", capabilities.to_string());
    replace_params(initialize.bytes(), &params).ok()
}

/// What in a request takes the experimental API: the method, or a field of it.
#[must_use]
pub fn asked_for(request: &Frame) -> Option<String> {
    let method = request.method();
    if METHODS.binary_search(&method).is_ok() {
        return Some(method.to_owned());
    }
    let mut fields = FIELDS.iter().filter(|(of, _)| *of == method);
    let fields = fields.next().map_or(&[][..], |(_, fields)| fields);
    let mut values = VALUES.iter().filter(|(of, ..)| *of == method).peekable();
    if fields.is_empty() && values.peek().is_none() {
        return None;
    }
    in_params(request, |params| {
        let is_given = |field: &&&str| params.get(field).is_some_and(is_said);
        let field = fields.iter().find(is_given);
        let field = field.map(|field| format!("{method}.{field}"));
        field.or_else(|| {
            let (.., name) = values.find(|(_, way, _)| leads_to_value(params, way))?;
            Some((*name).to_owned())
        })
    })
}

/// Whether Codex takes the JSON text of a field as something said.
fn is_said(json: &str) -> bool {
    json != "null" && json != "false"
}

/// Whether params have a value: a member of a field's object, or the field's word.
fn leads_to_value(params: &RawObject<'_>, way: &[&str]) -> bool {
    let [field, end] = way else { return false };
    let Some(json) = params.get(field) else {
        return false;
    };
    match RawObject::parse(json, "field") {
        Ok(object) => object.get(end).is_some_and(is_said),
        Err(_) => params.get_string(field).as_deref() == Some(*end),
    }
}

/// What a host that did not ask hears of a message of Codex's.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// All of it.
    Whole,
    /// Less.
    Edited(Bytes),
    /// Nothing.
    Nothing,
    /// Nothing, and Codex waits for an answer.
    Unanswered,
}

/// What a host that did not ask hears of a message of Codex's.
#[must_use]
pub fn heard(message: &Frame) -> Heard {
    match (message.kind(), message.method()) {
        (FrameKind::Notification, method)
            if NOTIFICATIONS.iter().any(|start| method.starts_with(start)) =>
        {
            Heard::Nothing
        }
        (FrameKind::Request, method) if REQUESTS.contains(&method) => Heard::Unanswered,
        (FrameKind::Request, ELICITATION) if is_verification(message) => Heard::Unanswered,
        (FrameKind::Request, APPROVAL) => {
            without_members(message).map_or(Heard::Whole, Heard::Edited)
        }
        _ => Heard::Whole,
    }
}

fn is_verification(elicitation: &Frame) -> bool {
    let (member, kind) = VERIFICATION;
    let mode = in_params(elicitation, |params| params.get_string(member));
    mode.as_deref() == Some(kind)
}

fn without_members(approval: &Frame) -> Option<Bytes> {
    in_params(approval, |params| {
        let mut kept = params.clone();
        let mut is_edited = false;
        for member in OF_APPROVAL {
            is_edited |= kept.remove(member).is_some();
        }
        is_edited.then(|| replace_params(approval.bytes(), &kept).ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(text: &str) -> Frame {
        Frame::new(Bytes::copy_from_slice(text.as_bytes()))
    }

    #[test]
    fn it_is_asked_for_and_the_rest_stays() {
        for (params, asked) in [
            (
                r#"{"clientInfo":{"name":"a"},"capabilities":{"experimentalApi":false,"optOutNotificationMethods":["x"]}}"#,
                r#"{"clientInfo":{"name":"a"},"capabilities":{"experimentalApi":true,"optOutNotificationMethods":["x"]}}"#,
            ),
            (
                r#"{"clientInfo":{"name":"a"}}"#,
                r#"{"clientInfo":{"name":"a"},"capabilities":{"experimentalApi":true}}"#,
            ),
            (
                r#"{"capabilities":null}"#,
                r#"{"capabilities":{"experimentalApi":true}}"#,
            ),
        ] {
            let message =
                |params: &str| format!(r#"{{"id":1,"method":"initialize","params":{params}}}"#);
            assert_eq!(asking(&frame(&message(params))).unwrap(), message(asked));
        }
    }

    #[test]
    fn what_takes_it_is_refused_and_what_comes_of_it_is_not_heard() {
        assert!(METHODS.is_sorted() && FIELDS.is_sorted_by_key(|(method, _)| *method));
        for (request, asked) in [
            (
                r#"{"id":1,"method":"thread/queue/list","params":{}}"#,
                Some("thread/queue/list"),
            ),
            (
                r#"{"id":1,"method":"thread/start","params":{"environments":[]}}"#,
                Some("thread/start.environments"),
            ),
            (
                r#"{"id":1,"method":"thread/start","params":{"environments":null,"cwd":"/p"}}"#,
                None,
            ),
            (
                r#"{"id":1,"method":"turn/start","params":{"input":[]}}"#,
                None,
            ),
            (
                r#"{"id":1,"method":"turn/start","params":{"approvalPolicy":{"granular":{"rules":true}}}}"#,
                Some("askForApproval.granular"),
            ),
            (
                r#"{"id":1,"method":"turn/start","params":{"approvalPolicy":"never"}}"#,
                None,
            ),
            (
                r#"{"id":1,"method":"thread/items/list","params":{"deferOutput":{"commandExecution":false,"mcpToolCall":true}}}"#,
                Some("thread/items/list.deferOutput.mcpToolCall"),
            ),
            (
                r#"{"id":1,"method":"account/login/start","params":{"type":"chatgptAuthTokens"}}"#,
                Some("account/login/start.chatgptAuthTokens"),
            ),
            (
                r#"{"id":1,"method":"account/login/start","params":{"type":"chatgpt"}}"#,
                None,
            ),
        ] {
            assert_eq!(asked_for(&frame(request)).as_deref(), asked, "{request}");
        }
        let heard = |text: &str| heard(&frame(text));
        assert_eq!(
            heard(r#"{"method":"thread/readState/changed","params":{}}"#),
            Heard::Nothing
        );
        for hidden in ["thread/settings/updated", "thread/realtime/sdp"] {
            let text = format!(r#"{{"method":"{hidden}","params":{{}}}}"#);
            assert_eq!(heard(&text), Heard::Nothing, "{hidden}");
        }
        let elicitation = |mode: &str| {
            let text = format!(
                r#"{{"id":1,"method":"mcpServer/elicitation/request","params":{{"mode":"{mode}"}}}}"#
            );
            heard(&text)
        };
        assert_eq!(elicitation("openai/userVerification"), Heard::Unanswered);
        assert_eq!(elicitation("form"), Heard::Whole);
        assert_eq!(
            heard(r#"{"id":1,"method":"currentTime/read","params":{}}"#),
            Heard::Unanswered
        );
        assert_eq!(
            heard(r#"{"method":"turn/started","params":{}}"#),
            Heard::Whole
        );
        let approval = |params: &str| {
            format!(
                r#"{{"id":1,"method":"item/commandExecution/requestApproval","params":{params}}}"#
            )
        };
        assert_eq!(heard(&approval(r#"{"command":"a"}"#)), Heard::Whole);
        assert_eq!(
            heard(&approval(r#"{"command":"a","availableDecisions":[1]}"#)),
            Heard::Edited(Bytes::from(approval(r#"{"command":"a"}"#)))
        );
    }
}
