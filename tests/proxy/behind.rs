//! On a Codex that runs already, a client that came past the proxy: what it does to a thread of ours is found at the
//! thread's next check, and a thread that it opens is refused to be told anew, with a word.

use lab::{Client, HomeBuilder, Promise, Skill};
use serde_json::json;

use crate::many_hosts::Doors;
use crate::stage::{Stage, id_of, native_codex};

/// Two hosts on one Codex: one through the proxy, one past it.
async fn both(stage: &Stage, codex: &str) -> (Doors, Client) {
    let mut proxy = stage.proxy();
    proxy.args(["--upstream", codex]);
    let doors = Doors::of(stage, proxy).await;
    let past = Client::connect(codex).await.unwrap();
    past.initialize(true).await.unwrap();
    (doors, past)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_past_us_does_to_a_thread_is_kept_out_at_its_next_turn() {
    let stage = Stage::of(HomeBuilder::standard().unwrap()).await;
    let (codex, _native) = native_codex(&stage).await;
    let (doors, past) = both(&stage, &codex).await;
    let host = &doors.stdio;
    let (thread, receipt) = stage.start(host, json!({ "skills": ["planning"] })).await;
    let planning = Promise::of_skills(&["planning"]);
    stage.check(host, &thread, &planning).await;

    // Skills are switched on and off for the user.
    for (name, enabled) in [("planning", false), ("repo-review", true)] {
        let written = json!({ "name": name, "enabled": enabled });
        past.request("skills/config/write", written).await.unwrap();
        stage.check(host, &thread, &planning).await;
    }
    // A skill comes, and a turn names it.
    stage
        .home
        .add_skill(".agents/skills", &Skill::new("late"))
        .unwrap();
    host.turn(&thread, "Use $late").await.unwrap();
    let request = stage
        .model
        .last_for(|it| it.thread.as_deref() == Some(&thread));
    assert!(!request.unwrap().body.to_string().contains("This is late."));
    let named = json!({ "threadId": thread });
    // The skills and the folder of another project come.
    let elsewhere = stage.home.path().join("elsewhere");
    std::fs::create_dir_all(&elsewhere).unwrap();
    stage
        .home
        .add_skill("elsewhere/.agents/skills", &Skill::new("elsewhere"))
        .unwrap();
    past.request("thread/resume", named.clone()).await.unwrap();
    let moved = json!({ "threadId": thread, "cwd": elsewhere });
    past.request("thread/settings/update", moved).await.unwrap();
    // A skill that has come since, and that its turn names, nobody keeps out: docs/limits.md says so.
    stage
        .home
        .add_skill(".agents/skills", &Skill::new("later"))
        .unwrap();
    past.turn(&thread, "Use $later").await.unwrap();
    let request = stage
        .model
        .last_for(|it| it.thread.as_deref() == Some(&thread));
    assert!(request.unwrap().body.to_string().contains("This is later."));
    // It runs a turn itself: what the thread was told holds.
    stage.check(&past, &thread, &planning).await;
    stage.check(host, &thread, &planning).await;

    // It is kept loaded by one that nobody here can ask to leave.
    let other = json!({ "threadId": thread, "capabilitySelection": { "skills": ["repo-review"] } });
    let busy = host
        .refusal("thread/capability/update", other.clone())
        .await;
    let busy = busy.unwrap();
    assert_eq!(busy.data["kind"], "threadBusy");
    assert!(
        busy.message.contains("kept loaded by another connection"),
        "{busy:?}"
    );
    let read = host
        .request("thread/capability/read", named.clone())
        .await
        .unwrap();
    assert_eq!(read["capabilitySelection"]["digest"], receipt["digest"]);
    stage.check(host, &thread, &planning).await;
    past.request("thread/unsubscribe", named).await.unwrap();
    host.request("thread/capability/update", other)
        .await
        .unwrap();
    let review = Promise::of_skills(&["repo-review"]);
    stage.check(host, &thread, &review).await;

    // A thread of its own is its own.
    let own = past.request("thread/start", json!({ "cwd": stage.home.project() }));
    let own = id_of(&own.await.unwrap());
    past.turn(&own, "hello").await.unwrap();
    let listed = host
        .request("thread/capability/list", json!({}))
        .await
        .unwrap();
    assert!(!listed.to_string().contains(&own));
}

/// A server comes into the config, and a client past the proxy has every loaded thread get it.
async fn add_server(stage: &Stage, past: &Client, name: &str) {
    let config = stage.home.codex_home().join("config.toml");
    let before = std::fs::read_to_string(&config).unwrap();
    let server = before
        .lines()
        .skip_while(|line| !line.starts_with("[mcp_servers.\"team-notes"))
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(server.contains("command"), "{before}");
    let after = format!("{before}\n[mcp_servers.{name}]\n{server}\n");
    std::fs::write(&config, after).unwrap();
    let reloaded = past.request("config/mcpServer/reload", serde_json::Value::Null);
    reloaded.await.unwrap();
}

async fn audit_of(host: &Client, thread: &str) -> String {
    let of_thread = host.request("capability/audit/list", json!({ "threadId": thread }));
    of_thread.await.unwrap()["data"].to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_a_client_past_us_lets_in_is_kept_out_and_no_turn_goes_unanswered() {
    let stage = Stage::of(HomeBuilder::standard().unwrap()).await;
    let (codex, _native) = native_codex(&stage).await;
    let (doors, past) = both(&stage, &codex).await;
    let host = &doors.stdio;
    let (thread, _) = stage.start(host, json!({ "skills": ["planning"] })).await;
    let planning = Promise::of_skills(&["planning"]);
    stage.check(host, &thread, &planning).await;

    // An idle thread is told anew at once.
    for name in ["late", "later"] {
        let mark = host.mark();
        add_server(&stage, &past, name).await;
        let mut patience = 100;
        while !audit_of(host, &thread)
            .await
            .contains(&format!("mcp_servers.{name}"))
        {
            patience -= 1;
            assert!(patience > 0, "{}", audit_of(host, &thread).await);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        stage.check(host, &thread, &planning).await;
        let closed = |it: &serde_json::Value| it["method"] == "thread/closed";
        assert!(!host.messages()[mark..].iter().any(closed), "{name}");
    }

    // A turn that comes at the same moment is answered: it waits for that, or its thread is closed. That its model is not
    // asked before is not to be had (docs/limits.md): what comes after it is held against the promise.
    let of_thread = |it: &serde_json::Value, methods: &[&str]| {
        let is_one = methods.iter().any(|method| it["method"] == *method);
        is_one && it["params"]["threadId"] == thread.as_str()
    };
    let named = json!({ "threadId": thread });
    let mark = host.mark();
    add_server(&stage, &past, "racing").await;
    let input = json!([{ "type": "text", "text": "What can you do?" }]);
    let turn = json!({ "threadId": thread, "input": input });
    host.request("turn/start", turn).await.unwrap();
    let ends = |it: &serde_json::Value| of_thread(it, &["turn/completed", "thread/closed"]);
    host.wait_for(mark, ends).await.unwrap();
    host.request("thread/resume", named.clone()).await.unwrap();
    stage.check(host, &thread, &planning).await;

    // A turn that is under way is ended, and its thread closed; it can be resumed.
    let mark = host.mark();
    let input = json!([{ "type": "text", "text": "HOLD" }]);
    let turn = json!({ "threadId": thread, "input": input });
    host.request("turn/start", turn).await.unwrap();
    let is_asked = || {
        let last = stage
            .model
            .last_for(|it| it.thread.as_deref() == Some(&thread));
        last.is_some_and(|it| it.body.to_string().contains("HOLD"))
    };
    let mut patience = 1000;
    while !is_asked() {
        patience -= 1;
        assert!(patience > 0, "its model is not asked");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    add_server(&stage, &past, "last").await;
    let closed = |it: &serde_json::Value| of_thread(it, &["thread/closed"]);
    host.wait_for(mark, closed).await.unwrap();
    let audit = audit_of(host, &thread).await;
    assert!(audit.contains("starts MCP server `last`"), "{audit}");
    stage.model.release();
    host.request("thread/resume", named).await.unwrap();
    stage.check(host, &thread, &planning).await;

    for request in stage.model.requests() {
        let seen = request.body.to_string();
        assert!(!seen.contains("mcp__la"), "{seen}");
    }
}
