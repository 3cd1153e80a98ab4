//! What is wrong with a selection, whatever there is to select.

use codex_loadout_protocol::selection::CapabilitySelection;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};

/// Refuses empty names, each by its path.
pub(super) fn check_names(selection: &CapabilitySelection) -> Result<(), LoadoutError> {
    let mut names: Vec<(String, &str)> = Vec::new();
    fn listed<'a>(
        names: &mut Vec<(String, &'a str)>,
        path: &str,
        list: impl Iterator<Item = &'a str>,
    ) {
        names.extend(
            list.enumerate()
                .map(|(index, name)| (format!("capabilitySelection.{path}[{index}]"), name)),
        );
    }
    for (index, plugin) in selection.plugins.iter().flatten().enumerate() {
        names.push((
            format!("capabilitySelection.plugins[{index}]"),
            plugin.id.as_str(),
        ));
        listed(
            &mut names,
            &format!("plugins[{index}].skills"),
            plugin
                .skills
                .iter()
                .flatten()
                .map(|skill| skill.name.as_str()),
        );
        listed(
            &mut names,
            &format!("plugins[{index}].agents"),
            plugin.agents.iter().flatten().map(String::as_str),
        );
        listed(
            &mut names,
            &format!("plugins[{index}].mcpServers"),
            plugin
                .mcp_servers
                .iter()
                .flatten()
                .map(|server| server.name.as_str()),
        );
    }
    listed(
        &mut names,
        "skills",
        selection
            .skills
            .iter()
            .flatten()
            .map(|skill| skill.name.as_str()),
    );
    listed(
        &mut names,
        "mcpServers",
        selection
            .mcp_servers
            .iter()
            .flatten()
            .map(|server| server.name.as_str()),
    );
    listed(
        &mut names,
        "agents",
        selection.agents.iter().flatten().map(String::as_str),
    );
    let blank: Vec<ErrorItem> = names
        .into_iter()
        .filter(|(_, name)| name.trim().is_empty())
        .map(|(path, _)| ErrorItem::named(path))
        .collect();
    match blank.first() {
        None => Ok(()),
        Some(first) => Err(LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("`{}` is an empty name", first.name),
        )
        .with_hint("Leave the entry out, or name a capability.")
        .with_items(blank)),
    }
}

/// Connectors can't be chosen yet.
pub(super) fn check_apps(selection: &CapabilitySelection) -> Result<(), LoadoutError> {
    let apps: Vec<&String> = selection.apps.iter().flatten().collect();
    let Some(first) = apps.first() else {
        return Ok(());
    };
    Err(LoadoutError::new(
        ErrorKind::UnknownCapability,
        format!("there is no app `{first}`"),
    )
    .with_hint("Connectors come with a later version of codex-loadout; `apps` can only be `[]`, or left out.")
    .with_items(apps.into_iter().map(ErrorItem::named).collect()))
}
