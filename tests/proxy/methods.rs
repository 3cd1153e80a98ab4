//! Our own methods, and what is refused.

use lab::{Client, HomeBuilder, Plugin, Skill};
use serde_json::{Value, json};

use crate::stage::Stage;

async fn call(host: &Client, method: &str, params: Value) -> Value {
    host.request(method, params).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_names_everything_that_could_be_selected() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let listed = call(
        &host,
        "capability/list",
        json!({ "cwd": stage.home.project() }),
    )
    .await;
    assert_eq!(listed["nextCursor"], Value::Null);
    let data = listed["data"].as_array().unwrap();
    let find = |kind: &str, id: &str| {
        let found = data
            .iter()
            .find(|entry| entry["kind"] == kind && entry["id"] == id);
        found.unwrap_or_else(|| panic!("{kind} {id} is not in {listed}"))
    };
    for (kind, id, source, enabled) in [
        ("plugin", "github@internal", "codex", true),
        ("plugin", "sentry@internal", "codex", false),
        ("skill", "repo-review", "user", true),
        ("skill", "house-style", "repo", true),
        ("skill", "skill-creator", "system", true),
        ("skill", "github:pull-request", "github@internal", true),
        ("mcpServer", "team-notes", "config", true),
        ("mcpServer", "linear", "linear@internal", true),
    ] {
        let entry = find(kind, id);
        assert_eq!(
            (&entry["source"], &entry["enabled"]),
            (&json!(source), &json!(enabled)),
            "{entry}"
        );
    }
    // Another folder has no project skills.
    let elsewhere = call(
        &host,
        "capability/list",
        json!({ "cwd": stage.home.path().join("lab") }),
    )
    .await;
    assert!(!elsewhere.to_string().contains("house-style"));
}

