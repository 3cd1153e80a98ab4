//! How Codex announces threads that no host asked for: those that a thread spawned.

use serde::Deserialize;

use super::thread::STARTED;
use crate::wire::Frame;

/// Threads that came out of another one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announcement {
    /// The thread they came out of.
    pub parent: String,
    /// The new threads.
    pub children: Vec<String>,
}

/// Reads an announcement out of a notification.
///
/// Codex 0.144 to 0.169 announce a spawned thread in the item of the tool call
/// (`collabAgentToolCall`, `receiverThreadIds`; with the newer tools
/// `subAgentActivity`, `agentThreadId`), a detached review in `thread/started`.
/// No announcement is given for a message that only talks to an old child: the
/// router knows which ids it has seen.
#[must_use]
pub fn read(notification: &Frame) -> Option<Announcement> {
    match notification.method() {
        "item/started" | "item/completed" => from_item(notification),
        STARTED => from_thread(notification),
        _ => None,
    }
}

fn from_item(notification: &Frame) -> Option<Announcement> {
    #[derive(Deserialize)]
    struct Message {
        params: Params,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Params {
        thread_id: String,
        item: Item,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Item {
        #[serde(default)]
        receiver_thread_ids: Vec<String>,
        #[serde(default)]
        agent_thread_id: Option<String>,
    }
    // Most items are text and tool output: a scan for the word is cheaper than reading them.
    let bytes = notification.bytes();
    if memchr::memmem::find(bytes, b"receiverThreadIds").is_none()
        && memchr::memmem::find(bytes, b"agentThreadId").is_none()
    {
        return None;
    }
    let params = serde_json::from_slice::<Message>(bytes).ok()?.params;
    let mut children = params.item.receiver_thread_ids;
    children.extend(params.item.agent_thread_id);
    (!children.is_empty()).then_some(Announcement {
        parent: params.thread_id,
        children,
    })
}

fn from_thread(notification: &Frame) -> Option<Announcement> {
    #[derive(Deserialize)]
    struct Message {
        params: Params,
    }
    #[derive(Deserialize)]
    struct Params {
        thread: Thread,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Thread {
        id: String,
        #[serde(default)]
        parent_thread_id: Option<String>,
        #[serde(default)]
        forked_from_id: Option<String>,
    }
    let thread = serde_json::from_slice::<Message>(notification.bytes())
        .ok()?
        .params
        .thread;
    let parent = thread.parent_thread_id.or(thread.forked_from_id)?;
    Some(Announcement {
        parent,
        children: vec![thread.id],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn announced(text: &'static str) -> Option<(String, Vec<String>)> {
        read(&Frame::new(Bytes::from_static(text.as_bytes())))
            .map(|found| (found.parent, found.children))
    }

    #[test]
    fn spawned_threads_are_announced_by_items_and_by_thread_started() {
        let child = Some(("p".to_owned(), vec!["c".to_owned()]));
        for text in [
            r#"{"method":"item/completed","params":{"threadId":"p","item":{"type":"collabAgentToolCall","tool":"spawnAgent","receiverThreadIds":["c"]}}}"#,
            r#"{"method":"item/started","params":{"threadId":"p","item":{"type":"subAgentActivity","agentThreadId":"c","kind":"started"}}}"#,
            r#"{"method":"thread/started","params":{"thread":{"id":"c","parentThreadId":"p","forkedFromId":null}}}"#,
            r#"{"method":"thread/started","params":{"thread":{"id":"c","forkedFromId":"p"}}}"#,
        ] {
            assert_eq!(announced(text), child, "{text}");
        }
        for text in [
            r#"{"method":"item/started","params":{"threadId":"p","item":{"type":"collabAgentToolCall","receiverThreadIds":[]}}}"#,
            r#"{"method":"item/completed","params":{"threadId":"p","item":{"type":"agentMessage","text":"receiverThreadIds"}}}"#,
            r#"{"method":"thread/started","params":{"thread":{"id":"c","parentThreadId":null}}}"#,
            r#"{"method":"turn/started","params":{"threadId":"p"}}"#,
        ] {
            assert_eq!(announced(text), None, "{text}");
        }
    }
}
