//! The proxy and Codex end without warning, at every step; afterwards every thread that exists has its
//! own loadout again.

use std::time::Duration;

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

fn planning() -> (Value, Promise) {
    (
        json!({ "skills": ["planning"] }),
        Promise::of_skills(&["planning"]),
    )
}

fn review() -> (Value, Promise) {
    (
        json!({ "skills": ["repo-review"] }),
        Promise::of_skills(&["repo-review"]),
    )
}

/// A host of a proxy that ends at a step.
async fn doomed(stage: &Stage, step: &str) -> Client {
    let mut command = stage.proxy();
    command.env("CODEX_LOADOUT_CRASH_AT", step);
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    host
}

/// Every thread that Codex keeps.
async fn threads(host: &Client) -> Vec<String> {
    // What was left in the archive is brought back, soon after the proxy has begun.
    let is_brought_back = async {
        while !listed(host, true).await.is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let patience = Duration::from_secs(10);
    let brought_back = tokio::time::timeout(patience, is_brought_back).await;
    assert!(brought_back.is_ok(), "threads are left in the archive");
    listed(host, false).await
}

async fn listed(host: &Client, archived: bool) -> Vec<String> {
    let sources = json!(["cli", "vscode", "exec", "appServer", "subAgent", "unknown"]);
    let params = json!({ "archived": archived, "limit": 100, "sourceKinds": sources });
    let listed = host.request("thread/list", params).await.unwrap();
    let threads = listed["data"].as_array().unwrap().iter();
    threads
        .map(|thread| thread["id"].as_str().unwrap().to_owned())
        .collect()
}

/// On a new proxy, every thread has one of these loadouts.
async fn check_all(stage: &Stage, step: &str, promises: &[&Promise]) {
    let host = stage.host().await;
    let all = threads(&host).await;
    assert!(!all.is_empty(), "{step}: Codex keeps no thread at all");
    for thread in all {
        let resumed = host
            .request("thread/resume", json!({ "threadId": thread }))
            .await
            .unwrap();
        assert!(
            resumed["capabilitySelection"].is_object(),
            "{step}: {thread} lost its loadout"
        );
        host.turn(&thread, "Still the same?").await.unwrap();
        let seen = stage.model.seen(&thread).unwrap();
        let kept = promises
            .iter()
            .any(|promise| promise.breaches(&seen).is_empty());
        assert!(kept, "{step}: {thread} saw {:?}", seen.skills);
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_step_of_a_start_and_a_fork() {
    let stage = Stage::standard().await;
    let (selection, promise) = planning();
    let host = stage.host().await;
    let (source, _) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &source, &promise).await;
    host.shutdown().await.unwrap();
    for step in [
        "start: before publish",
        "start: after publish",
        "forward",
        "answer: before record",
        "answer: after record",
    ] {
        let host = doomed(&stage, step).await;
        let started = host
            .request("thread/start", stage.params(selection.clone()))
            .await;
        assert!(started.is_err(), "{step}: it did not end");
        drop(host);
        check_all(&stage, step, &[&promise]).await;
        if step.starts_with("start") {
            continue;
        }
        let host = doomed(&stage, step).await;
        let forked = host
            .request("thread/fork", json!({ "threadId": source }))
            .await;
        assert!(forked.is_err(), "{step}: it did not end");
        drop(host);
        check_all(&stage, step, &[&promise]).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_step_of_a_rebind_and_an_update() {
    let stage = Stage::standard().await;
    let (selection, before) = planning();
    let (other, after) = review();
    for (number, step) in [
        "rebind: before unload",
        "rebind: after unload",
        "rebind: after change",
        "rebind: after load",
    ]
    .into_iter()
    .enumerate()
    {
        let host = doomed(&stage, step).await;
        let (thread, _) = stage.start(&host, selection.clone()).await;
        stage.check(&host, &thread, &before).await;
        let newcomer = format!("newcomer-{number}");
        stage.add_noticed_skill(&host, &newcomer).await;
        let text = format!("use ${newcomer}");
        let turn = json!({ "threadId": thread, "input": [{ "type": "text", "text": text }] });
        let turn = host.request("turn/start", turn).await;
        assert!(turn.is_err(), "{step}: it did not end");
        drop(host);
        check_all(&stage, step, &[&before]).await;
    }
    let update = async |host: &Client, thread: &str| {
        host.request(
            "thread/capability/update",
            json!({ "threadId": thread, "capabilitySelection": other }),
        )
        .await
    };
    for step in [
        "rebind: before unload",
        "rebind: after unload",
        "rebind: after the root",
        "rebind: after change",
        "rebind: after load",
    ] {
        let host = doomed(&stage, step).await;
        let (thread, _) = stage.start(&host, selection.clone()).await;
        stage.check(&host, &thread, &before).await;
        assert!(
            update(&host, &thread).await.is_err(),
            "{step}: it did not end"
        );
        drop(host);
        check_all(&stage, step, &[&before, &after]).await;
    }
    // A thread without a turn goes through the archive; nobody finds it there.
    let host = doomed(&stage, "rebind: in the archive").await;
    let (thread, _) = stage.start(&host, selection).await;
    assert!(update(&host, &thread).await.is_err());
    drop(host);
    check_all(&stage, "in the archive", &[&before, &after]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn at_every_step_of_a_fork_with_another_loadout_and_of_a_source_that_changes() {
    let stage = Stage::standard().await;
    let (selection, of_source) = planning();
    let (other, of_fork) = review();
    let host = stage.host().await;
    let (source, _) = stage.start(&host, selection).await;
    stage.check(&host, &source, &of_source).await;
    host.shutdown().await.unwrap();
    let mut known = 1;
    for step in [
        "forward",
        "answer: before record",
        "fork: before unload",
        "fork: after unload",
        "root: after the session file",
        "fork: after record",
    ] {
        let host = doomed(&stage, step).await;
        let fork = json!({ "threadId": source, "capabilitySelection": other });
        assert!(
            host.request("thread/fork", fork).await.is_err(),
            "{step}: it did not end"
        );
        drop(host);
        let host = stage.host().await;
        let all = threads(&host).await;
        // Codex may have got the request right before the end.
        assert!(all.len() > known || step == "forward", "{step}: no fork");
        known = all.len();
        // A fork that nobody was told of has what was asked for it all the same.
        for thread in all.iter().filter(|thread| **thread != source) {
            host.request("thread/resume", json!({ "threadId": thread }))
                .await
                .unwrap();
            stage.check(&host, thread, &of_fork).await;
        }
        host.shutdown().await.unwrap();
    }

    let host = stage.host().await;
    let fork = host
        .request("thread/fork", json!({ "threadId": source }))
        .await
        .unwrap();
    host.shutdown().await.unwrap();
    for step in [
        "rebind: after unload",
        "root: after the session file",
        "rebind: after the root",
        "rebind: after change",
        "rebind: after load",
    ] {
        let host = doomed(&stage, step).await;
        let update = json!({ "threadId": source, "capabilitySelection": other });
        host.request("thread/resume", json!({ "threadId": source }))
            .await
            .unwrap();
        assert!(
            host.request("thread/capability/update", update)
                .await
                .is_err(),
            "{step}: it did not end"
        );
        drop(host);
        check_all(&stage, step, &[&of_source, &of_fork]).await;
        let host = stage.host().await;
        let named = json!({ "threadId": id_of(&fork) });
        host.request("thread/resume", named).await.unwrap();
        stage.check(&host, &id_of(&fork), &of_source).await;
        // The source shares its root again, and the next step finds it so.
        let back = json!({ "threadId": source, "capabilitySelection": { "skills": ["planning"] } });
        host.request("thread/resume", back).await.unwrap();
        host.request("thread/fork", json!({ "threadId": source }))
            .await
            .unwrap();
        host.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn before_a_spawned_thread_is_recorded() {
    let stage = Stage::standard().await;
    let (selection, promise) = planning();
    let host = doomed(&stage, "spawn: before record").await;
    let (thread, _) = stage.start(&host, selection).await;
    let call = r#"CALL multi_agent_v1 spawn_agent {"message":"look"}"#;
    assert!(host.turn(&thread, call).await.is_err());
    drop(host);
    check_all(&stage, "spawn", &[&promise]).await;
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_codex_or_proxy_at_any_moment() {
    let stage = Stage::standard().await;
    let (selection, promise) = planning();
    for round in 0..12_u64 {
        let host = stage.host().await;
        let (thread, _) = stage.start(&host, selection.clone()).await;
        stage.check(&host, &thread, &promise).await;
        let pid = host.id().unwrap();
        let victim = match round % 2 {
            0 => pid,
            _ => child_of(pid),
        };
        let fork = host.request("thread/fork", json!({ "threadId": thread }));
        let start = host.request("thread/start", stage.params(selection.clone()));
        // Each round at a later moment.
        let kill = async {
            tokio::time::sleep(Duration::from_millis(round * 3)).await;
            kill(victim);
        };
        let (forked, started, ()) = tokio::join!(fork, start, kill);
        // What was answered was recorded: the host may go on with it.
        drop(host);
        let again = stage.host().await;
        for opened in [forked, started].into_iter().flatten() {
            let read = json!({ "threadId": id_of(&opened) });
            let read = again.request("thread/capability/read", read).await.unwrap();
            assert!(read["capabilitySelection"].is_object(), "round {round}");
        }
        again.shutdown().await.unwrap();
    }
    check_all(&stage, "kill -9", &[&promise]).await;
}

#[cfg(target_os = "linux")]
pub(crate) fn kill(pid: u32) {
    let sent = std::process::Command::new("kill")
        .args(["-9", &pid.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

#[cfg(target_os = "linux")]
pub(crate) fn child_of(pid: u32) -> u32 {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}
