//! Which thread a message is about.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use codex_loadout_protocol::selection::{CONFIG_KEYS, FIELD, TASK_KEYS};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::wire::{Frame, Key, RawObject};

/// Makes a thread out of nothing.
pub const START: &str = "thread/start";
/// Loads a thread from its session file.
pub const RESUME: &str = "thread/resume";
/// Makes a thread out of another's history.
pub const FORK: &str = "thread/fork";
/// Codex says that a thread was made or loaded.
pub const STARTED: &str = "thread/started";
/// Codex says that a thread is gone for good.
pub const DELETED: &str = "thread/deleted";

/// Codex says that a thread is no longer loaded.
pub const CLOSED: &str = "thread/closed";
/// The host hears of a thread no longer.
pub const UNSUBSCRIBE: &str = "thread/unsubscribe";
/// Changes what a thread is set to, its folder among it.
pub const SETTINGS_UPDATE: &str = "thread/settings/update";
/// Codex says how far one of a thread's MCP servers has come.
pub const SERVER_STATUS: &str = "mcpServer/startupStatus/updated";
/// Codex says which settings a thread has now.
pub const SETTINGS_UPDATED: &str = "thread/settings/updated";
/// Codex says what goal a thread has.
pub const GOAL_UPDATED: &str = "thread/goal/updated";
/// Codex says that a thread has no goal.
pub const GOAL_CLEARED: &str = "thread/goal/cleared";
/// Codex says that a turn begins.
pub const TURN_STARTED: &str = "turn/started";
/// Codex says that a turn has ended.
pub const TURN_COMPLETED: &str = "turn/completed";
/// A host's request that ends the turn under way.
pub const INTERRUPT: &str = "turn/interrupt";

/// What a start, resume or fork may say of a thread that a resume can say again (Codex 0.144 to 0.169).
pub const RESUMABLE: [&str; 11] = [
    "approvalPolicy",
    "approvalsReviewer",
    "baseInstructions",
    "developerInstructions",
    "model",
    "modelProvider",
    "permissions",
    "personality",
    "runtimeWorkspaceRoots",
    "sandbox",
    "serviceTier",
];

/// Requests of Codex 0.169 with which a host gives a thread something to read.
const READS: [&str; 12] = [
    "review/start",
    "thread/compact/start",
    "thread/goal/set",
    "thread/prediction/request",
    "thread/queue/add",
    "thread/queue/start",
    "thread/queue/update",
    "thread/realtime/appendText",
    "thread/realtime/start",
    "thread/sample",
    "turn/start",
    "turn/steer",
];

/// Whether a notification with this method is the next piece of a text or of some output: of the model's, of a command's
/// or of a patch (all `delta`s of Codex 0.144 to 0.169). There are more of these than of everything else.
#[must_use]
pub fn is_piece_of_output(method: &str) -> bool {
    method.ends_with("/delta") || method.ends_with("Delta")
}

/// Whether a response is an error.
#[must_use]
pub fn is_refused(response: &Frame) -> bool {
    #[derive(Deserialize)]
    struct Message {
        error: Option<IgnoredAny>,
    }
    serde_json::from_slice::<Message>(response.bytes()).is_ok_and(|message| message.error.is_some())
}

/// Whether a request with this method gives its thread something to read, or has it read what waits.
#[must_use]
pub fn gives_to_read(method: &str) -> bool {
    READS.binary_search(&method).is_ok()
}

/// Whether a request with this method begins a turn at once, on a thread that has none under way.
#[must_use]
pub fn begins_turn(method: &str) -> bool {
    ["review/start", "turn/start"].contains(&method)
}

/// Whether a request with this method begins something on its thread, now or later. One that is for the turn
/// under way does not.
#[must_use]
pub fn begins_something(method: &str) -> bool {
    gives_to_read(method) && method != "turn/steer"
}

