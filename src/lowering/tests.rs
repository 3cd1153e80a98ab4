//! Tables: selections on one catalog, and what Codex is told.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};
use serde_json::{Value, json};

use super::{CodexFeatures, Files, Lowered, held_against_policy, lower};
use crate::bundle::{Digest, KEPT_AT};
use crate::catalog::{Catalog, Conversion, HostHook, HostRole, Parts, PluginAgent, PluginHook};
use crate::messages::initialize::CodexVersion;
use crate::resolver::{resolve, test_catalog};

fn lowered_on(selection: Value, minor: u32, now: &Catalog) -> Result<Lowered, LoadoutError> {
    let selection = CapabilitySelection::from_json(&selection.to_string())?;
    let plan = resolve(&selection, &test_catalog())?;
    let levers = CodexFeatures::of(CodexVersion::new(0, minor, 0));
    lower(&plan, now, levers, files())
}

/// A store that has every bundle under its number.
fn files() -> Files<'static> {
    Files {
        snapshot: &|bundle| PathBuf::from(format!("/store/{bundle}")),
        ..Files::default()
    }
}

fn config(selection: Value) -> Value {
    let lowered = lowered_on(selection, 169, &test_catalog()).unwrap();
    assert_eq!(lowered.gone_servers, Vec::<String>::new());
    Value::Object(lowered.config.into_inner())
}

/// What every thread is told, so that it can be re-bound.
fn nothing() -> Value {
    json!({ "thread_unload_delay_secs": 0 })
}

#[test]
fn replace_shuts_everything_out_and_lets_the_chosen_in_by_value() {
    insta::assert_json_snapshot!("replace_nothing", config(json!({})));
    insta::assert_json_snapshot!(
        "replace_some",
        config(json!({
            "plugins": ["github@internal"],
            "skills": ["planning", "imagegen"],
            "mcpServers": ["github", { "name": "notes", "tools": ["search"] }, "off"],
        }))
    );
}

#[test]
fn roles_of_the_users_own_are_led_nowhere_unless_they_are_named() {
    let role = |name: &str| HostRole {
        name: name.to_owned(),
        description: "Its own words.".to_owned(),
        digest: Digest::of_parts([name.as_bytes()]),
    };
    let mut catalog = test_catalog();
    catalog.roles = vec![role("one"), role("two")];
    let told = |selection: Value| {
        let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
        let plan = resolve(&selection, &catalog).unwrap();
        let files = Files {
            roles: Some(Path::new("/roles")),
            ..Files::default()
        };
        let levers = CodexFeatures::of(CodexVersion::new(0, 144, 1));
        let lowered = lower(&plan, &catalog, levers, files).unwrap();
        let agents = lowered.config.get("agents").cloned();
        assert_eq!(lowered.role_files.len(), usize::from(agents.is_some()));
        (agents, lowered.role_files)
    };
    let (_, files) = told(json!({}));
    let (file, text) = files.first_key_value().unwrap();
    assert!(
        file.starts_with("/roles") && text.starts_with("# "),
        "{text}"
    );
    let nothing = json!({ "description": "Not available here: the same as `default`.",
        "config_file": file });
    for (selection, agents) in [
        (json!({}), Some(json!({ "one": nothing, "two": nothing }))),
        (
            json!({ "agents": ["two"] }),
            Some(json!({ "one": nothing })),
        ),
        (json!({ "mode": "restrict" }), None),
        (
            json!({ "mode": "restrict", "agents": [] }),
            Some(json!({ "one": nothing, "two": nothing })),
        ),
        (json!({ "mode": "extend", "agents": ["two"] }), None),
    ] {
        assert_eq!(told(selection.clone()).0, agents, "{selection}");
    }
}

#[test]
fn restrict_switches_off_what_is_not_named_and_leaves_other_kinds_alone() {
    assert_eq!(config(json!({ "mode": "restrict" })), nothing());
    insta::assert_json_snapshot!(
        "restrict_some",
        config(json!({
            "mode": "restrict",
            "plugins": [{ "id": "github@internal", "skills": ["pull"] }],
            "skills": ["planning"],
            "mcpServers": ["notes"],
        }))
    );
}

#[test]
fn extend_only_adds() {
    assert_eq!(config(json!({ "mode": "extend" })), nothing());
    insta::assert_json_snapshot!(
        "extend_some",
        config(json!({
            "mode": "extend",
            "plugins": ["linear@internal"],
            "skills": ["sleeping"],
            "mcpServers": ["off"],
        }))
    );
}

