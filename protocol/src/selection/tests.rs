use super::*;
use crate::error::ErrorKind;

fn parse(text: &str) -> CapabilitySelection {
    CapabilitySelection::from_json(text).unwrap()
}

#[test]
fn lists_are_tri_state() {
    let selection = parse(r#"{"plugins":[],"skills":null}"#);
    assert_eq!(selection.plugins, Some(vec![]));
    assert_eq!(selection.skills, None);
    assert_eq!(selection.mcp_servers, None);
    assert_eq!(selection.mode(), Mode::Replace);
}

#[test]
fn the_contract_example_parses_and_round_trips() {
    let selection = parse(
        r#"{ "mode": "replace", "profile": "review",
             "plugins": ["github@internal", { "id": "linear@internal", "mcpServers": [] }],
             "skills": ["repo-review", "github:github-skill"],
             "mcpServers": ["usermcp", { "name": "sentry", "tools": ["search"] }],
             "agents": ["spec-forge:reviewer"], "apps": [], "hooks": "none" }"#,
    );
    assert_eq!(selection.profile.0, ["review"]);
    let plugins = selection.plugins.as_ref().unwrap();
    assert_eq!(plugins[1].mcp_servers, Some(vec![]));
    let servers = selection.mcp_servers.as_ref().unwrap();
    assert_eq!(servers[1].tools, Some(vec!["search".to_owned()]));
    assert_eq!(
        parse(&serde_json::to_string(&selection).unwrap()),
        selection
    );
}

#[test]
fn a_skill_may_say_how_it_is_listed() {
    let text = r#"{"skills":["a",{"name":"b","list":"name"},{"name":"c"}],"plugins":[{"id":"p","skills":[{"name":"d","list":"manual"}]}]}"#;
    let selection = parse(text);
    let skills = selection.skills.as_ref().unwrap();
    let lists: Vec<_> = skills.iter().map(|skill| skill.list).collect();
    assert_eq!(lists, [None, Some(SkillListing::Name), None]);
    let of_plugin = selection.plugins.as_ref().unwrap()[0]
        .skills
        .as_ref()
        .unwrap();
    assert_eq!(of_plugin[0].list, Some(SkillListing::Manual));
    assert_eq!(
        parse(&serde_json::to_string(&selection).unwrap()),
        selection
    );
    assert!(CapabilitySelection::from_json(r#"{"skills":[{"name":"b","list":"none"}]}"#).is_err());
}

#[test]
fn what_is_too_large_is_refused_in_a_few_words() {
    let names = |count: usize, length: usize| {
        let name = "n".repeat(length);
        serde_json::json!({ "skills": vec![name; count] }).to_string()
    };
    for text in [
        names(1, MAX_TEXT),
        names(1, MAX_NAME + 1),
        names(MAX_NAMES + 1, 1),
        format!(r#"{{"skills":5,"{}":1}}"#, "k".repeat(MAX_TEXT)),
        format!(r#"{{"{}":1}}"#, "k".repeat(MAX_TEXT / 2)),
    ] {
        let error = CapabilitySelection::from_json(&text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidSelection);
        assert!(error.to_json_rpc().to_string().len() < 8192);
    }
    for text in [names(MAX_NAMES, 100), names(200, MAX_NAME)] {
        assert!(CapabilitySelection::from_json(&text).is_ok());
    }
    let tools =
        serde_json::json!({ "mcpServers": [{ "name": "s", "tools": vec!["t"; MAX_NAMES] }] });
    assert!(CapabilitySelection::from_json(&tools.to_string()).is_err());
}

#[test]
fn a_wrong_type_names_the_path_of_the_field() {
    for (text, path) in [
        (r#"{"mode":"replacing"}"#, "capabilitySelection.mode"),
        (r#"{"skills":"repo-review"}"#, "capabilitySelection.skills"),
        (r#"{"skills":["a",5]}"#, "capabilitySelection.skills[1]"),
        (
            r#"{"mcpServers":[{"name":"s","tools":[1]}]}"#,
            "capabilitySelection.mcpServers[0].tools[0]",
        ),
        (
            r#"{"plugins":["a",{"id":"b","skill":[]}]}"#,
            "capabilitySelection.plugins[1].skill",
        ),
        (r#"{"hooks":true}"#, "capabilitySelection.hooks"),
        (r#"{"skils":[]}"#, "capabilitySelection.skils"),
        (r#"[]"#, "capabilitySelection"),
        (r#""review""#, "capabilitySelection"),
    ] {
        let error = CapabilitySelection::from_json(text).unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidSelection, "{text}");
        assert_eq!(error.items[0].name, path, "{text}: {}", error.message);
    }
}

#[test]
fn a_wrong_word_is_answered_with_those_that_there_are() {
    let refused = |text: &str| CapabilitySelection::from_json(text).unwrap_err();
    let error = refused(r#"{"hooks":true}"#);
    assert!(
        error
            .message
            .ends_with("expected `none`, `trusted` or a list of events and ids of hooks"),
        "{error}"
    );
    assert!(
        error.hint.contains("codex-loadout schema"),
        "{}",
        error.hint
    );
    for (text, meant) in [
        (r#"{"skils":[]}"#, "skills"),
        (r#"{"mode":"replacing"}"#, "replace"),
        (r#"{"plugins":[{"id":"p","skill":[]}]}"#, "skills"),
    ] {
        assert_eq!(refused(text).items[0].did_you_mean[0], meant, "{text}");
    }
}
