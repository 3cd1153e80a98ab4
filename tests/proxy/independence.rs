//! Source and fork, parent and child: each keeps its own loadout, whichever changes first.

use std::fs;
use std::time::Duration;

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, Stage, id_of, spawn_child, warnings};

/// A loadout, and what a thread with it sees. Each is wider than the others in something.
fn planning() -> (Value, Promise) {
    (
        json!({ "skills": ["planning"] }),
        Promise::of_skills(&["planning"]),
    )
}

fn review() -> (Value, Promise) {
    let selection =
        json!({ "plugins": ["github@internal"], "skills": ["repo-review", "planning"] });
    let promise = Promise::of_skills(&["github:pull-request", "planning", "repo-review"])
        .server("github", &GITHUB_TOOLS);
    (selection, promise)
}

fn release() -> (Value, Promise) {
    (
        json!({ "skills": ["release-notes"] }),
        Promise::of_skills(&["release-notes"]),
    )
}

/// A thread with the planning loadout that has said something.
async fn source(stage: &Stage, host: &Client) -> String {
    let (selection, promise) = planning();
    let (source, _) = stage.start(host, selection).await;
    stage.check(host, &source, &promise).await;
    host.turn(&source, "Remember the tulips.").await.unwrap();
    source
}

async fn fork(host: &Client, source: &str, selection: Value) -> Value {
    host.request(
        "thread/fork",
        json!({ "threadId": source, "capabilitySelection": selection }),
    )
    .await
    .unwrap()
}

async fn update(host: &Client, thread: &str, selection: Value) -> Value {
    host.request(
        "thread/capability/update",
        json!({ "threadId": thread, "capabilitySelection": selection }),
    )
    .await
    .unwrap()
}

async fn resume(host: &Client, thread: &str) -> Value {
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap()
}

fn remembers(stage: &Stage, thread: &str) -> bool {
    let last = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(thread));
    last.unwrap().body.to_string().contains("tulips")
}

/// Every thread resumed on a new proxy, and what it sees held against its promise.
async fn check_after_restart(stage: &Stage, host: Client, threads: &[(&str, &Promise)]) -> Client {
    host.kill9().await.unwrap();
    let host = stage.host().await;
    for (thread, promise) in threads {
        resume(&host, thread).await;
        stage.check(&host, thread, promise).await;
        assert!(remembers(stage, thread), "{thread} lost its history");
    }
    host
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_may_have_another_loadout_than_its_source_or_none() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let source = source(&stage, &host).await;
    let mark = host.mark();
    let forked = fork(&host, &source, review().0).await;
    let wide = id_of(&forked);
    assert_eq!(forked["thread"]["forkedFromId"], json!(source));
    let receipt = &forked["capabilitySelection"];
    assert_eq!(receipt["inheritedFrom"], Value::Null);
    assert_eq!(warnings(receipt), Vec::<String>::new());
    let read = json!({ "threadId": wide });
    let read = host.request("thread/capability/read", read).await.unwrap();
    assert_eq!(read["capabilitySelection"], *receipt);
    // The host heard of one fork, once, and of its server, once.
    let is_ready = |message: &Value| {
        message["params"]["threadId"] == json!(wide) && message["params"]["status"] == "ready"
    };
    host.wait_for(mark, is_ready).await.unwrap();
    let heard: Vec<String> = host.messages()[mark..]
        .iter()
        .filter(|message| message.to_string().contains(&wide))
        .map(|message| message["method"].as_str().unwrap().to_owned())
        // A thread that is loaded may be told of again later.
        .filter(|method| method != "thread/tokenUsage/updated")
        .collect();
    let status = "mcpServer/startupStatus/updated";
    assert_eq!(heard, ["thread/started", status, status]);
    stage.check(&host, &wide, &review().1).await;
    assert!(remembers(&stage, &wide));

    let forked = fork(&host, &source, Value::Null).await;
    let without = id_of(&forked);
    assert_eq!(forked.get("capabilitySelection"), None);
    stage.check(&host, &without, &Promise::native()).await;
    stage.check(&host, &source, &planning().1).await;
    // A fork of the fork has what that has.
    let grandchild = host
        .request("thread/fork", json!({ "threadId": wide }))
        .await
        .unwrap();
    let grandchild = id_of(&grandchild);
    stage.check(&host, &grandchild, &review().1).await;

    let threads = [
        (source.as_str(), &planning().1),
        (&wide, &review().1),
        (&without, &Promise::native()),
        (&grandchild, &review().1),
    ];
    let host = check_after_restart(&stage, host, &threads).await;
    // By path, and of a source that is not loaded.
    let path = session_path(&host, &wide).await;
    host.shutdown().await.unwrap();
    let host = stage.host().await;
    let by_path = json!({ "threadId": "", "path": path, "capabilitySelection": release().0 });
    let forked = host.request("thread/fork", by_path).await.unwrap();
    stage.check(&host, &id_of(&forked), &release().1).await;
}

