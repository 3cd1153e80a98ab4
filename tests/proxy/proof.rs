//! Proof: what the model would really see, held against the receipt.

use lab::{HomeBuilder, Server, Skill};
use serde_json::{Value, json};

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_selected_is_what_arrives_and_nobody_else_is_asked() {
    let stage = Stage::standard().await;
    let before = stage.home.fingerprint().unwrap();
    let host = stage.host().await;
    for selection in [
        json!({ "plugins": ["github@internal"], "skills": ["repo-review"],
            "mcpServers": ["github", { "name": "team-notes", "tools": ["search_notes"] }] }),
        json!({}),
        json!({ "mode": "restrict", "plugins": ["linear@internal"], "skills": ["planning"] }),
        json!({ "mode": "restrict", "mcpServers": [] }),
        json!({ "mode": "extend", "plugins": ["sentry"] }),
    ] {
        let proof = host
            .request("thread/capability/prove", stage.params(selection.clone()))
            .await
            .unwrap();
        assert_eq!(proof["differences"], json!([]), "{selection}");
        let resolved = host
            .request("capability/resolve", stage.params(selection))
            .await
            .unwrap();
        assert_eq!(
            proof["capabilitySelection"],
            resolved["capabilitySelection"]
        );
    }
    // A thread's own loadout, while it lives.
    let selection = json!({ "plugins": ["github@internal"], "skills": ["repo-review"] });
    let (thread, receipt) = stage.start(&host, selection).await;
    let mark = host.mark();
    let proof = host
        .request("thread/capability/prove", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(proof["capabilitySelection"], receipt);
    assert_eq!(
        proof["seen"]["skills"],
        json!(["github:pull-request", "repo-review"])
    );
    assert_eq!(
        proof["seen"]["mcpServers"],
        json!({ "mcp__github": ["comment", "list_pull_requests", "read_diff"] })
    );
    assert!(proof["estimatedTokens"].as_u64().unwrap() > 50);
    assert_eq!(proof["hooks"], json!([]));
    let of_others = |message: &Value| {
        let params = &message["params"];
        params["threadId"] != json!(thread) && params["thread"]["id"] != json!(thread)
    };
    let mut heard: Vec<Value> = host.messages()[mark..].to_vec();
    heard.retain(of_others);
    assert_eq!(heard, Vec::<Value>::new(), "the host heard of it");
    let listed = host.request("thread/list", json!({})).await.unwrap();
    assert_eq!(listed["data"], json!([]));
    assert_eq!(
        stage.model.requests().len(),
        0,
        "the user's model was asked"
    );
    host.shutdown().await.unwrap();
    stage.home.wait_for_mcp_processes(0).await.unwrap();
    assert_eq!(
        stage.home.fingerprint().unwrap().changes_since(&before),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_start_is_a_difference_and_exit_code_1() {
    let builder = HomeBuilder::standard()
        .unwrap()
        .skill(Skill::new("alone"))
        .server(Server::new("good", &["tool"]))
        .config("[mcp_servers.broken]\ncommand = \"/no/such/program\"\n");
    let stage = Stage::of(builder).await;
    let prove = |selection: Value, more: &[&str]| {
        stage
            .home
            .write("selection.json", &selection.to_string())
            .unwrap();
        let file = stage.home.path().join("selection.json");
        let arguments = [&["prove", file.to_str().unwrap()][..], more].concat();
        stage.verb(&arguments)
    };
    let good = prove(json!({ "skills": ["alone"], "mcpServers": ["good"] }), &[]);
    let text = String::from_utf8(good.stdout).unwrap();
    assert!(good.status.success(), "{text}");
    assert!(text.contains("the receipt holds"), "{text}");
    assert!(text.contains("mcp__good.tool"), "{text}");

    let bad = json!({ "mcpServers": ["good", "broken"] });
    let output = prove(bad.clone(), &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("differs: the model did not see broken"),
        "{text}"
    );
    let output = prove(bad, &["--json"]);
    assert_eq!(output.status.code(), Some(1));
    let proof: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        proof["differences"],
        json!([{ "kind": "mcpServer", "name": "broken", "problem": "missing" }])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_proven_is_a_typed_error() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    for (params, kind) in [
        (json!({}), "invalidSelection"),
        (json!({ "threadId": "nobody" }), "unknownCapability"),
        (
            json!({ "threadId": "x", "capabilitySelection": {} }),
            "invalidSelection",
        ),
        (
            json!({ "capabilitySelection": { "skills": ["no-such"] } }),
            "unknownCapability",
        ),
    ] {
        let error = host
            .refusal("thread/capability/prove", params.clone())
            .await
            .unwrap();
        assert_eq!(error.data["kind"], kind, "{params}");
    }
    let roots = stage.home.path().join(".codex-loadout/roots");
    assert!(!roots.exists(), "a root was left behind");
}
