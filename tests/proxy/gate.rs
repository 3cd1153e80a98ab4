//! Turns wait at the gate: whatever came in after the check, the model is not asked with it.

use std::time::{Duration, Instant};

use lab::{Client, Promise, Skill};
use serde_json::{Value, json};

#[cfg(target_os = "linux")]
use crate::crash::{child_of, kill};
use crate::stage::{Stage, trust_hooks};

fn planning() -> (Value, Promise) {
    (
        json!({ "skills": ["planning"] }),
        Promise::of_skills(&["planning"]),
    )
}

/// Whether any request that the model got holds this word, be it in the history.
fn was_told(stage: &Stage, word: &str) -> bool {
    let mut requests = stage.model.requests().into_iter();
    requests.any(|request| request.body.to_string().contains(word))
}

/// Codex looks for skills at once, for all its threads.
async fn reload_skills(stage: &Stage, host: &Client) {
    let now = json!({ "cwds": [stage.home.project()], "forceReload": true });
    host.request("skills/list", now).await.unwrap();
}

async fn refusals(host: &Client, thread: &str) -> Vec<Value> {
    let page = host
        .request("capability/audit/list", json!({ "threadId": thread }))
        .await
        .unwrap();
    let entries = page["data"].as_array().unwrap().iter();
    entries
        .filter(|entry| entry["event"] == "refusal")
        .cloned()
        .collect()
}

/// A thread with a turn that waits for the model, and a message queued behind it.
async fn queue_behind_a_turn(stage: &Stage, host: &Client, thread: &str) {
    let input = |text: &str| {
        json!({ "threadId": thread, "clientUserMessageId": text,
            "input": [{ "type": "text", "text": text }] })
    };
    host.request("turn/start", input("HOLD")).await.unwrap();
    stage.model.wait_for(1).await.unwrap();
    host.request("thread/queue/add", input("Next."))
        .await
        .unwrap();
}

