//! Turns that go on with a goal: Codex begins them by itself, and nobody can look at them before.

use lab::{Client, Promise, Skill};
use serde_json::json;

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
async fn a_goal_goes_on_without_what_comes_in_and_can_be_paused() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let promise = Promise::of_skills(&["planning"]);
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    let goal = json!({ "threadId": thread, "objective": "Go on." });
    host.request("thread/goal/set", goal).await.unwrap();
    goes_on(&stage, 2).await;
    for number in 1..6 {
        let newcomer = Skill::new(&format!("newcomer-{number}"));
        stage.home.add_skill(".agents/skills", &newcomer).unwrap();
        // Codex looks for skills at once, for all its threads.
        let now = json!({ "cwds": [stage.home.project()], "forceReload": true });
        host.request("skills/list", now).await.unwrap();
        goes_on(&stage, 2).await;
        assert!(is_active(&host, &thread).await);
    }
    let pause = json!({ "threadId": thread, "status": "paused" });
    host.request("thread/goal/set", pause).await.unwrap();
    host.wait_for(0, |message| message["params"]["goal"]["status"] == "paused")
        .await
        .unwrap();
    let requests = stage.model.requests();
    assert!(requests.len() >= 12);
    for request in requests {
        assert_eq!(promise.breaches(&request.seen()), Vec::<String>::new());
        assert!(!request.body.to_string().contains("newcomer"));
    }
}