/// Whether a request says in which environments a thread is to be.
#[must_use]
pub fn names_environments(request: &Frame) -> bool {
    let environments = in_params(request, |params| {
        params.get("environments").map(|text| text != "null")
    });
    environments == Some(true)
}

/// The thread a host's request or a notification of Codex's names: `params.threadId`, else `params.thread.id`. As
/// Codex reads it: of a name that stands there twice the last one counts, and a `thread` that is no object is
/// none.
#[must_use]
pub fn named_in_params(frame: &Frame) -> Option<String> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        params: Option<Named<'a>>,
    }
    let message: Message<'_> = serde_json::from_slice(frame.bytes()).ok()?;
    let Named { thread_id, thread } = message.params?;
    let named = thread_id.or(thread).filter(|id| !id.is_empty())?;
    Some(named.into_owned())
}

/// What params name a thread by.
#[derive(Default)]
struct Named<'a> {
    thread_id: Option<Cow<'a, str>>,
    thread: Option<Cow<'a, str>>,
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Params;
        impl<'de> Visitor<'de> for Params {
            type Value = Named<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("params")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut named = Named::default();
                while let Some(Key(key)) = map.next_key()? {
                    match &*key {
                        "threadId" => named.thread_id = text(map.next_value()?),
                        "thread" => {
                            let thread: &RawValue = map.next_value()?;
                            let thread: Option<Thread<'_>> =
                                serde_json::from_str(thread.get()).ok();
                            named.thread = thread.map(|thread| thread.id);
                        }
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(named)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Named::default())
            }
        }
        deserializer.deserialize_any(Params)
    }
}

fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let text: Option<Key<'_>> = serde_json::from_str(value.get()).ok();
    text.map(|Key(text)| text)
}

/// Whether a request's `params` are a list: Codex takes one in the order of its fields.
#[must_use]
pub fn has_list_of_params(request: &Frame) -> bool {
    params(request).is_some_and(|params| params.starts_with('['))
}

/// Whether a request's `params` are an object; `null` and nothing count as an empty one.
#[must_use]
pub fn has_object_of_params(request: &Frame) -> bool {
    params(request).is_none_or(|params| params.starts_with('{') || params == "null")
}

/// The texts among a list of `params`, which Codex takes for fields in their order.
#[must_use]
pub fn texts_in_list_of_params(request: &Frame) -> Vec<String> {
    let list: Option<Vec<&RawValue>> =
        params(request).and_then(|params| serde_json::from_str(params).ok());
    let texts = list.into_iter().flatten();
    texts
        .filter_map(|value| serde_json::from_str(value.get()).ok())
        .collect()
}

/// The JSON text of a request's `params`.
fn params(request: &Frame) -> Option<&str> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        params: Option<&'a RawValue>,
    }
    let message: Message<'_> = serde_json::from_slice(request.bytes()).ok()?;
    message.params.map(RawValue::get)
}

/// The thread in the answer to start, resume or fork: `result.thread.id`; `None` for an error.
#[must_use]
pub fn named_in_result(response: &Frame) -> Option<String> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        result: ThreadResult<'a>,
    }
    #[derive(Deserialize)]
    struct ThreadResult<'a> {
        #[serde(borrow)]
        thread: Thread<'a>,
    }
    let message: Message<'_> = serde_json::from_slice(response.bytes()).ok()?;
    Some(message.result.thread.id.into_owned())
}

/// Whether Codex refuses to resume a thread because it is just being unloaded (0.169): it can be a moment later.
#[must_use]
pub fn is_closing(answer: &Frame) -> bool {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        error: Refusal<'a>,
    }
    #[derive(Deserialize)]
    struct Refusal<'a> {
        #[serde(borrow)]
        message: Cow<'a, str>,
    }
    serde_json::from_slice(answer.bytes())
        .is_ok_and(|it: Message<'_>| it.error.message.contains("is closing; retry"))
}

