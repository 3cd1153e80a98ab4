//! Plugins that Codex itself loads: switched on and off for one thread, and cut to what the plan keeps of them.

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Value, json};

use super::lower::Lowering;
use crate::catalog::InstalledPlugin;
use crate::resolver::{Plan, PlannedPlugin, Scope, ServerOrigin};

impl Lowering<'_> {
    /// Switches the user's plugins to what the plan has of them.
    pub(super) fn native_plugins(&mut self) -> Result<(), LoadoutError> {
        let plan = self.plan;
        let plugins = &self.catalog.plugins;
        let brings_in = plugins
            .iter()
            .any(|plugin| is_in_scope(plan, plugin) && !plugin.enabled);
        let mut switched = Vec::new();
        for plugin in plugins.iter().filter(|plugin| plugin.installed) {
            let switches = if is_in_scope(plan, plugin) {
                self.native_plugin_on(plugin)
            } else {
                // An explicit no, also where the user's is one: switching the feature on would wake it.
                self.native_plugin_off(plugin, plugin.enabled || brings_in)
            };
            if switches {
                switched.push(plugin.id.clone());
            }
        }
        if brings_in {
            self.set(&["features", "plugins"], true);
        }
        if switched.is_empty() || self.features.native_plugin_switch {
            return Ok(());
        }
        Err(LoadoutError::new(
            ErrorKind::UnsupportedUpstream,
            "this Codex can't switch a single plugin for one thread",
        )
        .with_hint("Use the mode `replace`, or Codex 0.157 or newer.")
        .with_items(switched.into_iter().map(ErrorItem::named).collect()))
    }

    /// Whether that took a switch.
    fn native_plugin_off(&mut self, plugin: &InstalledPlugin, switches: bool) -> bool {
        if switches {
            self.set(&["plugins", &plugin.id, "enabled"], false);
        }
        switches
    }

    /// Has a plugin on, cut to its part in the plan; whether that took a switch of the plugin's own.
    fn native_plugin_on(&mut self, plugin: &InstalledPlugin) -> bool {
        let mut switched = false;
        if !plugin.enabled {
            self.set(&["plugins", &plugin.id, "enabled"], true);
            switched = true;
        }
        let planned = named(self.plan, plugin);
        if let Some(planned) = planned.filter(|planned| planned.skills_narrowed) {
            self.narrow_native_skills(plugin, planned);
        }
        let narrowed = planned.is_some_and(|planned| planned.servers_narrowed);
        self.native_servers(plugin, narrowed) || switched
    }

    /// Skills are kept out by a rule, not by a switch of the plugin.
    fn narrow_native_skills(&mut self, plugin: &InstalledPlugin, planned: &PlannedPlugin) {
        let skills = plugin.native.skills.iter();
        let out = skills.filter(|skill| !planned.skills.contains(&skill.name));
        self.skill_rules
            .extend(out.map(|skill| json!({ "name": skill.name, "enabled": false })));
    }

    /// Has a plugin's MCP servers run as planned; whether that took a switch. `narrowed`: the plan names those that
    /// run.
    fn native_servers(&mut self, plugin: &InstalledPlugin, narrowed: bool) -> bool {
        let mut switches: Vec<(&str, &str, Value)> = Vec::new();
        if narrowed || self.plan.host_servers != Scope::All {
            for name in &plugin.native.older_servers {
                switches.push((name, "enabled", false.into()));
            }
        }
        for (name, server) in &plugin.native.servers {
            let chosen = self.plan.servers.iter().find(|chosen| {
                matches!(&chosen.origin, ServerOrigin::NativePlugin { id } if *id == plugin.id)
                    && chosen.name == *name
            });
            let runs = match (&self.plan.host_servers, chosen) {
                (_, Some(_)) => true,
                (Scope::All, None) => server.enabled && !narrowed,
                (Scope::Only(_), None) => false,
            };
            if runs != server.enabled {
                switches.push((name, "enabled", runs.into()));
            }
            if let Some(tools) = chosen.and_then(|chosen| chosen.tools.clone()) {
                switches.push((name, "enabled_tools", tools.into()));
            }
        }
        let switched = !switches.is_empty();
        for (name, field, value) in switches {
            self.set(&["plugins", &plugin.id, "mcp_servers", name, field], value);
        }
        switched
    }
}

/// Whether a thread with this plan has a plugin as Codex itself loads it.
fn is_in_scope(plan: &Plan, plugin: &InstalledPlugin) -> bool {
    let comes_as_bundle = || {
        let mut planned = plan.plugins.iter();
        planned.any(|planned| !planned.native && planned.id == plugin.id)
    };
    match &plan.host_plugins {
        Scope::All if comes_as_bundle() => false,
        Scope::All => plugin.enabled || named(plan, plugin).is_some(),
        Scope::Only(ids) => ids.contains(&plugin.id),
    }
}

/// The plan's own word on a plugin that Codex loads.
fn named<'a>(plan: &'a Plan, plugin: &InstalledPlugin) -> Option<&'a PlannedPlugin> {
    plan.plugins
        .iter()
        .find(|planned| planned.native && planned.id == plugin.id)
}
