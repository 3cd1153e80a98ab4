//! `selectedCapabilityRoots`: the folder that a thread finds its plugins and skills in.

use std::path::Path;

use serde_json::{Value, json};

/// `selectedCapabilityRoots` with the thread's root, behind those that the host chose itself.
#[must_use]
pub(crate) fn roots_json(root: &Path, of_host: Vec<Value>) -> String {
    Value::from_iter(of_host.into_iter().chain([root_entry(root)])).to_string()
}

/// The id under which a thread has its root; Codex keeps it in the session file.
pub(crate) const ROOT_ID: &str = "codex-loadout";

/// One entry: a folder on this machine.
pub(super) fn root_entry(root: &Path) -> Value {
    json!({
        "id": ROOT_ID,
        "location": { "type": "environment", "environmentId": "local", "path": root },
    })
}