/// Whether the answer to a resume says that a turn is under way: `result.thread.status.type`.
#[must_use]
pub fn is_in_turn(answer: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Message {
        result: ThreadResult,
    }
    #[derive(Deserialize)]
    struct ThreadResult {
        thread: Thread,
    }
    #[derive(Deserialize)]
    struct Thread {
        status: Status,
    }
    #[derive(Deserialize)]
    struct Status {
        r#type: String,
    }
    serde_json::from_slice(answer)
        .is_ok_and(|message: Message| message.result.thread.status.r#type == "active")
}

/// What Codex says of a thread that is no longer loaded.
#[must_use]
pub fn closed(thread: &str) -> Bytes {
    let closed = serde_json::json!({ "method": CLOSED, "params": { "threadId": thread } });
    Bytes::from(closed.to_string())
}

/// The turn that an answer or a notification of Codex's names: `result.turn.id` or `params.turn.id`.
#[must_use]
pub fn turn_of(frame: &Frame) -> Option<String> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow, alias = "params")]
        result: WithTurn<'a>,
    }
    #[derive(Deserialize)]
    struct WithTurn<'a> {
        #[serde(borrow)]
        turn: Thread<'a>,
    }
    let message: Message<'_> = serde_json::from_slice(frame.bytes()).ok()?;
    Some(message.result.turn.id.into_owned())
}

/// How the selection field stands in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// As `null`.
    Null,
    /// With a value.
    Given,
}

/// Whether a request has the selection field; `None`: it has not.
#[must_use]
pub fn selection(request: &Frame) -> Option<Presence> {
    in_params(request, |params| {
        Some(match params.get(FIELD)? {
            "null" => Presence::Null,
            _ => Presence::Given,
        })
    })
}

/// Whether a request's `config` has something of ours.
#[must_use]
pub fn has_own_config(request: &Frame) -> bool {
    let found = in_params(request, |params| {
        let config = RawObject::parse(params.get("config")?, "config").ok()?;
        let is_ours = |key: &str| {
            let name = key.split('.').next().unwrap_or(key);
            CONFIG_KEYS.contains(&name) || TASK_KEYS.contains(&name)
        };
        Some(config.iter().any(|(key, _)| is_ours(key)))
    });
    found == Some(true)
}

