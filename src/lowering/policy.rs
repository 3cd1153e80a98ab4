//! A plan held against what an administrator says of every thread.

use codex_loadout_protocol::receipt::ManagedReceipt;
use codex_loadout_protocol::selection::{HookPolicy, ManagedPolicy, Mode};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Map, Value};

use super::hooks::hook_events;
use super::lowered::Lowered;
use crate::catalog::{Catalog, Policy};
use crate::resolver::Plan;

/// What of ours only says how a thread is handled.
const NO_CAPABILITY: &str = "thread_unload_delay_secs";

/// What is forced on a thread with this plan, where it takes that.
///
/// # Errors
/// `blockedByPolicy` if the plan has what is forbidden, `policyConflict` if something is forced on the
/// thread that it does not have.
pub(crate) fn held_against_policy(
    plan: &Plan,
    catalog: &Catalog,
    lowered: &Lowered,
) -> Result<Vec<ManagedReceipt>, LoadoutError> {
    if catalog.policy.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = Found::default();
    found.forbidden_parts(plan, catalog);
    for layer in &catalog.policy.layers {
        found.overruled(&layer.name, &lowered.config, &layer.config, "");
    }
    found.required_features(&catalog.policy, &lowered.config);
    if plan.mode == Mode::Replace {
        found.managed_hooks(&catalog.policy);
    }
    found
        .forced
        .sort_by(|a, b| (&a.key, &a.layer).cmp(&(&b.key, &b.layer)));
    found.forced.dedup_by(|later, first| later.key == first.key);
    if !found.blocked.is_empty() {
        return Err(refusal(ErrorKind::BlockedByPolicy, &found.blocked, "forbids")
            .with_hint("Leave it out of the selection, or ask your administrator; `codex-loadout doctor` says what policy is in force."));
    }
    if found.forced.is_empty() || plan.managed == ManagedPolicy::Include {
        return Ok(found.forced);
    }
    Err(refusal(ErrorKind::PolicyConflict, &found.forced, "sets, for every thread,")
        .with_hint("Send `\"managed\": \"include\"` in the selection to have it in the thread, or ask your administrator."))
}

fn refusal(kind: ErrorKind, found: &[ManagedReceipt], does: &str) -> LoadoutError {
    let sentences: Vec<String> = found
        .iter()
        .map(|found| format!("`{}` {does} `{}`", found.layer, found.key))
        .collect();
    let items = found.iter().map(|found| ErrorItem::named(&found.key));
    LoadoutError::new(kind, sentences.join("; ")).with_items(items.collect())
}

/// Whether a layer has hooks, which run in every thread that has hooks on.
pub(super) fn has_hooks(policy: &Policy) -> bool {
    let mut layers = policy.layers.iter();
    !policy.requirements.hooks.is_empty()
        || layers.any(|layer| !hook_events(&layer.config).is_empty())
}

#[derive(Default)]
struct Found {
    forced: Vec<ManagedReceipt>,
    blocked: Vec<ManagedReceipt>,
}

impl Found {
    fn forced(&mut self, layer: &str, key: impl Into<String>) {
        self.forced.push(ManagedReceipt::new(layer, key));
    }

    fn blocked(&mut self, layer: &str, key: impl Into<String>) {
        self.blocked.push(ManagedReceipt::new(layer, key));
    }

    /// What ours says at a place where a layer says something else.
    fn overruled(
        &mut self,
        layer: &str,
        ours: &Map<String, Value>,
        theirs: &Map<String, Value>,
        folder: &str,
    ) {
        for (key, ours) in ours {
            let place = format!("{folder}{key}");
            match (ours, theirs.get(key)) {
                (Value::Object(ours), Some(Value::Object(theirs))) => {
                    self.overruled(layer, ours, theirs, &format!("{place}."));
                }
                // Rules of a thread count beside those of a layer.
                (Value::Array(rules), Some(_)) if rules.iter().all(Value::is_object) => {}
                (ours, Some(theirs)) if ours == theirs || place == NO_CAPABILITY => {}
                (Value::Bool(true), Some(Value::Bool(false))) => self.blocked(layer, place),
                (_, Some(_)) => self.forced(layer, place),
                (_, None) => {}
            }
        }
    }

    fn required_features(&mut self, policy: &Policy, ours: &Map<String, Value>) {
        let features = ours.get("features").and_then(Value::as_object);
        for (feature, ours) in features.into_iter().flatten() {
            let required = policy.requirements.features.get(feature);
            let (layer, key) = (&policy.requirements.name, format!("features.{feature}"));
            match (ours.as_bool(), required) {
                (Some(false), Some(true)) => self.forced(layer, key),
                (Some(true), Some(false)) => self.blocked(layer, key),
                _ => {}
            }
        }
    }

    /// They run whatever a thread's config says of hooks.
    fn managed_hooks(&mut self, policy: &Policy) {
        if policy.forces("hooks", false) {
            return;
        }
        for layer in &policy.layers {
            for event in hook_events(&layer.config) {
                self.forced(&layer.name, format!("hooks.{event}"));
            }
        }
        for event in &policy.requirements.hooks {
            self.forced(&policy.requirements.name, format!("hooks.{event}"));
        }
    }

