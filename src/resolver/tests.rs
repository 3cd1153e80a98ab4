//! Tables: selections on one catalog, and what becomes of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use codex_loadout_protocol::method::CapabilityKind;
use codex_loadout_protocol::{CapabilitySelection, ErrorKind, LoadoutError};
use proptest::prelude::*;
use serde_json::json;

use super::{Plan, ServerOrigin, capabilities, receipt, resolve};
use crate::bundle::Digest;
use crate::catalog::{
    Catalog, ConfigServer, HostSkill, InstalledPlugin, Parts, PluginServer, PluginSkill, SkillScope,
};

fn skill(name: &str, path: &str, scope: SkillScope, enabled: bool) -> HostSkill {
    HostSkill {
        name: name.to_owned(),
        namespace: None,
        description: format!("About {name}."),
        path: PathBuf::from(path),
        scope,
        enabled,
        mention_only: false,
    }
}

pub(super) fn plugin(
    id: &str,
    enabled: bool,
    skills: &[&str],
    servers: &[&str],
) -> InstalledPlugin {
    let name = id.split('@').next().unwrap().to_owned();
    InstalledPlugin {
        id: id.to_owned(),
        added: None,
        version: "1.0.0".to_owned(),
        enabled,
        blocked: None,
        root: PathBuf::from(format!("/cache/{id}")),
        within: None,
        description: None,
        installed: true,
        entry: None,
        data_folder: PathBuf::from(format!("/data/{id}")),
        converted: None,
        native: Parts {
            skills: skills
                .iter()
                .map(|skill| PluginSkill {
                    name: format!("{name}:{skill}"),
                    description: format!("About {skill}."),
                    folder: format!("skills/{skill}"),
                    enabled: !skill.starts_with("off-"),
                    mention_only: false,
                })
                .collect(),
            servers: servers
                .iter()
                .map(|server| {
                    let definition = json!({ "command": server }).as_object().unwrap().clone();
                    (
                        (*server).to_owned(),
                        PluginServer {
                            definition,
                            enabled: true,
                        },
                    )
                })
                .collect(),
            ..Parts::default()
        },
        name,
    }
}

/// User, project, disabled, doubled and system skills; plugins enabled, disabled, blocked, and two of
/// one name; servers of the config and of plugins.
pub(crate) fn catalog() -> Catalog {
    let config = |enabled| ConfigServer {
        enabled,
        definition: json!({ "command": "x" }).as_object().unwrap().clone(),
    };
    let mut blocked = plugin("banned@market", false, &["b"], &[]);
    blocked.blocked = Some("by your administrator".to_owned());
    Catalog {
        launch_line: serde_json::Map::new(),
        policy: crate::catalog::Policy::default(),
        cwd: PathBuf::from("/project"),
        skills: vec![
            skill(
                "doubled",
                "/home/a/doubled/SKILL.md",
                SkillScope::User,
                true,
            ),
            skill(
                "doubled",
                "/project/doubled/SKILL.md",
                SkillScope::Repo,
                true,
            ),
            skill(
                "imagegen",
                "/codex/.system/imagegen/SKILL.md",
                SkillScope::System,
                true,
            ),
            skill(
                "planning",
                "/home/s/planning/SKILL.md",
                SkillScope::User,
                true,
            ),
            skill(
                "repo-review",
                "/home/s/repo-review/SKILL.md",
                SkillScope::User,
                true,
            ),
            skill(
                "sleeping",
                "/home/s/sleeping/SKILL.md",
                SkillScope::User,
                false,
            ),
        ],
        newcomers: Vec::new(),
        hooks: Vec::new(),
        roles: Vec::new(),
        plugins: vec![
            blocked,
            plugin(
                "github@internal",
                true,
                &["issue", "off-extra", "pull"],
                &["github", "shared"],
            ),
            plugin("linear@internal", false, &["write"], &["linear"]),
            plugin("twin@one", true, &["t"], &[]),
            plugin("twin@two", true, &["t"], &[]),
        ],
        servers: BTreeMap::from([
            ("notes".to_owned(), config(true)),
            ("off".to_owned(), config(false)),
            ("shared".to_owned(), config(true)),
        ]),
        ..Catalog::default()
    }
}

