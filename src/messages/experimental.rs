//! What Codex gives only to those who ask for its experimental API, where we asked for it and the host did not.
//!
//! Codex answers such a host's requests as if it had not asked; what it sends by itself is taken back here. Measured:
//! the answers have the same members either way, so the tables below are all that differs. A test holds them
//! against the schemas that Codex generates.

use bytes::Bytes;

use super::thread::in_params;
use crate::wire::{Frame, FrameKind, RawObject, replace_params};

/// Methods that take it (Codex 0.169), sorted.
pub const METHODS: [&str; 75] = [
    "account/bedrock/checkGovCloudRequirements",
    "account/bedrock/discover",
    "account/bedrock/setup",
    "account/gcp/setup",
    "accountSession/list",
    "accountSession/switch",
    "collaborationMode/list",
    "environment/add",
    "environment/info",
    "environment/status",
    "fuzzyFileSearch/sessionStart",
    "fuzzyFileSearch/sessionStop",
    "fuzzyFileSearch/sessionUpdate",
    "mcpServer/event/stream/start",
    "mcpServer/event/stream/stop",
    "memory/reset",
    "memory/status",
    "mock/experimentalMethod",
    "plugin/search",
    "process/kill",
    "process/resizePty",
    "process/spawn",
    "process/writeStdin",
    "project/create",
    "project/delete",
    "project/import",
    "project/list",
    "project/move",
    "project/read",
    "project/update",
    "remoteControl/client/list",
    "remoteControl/client/revoke",
    "remoteControl/disable",
    "remoteControl/enable",
    "remoteControl/pairing/start",
    "remoteControl/pairing/status",
    "remoteControl/status/read",
    "rollout/compress",
    "server/diagnostics",
    "thread/backgroundTerminals/clean",
    "thread/backgroundTerminals/list",
    "thread/backgroundTerminals/terminate",
    "thread/decrement_elicitation",
    "thread/guardianReview",
    "thread/increment_elicitation",
    "thread/items/read",
    "thread/memory/read",
    "thread/memoryMode/set",
    "thread/prediction/request",
    "thread/prepareApprovedPlan",
    "thread/queue/add",
    "thread/queue/delete",
    "thread/queue/list",
    "thread/queue/reorder",
    "thread/queue/start",
    "thread/queue/update",
    "thread/readState/update",
    "thread/realtime/appendAudio",
    "thread/realtime/appendSpeech",
    "thread/realtime/appendText",
    "thread/realtime/listVoices",
    "thread/realtime/start",
    "thread/realtime/stop",
    "thread/sample",
    "thread/sample/cancel",
    "thread/search",
    "thread/searchOccurrences",
    "thread/settings/update",
    "thread/timeline/list",
    "turn/settings/update",
    "userVerification/cancel",
    "userVerification/delete",
    "userVerification/enroll",
    "userVerification/status",
    "userVerification/verify",
];

/// Fields of other methods that take it (Codex 0.169), sorted by method.
pub const FIELDS: [(&str, &[&str]); 8] = [
    ("command/exec", &["permissionProfile"]),
    (
        "thread/fork",
        &[
            "attachToSource",
            "beforeTurnId",
            "deferGoalContinuation",
            "experimentalDisablePredictionMcp",
            "experimentalPredictionMode",
            "path",
            "permissions",
            "runtimeWorkspaceRoots",
        ],
    ),
    (
        "thread/list",
        &[
            "ancestorThreadId",
            "attachedToThreadId",
            "includeAttachedThreads",
            "parentThreadId",
            "projectId",
        ],
    ),
    ("thread/metadata/update", &["daybreakEnabled", "projectId"]),
    (
        "thread/resume",
        &[
            "history",
            "initialTurnsPage",
            "path",
            "permissions",
            "runtimeWorkspaceRoots",
        ],
    ),
    (
        "thread/start",
        &[
            "allowProviderModelFallback",
            "daybreakEnabled",
            "dynamicTools",
            "environments",
            "experimentalRawEvents",
            "historyMode",
            "mockExperimentalField",
            "multiAgentMode",
            "permissions",
            "projectId",
            "runtimeWorkspaceRoots",
            "selectedCapabilityRoots",
        ],
    ),
    (
        "turn/start",
        &[
            "additionalContext",
            "collaborationMode",
            "cyberAccessProgram",
            "environments",
            "multiAgentMode",
            "permissions",
            "responsesapiClientMetadata",
            "responsesapiClientMetadataPatch",
            "runtimeWorkspaceRoots",
        ],
    ),
    (
        "turn/steer",
        &[
            "additionalContext",
            "responsesapiClientMetadata",
            "responsesapiClientMetadataPatch",
        ],
    ),
];

/// Notifications that only those get who asked.
const NOTIFICATIONS: [&str; 1] = ["thread/readState/changed"];
/// A request that only those get.
const CURRENT_TIME: &str = "currentTime/read";
/// A request of Codex's that has members which only those get.
const APPROVAL: &str = "item/commandExecution/requestApproval";
/// Those members.
const OF_APPROVAL: [&str; 2] = ["additionalPermissions", "availableDecisions"];

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
    let at = FIELDS
        .binary_search_by_key(&method, |(method, _)| method)
        .ok()?;
    let (_, fields) = FIELDS.get(at)?;
    in_params(request, |params| {
        let is_given = |field: &&&str| {
            params
                .get(field)
                .is_some_and(|json| json != "null" && json != "false")
        };
        fields
            .iter()
            .find(is_given)
            .map(|field| format!("{method}.{field}"))
    })
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
        (FrameKind::Notification, method) if NOTIFICATIONS.contains(&method) => Heard::Nothing,
        (FrameKind::Request, CURRENT_TIME) => Heard::Unanswered,
        (FrameKind::Request, APPROVAL) => {
            without_members(message).map_or(Heard::Whole, Heard::Edited)
        }
        _ => Heard::Whole,
    }
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
        Frame::parse(Bytes::copy_from_slice(text.as_bytes()))
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
        ] {
            assert_eq!(asked_for(&frame(request)).as_deref(), asked, "{request}");
        }
        let heard = |text: &str| heard(&frame(text));
        assert_eq!(
            heard(r#"{"method":"thread/readState/changed","params":{}}"#),
            Heard::Nothing
        );
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