async fn session_path(host: &Client, thread: &str) -> String {
    let read = json!({ "threadId": thread });
    let read = host.request("thread/read", read).await.unwrap();
    read["thread"]["path"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_whose_turns_were_reverted_changes_alone_as_well() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let source = source(&stage, &host).await;
    let forked = host
        .request("thread/fork", json!({ "threadId": source }))
        .await
        .unwrap();
    let forked = id_of(&forked);
    for thread in [&source, &forked] {
        let path = session_path(&host, thread).await;
        let turn = host.turn(thread, "Forget this.").await.unwrap();
        let revert = json!({ "threadId": thread, "beforeTurnId": turn["id"] });
        host.request("thread/revert", revert).await.unwrap();
        assert_ne!(session_path(&host, thread).await, path, "another file");
    }
    update(&host, &forked, review().0).await;
    let threads = [
        (source.as_str(), &planning().1),
        (forked.as_str(), &review().1),
    ];
    for (thread, promise) in threads {
        stage.check(&host, thread, promise).await;
    }
    check_after_restart(&stage, host, &threads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn source_and_fork_change_alone_whichever_does_first() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let source = source(&stage, &host).await;
    let forks = [
        id_of(
            &host
                .request("thread/fork", json!({ "threadId": source }))
                .await
                .unwrap(),
        ),
        id_of(
            &host
                .request("thread/fork", json!({ "threadId": source }))
                .await
                .unwrap(),
        ),
    ];
    update(&host, &source, review().0).await;
    stage.check(&host, &source, &review().1).await;
    for fork in &forks {
        stage.check(&host, fork, &planning().1).await;
    }
    update(&host, &forks[0], release().0).await;
    let threads = [
        (source.as_str(), &review().1),
        (&forks[0], &release().1),
        (&forks[1], &planning().1),
    ];
    for (thread, promise) in threads {
        stage.check(&host, thread, promise).await;
    }
    let host = check_after_restart(&stage, host, &threads).await;

    // The same by resume, of threads that are loaded and of one that is not.
    let by_resume =
        |selection: Value| json!({ "threadId": forks[1], "capabilitySelection": selection });
    host.request("thread/resume", by_resume(release().0))
        .await
        .unwrap();
    stage.check(&host, &forks[1], &release().1).await;
    let third = id_of(
        &host
            .request("thread/fork", json!({ "threadId": source }))
            .await
            .unwrap(),
    );
    host.shutdown().await.unwrap();
    let host = stage.host().await;
    let native_again = json!({ "threadId": third, "capabilitySelection": null });
    host.request("thread/resume", native_again).await.unwrap();
    let threads = [
        (source.as_str(), &review().1),
        (&forks[1], &release().1),
        (&third, &Promise::native()),
    ];
    stage.check(&host, &third, &Promise::native()).await;
    let host = check_after_restart(&stage, host, &threads).await;
    update(&host, &source, Value::Null).await;
    stage.check(&host, &source, &Promise::native()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_and_a_change_of_its_source_may_be_asked_for_at_once() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    for by_path in [false, true] {
        let source = source(&stage, &host).await;
        let named = match by_path {
            true => json!({ "threadId": "", "path": session_path(&host, &source).await }),
            false => json!({ "threadId": source }),
        };
        let change = json!({ "threadId": source, "capabilitySelection": review().0 });
        let (forked, updated) = tokio::join!(
            host.request("thread/fork", named),
            host.request("thread/capability/update", change)
        );
        updated.unwrap();
        let fork = id_of(&forked.unwrap());
        stage.check(&host, &source, &review().1).await;
        // By path, nothing says that the two are about one thread: the change may have come first.
        let read = json!({ "threadId": fork });
        let read = host.request("thread/capability/read", read).await.unwrap();
        let skills = read["capabilitySelection"]["skills"].to_string();
        let after_it = skills.contains("repo-review");
        assert!(by_path || !after_it);
        let of_fork = if after_it { review().1 } else { planning().1 };
        stage.check(&host, &fork, &of_fork).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fork_stays_as_it_is_when_its_sources_record_was_lost_before_it_changed() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let source = source(&stage, &host).await;
    let fork = id_of(
        &host
            .request("thread/fork", json!({ "threadId": source }))
            .await
            .unwrap(),
    );
    stage.check(&host, &fork, &planning().1).await;
    host.shutdown().await.unwrap();
    for entry in fs::read_dir(stage.home.path().join(".codex-loadout"))
        .unwrap()
        .flatten()
    {
        if entry.file_name().to_string_lossy().contains("sqlite3") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let host = stage.host().await;
    resume(&host, &source).await;
    update(&host, &source, review().0).await;
    resume(&host, &fork).await;
    stage.check(&host, &fork, &planning().1).await;
    stage.check(&host, &source, &review().1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn parent_and_loaded_child_change_alone() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let parent = source(&stage, &host).await;
    let mark = host.mark();
    let child = spawn_child(&host, &parent).await;
    let ended = |message: &Value| {
        message["method"] == "turn/completed" && message["params"]["threadId"] == json!(child)
    };
    host.wait_for(mark, ended).await.unwrap();
    update(&host, &parent, review().0).await;
    let mark = host.mark();
    let call = format!(r#"CALL multi_agent_v1 send_input {{"target":"{child}","message":"more"}}"#);
    host.turn(&parent, &call).await.unwrap();
    host.wait_for(mark, ended).await.unwrap();
    let saw = |thread: &str, promise: &Promise| {
        let seen = stage.model.seen(thread).unwrap();
        assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{thread}");
    };
    saw(&parent, &review().1);
    saw(&child, &planning().1);

    update(&host, &child, release().0).await;
    stage.check(&host, &child, &release().1).await;
    stage.check(&host, &parent, &review().1).await;
    let younger = spawn_child(&host, &parent).await;
    let seen = stage.model.wait_for_thread(&younger).await.unwrap();
    assert_eq!(review().1.breaches(&seen), Vec::<String>::new());
    host.kill9().await.unwrap();
    let host = stage.host().await;
    for (thread, promise) in [(&child, release().1), (&parent, review().1)] {
        resume(&host, thread).await;
        stage.check(&host, thread, &promise).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_host_is_told_that_a_fork_has_no_goal_that_it_never_had() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let source = source(&stage, &host).await;
    let mut forked = String::new();
    // Codex says so a moment after the fork was loaded, more often than not before the host has its answer.
    for round in 0..12 {
        let other = if round % 3 == 2 {
            Value::Null
        } else {
            review().0
        };
        let look = json!({ "cwds": [stage.home.project()], "forceReload": true });
        let (fork, _) = tokio::join!(
            fork(&host, &source, other),
            host.request("skills/list", look)
        );
        forked = id_of(&fork);
    }
    // What it says of goals after that, it says of the host's own.
    let goal = json!({ "threadId": forked, "objective": "Go on.", "status": "paused" });
    host.request("thread/goal/set", goal).await.unwrap();
    host.request("thread/goal/clear", json!({ "threadId": forked }))
        .await
        .unwrap();
    let is_cleared = |message: &Value| message["method"] == "thread/goal/cleared";
    let cleared = host.wait_for(0, is_cleared).await.unwrap();
    assert_eq!(cleared["params"]["threadId"], json!(forked));
    let messages = host.messages();
    let of_others = messages
        .iter()
        .filter(|message| is_cleared(message) && message["params"]["threadId"] != json!(forked));
    assert_eq!(of_others.count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_codex_keeps_in_memory_alone_is_refused_and_leaves_nothing_behind() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let source = source(&stage, &host).await;
    let state = stage.home.path().join(".codex-loadout/roots");
    let roots = || fs::read_dir(&state).unwrap().count();
    // A link and a file for the thread, and for each of the four that are made ahead once things are quiet.
    let before = 10;
    while roots() < before {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let ephemeral = json!({ "threadId": source, "ephemeral": true, "excludeTurns": true,
        "capabilitySelection": review().0 });
    let error = host.refusal("thread/fork", ephemeral).await.unwrap();
    assert_eq!(error.data["kind"], "unsupportedUpstream");
    // One that Codex itself refuses.
    let wrong = json!({ "threadId": source, "lastTurnId": "no-such-turn",
        "capabilitySelection": release().0 });
    host.refusal("thread/fork", wrong).await.unwrap();
    assert_eq!(roots(), before);
    stage.check(&host, &source, &planning().1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_went_back_to_native_gets_a_loadout_again() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = planning();
    let thread = source(&stage, &host).await;
    for (other, sees) in [review(), (selection, promise)] {
        update(&host, &thread, json!(null)).await;
        stage.check(&host, &thread, &Promise::native()).await;
        update(&host, &thread, other).await;
        stage.check(&host, &thread, &sees).await;
    }
    // Also a fork that was made without one.
    let forked = fork(&host, &thread, json!(null)).await;
    let forked = id_of(&forked);
    stage.check(&host, &forked, &Promise::native()).await;
    let (other, sees) = release();
    update(&host, &forked, other).await;
    stage.check(&host, &forked, &sees).await;
    let threads = [(thread.as_str(), &planning().1), (forked.as_str(), &sees)];
    check_after_restart(&stage, host, &threads).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loaded_native_thread_gets_a_loadout_that_needs_no_root() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let plain = json!({ "cwd": stage.home.project() });
    let plain = host.request("thread/start", plain).await.unwrap();
    let thread = id_of(&plain);
    stage.check(&host, &thread, &Promise::native()).await;
    let mark = host.mark();
    let receipt = update(
        &host,
        &thread,
        json!({ "mode": "restrict", "mcpServers": ["team-notes"] }),
    )
    .await;
    assert_eq!(receipt["capabilitySelection"]["mode"], "restrict");
    host.turn(&thread, "And now?").await.unwrap();
    let seen = stage.model.seen(&thread).unwrap();
    let servers: Vec<&String> = seen.mcp_servers.keys().collect();
    assert_eq!(servers, ["mcp__team_notes"]);
    // That it was out for a moment, the host does not hear.
    let about = |message: &Value| message["method"].to_string().contains("archive");
    assert!(!host.messages()[mark..].iter().any(about));
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_another_codex_has_loaded_is_left_as_it_is() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let thread = source(&stage, &host).await;
    let other = stage.host().await;
    for selection in [review().0, json!(null)] {
        let request = json!({ "threadId": thread, "capabilitySelection": selection });
        for method in ["thread/capability/update", "thread/resume"] {
            let error = other.refusal(method, request.clone()).await.unwrap();
            assert_eq!(error.data["kind"], "threadBusy", "{method}");
        }
    }
    stage.check(&host, &thread, &planning().1).await;
    host.shutdown().await.unwrap();
    update(&other, &thread, review().0).await;
    let resumed = resume(&other, &thread).await;
    assert_eq!(
        warnings(&resumed["capabilitySelection"]),
        Vec::<String>::new()
    );
    stage.check(&other, &thread, &review().1).await;
}