#[test]
fn a_single_plugin_is_switched_only_where_codex_can() {
    let narrowing = || json!({ "mode": "restrict", "plugins": ["github@internal"] });
    let error = lowered_on(narrowing(), 150, &test_catalog()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnsupportedUpstream);
    assert_eq!(error.items[0].name, "twin@one");
    assert!(lowered_on(narrowing(), 157, &test_catalog()).is_ok());
    for untouched in [
        json!({}),
        json!({ "plugins": ["linear@internal"] }),
        json!({ "mode": "restrict", "skills": [] }),
        json!({ "mode": "extend", "mcpServers": ["off"] }),
    ] {
        assert!(
            lowered_on(untouched.clone(), 144, &test_catalog()).is_ok(),
            "{untouched}"
        );
    }
}

#[test]
fn a_thread_that_may_be_in_either_of_two_folders_is_shut_in_both() {
    let with = |name: &str| {
        let mut now = test_catalog();
        let mut skill = now.skills[0].clone();
        skill.name = name.to_owned();
        now.skills.push(skill);
        let server = now.servers["notes"].clone();
        now.servers.insert(format!("{name}-server"), server);
        lowered_on(json!({}), 169, &now).unwrap()
    };
    let mut both = with("here");
    both.and(with("there"));
    let config = Value::Object(both.config.into_inner());
    let rules = config["skills"]["config"].as_array().unwrap();
    let names: Vec<&Value> = rules.iter().map(|rule| &rule["name"]).collect();
    for name in ["here", "there", "planning"] {
        let times = names.iter().filter(|denied| **denied == name).count();
        assert_eq!(times, 1, "{name}");
    }
    for server in ["here-server", "there-server", "notes"] {
        assert_eq!(config["mcp_servers"][server]["enabled"], false, "{server}");
    }
}

#[test]
fn newcomers_are_shut_out_when_a_plan_is_lowered_again() {
    let mut now = test_catalog();
    let mut skill = now.skills[0].clone();
    skill.name = "newcomer".to_owned();
    now.skills.push(skill);
    let mut unlisted = now.skills[0].clone();
    unlisted.name = "not-listed-yet".to_owned();
    now.newcomers.push(unlisted);
    let server = now.servers["notes"].clone();
    now.servers.insert("newserver".to_owned(), server);
    now.servers.remove("notes");
    let lowered = lowered_on(json!({ "mcpServers": ["notes"] }), 169, &now).unwrap();
    let config = Value::Object(lowered.config.into_inner());
    let denied = config["skills"]["config"].as_array().unwrap();
    for name in ["newcomer", "not-listed-yet"] {
        assert!(denied.contains(&json!({ "name": name, "enabled": false })));
    }
    assert_eq!(config["mcp_servers"]["newserver"]["enabled"], false);
    // An entry for a server without a definition would make Codex refuse the thread.
    assert_eq!(config["mcp_servers"].get("notes"), None);
    assert_eq!(lowered.gone_servers, ["notes"]);
}

