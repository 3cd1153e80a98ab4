//! What Codex says of a thread's servers, held against its receipt.

use lab::{Client, HomeBuilder, Promise, RequestError, RpcError};
use serde_json::{Value, json};

use crate::stage::{NOTES_TOOLS, Stage, id_of, warnings};

/// A server that can't start, and one that Codex won't.
const BROKEN: &str = "[mcp_servers.broken]\ncommand = \"/no/such/program\"\n[mcp_servers.\"bad name\"]\ncommand = \"node\"\nargs = [\"/none\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_start_and_a_tool_that_is_not_there_are_said() {
    let stage = Stage::of(HomeBuilder::standard().unwrap().config(BROKEN)).await;
    let host = stage.host().await;
    let mark = host.mark();
    let notes = json!({ "name": "team-notes", "tools": ["search_notes", "serch_notes"] });
    let selection = json!({ "mcpServers": [notes, "broken", "bad name"] });
    let (thread, receipt) = stage.start(&host, selection).await;
    assert_eq!(warnings(&receipt), ["serverNameInvalid"]);
    let expected = [
        "serverFailed",
        "serverFailed",
        "serverNameInvalid",
        "toolMissing",
    ];
    host.wait_for(mark, |message| {
        let mut codes = warnings(&message["params"]["capabilitySelection"]);
        codes.sort();
        message["method"] == "thread/capability/updated" && codes == expected
    })
    .await
    .unwrap();
    let named = json!({ "threadId": thread });
    let read = host.request("thread/capability/read", named).await.unwrap();
    let told = read["capabilitySelection"]["warnings"].to_string();
    assert!(
        told.contains(
            "`team-notes` has no tool `serch_notes`; it has `search_notes`, `write_note`"
        ),
        "{told}"
    );
    assert_eq!(read["capabilitySelection"]["digest"], receipt["digest"]);
}

