//! Turns that go on with a goal: Codex begins them by itself, and they wait at no gate.

use lab::{Client, Promise, Skill};
use serde_json::{Value, json};

use crate::stage::Stage;

/// Waits until the model was asked so many times more.
async fn goes_on(stage: &Stage, times: usize) {
    let before = stage.model.requests().len();
    stage.model.wait_for(before + times).await.unwrap();
}

async fn is_active(host: &Client, thread: &str) -> bool {
    let named = json!({ "threadId": thread });
    let goal = host.request("thread/goal/get", named).await.unwrap();
    goal["goal"]["status"] == "active"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_goal_goes_on_without_what_came_in_and_can_be_paused() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let promise = Promise::of_skills(&["planning"]);
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    let goal = json!({ "threadId": thread, "objective": "Go on." });
    host.request("thread/goal/set", goal).await.unwrap();
    goes_on(&stage, 2).await;
    for number in 1..6 {
        let mark = host.mark();
        let newcomer = Skill::new(&format!("newcomer-{number}"));
        stage.home.add_skill(".agents/skills", &newcomer).unwrap();
        // Codex looks for skills at once, for all its threads.
        let now = json!({ "cwds": [stage.home.project()], "forceReload": true });
        host.request("skills/list", now).await.unwrap();
        host.wait_for(mark, |message| {
            message["method"] == "thread/capability/updated"
                && message["params"]["threadId"] == thread.as_str()
        })
        .await
        .unwrap();
        goes_on(&stage, 2).await;
        assert!(is_active(&host, &thread).await);
    }
    // Also where the thread is stale and busy.
    stage
        .home
        .add_skill(".agents/skills", &Skill::new("newcomer-6"))
        .unwrap();
    let pause = json!({ "threadId": thread, "status": "paused" });
    host.request("thread/goal/set", pause).await.unwrap();
    host.wait_for(0, |message| message["params"]["goal"]["status"] == "paused")
        .await
        .unwrap();
    let named = json!({ "threadId": thread });
    let cleared: Value = host.request("thread/goal/clear", named).await.unwrap();
    assert_eq!(cleared["cleared"], true);
    let status = || async {
        let named = json!({ "threadId": thread });
        let read = host.request("thread/read", named).await.unwrap();
        read["thread"]["status"]["type"].clone()
    };
    while status().await == "active" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    stage.check(&host, &thread, &promise).await;
    let told = |request: &lab::Request| request.body.to_string().contains("newcomer");
    assert!(!stage.model.requests().iter().any(|request| told(request)));
}
