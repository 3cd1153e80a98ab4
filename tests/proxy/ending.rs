//! What ends, and in which order: signals, and hosts that leave what others only hear.

use std::time::{Duration, Instant};

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::many_hosts::Doors;
use crate::restart::signal;
use crate::stage::{Stage, id_of, native_codex, spawn_child};

const PATIENCE: Duration = Duration::from_secs(20);

/// A turn that is under way until the model lets it go.
async fn hold(stage: &Stage, host: &Client, thread: &str) {
    let asked = stage.model.requests().len();
    let input = json!([{ "type": "text", "text": "HOLD" }]);
    let held = json!({ "threadId": thread, "input": input });
    host.request("turn/start", held).await.unwrap();
    stage.model.wait_for(asked + 1).await.unwrap();
}

/// Waits until the answer of a turn is heard. Of the turn's end Codex (0.169) may say nothing before its own.
async fn answered(host: &Client, mark: usize) {
    let is_answer = |it: &Value| {
        it["method"] == "item/completed" && it["params"]["item"]["type"] == "agentMessage"
    };
    host.wait_for(mark, is_answer).await.unwrap();
}

/// Whether nothing is heard of an end for a while.
async fn stays(host: &Client) -> bool {
    let heard = host.wait_within(Duration::from_millis(500), host.mark(), |_| false);
    !heard.await.unwrap_err().to_string().contains("gone")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_lets_turns_end_and_a_second_one_does_not() {
    for signals in [1, 2] {
        let stage = Stage::standard().await;
        let doors = Doors::open(&stage).await;
        let proxy = doors.stdio.id().unwrap();
        let host = doors.host(&doors.unix).await;
        let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
        hold(&stage, &host, &thread).await;
        let mark = host.mark();
        signal(proxy, "-TERM");
        assert!(stays(&host).await);
        if signals == 2 {
            let begun = Instant::now();
            signal(proxy, "-TERM");
            doors.stdio.ended_within(PATIENCE).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(5));
            continue;
        }
        stage.model.release();
        answered(&host, mark).await;
        let ended = doors.stdio.ended_within(PATIENCE).await.unwrap();
        let own = own_end(&stage).await;
        assert_eq!(ended.code(), own);
    }
}

/// How Codex itself ends after a signal in the middle of a turn, as a shell says it.
async fn own_end(stage: &Stage) -> Option<i32> {
    use std::os::unix::process::ExitStatusExt;
    let (address, mut codex) = native_codex(stage).await;
    let host = Client::connect(&address).await.unwrap();
    host.initialize(true).await.unwrap();
    let plain = json!({ "cwd": stage.home.project() });
    let thread = id_of(&host.request("thread/start", plain).await.unwrap());
    hold(stage, &host, &thread).await;
    signal(codex.id().unwrap(), "-TERM");
    assert!(stays(&host).await);
    let mark = host.mark();
    stage.model.release();
    answered(&host, mark).await;
    let status = codex.wait().await.unwrap();
    status.code().or(status.signal().map(|it| 128 + it))
}

#[tokio::test(flavor = "multi_thread")]
async fn children_go_on_for_those_that_only_hear_them() {
    let stage = Stage::standard().await;
    let doors = Doors::open(&stage).await;
    let (a, b) = (
        doors.host(&doors.unix).await,
        doors.host(&doors.web_socket).await,
    );
    let planning = Promise::of_skills(&["planning"]);
    let (thread, _) = stage.start(&a, json!({ "skills": ["planning"] })).await;
    stage.check(&a, &thread, &planning).await;
    b.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    let mark = b.mark();
    let child = spawn_child(&a, &thread).await;
    b.wait_for(mark, |it| {
        it["method"] == "turn/completed" && it["params"]["threadId"] == child.as_str()
    })
    .await
    .unwrap();
    drop(a);
    let named = json!({ "threadId": child });
    b.request("thread/resume", named).await.unwrap();
    for it in [&child, &thread] {
        stage.check(&b, it, &planning).await;
    }
    let notes =
        json!({ "threadId": child, "capabilitySelection": { "skills": ["release-notes"] } });
    b.request("thread/capability/update", notes).await.unwrap();
    let notes = Promise::of_skills(&["release-notes"]);
    stage.check(&b, &child, &notes).await;
    stage.check(&b, &thread, &planning).await;
}

/// What comes of it when a second host opens a thread without a turn that the first has open.
async fn opened_by_another(first: &Client, second: &Client, start: Value) -> Value {
    let started = first.request("thread/start", start).await.unwrap();
    let thread = id_of(&started);
    let named = json!({ "threadId": thread });
    match second.request("thread/resume", named).await {
        Ok(resumed) => json!(id_of(&resumed) == thread),
        Err(error) => json!(error.to_string().replace(&thread, "THREAD")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_without_a_turn_is_opened_by_another_host_as_codex_has_it() {
    let stage = Stage::standard().await;
    let (codex, _native) = native_codex(&stage).await;
    let native = [
        Client::connect(&codex).await.unwrap(),
        Client::connect(&codex).await.unwrap(),
    ];
    for host in &native {
        host.initialize(true).await.unwrap();
    }
    let plain = json!({ "cwd": stage.home.project() });
    let own = opened_by_another(&native[0], &native[1], plain.clone()).await;
    // There is nothing to resume yet.
    assert!(own.to_string().contains("no rollout found"), "{own}");
    let doors = Doors::open(&stage).await;
    let (a, b) = (
        doors.host(&doors.unix).await,
        doors.host(&doors.web_socket).await,
    );
    assert_eq!(opened_by_another(&a, &b, plain).await, own);
    let with_loadout = stage.params(json!({ "skills": ["planning"] }));
    assert_eq!(opened_by_another(&a, &b, with_loadout).await, own);
}