fn resolve_json(selection: serde_json::Value) -> Result<Plan, LoadoutError> {
    let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
    let mut plan = resolve(&selection, &catalog())?;
    for bundle in &mut plan.bundles {
        bundle.digest = Some(Digest::of_parts([bundle
            .source
            .as_os_str()
            .as_encoded_bytes()]));
    }
    Ok(plan)
}

/// What the thread gets, in few words: `skills | servers | warnings`.
fn outline(selection: serde_json::Value) -> String {
    let plan = match resolve_json(selection) {
        Ok(plan) => plan,
        Err(error) => return format!("{}: {}", error.kind.as_str(), error.message),
    };
    let receipt = receipt(&plan, &catalog());
    let plugins = receipt
        .plugins
        .iter()
        .flat_map(|plugin| plugin.skills.clone());
    let mut skills: Vec<String> = receipt
        .skills
        .iter()
        .map(|skill| skill.name.clone())
        .chain(plugins)
        .collect();
    skills.sort();
    let servers: Vec<String> = receipt
        .mcp_servers
        .iter()
        .map(|server| match &server.tools {
            Some(tools) => format!("{}({})", server.name, tools.join(",")),
            None => server.name.clone(),
        })
        .collect();
    let warnings: Vec<&str> = receipt
        .warnings
        .iter()
        .map(|warning| warning.code.as_str())
        .collect();
    format!(
        "{} | {} | {}",
        skills.join(" "),
        servers.join(" "),
        warnings.join(" ")
    )
}

#[test]
fn replace_gives_what_is_named_and_nothing_else() {
    for (selection, expected) in [
        (json!({}), " |  | "),
        (
            json!({ "plugins": ["github@internal"] }),
            "github:issue github:pull | github github-shared | mcpRenamed",
        ),
        (
            json!({ "plugins": ["github"], "mcpServers": [] }),
            "github:issue github:pull |  | ",
        ),
        (
            json!({ "plugins": [{ "id": "github", "skills": ["pull"], "mcpServers": [] }] }),
            "github:pull |  | ",
        ),
        (
            json!({ "plugins": [{ "id": "github", "skills": ["off-extra"], "mcpServers": [{ "name": "github", "tools": ["t"] }] }] }),
            "github:off-extra | github(t) | ",
        ),
        (
            json!({ "plugins": ["linear@internal"] }),
            "linear:write | linear | enabledForThread",
        ),
        (
            json!({ "skills": ["repo-review", "imagegen", "sleeping"] }),
            "imagegen repo-review sleeping |  | enabledForThread",
        ),
        (
            json!({ "skills": ["github:pull", "write"] }),
            "github:pull linear:write |  | ",
        ),
        (
            json!({ "plugins": [{ "id": "github", "skills": [], "mcpServers": [] }], "skills": ["github:pull"] }),
            "github:pull |  | ",
        ),
        (
            json!({ "mcpServers": ["notes", { "name": "linear", "tools": [] }] }),
            " | linear() notes | noTools",
        ),
        (
            json!({ "mcpServers": ["off"] }),
            " | off | enabledForThread",
        ),
        (
            json!({ "plugins": ["github"], "mcpServers": ["shared"] }),
            "github:issue github:pull | github-shared | mcpRenamed",
        ),
        (
            json!({ "mcpServers": ["config:shared", "github:github"] }),
            " | github shared | ",
        ),
        (
            json!({ "plugins": [{ "id": "github", "mcpServers": ["github"] }], "mcpServers": ["notes"] }),
            "github:issue github:pull | notes | serverNotListed",
        ),
        (json!({ "skills": ["/project/doubled"] }), "doubled |  | "),
        (
            json!({ "plugins": ["twin@one", "twin@two"] }),
            "twin:t twin:t |  | sameNamespace",
        ),
        (
            json!({ "plugins": ["github"], "mcpServers": [], "hooks": "trusted" }),
            "github:issue github:pull |  | ",
        ),
    ] {
        assert_eq!(outline(selection.clone()), expected, "{selection}");
    }
}