/// Reads something of a request's `params`.
pub fn in_params<T>(request: &Frame, read: impl FnOnce(&RawObject<'_>) -> Option<T>) -> Option<T> {
    let text = std::str::from_utf8(request.bytes()).ok()?;
    let message = RawObject::parse(text, "message").ok()?;
    let params = RawObject::parse(message.get("params")?, "params").ok()?;
    read(&params)
}

#[derive(Deserialize)]
struct Thread<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn frame(text: &'static str) -> Frame {
        Frame::new(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn the_selection_is_a_member_of_params_however_it_is_spelled() {
        for (params, expected) in [
            (r#"{"capabilitySelection":{}}"#, Some(Presence::Given)),
            (r#"{"capability\u0053election":5}"#, Some(Presence::Given)),
            (r#"{"capabilitySelection": null }"#, Some(Presence::Null)),
            (r#"{"developerInstructions":"capabilitySelection"}"#, None),
            (r#"{"config":{"capabilitySelection":{}}}"#, None),
        ] {
            let frame = Frame::new(Bytes::from(format!(
                r#"{{"id":1,"method":"thread/start","params":{params}}}"#
            )));
            assert_eq!(selection(&frame), expected, "{params}");
        }
    }

    #[test]
    fn what_is_ours_in_config_is_seen() {
        for (config, expected) in [
            (r#"{"capability_selection":"x"}"#, true),
            (r#"{"a":1,"capability\u0053election.profile":"x"}"#, true),
            (r#"{"capability_task":"x"}"#, true),
            (r#"{"model":"capability_selection"}"#, false),
            ("null", false),
        ] {
            let text = format!(r#"{{"id":1,"method":"m","params":{{"config":{config}}}}}"#);
            let found = has_own_config(&Frame::new(Bytes::from(text)));
            assert_eq!(found, expected, "{config}");
        }
    }

    #[test]
    fn the_requests_that_give_to_read_are_sorted() {
        assert!(READS.is_sorted() && READS.iter().all(|method| gives_to_read(method)));
        assert!(is_refused(&frame(r#"{"id":1,"error":{"code":1}}"#)));
        assert!(!is_refused(&frame(r#"{"id":1,"result":{"error":1}}"#)));
        assert!(!begins_something("turn/steer") && begins_something("thread/queue/add"));
        assert!(!gives_to_read("turn/interrupt") && !gives_to_read("thread/read"));
        assert!(!names_environments(&frame(r#"{"id":1,"params":{}}"#)));
        assert!(names_environments(&frame(
            r#"{"id":1,"params":{"environments":[]}}"#
        )));
    }

    #[test]
    fn pieces_of_output_are_told_from_what_begins_and_ends() {
        let pieces = [
            "item/agentMessage/delta",
            "item/reasoning/summaryTextDelta",
            "command/exec/outputDelta",
        ];
        assert!(pieces.iter().all(|method| is_piece_of_output(method)));
        for other in [
            STARTED,
            TURN_COMPLETED,
            CLOSED,
            "item/completed",
            "turn/diff/updated",
            "",
        ] {
            assert!(!is_piece_of_output(other), "{other}");
        }
    }

    #[test]
    fn thread_ids_are_found_where_codex_puts_them() {
        assert_eq!(
            named_in_params(&frame(
                r#"{"method":"m","params":{"a":[1],"threadId":"t1"}}"#
            ))
            .as_deref(),
            Some("t1")
        );
        assert_eq!(
            named_in_params(&frame(
                r#"{"method":"m","params":{"thread":{"x":1,"id":"t2"}}}"#
            ))
            .as_deref(),
            Some("t2")
        );
        assert_eq!(
            named_in_params(&frame(r#"{"method":"m","params":{"threadId":null}}"#)),
            None
        );
        assert_eq!(named_in_params(&frame(r#"{"method":"m"}"#)), None);
        // Odd ones, as Codex reads them.
        for (params, named) in [
            (r#"{"threadId":"t1","thread":5}"#, Some("t1")),
            (r#"{"threadId":"t0","threadId":"t1"}"#, Some("t1")),
            (r#"{"thread\u0049d":"t\u0031"}"#, Some("t1")),
            (r#"{"threadId":5,"thread":{"id":"t1"}}"#, Some("t1")),
            (r#"{"threadId":"","thread":{"id":"t1"}}"#, None),
            (r#"["t1"]"#, None),
            ("null", None),
            ("5", None),
        ] {
            let text = format!(r#"{{"id":1,"method":"m","params":{params}}}"#);
            let found = named_in_params(&Frame::new(Bytes::from(text)));
            assert_eq!(found.as_deref(), named, "{params}");
        }
        assert!(has_list_of_params(&frame(r#"{"id":1,"params": [1]}"#)));
        assert!(!has_list_of_params(&frame(
            r#"{"id":1,"params":{"a":[1]}}"#
        )));
        assert_eq!(
            named_in_result(&frame(r#"{"id":1,"result":{"thread":{"id":"t3"}}}"#)).as_deref(),
            Some("t3")
        );
        assert_eq!(
            named_in_result(&frame(r#"{"id":1,"error":{"code":-1}}"#)),
            None
        );
        for named in [
            r#"{"id":1,"result":{"turn":{"id":"u","items":[]}}}"#,
            r#"{"method":"turn/started","params":{"threadId":"t","turn":{"id":"u"}}}"#,
        ] {
            assert_eq!(turn_of(&frame(named)).as_deref(), Some("u"));
        }
    }
}
