//! The lab on the real Codex: what a native thread sees is what its home holds.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail as tests do")]

use codex_loadout_lab::{
    Client, DEFAULT_VERSION, Home, HomeBuilder, Model, Promise, Skill, VERSIONS,
};
use serde_json::json;

async fn start_thread(client: &Client, home: &Home) -> String {
    let started = client
        .request("thread/start", json!({"cwd": home.project()}))
        .await
        .unwrap();
    started["thread"]["id"].as_str().unwrap().to_owned()
}

/// One native thread on one Codex version, from start to hang-up.
async fn check_native_thread(version: &str) {
    let model = Model::start().await.unwrap();
    let home = HomeBuilder::standard()
        .unwrap()
        .codex_version(version)
        .build(model.url())
        .unwrap();
    let before = home.fingerprint().unwrap();
    let client = Client::spawn(home.codex_app_server()).unwrap();
    let server = client.initialize(true).await.unwrap();
    assert!(
        server["userAgent"].as_str().unwrap().contains(version),
        "{server}"
    );
    let thread = start_thread(&client, &home).await;
    client.turn(&thread, "hello, use $planning").await.unwrap();

    let seen = model.seen(&thread).unwrap();
    assert_eq!(seen.skills_sections, 1);
    assert_eq!(seen.injected_skills, ["planning"]);
    assert_eq!(Promise::native().breaches(&seen), Vec::<String>::new());

    home.wait_for_mcp_processes(3).await.unwrap();
    assert!(client.shutdown().await.unwrap().success());
    home.wait_for_mcp_processes(0).await.unwrap();
    let mut started = home.mcp_started().unwrap();
    started.sort();
    assert_eq!(started, ["github", "linear", "team-notes"]);
    assert_eq!(
        home.fingerprint().unwrap().changes_since(&before),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_thread_sees_the_users_whole_set() {
    check_native_thread(DEFAULT_VERSION).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "installs five versions of Codex, 2 GB"]
async fn every_pinned_version_is_read_the_same() {
    for version in VERSIONS {
        check_native_thread(version).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_of_children_and_forks_are_told_apart() {
    let model = Model::start().await.unwrap();
    let home = HomeBuilder::standard().unwrap().build(model.url()).unwrap();
    let client = Client::spawn(home.codex_app_server()).unwrap();
    client.initialize(true).await.unwrap();
    let thread = start_thread(&client, &home).await;
    let mark = client.mark();
    client
        .turn(
            &thread,
            r#"CALL multi_agent_v1 spawn_agent {"message":"look around"}"#,
        )
        .await
        .unwrap();
    let spawned = client
        .wait_for(mark, |message| {
            message["method"] == "item/completed"
                && message["params"]["item"]["tool"] == "spawnAgent"
        })
        .await
        .unwrap();
    let child = spawned["params"]["item"]["receiverThreadIds"][0]
        .as_str()
        .unwrap();
    let seen_by_child = model.wait_for_thread(child).await.unwrap();
    assert_eq!(seen_by_child.skills, model.seen(&thread).unwrap().skills);
    let request = model
        .last_for(|request| request.thread.as_deref() == Some(child))
        .unwrap();
    assert_eq!(request.parent.as_deref(), Some(thread.as_str()));

    let forked = client
        .request("thread/fork", json!({"threadId": thread}))
        .await
        .unwrap();
    let fork = forked["thread"]["id"].as_str().unwrap();
    assert!(
        model.seen(fork).is_err(),
        "a fork asks nothing before its first turn"
    );
    client
        .turn(fork, "CALL mcp__github read_diff {\"number\":7}")
        .await
        .unwrap();
    let request = model
        .last_for(|request| request.thread.as_deref() == Some(fork))
        .unwrap();
    let result = request.body["input"].as_array().unwrap().last().unwrap();
    assert!(
        result["output"]
            .to_string()
            .contains("github did read_diff with"),
        "{result}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_held_turn_ends_when_it_is_released() {
    let model = Model::start().await.unwrap();
    let home = Home::builder()
        .skill(Skill::new("alone"))
        .build(model.url())
        .unwrap();
    let client = Client::spawn(home.codex_app_server()).unwrap();
    client.initialize(false).await.unwrap();
    let thread = start_thread(&client, &home).await;
    let release = async {
        let requests = model.wait_for(1).await.unwrap();
        assert!(requests[0].seen().skills.iter().any(|name| name == "alone"));
        let open = client
            .messages()
            .iter()
            .all(|message| message["method"] != "turn/completed");
        model.release();
        open
    };
    let (turn, open) = tokio::join!(client.turn(&thread, "HOLD"), release);
    turn.unwrap();
    assert!(open, "the turn ended while it was held");
}

#[tokio::test(flavor = "multi_thread")]
async fn homes_of_one_recipe_are_each_their_own() {
    let recipe = Home::builder()
        .skill(Skill::new("alone"))
        .codex_skill(Skill::new("other"));
    let one = recipe.build("http://127.0.0.1:1/v1").unwrap();
    let two = recipe.build("http://127.0.0.1:2/v1").unwrap();
    assert_ne!(one.config_hash().unwrap(), two.config_hash().unwrap());
    let before = one.fingerprint().unwrap();
    one.add_skill(".agents/skills", &Skill::new("newcomer"))
        .unwrap();
    one.write(".agents/skills/alone/SKILL.md", "changed")
        .unwrap();
    assert_eq!(
        one.fingerprint().unwrap().changes_since(&before),
        [
            "added .agents/skills/newcomer",
            "added .agents/skills/newcomer/SKILL.md",
            "changed .agents/skills/alone/SKILL.md"
        ]
    );
    assert!(!two.path().join(".agents/skills/newcomer").exists());
}
