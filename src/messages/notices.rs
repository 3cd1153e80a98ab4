//! What hosts are told in Codex's own words that Codex itself does not say.

use bytes::Bytes;
use serde_json::json;

/// Codex ended and runs again: a `warning` (Codex 0.144 to 0.169) that is about no thread.
#[must_use]
pub fn codex_started_again() -> Bytes {
    let message = "Codex ended unexpectedly and was started again: its threads are no longer loaded, and come back when they are resumed.";
    let warning =
        json!({ "method": "warning", "params": { "threadId": null, "message": message } });
    Bytes::from(warning.to_string())
}