#[test]
fn restrict_cuts_the_lists_that_are_given() {
    let all_plugins = "github:issue github:pull";
    for (selection, expected) in [
        (
            json!({}),
            format!(
                "doubled doubled {all_plugins} imagegen planning repo-review twin:t twin:t | github notes shared | sameNamespace"
            ),
        ),
        (
            json!({ "skills": ["planning"] }),
            format!("{all_plugins} planning twin:t twin:t | github notes shared | sameNamespace"),
        ),
        (
            json!({ "skills": [], "plugins": [] }),
            " | notes shared | ".to_owned(),
        ),
        (
            json!({ "skills": [], "plugins": ["github"] }),
            format!("{all_plugins} | github notes shared | "),
        ),
        (
            json!({ "skills": [], "plugins": ["linear"] }),
            "linear:write | linear notes shared | enabledForThread".to_owned(),
        ),
        (
            json!({ "skills": [], "plugins": ["github"], "mcpServers": ["github", "linear"] }),
            format!("{all_plugins} | github linear | "),
        ),
        (
            json!({ "skills": ["sleeping", "linear:write"], "plugins": [], "mcpServers": [] }),
            "linear:write sleeping |  | enabledForThread".to_owned(),
        ),
        (
            json!({ "skills": [], "plugins": [{ "id": "github", "skills": ["pull"], "mcpServers": [] }] }),
            "github:pull | notes shared | ".to_owned(),
        ),
    ] {
        let selection = with_mode(selection, "restrict");
        assert_eq!(outline(selection.clone()), expected, "{selection}");
    }
}

#[test]
fn extend_adds_to_the_users_set() {
    let users = "imagegen planning repo-review";
    for (selection, expected) in [
        (
            json!({ "plugins": ["linear"] }),
            format!(
                "doubled doubled github:issue github:pull {users} twin:t twin:t linear:write | github linear notes shared | enabledForThread sameNamespace"
            ),
        ),
        (
            json!({ "skills": ["sleeping", "repo-review"] }),
            format!(
                "doubled doubled github:issue github:pull {users} sleeping twin:t twin:t | github notes shared | enabledForThread sameNamespace"
            ),
        ),
        (
            json!({ "mcpServers": ["off", { "name": "notes", "tools": ["search"] }] }),
            format!(
                "doubled doubled github:issue github:pull {users} twin:t twin:t | github notes(search) off shared | enabledForThread sameNamespace"
            ),
        ),
        (
            json!({ "plugins": [{ "id": "github", "mcpServers": [] }] }),
            format!(
                "doubled doubled github:issue github:pull {users} twin:t twin:t | notes shared | sameNamespace"
            ),
        ),
    ] {
        let selection = with_mode(selection, "extend");
        let mut words: Vec<&str> = expected.split(" | ").next().unwrap().split(' ').collect();
        words.sort_unstable();
        let rest = expected.split_once(" | ").unwrap().1;
        assert_eq!(
            outline(selection.clone()),
            format!("{} | {rest}", words.join(" ")),
            "{selection}"
        );
    }
}

fn with_mode(mut selection: serde_json::Value, mode: &str) -> serde_json::Value {
    selection["mode"] = json!(mode);
    selection
}

