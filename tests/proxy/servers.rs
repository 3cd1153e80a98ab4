//! What Codex says of a thread's servers, held against its receipt.

use lab::HomeBuilder;
use serde_json::json;

use crate::stage::{Stage, warnings};

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
        told.contains("`team-notes` has no tool `serch_notes`"),
        "{told}"
    );
    assert_eq!(read["capabilitySelection"]["digest"], receipt["digest"]);
}