    /// What the plan has that an administrator forbids.
    fn forbidden_parts(&mut self, plan: &Plan, catalog: &Catalog) {
        let policy = &catalog.policy;
        for server in plan
            .servers
            .iter()
            .filter(|server| !server.may_run(catalog))
        {
            let name = &server.name;
            self.blocked(&policy.requirements.name, format!("mcp_servers.{name}"));
        }
        if let Some((layer, false)) = policy.feature("plugins") {
            let plugins = plan.plugins.iter().map(|plugin| &plugin.id);
            let single = plan.skills.iter().map(|skill| &skill.source);
            let agents = plan.agents.iter().map(|agent| &agent.source);
            let mut ids: Vec<&String> = plugins.chain(single).chain(agents).collect();
            ids.retain(|id| id.contains('@'));
            ids.sort();
            ids.dedup();
            for id in ids {
                self.blocked(layer, format!("plugins.{id}"));
            }
        }
        if plan.hooks != HookPolicy::None {
            let off = match policy.feature("hooks") {
                Some((layer, false)) => Some(layer),
                _ if policy.requirements.managed_hooks_only => Some(&*policy.requirements.name),
                _ => None,
            };
            let active = plan.active_hooks(catalog);
            let mut events: Vec<&String> = active.map(|hook| &hook.event).collect();
            events.sort();
            events.dedup();
            for (layer, event) in off.into_iter().flat_map(|layer| {
                let events = events.iter();
                events.map(move |event| (layer, event))
            }) {
                self.blocked(layer, format!("hooks.{event}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{ManagedLayer, Requirements};
    use crate::lowering::{CodexFeatures, Files, lower};
    use crate::messages::initialize::CodexVersion;
    use crate::resolver::{resolve, test_catalog};
    use codex_loadout_protocol::CapabilitySelection;
    use serde_json::json;

    fn managed(config: Value) -> Policy {
        Policy {
            layers: vec![ManagedLayer {
                name: "managed".to_owned(),
                config: config.as_object().unwrap().clone(),
            }],
            ..Policy::default()
        }
    }

    fn required(requirements: Requirements) -> Policy {
        Policy {
            requirements,
            ..Policy::default()
        }
    }

    /// `kind key, key`, or what is in the receipt.
    fn judged(selection: Value, policy: Policy) -> String {
        let catalog = Catalog {
            policy,
            ..test_catalog()
        };
        let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
        let plan = resolve(&selection, &catalog).unwrap();
        let levers = CodexFeatures::of(CodexVersion::new(0, 169, 0));
        let lowered = lower(&plan, &catalog, levers, Files::default()).unwrap();
        let keys = |keys: Vec<String>| keys.join(", ");
        match held_against_policy(&plan, &catalog, &lowered) {
            Ok(forced) => keys(forced.into_iter().map(|forced| forced.key).collect()),
            Err(error) => {
                let names = error.items.into_iter().map(|item| item.name).collect();
                format!("{} {}", error.kind.as_str(), keys(names))
            }
        }
    }

    #[test]
    fn what_is_forced_is_a_conflict_or_in_the_receipt() {
        let on = |feature: &str| Requirements {
            features: [(feature.to_owned(), true)].into(),
            ..Requirements::default()
        };
        let hooks = || json!({ "hooks": { "Stop": [{ "hooks": [] }] } });
        for (policy, key) in [
            (
                managed(json!({ "features": { "plugins": true } })),
                "features.plugins",
            ),
            (required(on("plugins")), "features.plugins"),
            (required(on("apps")), "features.apps"),
            (
                managed(json!({ "mcp_servers": { "notes": { "command": "x", "enabled": true } } })),
                "mcp_servers.notes.enabled",
            ),
            (managed(hooks()), "hooks.Stop"),
            (
                required(Requirements {
                    hooks: vec!["Stop".to_owned()],
                    ..Requirements::default()
                }),
                "hooks.Stop",
            ),
        ] {
            assert_eq!(
                judged(json!({}), policy.clone()),
                format!("policyConflict {key}")
            );
            assert_eq!(judged(json!({ "managed": "include" }), policy), key);
        }
        // Where a thread keeps the user's own, it is no conflict.
        assert_eq!(judged(json!({ "mode": "restrict" }), managed(hooks())), "");
        // What says the same, and what is about other things.
        let same = json!({ "features": { "plugins": false, "shell_tool": true }, "model": "m",
            "thread_unload_delay_secs": 9, "skills": { "config": [{ "name": "planning", "enabled": true }] } });
        assert_eq!(judged(json!({}), managed(same)), "");
    }

    #[test]
    fn what_is_forbidden_is_refused_where_it_is_named() {
        let only = |servers: &[&str]| {
            let allowed = servers.iter().map(|name| ((*name).to_owned(), Map::new()));
            required(Requirements {
                servers: Some(allowed.collect()),
                ..Requirements::default()
            })
        };
        let off = |feature: &str| {
            required(Requirements {
                features: [(feature.to_owned(), false)].into(),
                ..Requirements::default()
            })
        };
        let notes = || json!({ "mcpServers": ["notes"] });
        assert_eq!(judged(notes(), only(&["notes"])), "");
        assert_eq!(
            judged(notes(), only(&[])),
            "blockedByPolicy mcp_servers.notes"
        );
        let plugin = || json!({ "plugins": ["github@internal"] });
        // A server that merely comes along is left out, and said so.
        assert_eq!(judged(plugin(), only(&[])), "");
        assert_eq!(
            judged(plugin(), off("plugins")),
            "blockedByPolicy plugins.github@internal"
        );
        assert_eq!(
            judged(
                notes(),
                managed(
                    json!({ "mcp_servers": { "notes": { "command": "x", "enabled": false } } })
                )
            ),
            "blockedByPolicy mcp_servers.notes.enabled"
        );
    }
}
