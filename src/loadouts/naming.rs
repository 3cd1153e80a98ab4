//! The plugins that a selection is about.

use std::collections::BTreeSet;

use codex_loadout_protocol::CapabilitySelection;

/// The plugins that a selection names, by themselves or before what they have: `plugin:skill`.
pub(super) fn plugins_named(selection: &CapabilitySelection) -> BTreeSet<String> {
    let plugins = selection
        .plugins
        .iter()
        .flatten()
        .map(|plugin| plugin.id.as_str());
    let skills = selection
        .skills
        .iter()
        .flatten()
        .map(|skill| skill.name.as_str());
    let agents = selection.agents.iter().flatten().map(String::as_str);
    let owners = skills
        .chain(agents)
        .filter_map(|name| name.split_once(':'))
        .map(|(plugin, _)| plugin);
    plugins.chain(owners).map(str::to_owned).collect()
}
