//! Answers that the router gives itself.

use bytes::Bytes;
use codex_loadout_protocol::error::ORIGIN;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, method};

use super::request::RequestKind;
use crate::messages::thread;
use crate::profiles::misplaced;
use crate::wire::{Frame, Id, answer_frame};

/// JSON-RPC's code for an invalid request; Codex uses it for every refusal of its own.
const INVALID_REQUEST: i64 = -32600;
/// Codex's code where its own queue is full.
const OVERLOADED: i64 = -32001;
/// JSON-RPC's code for a method that is not there.
const METHOD_NOT_FOUND: i64 = -32601;
/// JSON-RPC's code for an internal error.
const INTERNAL_ERROR: i64 = -32603;

/// The error that Codex 0.144 to 0.169 give for what takes the experimental API: a method, or a field of one.
pub(super) fn experimental_error(id: &Id, asked: &str) -> Bytes {
    let message = format!("{asked} requires experimentalApi capability");
    let error = serde_json::json!({ "code": INVALID_REQUEST, "message": message });
    answer_frame(id, "error", &error.to_string())
}

/// The answer to a request of Codex's that the host is not to hear of.
pub(super) fn unheard_error(id: &Id) -> Bytes {
    let error =
        serde_json::json!({ "code": METHOD_NOT_FOUND, "message": "the host does not offer this" });
    answer_frame(id, "error", &error.to_string())
}

/// The refusal of a request of Codex's with a selection where nobody reads one.
pub(super) fn misplaced_error(request: &Frame) -> Option<Bytes> {
    // Most requests hold none of our names: a scan is cheaper than reading them.
    memchr::memmem::find(request.bytes(), b"apability")?;
    if method::METHODS.contains(&request.method()) {
        return None;
    }
    let found = thread::in_params(request, |params| misplaced(request.method(), params))?;
    Some(answer_frame(
        &request.id(),
        "error",
        &found.to_json_rpc().to_string(),
    ))
}

/// Codex's own answer to whatever comes before `initialize` (0.144 to 0.169).
pub(super) fn not_initialized_error(id: &Id) -> Bytes {
    let error = serde_json::json!({ "code": INVALID_REQUEST, "message": "Not initialized" });
    answer_frame(id, "error", &error.to_string())
}

/// Why a thread can't be bound anew now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Busy {
    /// It has a turn under way, and is to get another loadout.
    ForLoadout,
    /// It has a turn under way, and is to be kept from what came into the config.
    ForConfig,
    /// It has a turn under way, and what has changed underneath is to be kept out before it reads on.
    ForTurn,
    /// Another request on it is under way.
    Elsewhere,
}

impl Busy {
    /// Of a thread that has a turn under way: why it matters to this request.
    pub(super) fn in_turn(kind: RequestKind) -> Self {
        match kind {
            RequestKind::Turn => Self::ForTurn,
            RequestKind::ServersReload => Self::ForConfig,
            RequestKind::Start
            | RequestKind::Resume
            | RequestKind::Fork
            | RequestKind::Update
            | RequestKind::Own => Self::ForLoadout,
        }
    }
}

/// A thread can be given another config only between two turns.
pub(super) fn busy_error(id: &Id, thread: &str, busy: Busy) -> Bytes {
    let (why, hint) = match busy {
        Busy::ForLoadout => (
            "has a turn under way, and gets another loadout only between two turns",
            "Send the request again when its turn has ended, or interrupt it.",
        ),
        Busy::ForConfig => (
            "has a turn under way, and would get MCP servers that are not of its loadout",
            "Send the request again when its turn has ended, or interrupt it.",
        ),
        Busy::ForTurn => (
            "has a turn under way, and has to be loaded anew before it reads this: what is not of its loadout has come in underneath",
            "Send the request again when its turn has ended, or interrupt it.",
        ),
        Busy::Elsewhere => (
            "is being loaded anew for another request",
            "Send the request again when that one is answered.",
        ),
    };
    let error = LoadoutError::new(ErrorKind::ThreadBusy, format!("thread `{thread}` {why}"))
        .with_hint(hint)
        .with_items(vec![ErrorItem::named(thread)]);
    answer_frame(id, "error", &error.to_json_rpc().to_string())
}

/// Two requests with one id would have two answers that nobody can tell apart.
pub(super) fn taken_id_error(id: &Id) -> Bytes {
    let error = LoadoutError::new(
        ErrorKind::InvalidSelection,
        "a request with this id is under way, and has no answer yet",
    )
    .with_hint("Give each request an id of its own.")
    .with_items(vec![ErrorItem::named("id")]);
    answer_frame(id, "error", &error.to_json_rpc().to_string())
}

/// Too much is under way, or waits for a thread. The code and the words are Codex's own where its queue is full
/// (0.144 to 0.169): hosts know them, and try again.
pub(super) fn overloaded_error(id: &Id) -> Bytes {
    let error = LoadoutError::new(ErrorKind::ThreadBusy, "Server overloaded; retry later.")
        .with_hint("Wait for answers to what is under way, then send the request again.");
    let mut json = error.to_json_rpc();
    json["code"] = OVERLOADED.into();
    answer_frame(id, "error", &json.to_string())
}

/// Codex reads no such request, so nothing would come of it.
pub(super) fn unreadable_error(id: &Id) -> Bytes {
    let message = "Codex can't read this request: its id is no string or 64-bit integer, or something in it lies more than 127 objects and lists deep";
    let error = LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Send it with another id, or with a flatter `config`.");
    answer_frame(id, "error", &error.to_json_rpc().to_string())
}

/// Which thread a request is about has to be known where threads have loadouts.
pub(super) fn list_of_params_error(id: &Id) -> Bytes {
    let error = LoadoutError::new(
        ErrorKind::InvalidSelection,
        "`params` is a list, and threads of this connection have loadouts",
    )
    .with_hint("Send `params` as an object, in the shape of Codex's own schema.")
    .with_items(vec![ErrorItem::named("params")]);
    answer_frame(id, "error", &error.to_json_rpc().to_string())
}

/// The answer to a request at which the proxy itself failed.
pub(crate) fn internal_error(id: &Id) -> Bytes {
    let error = serde_json::json!({
        "code": INTERNAL_ERROR,
        "message": "codex-loadout failed at this request; its log on stderr says where",
        "data": { "origin": ORIGIN },
    });
    answer_frame(id, "error", &error.to_string())
}

/// The one answer to a request that Codex did not live to give.
pub(super) fn gone_error(id: &Id) -> Bytes {
    let error = serde_json::json!({
        "code": INTERNAL_ERROR,
        "message": "Codex ended before it answered",
        "data": { "origin": ORIGIN },
    });
    answer_frame(id, "error", &error.to_string())
}
