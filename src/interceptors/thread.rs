//! Which thread a message is about.

use std::borrow::Cow;

use serde::Deserialize;

use crate::wire::Frame;

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

/// The thread a host's request or a notification of Codex's names: `params.threadId`, else `params.thread.id`.
#[must_use]
pub fn named_in_params(frame: &Frame) -> Option<String> {
    #[derive(Deserialize)]
    struct Message<'a> {
        #[serde(borrow)]
        params: Option<Params<'a>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params<'a> {
        #[serde(borrow, default)]
        thread_id: Option<Cow<'a, str>>,
        #[serde(borrow, default)]
        thread: Option<Thread<'a>>,
    }
    let message: Message<'_> = serde_json::from_slice(frame.bytes()).ok()?;
    let params = message.params?;
    params
        .thread_id
        .or(params.thread.map(|thread| thread.id))
        .filter(|id| !id.is_empty())
        .map(Cow::into_owned)
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
        Frame::parse(Bytes::from_static(text.as_bytes()))
    }

    #[test]
    fn thread_ids_are_found_where_codex_puts_them() {
        assert_eq!(named_in_params(&frame(r#"{"method":"m","params":{"a":[1],"threadId":"t1"}}"#)).as_deref(), Some("t1"));
        assert_eq!(named_in_params(&frame(r#"{"method":"m","params":{"thread":{"x":1,"id":"t2"}}}"#)).as_deref(), Some("t2"));
        assert_eq!(named_in_params(&frame(r#"{"method":"m","params":{"threadId":null}}"#)), None);
        assert_eq!(named_in_params(&frame(r#"{"method":"m"}"#)), None);
        assert_eq!(named_in_result(&frame(r#"{"id":1,"result":{"thread":{"id":"t3"}}}"#)).as_deref(), Some("t3"));
        assert_eq!(named_in_result(&frame(r#"{"id":1,"error":{"code":-1}}"#)), None);
    }
}
