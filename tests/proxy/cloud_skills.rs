//! Skills that Codex has from a cloud. They come to threads without an environment (`environments: []`, 0.169).

use lab::Client;
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

/// What `--cloud-skills-snapshot` reads in place of the service (Codex 0.169).
fn snapshot() -> Value {
    let text =
        "---\nname: from-afar\ndescription: Comes from the cloud.\n---\nThe body from afar.\n";
    json!({ "skills": [{
        "package": "skill://cloud/from-afar",
        "name": "from-afar",
        "description": "Comes from the cloud.",
        "alias_root": "skill://cloud",
        "main_resource": "skill://cloud/from-afar/SKILL.md",
        "prompt_visible": true,
        "resources": { "skill://cloud/from-afar/SKILL.md": text },
    }] })
}

async fn host(stage: &Stage) -> Client {
    let path = stage.home.path().join("snapshot.json");
    std::fs::write(&path, snapshot().to_string()).unwrap();
    let mut command = stage.proxy();
    command.arg("--cloud-skills-snapshot").arg(path);
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    host
}

/// Whether a thread is shown the skill, gets it when it is named, and when the model asks for it.
async fn has_it(stage: &Stage, host: &Client, thread: &str) -> [bool; 3] {
    host.turn(thread, "What can you do?").await.unwrap();
    let input = || {
        let request = stage
            .model
            .last_for(|request| request.thread.as_deref() == Some(thread));
        request.unwrap().body["input"].to_string()
    };
    let listed = input().contains("Comes from the cloud.");
    let ask = r#"CALL skills read {"package":"skill://cloud/from-afar"}"#;
    host.turn(thread, ask).await.unwrap();
    let read = input().contains("The body from afar.");
    let before = input().matches("The body from afar.").count();
    host.turn(thread, "Use $from-afar").await.unwrap();
    let named = input().matches("The body from afar.").count() > before;
    [listed, named, read]
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_thread_without_an_environment_has_them_and_that_has_no_loadout() {
    let stage = Stage::standard().await;
    let host = host(&stage).await;
    let params = |selection: Option<Value>| {
        let mut params = json!({ "cwd": stage.home.project(), "environments": [] });
        if let Some(selection) = selection {
            params["capabilitySelection"] = selection;
        }
        params
    };
    let started = host.request("thread/start", params(None)).await.unwrap();
    assert_eq!(has_it(&stage, &host, &id_of(&started)).await, [true; 3]);
    for selection in [
        json!({}),
        json!({ "mode": "restrict", "skills": ["repo-review"] }),
        json!({ "mode": "extend", "skills": ["repo-review"] }),
    ] {
        let params = params(Some(selection));
        let error = host.refusal("thread/start", params).await.unwrap();
        assert_eq!(error.data["kind"], "environmentUnsupported");
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn no_config_and_no_later_turn_brings_them_in() {
    let stage = Stage::standard().await;
    let host = host(&stage).await;
    let mut params = stage.params(json!({ "mcpServers": [] }));
    params["config"] = json!({ "cloud.skills.enabled": true });
    let error = host.refusal("thread/start", params).await.unwrap();
    assert_eq!(
        error.data["items"][0]["name"],
        "config.cloud.skills.enabled"
    );

    let (thread, _) = stage.start(&host, json!({})).await;
    let turn = json!({
        "threadId": thread,
        "environments": [],
        "input": [{ "type": "text", "text": "Use $from-afar" }],
    });
    let error = host.refusal("turn/start", turn).await.unwrap();
    assert_eq!(error.data["kind"], "environmentUnsupported");
    host.shutdown().await.unwrap();
}