#[tokio::test(flavor = "multi_thread")]
async fn resolve_gives_the_receipt_of_a_start_and_starts_nothing() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let selection = json!({ "plugins": ["github"], "skills": ["repo-review"], "mcpServers": [{ "name": "team-notes", "tools": ["search_notes"] }] });
    let resolved = call(&host, "capability/resolve", stage.params(selection.clone())).await;
    assert_eq!(
        call(&host, "thread/loaded/list", json!({})).await["data"],
        json!([])
    );
    assert!(!stage.home.path().join(".codex-loadout/roots").exists());
    let (thread, receipt) = stage.start(&host, selection).await;
    assert_eq!(resolved["capabilitySelection"], receipt);
    let read = call(
        &host,
        "thread/capability/read",
        json!({ "threadId": thread }),
    )
    .await;
    assert_eq!(
        read,
        json!({ "capabilitySelection": receipt, "stale": false })
    );
    insta::with_settings!({ filters => vec![
        (r"/[^ ]*/codex-lab-[A-Za-z0-9]+", "[home]"),
        (r"sha256:[0-9a-f]{64}", "sha256:[digest]"),
    ] }, {
        insta::assert_json_snapshot!(receipt);
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_are_listed_by_what_they_have() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (github, receipt) = stage
        .start(&host, json!({ "plugins": ["github@internal"] }))
        .await;
    let (nothing, _) = stage.start(&host, json!({})).await;
    let ids = |page: &Value| -> Vec<String> {
        let mut ids: Vec<String> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|entry| entry["threadId"].as_str().unwrap().to_owned())
            .collect();
        ids.sort();
        ids
    };
    let all = call(&host, "thread/capability/list", json!({})).await;
    let mut expected = vec![github.clone(), nothing];
    expected.sort();
    assert_eq!(ids(&all), expected);
    for plugin in ["github@internal", "github"] {
        let some = call(&host, "thread/capability/list", json!({ "plugin": plugin })).await;
        assert_eq!(ids(&some), std::slice::from_ref(&github));
        assert_eq!(some["data"][0]["capabilitySelection"], receipt);
    }
    let none = call(
        &host,
        "thread/capability/list",
        json!({ "profile": "review" }),
    )
    .await;
    assert_eq!(ids(&none), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_selection_is_told_and_nothing_is_started() {
    let twin = |market: &str| {
        let skill = "---\nname: same\ndescription: The same.\n---\n\nBody.\n";
        format!("{market}/same/SKILL.md\0{skill}")
    };
    let (path, text) = twin("project/.agents/skills")
        .split_once('\0')
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .unwrap();
    let builder = HomeBuilder::standard()
        .unwrap()
        .skill(Skill::new("same"))
        .plugin(Plugin::new("other").skill(Skill::new("pull-request")))
        .file(&path, &text);
    let stage = Stage::of(builder).await;
    let host = stage.host().await;
    for (selection, kind, item) in [
        (
            json!({ "skills": ["repo-reviw"] }),
            "unknownCapability",
            json!({ "name": "repo-reviw", "didYouMean": ["repo-review"], "candidates": [] }),
        ),
        (
            json!({ "plugins": ["githb@internal"] }),
            "unknownCapability",
            json!({ "name": "githb@internal", "didYouMean": ["github@internal"], "candidates": [] }),
        ),
        (
            json!({ "skills": ["pull-request"] }),
            "ambiguousCapability",
            json!({ "name": "pull-request", "didYouMean": [],
                "candidates": ["github@internal:pull-request", "other@internal:pull-request"] }),
        ),
        (
            json!({ "plugins": [{ "id": "github@internal", "skils": [] }] }),
            "invalidSelection",
            json!({ "name": "capabilitySelection.plugins[0].skils", "didYouMean": ["skills"], "candidates": [] }),
        ),
        (
            json!({ "mode": "add" }),
            "invalidSelection",
            json!({ "name": "capabilitySelection.mode", "didYouMean": [], "candidates": [] }),
        ),
        (
            json!({ "profile": "review" }),
            "unknownCapability",
            json!({ "name": "review", "didYouMean": [], "candidates": [] }),
        ),
    ] {
        let error = stage.refused(&host, selection.clone()).await;
        assert_eq!(
            (error.code, &error.data["kind"]),
            (-32602, &json!(kind)),
            "{selection}"
        );
        assert_eq!(error.data["items"], json!([item]), "{selection}");
        assert_eq!(error.data["origin"], "codex-loadout");
        assert_eq!(error.data["message"], json!(error.message));
        assert!(!error.data["hint"].as_str().unwrap().is_empty());
    }
    let error = stage.refused(&host, json!({ "skills": ["same"] })).await;
    assert_eq!(error.data["kind"], "ambiguousCapability");
    assert_eq!(
        error.data["items"][0]["candidates"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(
        call(&host, "thread/loaded/list", json!({})).await["data"],
        json!([])
    );
    assert_eq!(stage.home.mcp_started().unwrap(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_can_not_be_asked_for() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    for selection in [json!({ "skills": ["planning"] }), json!(null)] {
        for thread in ["01a1fefa-9505-7712-824a-596960c06f1f", "nobody", ""] {
            let params = json!({ "threadId": thread, "capabilitySelection": selection });
            let error = host
                .refusal("thread/capability/update", params)
                .await
                .unwrap();
            assert_eq!(error.data["kind"], "threadNotFound", "{thread}");
            let read = json!({ "threadId": thread });
            let error = host.refusal("thread/capability/read", read).await.unwrap();
            assert_eq!(error.data["kind"], "threadNotFound", "{thread}");
        }
    }
    // A thread that Codex has and that has no loadout is no error.
    let native = host.request("thread/start", json!({ "cwd": stage.home.project() }));
    let native = native.await.unwrap();
    let read = json!({ "threadId": native["thread"]["id"] });
    let read = host.request("thread/capability/read", read).await.unwrap();
    assert_eq!(read["capabilitySelection"], json!(null));
    // Before `initialize`, Codex's own answer, at once.
    let early = lab::Client::spawn(stage.proxy()).unwrap();
    for (method, params) in [
        ("capability/list", json!({})),
        ("thread/capability/read", json!({ "threadId": "t" })),
        ("thread/start", stage.params(json!({}))),
        ("thread/resume", json!({ "threadId": "t" })),
        ("thread/loaded/list", json!({})),
    ] {
        let error = early.refusal(method, params).await.unwrap();
        let told = (error.code, error.message.as_str());
        assert_eq!(told, (-32600, "Not initialized"), "{method}");
    }
    for page in [
        json!({ "limit": 0 }),
        json!({ "limit": 1001 }),
        json!({ "cursor": "x" }),
    ] {
        let error = host
            .refusal("capability/audit/list", page.clone())
            .await
            .unwrap();
        assert_eq!(error.data["kind"], "invalidSelection", "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_cannot_widen_by_accident() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    for (field, value) in [
        ("config", json!({ "features": { "plugins": true } })),
        ("config", json!({ "features.plugins": true })),
        ("config", json!({ "features": { "plugins": true } })),
        (
            "selectedCapabilityRoots",
            json!([{ "id": "x", "location": { "type": "environment", "environmentId": "local", "path": "/x" } }]),
        ),
    ] {
        let mut params = stage.params(json!({}));
        params[field] = value.clone();
        let error = host.refusal("thread/start", params).await.unwrap();
        assert_eq!(error.data["kind"], "invalidSelection", "{value}");
    }
    let mut params = stage.params(json!({}));
    params["environments"] = json!([{ "environmentId": "elsewhere", "cwd": "/" }]);
    let error = host.refusal("thread/start", params).await.unwrap();
    assert_eq!(error.data["kind"], "environmentUnsupported");
    // Nor later: what lies in a root would silently be missing.
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    let nowhere = json!({ "threadId": thread, "environments": [], "input": [{ "type": "text", "text": "Hi." }] });
    let settings = json!({ "threadId": thread, "environments": [] });
    for (method, params) in [
        ("turn/start", nowhere),
        ("thread/settings/update", settings),
    ] {
        let error = host.refusal(method, params).await.unwrap();
        assert_eq!(error.data["kind"], "environmentUnsupported", "{method}");
    }
    // What does not widen counts.
    let mut params = stage.params(json!({ "skills": ["planning"] }));
    params["config"] = json!({ "model_reasoning_effort": "low" });
    let started = call(&host, "thread/start", params).await;
    assert_eq!(started["reasoningEffort"], "low");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_skill_that_codex_can_not_read_it_is_told_what_codex_says() {
    let stage = Stage::standard().await;
    let broken = "---\nname: [broken\n---\n";
    stage
        .home
        .write(".agents/skills/broken/SKILL.md", broken)
        .unwrap();
    let host = stage.host().await;
    let selection = json!({ "skills": ["broken", "plannin"] });
    let error = stage.refused(&host, selection).await;
    assert_eq!(error.data["kind"], "unknownCapability");
    assert!(
        error.message.contains("Codex says of `"),
        "{}",
        error.message
    );
    assert!(
        error.message.contains("broken/SKILL.md"),
        "{}",
        error.message
    );
    assert_eq!(error.data["items"][0]["name"], "broken");
    assert_eq!(error.data["items"][1]["didYouMean"][0], "planning");
    let told = host
        .request("skills/list", json!({ "cwds": [stage.home.project()] }))
        .await
        .unwrap();
    let said = told["data"][0]["errors"][0]["message"].as_str().unwrap();
    assert!(error.message.contains(said), "{}", error.message);
    host.shutdown().await.unwrap();
}