#[test]
fn what_is_wrong_is_named_with_what_to_write() {
    for (selection, kind, name, suggested, candidates) in [
        (
            json!({ "skills": ["repo-reviw"] }),
            ErrorKind::UnknownCapability,
            "repo-reviw",
            Some("repo-review"),
            None,
        ),
        (
            json!({ "skills": ["pul"] }),
            ErrorKind::UnknownCapability,
            "pul",
            Some("github:pull"),
            None,
        ),
        (
            json!({ "plugins": ["githb"] }),
            ErrorKind::UnknownCapability,
            "githb",
            Some("github@internal"),
            None,
        ),
        (
            json!({ "plugins": ["twin"] }),
            ErrorKind::AmbiguousCapability,
            "twin",
            None,
            Some("twin@one"),
        ),
        (
            json!({ "plugins": ["banned"] }),
            ErrorKind::BlockedByPolicy,
            "banned@market",
            None,
            None,
        ),
        (
            json!({ "plugins": [{ "id": "github", "skills": ["pulls"] }] }),
            ErrorKind::UnknownCapability,
            "pulls",
            Some("github:pull"),
            None,
        ),
        (
            json!({ "plugins": [{ "id": "github", "mcpServers": ["linear"] }] }),
            ErrorKind::UnknownCapability,
            "linear",
            None,
            None,
        ),
        (
            json!({ "skills": ["doubled"] }),
            ErrorKind::AmbiguousCapability,
            "doubled",
            None,
            Some("/home/a/doubled/SKILL.md"),
        ),
        (
            json!({ "skills": ["twin:t"] }),
            ErrorKind::AmbiguousCapability,
            "twin:t",
            None,
            Some("twin@one:t"),
        ),
        (
            json!({ "mcpServers": ["shared"] }),
            ErrorKind::AmbiguousCapability,
            "shared",
            None,
            Some("config:shared"),
        ),
        (
            json!({ "mcpServers": ["note"] }),
            ErrorKind::UnknownCapability,
            "note",
            Some("notes"),
            None,
        ),
        (
            json!({ "agents": ["reviewer"] }),
            ErrorKind::UnknownCapability,
            "reviewer",
            None,
            None,
        ),
        (
            json!({ "apps": ["gmail"] }),
            ErrorKind::UnknownCapability,
            "gmail",
            None,
            None,
        ),
        (
            json!({ "skills": ["a", " "] }),
            ErrorKind::InvalidSelection,
            "capabilitySelection.skills[1]",
            None,
            None,
        ),
        (
            json!({ "mcpServers": ["notes", { "name": "notes", "tools": ["a"] }] }),
            ErrorKind::InvalidSelection,
            "notes",
            None,
            None,
        ),
        (
            json!({ "plugins": ["github", { "id": "github@internal", "skills": [] }] }),
            ErrorKind::InvalidSelection,
            "github@internal",
            None,
            None,
        ),
    ] {
        let error = resolve_json(selection.clone()).unwrap_err();
        assert_eq!(error.kind, kind, "{selection}: {error}");
        let item = error
            .items
            .iter()
            .find(|item| item.name == name)
            .unwrap_or_else(|| panic!("{selection}: {error:?}"));
        assert_eq!(
            item.did_you_mean.first().map(String::as_str),
            suggested,
            "{selection}"
        );
        assert_eq!(
            item.candidates.first().map(String::as_str),
            candidates,
            "{selection}"
        );
        assert!(
            !error.message.is_empty() && !error.hint.is_empty(),
            "{selection}"
        );
    }
}

#[test]
fn all_unknown_names_are_told_at_once() {
    let error = resolve_json(json!({ "plugins": ["nope", "banned", "nada"] })).unwrap_err();
    assert_eq!(error.items.len(), 3);
}

#[test]
fn the_digest_is_of_the_content_and_not_of_the_order() {
    let digest = |selection| receipt(&resolve_json(selection).unwrap(), &catalog()).digest;
    let one =
        digest(json!({ "skills": ["planning", "repo-review"], "mcpServers": ["notes", "off"] }));
    assert_eq!(
        one,
        digest(
            json!({ "skills": ["repo-review", "planning", "planning"], "mcpServers": ["off", "notes"] })
        )
    );
    assert_ne!(
        one,
        digest(json!({ "skills": ["planning"], "mcpServers": ["notes", "off"] }))
    );
    assert_ne!(
        one,
        digest(json!({ "skills": ["planning", "repo-review"], "mcpServers": ["notes"] }))
    );
}

