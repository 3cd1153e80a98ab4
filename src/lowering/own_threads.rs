//! Threads that we start ourselves: to try a loadout out, and to see what runs nothing of the user's.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::dotted;
use super::lowered::{Lowered, MergeMode};
use super::selected_roots::root_entry;
use super::servers::transport_of;
use super::skill_list::developer_instructions;
use crate::catalog::{Catalog, ConfigServer};

/// The provider of a trial's model, in this thread's config alone.
const TRIAL_PROVIDER: &str = "codex-loadout-proof";

/// `thread/start` for a trial of a loadout: ephemeral, and its model is the endpoint at `url`. Read-only,
/// so that Codex marks no project as trusted for it.
#[must_use]
pub(crate) fn trial_request(
    mut lowered: Lowered,
    root: Option<&Path>,
    cwd: &Path,
    url: &str,
) -> Value {
    let list = lowered.skill_list.as_deref().unwrap_or_default();
    let instructions = developer_instructions(None, lowered.user_instructions.as_deref(), list);
    let provider = json!({ "name": TRIAL_PROVIDER, "base_url": url, "wire_api": "responses",
        "requires_openai_auth": false, "supports_websockets": false });
    lowered.config.insert(
        "model_providers".to_owned(),
        json!({ TRIAL_PROVIDER: provider }),
    );
    let config = dotted::print(&lowered.launch_line, &Map::new(), &[], &lowered.config);
    json!({
        "cwd": cwd, "ephemeral": true, "sandbox": "read-only", "approvalPolicy": "never",
        "modelProvider": TRIAL_PROVIDER, "config": config, "developerInstructions": instructions,
        "selectedCapabilityRoots": root.map(root_entry).into_iter().collect::<Vec<_>>(),
    })
}

/// A thread without a loadout, in which nothing of the user's runs: no plugin, MCP server or hook.
#[must_use]
pub(crate) fn without_servers(catalog: &Catalog) -> Lowered {
    let off = |(name, server): (&String, &ConfigServer)| {
        let mut entry = transport_of(&server.definition);
        entry.insert("enabled".to_owned(), false.into());
        (name.clone(), Value::Object(entry))
    };
    let servers: Map<String, Value> = catalog.servers.iter().map(off).collect();
    let off = json!({ "features": { "plugins": false, "hooks": false }, "mcp_servers": servers });
    Lowered {
        launch_line: catalog.launch_line.clone(),
        ..Lowered::new(
            off.as_object().cloned().unwrap_or_default(),
            MergeMode::Open,
        )
    }
}
