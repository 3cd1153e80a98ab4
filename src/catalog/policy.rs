//! The layers of config that a thread's own does not take the place of.

use serde_json::{Map, Value};

use super::answers::ConfigLayer;

/// What the launch line says, as Codex 0.144 to 0.169 tell of it.
pub(super) fn launch_line(layers: &[ConfigLayer]) -> Map<String, Value> {
    let layer = layers
        .iter()
        .find(|layer| layer.name.kind == "sessionFlags");
    layer
        .and_then(|layer| layer.config.as_object())
        .cloned()
        .unwrap_or_default()
}
