//! Agent roles of the user's own: none brings anything into a loadout that does not name it.

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{Stage, spawn_child_as, warnings};

/// A user with a role that `config.toml` names and one that lies in a folder.
async fn stage() -> Stage {
    let stage = Stage::standard().await;
    let role = |name: &str| {
        format!(
            "name = \"{name}\"\ndescription = \"The role {name}.\"\ndeveloper_instructions = \"words-of-{name}\"\n\
             [mcp_servers.of-role]\ncommand = \"node\"\nargs = [\"/none.mjs\"]\n"
        )
    };
    let home = &stage.home;
    home.write("roles/named.toml", &role("named")).unwrap();
    home.write(".codex/agents/found.toml", &role("found"))
        .unwrap();
    let config = home.codex_home().join("config.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    let file = home.path().join("roles/named.toml");
    text += &format!(
        "\n[agents.named]\ndescription = \"The role named.\"\nconfig_file = {:?}\n",
        file.display().to_string()
    );
    std::fs::write(config, text).unwrap();
    stage
}

/// What a child in a role sees, and whether the role's words are among it.
async fn child(stage: &Stage, host: &Client, thread: &str, role: &str) -> (lab::Seen, bool) {
    let child = spawn_child_as(host, thread, role).await;
    let seen = stage.model.wait_for_thread(&child).await.unwrap();
    let request = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(child.as_str()))
        .unwrap();
    let words = request
        .body
        .to_string()
        .contains(&format!("words-of-{role}"));
    (seen, words)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_not_named_brings_in_nothing() {
    let stage = stage().await;
    let host = stage.host().await;
    let promise = Promise::of_skills(&["planning"]);
    for selection in [
        json!({ "skills": ["planning"] }),
        json!({ "mode": "restrict", "plugins": [], "skills": ["planning"], "mcpServers": [], "agents": [] }),
    ] {
        let (thread, receipt) = stage.start(&host, selection.clone()).await;
        assert_eq!(warnings(&receipt), ["rolesStayListed"], "{selection}");
        for role in ["named", "found"] {
            let (seen, words) = child(&stage, &host, &thread, role).await;
            assert!(!words, "{role} of {selection}");
            assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{role}");
        }
        let proof = json!({ "threadId": thread });
        let proof = host
            .request("thread/capability/prove", proof)
            .await
            .unwrap();
        assert_eq!(proof["differences"], json!([]), "{selection}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_named_or_left_works_as_natively() {
    let stage = stage().await;
    let host = stage.host().await;
    let listed = host.request("capability/list", json!({})).await.unwrap();
    let listed = listed["data"].as_array().unwrap().iter();
    let agents: Vec<&Value> = listed.filter(|entry| entry["kind"] == "agent").collect();
    assert_eq!(agents.len(), 2);
    assert_eq!(agents[0]["id"], "found");
    assert_eq!(agents[0]["description"], "The role found.");

    let (thread, receipt) = stage
        .start(
            &host,
            json!({ "skills": ["planning"], "agents": ["named"] }),
        )
        .await;
    assert_eq!(receipt["agents"][0]["name"], "named");
    assert_eq!(receipt["agents"][0]["source"], "config");
    assert!(child(&stage, &host, &thread, "named").await.1);
    assert!(!child(&stage, &host, &thread, "found").await.1);

    let restricted = json!({ "mode": "restrict", "skills": ["planning"], "mcpServers": [] });
    let (thread, receipt) = stage.start(&host, restricted).await;
    assert_eq!(warnings(&receipt), Vec::<String>::new());
    assert!(child(&stage, &host, &thread, "found").await.1);

    let refused = stage.refused(&host, json!({ "agents": ["fond"] })).await;
    assert_eq!(refused.data["items"][0]["didYouMean"], json!(["found"]));
}