#[test]
fn agents_and_trusted_hooks_of_a_bundle_are_given_with_their_place() {
    let mut catalog = test_catalog();
    let github = catalog
        .plugins
        .iter_mut()
        .find(|plugin| plugin.name == "github")
        .unwrap();
    let hook = |event: &str, trusted| PluginHook {
        event: event.to_owned(),
        matcher: Some("Bash".to_owned()),
        handler: json!({ "type": "command", "command": format!("sh {KEPT_AT}/x.sh") })
            .as_object()
            .unwrap()
            .clone(),
        origin: event.to_owned(),
        trusted,
    };
    github.converted = Some(Conversion::Done(Arc::new(Parts {
        agents: vec![PluginAgent {
            name: "github:reviewer".to_owned(),
            description: "Reviews.".to_owned(),
            file: "agents/reviewer.toml".to_owned(),
        }],
        hooks: vec![hook("PreToolUse", true), hook("PostToolUse", false)],
        ..github.native.clone()
    })));
    catalog.hooks = vec![HostHook {
        key: "/home/config.toml:stop:0:0".to_owned(),
        event: "Stop".to_owned(),
        source: "user".to_owned(),
        trusted: true,
    }];
    let told = |selection: Value, now: &Catalog| {
        let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
        let plan = resolve(&selection, &catalog).unwrap();
        let levers = CodexFeatures::of(CodexVersion::new(0, 169, 0));
        Value::Object(
            lower(&plan, now, levers, files())
                .unwrap()
                .config
                .into_inner(),
        )
    };
    let trusted = json!({ "plugins": ["github"], "mcpServers": [], "hooks": "trusted" });
    insta::assert_json_snapshot!("agents_and_hooks", told(trusted.clone(), &catalog));
    let without = told(json!({ "plugins": ["github"], "mcpServers": [] }), &catalog);
    assert_eq!(without["features"]["hooks"], false);
    assert_eq!(without.get("hooks"), None);

    // Ours come behind those of the launch line, which go on running.
    let mut launched = catalog.clone();
    launched.launch_line = json!({ "hooks": { "PreToolUse": [{ "hooks": [] }, { "hooks": [] }] } })
        .as_object()
        .unwrap()
        .clone();
    let state = &told(trusted.clone(), &launched)["hooks"]["state"];
    let key = "/<session-flags>/config.toml:pre_tool_use:2:0";
    assert!(state[key]["trusted_hash"].is_string(), "{state}");
    let without = told(json!({ "mcpServers": [] }), &launched);
    assert_eq!(without["features"].get("hooks"), None);

    // An administrator lets none run but theirs.
    let plan = {
        let selection = CapabilitySelection::from_json(&trusted.to_string()).unwrap();
        resolve(&selection, &catalog).unwrap()
    };
    let mut restricted = catalog.clone();
    restricted.policy.requirements.managed_hooks_only = true;
    let levers = CodexFeatures::of(CodexVersion::new(0, 169, 0));
    let lowered = lower(&plan, &restricted, levers, Files::default()).unwrap();
    let refused = held_against_policy(&plan, &restricted, &lowered).unwrap_err();
    assert_eq!(refused.kind, ErrorKind::BlockedByPolicy);
    assert_eq!(refused.items[0].name, "hooks.PreToolUse");

    // The user has taken the trust back.
    let mut now = catalog.clone();
    let github = now
        .plugins
        .iter_mut()
        .find(|plugin| plugin.name == "github")
        .unwrap();
    if let Some(Conversion::Done(parts)) = &mut github.converted {
        Arc::make_mut(parts).hooks[0].trusted = false;
    }
    assert_eq!(told(trusted, &now)["features"]["hooks"], false);
}

#[test]
fn a_role_with_instructions_of_its_own_carries_the_list() {
    let mut catalog = test_catalog();
    let github = catalog
        .plugins
        .iter_mut()
        .find(|plugin| plugin.name == "github")
        .unwrap();
    let agent = |name: &str| PluginAgent {
        name: format!("github:{name}"),
        description: "Helps.".to_owned(),
        file: format!("agents/{name}.toml"),
    };
    github.converted = Some(Conversion::Done(Arc::new(Parts {
        agents: vec![agent("mute"), agent("reviewer")],
        ..github.native.clone()
    })));
    let told = |selection: Value| {
        let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
        let plan = resolve(&selection, &catalog).unwrap();
        let role = |file: &Path| {
            let speaks = file.ends_with("reviewer.toml");
            Some(match speaks {
                true => "developer_instructions = \"Review.\"".to_owned(),
                false => "model = \"m\"".to_owned(),
            })
        };
        let files = Files {
            role: &role,
            roles: Some(Path::new("/roles")),
            ..files()
        };
        let levers = CodexFeatures::of(CodexVersion::new(0, 169, 0));
        lower(&plan, &catalog, levers, files).unwrap()
    };
    let lowered = told(json!({ "plugins": ["github"] }));
    let file = |lowered: &Lowered, role: &str| {
        let file = lowered.config["agents"][role]["config_file"].as_str();
        Path::new(file.unwrap()).to_owned()
    };
    let text = &lowered.role_files[&file(&lowered, "github:reviewer")];
    assert!(
        text.contains("Review.") && text.contains("### Available skills"),
        "{text}"
    );
    assert_eq!(
        file(&lowered, "github:mute"),
        Path::new("/store/0/agents/mute.toml")
    );
    // Where the list is Codex's own, or empty, the role stays as it is.
    for selection in [
        json!({ "mode": "extend", "plugins": ["github"] }),
        json!({ "plugins": [{ "id": "github", "skills": [] }] }),
    ] {
        let lowered = told(selection);
        assert_eq!(
            file(&lowered, "github:reviewer"),
            Path::new("/store/0/agents/reviewer.toml")
        );
    }
}