#[test]
fn the_receipt_counts_what_is_left_out_and_what_it_costs() {
    let plan = resolve_json(json!({ "skills": ["planning"], "plugins": ["github"] })).unwrap();
    let receipt = receipt(&plan, &catalog());
    assert_eq!(
        (
            receipt.excluded.skills,
            receipt.excluded.plugins,
            receipt.excluded.mcp_servers
        ),
        (4, 2, 2)
    );
    assert!(
        receipt.context.skills_chars > 0
            && receipt.context.skills_chars < receipt.context.skills_chars_without
    );
}

#[test]
fn what_is_listed_can_be_selected() {
    for capability in capabilities(&catalog()) {
        let list = match capability.kind {
            CapabilityKind::Tool => continue,
            CapabilityKind::Plugin => "plugins",
            CapabilityKind::Skill if capability.id == "twin:t" => {
                continue;
            }
            CapabilityKind::Skill => "skills",
            CapabilityKind::McpServer => "mcpServers",
            CapabilityKind::Agent => "agents",
            CapabilityKind::Hook => panic!("hooks come with their plugin"),
        };
        let found = resolve_json(json!({ list: [capability.id] }));
        assert!(found.is_ok(), "{list} {}: {found:?}", capability.id);
    }
}

const NAMES: [&str; 16] = [
    "github@internal",
    "github",
    "twin",
    "twin@one",
    "linear",
    "nope",
    "planning",
    "doubled",
    "sleeping",
    "github:pull",
    "off-extra",
    "shared",
    "config:shared",
    "notes",
    "off",
    "",
];

fn names() -> impl Strategy<Value = Option<Vec<&'static str>>> {
    proptest::option::of(proptest::collection::vec(
        proptest::sample::select(&NAMES[..]),
        0..4,
    ))
}

proptest! {
    #[test]
    fn replace_never_holds_what_is_not_named(plugins in names(), skills in names(), servers in names()) {
        let selection = json!({ "plugins": plugins, "skills": skills, "mcpServers": servers });
        if let Ok(plan) = resolve_json(selection) {
            let named = |list: &Option<Vec<&str>>, wanted: &str| list.iter().flatten().any(|name| wanted.contains(name) || name.ends_with(wanted));
            for plugin in &plan.plugins {
                prop_assert!(plugin.named && !plugin.native && named(&plugins, &plugin.id), "{plugin:?}");
            }
            for skill in &plan.skills {
                prop_assert!(!skill.native && named(&skills, &skill.name), "{skill:?}");
            }
            for server in &plan.servers {
                let comes_along = servers.is_none()
                    && matches!(&server.origin, ServerOrigin::Snapshot { id, .. } if named(&plugins, id));
                let own = match &server.origin {
                    ServerOrigin::Snapshot { server, .. } => server,
                    ServerOrigin::Config
                    | ServerOrigin::Request { .. }
                    | ServerOrigin::NativePlugin { .. } => &server.name,
                };
                prop_assert!(named(&servers, own) || comes_along, "{server:?}");
            }
        }
    }

    #[test]
    fn a_plan_survives_its_record(plugins in names(), skills in names(), mode in proptest::sample::select(&["replace", "restrict", "extend"][..])) {
        if let Ok(plan) = resolve_json(json!({ "mode": mode, "plugins": plugins, "skills": skills })) {
            let text = serde_json::to_string(&plan).unwrap();
            prop_assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan);
        }
    }
}

#[test]
fn all_wrong_names_are_told_at_once_whatever_kind_they_are_of() {
    let selection = json!({ "plugins": ["githb"], "skills": ["plannin"], "agents": ["nobody"],
        "mcpServers": ["note"], "apps": ["mail"] });
    let selection = CapabilitySelection::from_json(&selection.to_string()).unwrap();
    let error = resolve(&selection, &catalog()).unwrap_err();
    assert_eq!(error.kind, ErrorKind::UnknownCapability);
    let names: Vec<&str> = error.items.iter().map(|item| item.name.as_str()).collect();
    assert_eq!(names, ["githb", "plannin", "nobody", "note", "mail"]);
}
