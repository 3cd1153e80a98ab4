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
