//! Tables: what becomes of plugins that were made for Claude.

use std::sync::Arc;

use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};
use serde_json::{Value, json};

use super::tests::{catalog as without, plugin};
use super::{Plan, capabilities, receipt, resolve};
use crate::catalog::{Catalog, Conversion, PluginAgent, PluginHook};

/// `spec@claude`, of which Codex itself loads one skill of three, one server, and no agent; `broken@claude`,
/// which can't be converted.
fn catalog() -> Catalog {
    let mut spec = plugin("spec@claude", true, &["prd"], &["raw"]);
    let mut parts = plugin(
        "spec@claude",
        true,
        &["prd", "plan", "git:push"],
        &["notes"],
    )
    .native;
    parts.skills[2].mention_only = true;
    parts.agents = ["reviewer", "writer"]
        .map(|agent| PluginAgent {
            name: format!("spec:{agent}"),
            description: format!("About {agent}."),
            file: format!("agents/{agent}.toml"),
        })
        .into();
    parts.hooks = [("SessionStart", true), ("Stop", false)]
        .map(|(event, trusted)| PluginHook {
            event: event.to_owned(),
            matcher: None,
            handler: json!({ "type": "command", "command": "true" })
                .as_object()
                .unwrap()
                .clone(),
            origin: format!("hooks/hooks.json:{event}:0:0"),
            trusted,
        })
        .into();
    spec.converted = Some(Conversion::Done(Arc::new(parts)));
    let mut broken = plugin("broken@claude", true, &["b"], &[]);
    broken.converted = Some(Conversion::Failed(vec!["agents/x.md:3: why".to_owned()]));
    let mut catalog = without();
    catalog.plugins.extend([spec, broken]);
    catalog.plugins.sort_by(|a, b| a.id.cmp(&b.id));
    catalog
}

fn planned(selection: Value) -> Result<Plan, LoadoutError> {
    let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
    resolve(&selection, &catalog())
}

fn agents(plan: &Plan) -> Vec<&str> {
    plan.agents
        .iter()
        .map(|agent| agent.name.as_str())
        .collect()
}

#[test]
fn a_chosen_one_comes_as_its_bundle_in_every_mode() {
    for mode in ["replace", "restrict", "extend"] {
        let plan = planned(json!({ "mode": mode, "plugins": ["spec"] })).unwrap();
        let spec = plan
            .plugins
            .iter()
            .find(|plugin| plugin.id == "spec@claude")
            .unwrap();
        assert!(!spec.native, "{mode}");
        assert_eq!(
            spec.skills,
            ["spec:git:push", "spec:plan", "spec:prd"],
            "{mode}"
        );
        assert_eq!(agents(&plan), ["spec:reviewer", "spec:writer"], "{mode}");
        let bundle = &plan.bundles[spec.bundle];
        assert!(bundle.stored && bundle.mount.is_some(), "{mode}");
        let input = bundle.conversion.as_ref().unwrap();
        assert_eq!(input.plugin, "spec", "{mode}");
        // `notes` is a name of the user's own.
        assert_eq!(input.renamed_servers["notes"], "spec-notes", "{mode}");
    }
}

#[test]
fn one_that_merely_remains_is_as_codex_loads_it() {
    let plan = planned(json!({ "mode": "restrict", "skills": [] })).unwrap();
    let spec = plan
        .plugins
        .iter()
        .find(|plugin| plugin.id == "spec@claude")
        .unwrap();
    assert!(spec.native);
    assert_eq!(spec.skills, ["spec:prd"]);
    assert_eq!(plan.bundles[spec.bundle].conversion, None);
    assert!(plan.agents.is_empty());
}

#[test]
fn parts_of_it_can_be_chosen_alone() {
    let plan = planned(json!({ "skills": ["spec:plan"], "agents": ["writer"] })).unwrap();
    assert_eq!(plan.skills[0].name, "spec:plan");
    assert_eq!(agents(&plan), ["spec:writer"]);
    let shared = &plan.bundles[plan.agents[0].bundle];
    assert!(shared.conversion.is_some() && shared.mount.is_some());
    let receipt = receipt(&plan, &catalog());
    assert_eq!(receipt.agents[0].source, "spec@claude");

    let plan = planned(json!({ "agents": ["spec:reviewer"] })).unwrap();
    assert_eq!(plan.bundles[plan.agents[0].bundle].mount, None);

    let narrowed = json!({ "plugins": [{ "id": "spec", "skills": ["prd"], "agents": ["writer"], "mcpServers": [] }] });
    let plan = planned(narrowed).unwrap();
    assert_eq!(plan.plugins[0].skills, ["spec:prd"]);
    assert_eq!(agents(&plan), ["spec:writer"]);
    assert!(plan.servers.is_empty());
}

#[test]
fn chosen_plugins_can_be_referred_to() {
    let plan = planned(json!({ "plugins": ["spec", "github"] })).unwrap();
    let spec = plan
        .bundles
        .iter()
        .find_map(|bundle| bundle.conversion.as_ref())
        .unwrap();
    let github = &spec.neighbours.plugins["github"];
    assert!(github.skills.contains_key("issue"));
    assert_eq!(spec.neighbours.plugins.len(), 1);
}

#[test]
fn what_can_not_be_converted_is_refused_with_the_reason_and_hurts_nobody_else() {
    let error = planned(json!({ "plugins": ["broken"] })).unwrap_err();
    assert_eq!(error.kind, ErrorKind::ConversionFailed);
    assert!(error.message.contains("agents/x.md:3"), "{}", error.message);
    assert!(planned(json!({ "plugins": ["spec"] })).is_ok());
    assert!(planned(json!({ "mode": "extend" })).is_ok());
}

#[test]
fn hooks_are_told_whether_they_run_or_not() {
    for (hooks, active) in [("none", [false, false]), ("trusted", [true, false])] {
        let plan = planned(json!({ "plugins": ["spec"], "hooks": hooks })).unwrap();
        let receipt = receipt(&plan, &catalog());
        let told: Vec<(&str, bool)> = receipt
            .hooks
            .iter()
            .map(|hook| (hook.event.as_str(), hook.active))
            .collect();
        assert_eq!(
            told,
            [("SessionStart", active[0]), ("Stop", active[1])],
            "{hooks}"
        );
        assert!(
            receipt
                .warnings
                .iter()
                .all(|warning| warning.code != "hooksNotApproved")
        );
    }
}

#[test]
fn unknown_agents_are_told_with_what_is_alike() {
    let error = planned(json!({ "agents": ["spec:reviewr"] })).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownCapability);
    assert_eq!(error.items[0].did_you_mean[0], "spec:reviewer");
    let of_plugin = json!({ "plugins": [{ "id": "spec", "agents": ["nobody"] }] });
    assert_eq!(
        planned(of_plugin).unwrap_err().kind,
        ErrorKind::UnknownCapability
    );
}

#[test]
fn the_list_tells_what_codex_would_not_load() {
    let all = capabilities(&catalog());
    let enabled = |id: &str| all.iter().find(|listed| listed.id == id).unwrap().enabled;
    assert!(enabled("spec:prd"));
    assert!(!enabled("spec:plan") && !enabled("spec:reviewer"));
}