/// A thread whose queued message is to be answered when a newcomer is there: it waits at the gate from now
/// on. Gives how many messages the host had got by then.
async fn queue_behind_a_newcomer(stage: &Stage, host: &Client, thread: &str) -> usize {
    queue_behind_a_turn(stage, host, thread).await;
    let newcomer = Skill::new("newcomer");
    stage.home.add_skill(".agents/skills", &newcomer).unwrap();
    reload_skills(stage, host).await;
    let mark = host.mark();
    stage.model.release();
    mark
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_codex_begins_by_itself_waits_as_well() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = planning();
    let (thread, _) = stage.start(&host, selection).await;
    let mark = queue_behind_a_newcomer(&stage, &host, &thread).await;
    // The host is told why its queued message was not answered.
    let held = host
        .wait_for(mark, |message| {
            message["method"] == "hook/completed" && message["params"]["run"]["status"] == "blocked"
        })
        .await
        .unwrap();
    let why = held["params"]["run"]["entries"].to_string();
    assert!(why.contains("Send it again"), "{why}");
    host.wait_for(mark, |message| message["method"] == "thread/reverted")
        .await
        .unwrap();
    stage.check(&host, &thread, &promise).await;
    assert!(!was_told(&stage, "newcomer"));
    assert_eq!(refusals(&host, &thread).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_codex_begins_by_itself_has_no_server_that_was_reloaded() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = planning();
    let (thread, _) = stage.start(&host, selection).await;
    queue_behind_a_turn(&stage, &host, &thread).await;
    let config = stage.home.codex_home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    // The same program under another name.
    let notes = text.split("[mcp_servers.\"team-notes\"]").nth(1).unwrap();
    let late = notes.split("\n[").next().unwrap();
    std::fs::write(&config, format!("{text}\n[mcp_servers.reloaded]{late}\n")).unwrap();
    host.request("config/mcpServer/reload", Value::Null)
        .await
        .unwrap();
    let mark = host.mark();
    stage.model.release();
    host.wait_for(mark, |message| message["method"] == "thread/reverted")
        .await
        .unwrap();
    stage.check(&host, &thread, &promise).await;
    assert!(!was_told(&stage, "mcp__reloaded"));
    let refused = refusals(&host, &thread).await;
    assert!(
        refused[0].to_string().contains("mcp_servers.reloaded"),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_turn_that_was_ended_leaves_the_history_although_the_proxy_ended_with_it() {
    let stage = Stage::standard().await;
    let mut command = stage.proxy();
    command.env("CODEX_LOADOUT_CRASH_AT", "gate: held");
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    let (selection, promise) = planning();
    let (thread, _) = stage.start(&host, selection).await;
    queue_behind_a_newcomer(&stage, &host, &thread).await;
    while host.request("thread/loaded/list", json!({})).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let host = stage.host().await;
    let resume = json!({ "threadId": thread });
    host.request("thread/resume", resume).await.unwrap();
    stage.check(&host, &thread, &promise).await;
    assert!(!was_told(&stage, "newcomer"));
}

/// A user's own hook, which is trusted: `command` at this event.
async fn stage_with_hook(event: &str, command: &str) -> Stage {
    let stage = Stage::standard().await;
    let config = stage.home.codex_home().join("config.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    text += &format!(
        "\n[[hooks.{event}]]\n[[hooks.{event}.hooks]]\ntype = \"command\"\ncommand = '''{command}'''\n"
    );
    std::fs::write(&config, text).unwrap();
    trust_hooks(&stage).await;
    stage
}

#[tokio::test(flavor = "multi_thread")]
async fn the_users_own_hooks_run_where_they_are_left_and_nobody_hears_of_ours() {
    let stage = stage_with_hook("UserPromptSubmit", "echo the-word-of-the-user").await;
    let host = stage.host().await;
    for (selection, heard) in [
        (json!({ "skills": ["planning"] }), false),
        (json!({ "mode": "restrict", "skills": ["planning"] }), true),
    ] {
        let (thread, _) = stage.start(&host, selection.clone()).await;
        let mark = host.mark();
        host.turn(&thread, "What can you do?").await.unwrap();
        let last = stage
            .model
            .last_for(|request| request.thread.as_deref() == Some(thread.as_str()))
            .unwrap();
        let word = last.body.to_string().contains("the-word-of-the-user");
        assert_eq!(word, heard, "{selection}");
        let hooks = host.messages()[mark..]
            .iter()
            .filter(|message| message["method"] == "hook/completed")
            .count();
        assert_eq!(hooks, usize::from(heard), "{selection}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spawned_thread_waits_before_it_was_announced() {
    // While the first thread's turn waits for this, the skill comes in, and Codex finds it.
    let comes = "mkdir -p ~/.agents/skills/newcomer; printf -- '---\\nname: newcomer\\ndescription: Late.\\n---\\n' > ~/.agents/skills/newcomer/SKILL.md; sleep 3";
    let stage = stage_with_hook("UserPromptSubmit", comes).await;
    let host = stage.host().await;
    let restricted = json!({ "mode": "restrict", "skills": ["planning"], "mcpServers": [] });
    let (thread, _) = stage.start(&host, restricted).await;
    let mark = host.mark();
    host.turn(
        &thread,
        r#"CALL multi_agent_v1 spawn_agent {"message":"look"}"#,
    )
    .await
    .unwrap();
    let held = host
        .wait_for(mark, |message| {
            message["method"] == "hook/completed" && message["params"]["run"]["status"] == "blocked"
        })
        .await
        .unwrap();
    let child = held["params"]["threadId"].as_str().unwrap();
    assert_ne!(child, thread);
    assert_eq!(refusals(&host, child).await.len(), 1);
    assert!(!was_told(&stage, "newcomer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_hear_of_turns_waits_no_longer_for_them() {
    let stage = Stage::standard().await;
    let host = Client::spawn(stage.proxy()).unwrap();
    let quiet = json!({ "clientInfo": { "name": "lab", "title": "lab", "version": "0" },
        "capabilities": { "experimentalApi": true, "optOutNotificationMethods": ["turn/started"] } });
    host.request("initialize", quiet).await.unwrap();
    host.notify("initialized", Value::Null).await.unwrap();
    let (selection, promise) = planning();
    let (thread, _) = stage.start(&host, selection).await;
    let begin = Instant::now();
    for _ in 0..3 {
        stage.check(&host, &thread, &promise).await;
    }
    // Less than one beginning that is waited for in vain.
    assert!(begin.elapsed().as_secs() < 5, "{:?}", begin.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_door_goes_with_the_proxy() {
    let stage = Stage::standard().await;
    let doors = stage.home.path().join(".codex-loadout/doors");
    let host = stage.host().await;
    let (selection, promise) = planning();
    assert!(!doors.exists(), "a native thread needs none");
    let (thread, _) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &thread, &promise).await;
    assert_eq!(std::fs::read_dir(&doors).unwrap().count(), 1);
    assert!(host.shutdown().await.unwrap().success());
    assert_eq!(std::fs::read_dir(&doors).unwrap().count(), 0);
    // One that is killed leaves its door; the next one sweeps.
    for _ in 0..2 {
        let host = stage.host().await;
        stage.start(&host, selection.clone()).await;
        assert_eq!(std::fs::read_dir(&doors).unwrap().count(), 1);
        host.kill9().await.unwrap();
    }
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_ends_before_it_asks_keeps_nobody_waiting() {
    // It runs before ours, so that the turn has begun and nobody has asked.
    let stage = stage_with_hook("SessionStart", "sleep 30").await;
    let host = stage.host().await;
    let restricted = json!({ "mode": "restrict", "skills": ["planning"], "mcpServers": [] });
    let (thread, _) = stage.start(&host, restricted).await;
    let input = json!([{ "type": "text", "text": "What can you do?" }]);
    let turn = json!({ "threadId": thread, "input": input });
    let begun = host.request("turn/start", turn);
    let killed = async {
        tokio::time::sleep(Duration::from_secs(2)).await;
        kill(child_of(host.id().unwrap()));
    };
    let (begun, ()) = tokio::join!(begun, killed);
    // What was held for the look is heard.
    assert!(begun.unwrap()["turn"]["id"].is_string());
    let ended = tokio::time::timeout(Duration::from_secs(10), host.shutdown()).await;
    assert!(!ended.unwrap().unwrap().success());
}
