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
    // A server comes into every loaded thread.
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
    let late = format!("{before}\n[mcp_servers.late]\n{server}\n");
    std::fs::write(&config, late).unwrap();
    let reloaded = past.request("config/mcpServer/reload", serde_json::Value::Null);
    reloaded.await.unwrap();
    // The thread's next turn would start it, and nobody has said so here: the thread is closed before its model sees it.
    let mark = host.mark();
    let input = json!([{ "type": "text", "text": "What can you do?" }]);
    let turn = json!({ "threadId": thread, "input": input });
    host.request("turn/start", turn).await.unwrap();
    host.wait_for(mark, |it| {
        it["method"] == "thread/closed" && it["params"]["threadId"] == thread.as_str()
    })
    .await
    .unwrap();
    let named = json!({ "threadId": thread });
    let of_thread = host.request("capability/audit/list", named.clone());
    let audit = of_thread.await.unwrap()["data"].to_string();
    assert!(audit.contains("starts MCP server `late`"), "{audit}");
    host.request("thread/resume", named.clone()).await.unwrap();
    stage.check(host, &thread, &planning).await;
    // So do the skills and the folder of another project.
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

    for request in stage.model.requests() {
        assert!(!request.body.to_string().contains("mcp__late"));
    }
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