/// Asks for what a selection would give until its tools are known; gives the refusal.
async fn refused_once_known(host: &Client, selection: &Value) -> RpcError {
    let ask = async || {
        let asked = json!({ "capabilitySelection": selection });
        host.request("capability/resolve", asked).await
    };
    let refused = async {
        loop {
            match ask().await {
                Ok(_) => tokio::task::yield_now().await,
                Err(RequestError::Refused(refused)) => return refused,
                Err(other) => panic!("{other}"),
            }
        }
    };
    let within = std::time::Duration::from_secs(30);
    tokio::time::timeout(within, refused).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tool_that_a_server_is_known_not_to_have_is_refused() {
    let stage = Stage::standard().await;
    let notes = json!({ "mcpServers": [{ "name": "team-notes", "tools": ["serch_notes"] }] });
    let github = json!({ "name": "github", "tools": ["read_dif", "comment"] });
    let no_search =
        json!({ "name": "serch_notes", "didYouMean": ["search_notes"], "candidates": [] });
    let no_diff = json!({ "name": "read_dif", "didYouMean": ["read_diff"], "candidates": [] });

    // The host has asked Codex which servers there are. All wrong names are told at once.
    let host = stage.host().await;
    host.request("mcpServerStatus/list", json!({}))
        .await
        .unwrap();
    let of_plugin = json!({ "id": "github@internal", "mcpServers": [github] });
    let selection = json!({ "plugins": [of_plugin], "skills": ["repo-reveiw"] });
    let refused = stage.refused(&host, selection).await;
    assert_eq!(refused.data["kind"], "unknownCapability");
    assert_eq!(refused.data["items"][1], no_diff);
    assert_eq!(
        refused.message,
        "there is no skill `repo-reveiw`; MCP server `github` has no tool `read_dif`"
    );
    let refused = stage.refused(&host, notes.clone()).await;
    assert_eq!(refused.data["items"], json!([no_search]));
    let hint = refused.data["hint"].as_str().unwrap();
    assert!(hint.contains("`mcpServerStatus/list`"), "{hint}");
    host.shutdown().await.unwrap();

    // A thread has run them: one as it is, one cut to a tool that it does not have, which is a warning.
    let host = stage.host().await;
    let whole = json!({ "plugins": ["github@internal"] });
    stage.start(&host, whole).await;
    stage.start(&host, notes.clone()).await;
    let github = json!({ "mcpServers": [github] });
    let refused = refused_once_known(&host, &github).await;
    assert_eq!(refused.data["items"], json!([no_diff]));
    let refused = refused_once_known(&host, &notes).await;
    assert_eq!(refused.data["items"], json!([no_search]));
    let right = json!({ "mcpServers": [{ "name": "github", "tools": ["read_diff"] }] });
    let (thread, _) = stage.start(&host, right).await;
    let promise = Promise::default().server("github", &["read_diff"]);
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();
}

/// A server that a host defines in its request, as ai-sdk and happy do.
fn own_server(stage: &Stage, name: &str, tool: &str) -> Value {
    let home = stage.home.path().display();
    json!({ "command": "node", "args": [format!("{home}/lab/mcp.mjs"), format!("{home}/lab/mcp.log"), name, tool] })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hosts_own_servers_are_the_threads_and_in_the_receipt() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let nested = json!({ "mcp_servers": { "mine": own_server(&stage, "mine", "ask") } });
    let dotted = json!({ "mcp_servers.mine": own_server(&stage, "mine", "ask") });
    let mine = || Promise::default().server("mine", &["ask"]);
    let mut threads = Vec::new();
    for (selection, config, promise) in [
        (json!({}), &nested, mine()),
        (json!({ "mcpServers": [] }), &dotted, mine()),
        (json!({ "mcpServers": ["mine"] }), &nested, mine()),
        (
            json!({ "mcpServers": [{ "name": "mine", "tools": [] }, "team-notes"] }),
            &nested,
            Promise::default().server("team-notes", &NOTES_TOOLS),
        ),
        (
            json!({ "mode": "restrict", "mcpServers": [], "plugins": [], "skills": [] }),
            &dotted,
            mine(),
        ),
        (
            json!({ "mode": "extend" }),
            &nested,
            Promise::native().server("mine", &["ask"]),
        ),
        (
            json!({ "hostServers": "drop" }),
            &nested,
            Promise::default(),
        ),
        (
            json!({ "hostServers": "drop", "mode": "extend" }),
            &dotted,
            Promise::native(),
        ),
        (
            json!({ "hostServers": "drop", "mcpServers": ["mine"] }),
            &nested,
            mine(),
        ),
    ] {
        let mut params = stage.params(selection.clone());
        params["config"] = config.clone();
        let started = host.request("thread/start", params).await.unwrap();
        let receipt = &started["capabilitySelection"];
        let listed = receipt["mcpServers"].as_array().unwrap().iter();
        let listed: Vec<&Value> = listed
            .filter(|server| server["source"] == "request")
            .collect();
        let dropped = selection["hostServers"] == "drop" && selection["mcpServers"].is_null();
        assert_eq!(
            listed.len(),
            usize::from(!dropped),
            "{selection}: {receipt}"
        );
        let thread = id_of(&started);
        stage.check(&host, &thread, &promise).await;
        threads.push((config, thread, promise));
    }
    // A detail of a server of the user's is none of the host's own.
    let mut params = stage.params(json!({}));
    params["config"] = json!({ "mcp_servers": { "team-notes": { "enabled": true } } });
    let refused = host.refusal("thread/start", params).await.unwrap();
    assert_eq!(
        refused.data["items"][0]["name"],
        "config.mcp_servers.team-notes"
    );
    host.shutdown().await.unwrap();
    stage.home.wait_for_mcp_processes(0).await.unwrap();
    // Resumed: with it, as these hosts do; without it, as it was; with another definition, that one.
    let host = stage.host().await;
    for (config, thread, promise) in &threads {
        let resume = json!({ "threadId": thread, "config": config });
        host.request("thread/resume", resume).await.unwrap();
        stage.check(&host, thread, promise).await;
    }
    host.shutdown().await.unwrap();
    let host = stage.host().await;
    let (_, thread, promise) = &threads[0];
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    stage.check(&host, thread, promise).await;
    let fork = json!({ "threadId": thread, "config": { "mcp_servers.mine": own_server(&stage, "mine", "ask_more") } });
    let forked = host.request("thread/fork", fork).await.unwrap();
    let more = Promise::default().server("mine", &["ask_more"]);
    stage.check(&host, &id_of(&forked), &more).await;
    // Another loadout for the thread that lives keeps them.
    let update = json!({ "threadId": thread, "capabilitySelection": { "skills": ["planning"] } });
    host.request("thread/capability/update", update)
        .await
        .unwrap();
    let with_skill = Promise::of_skills(&["planning"]).server("mine", &["ask"]);
    stage.check(&host, thread, &with_skill).await;
    let fork = json!({ "threadId": thread, "capabilitySelection": { "skills": ["repo-review"] }, "config": nested });
    let forked = host.request("thread/fork", fork).await.unwrap();
    let apart = Promise::of_skills(&["repo-review"]).server("mine", &["ask"]);
    stage.check(&host, &id_of(&forked), &apart).await;
    host.shutdown().await.unwrap();
}
