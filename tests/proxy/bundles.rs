//! Bundles that are added here, given to threads of the real Codex by name.

use lab::{Client, Plugin, Seen, Server};
use serde_json::{Value, json};

use crate::stage::{Stage, warnings};

/// Where an author's plugin lies, in the home, and the mark that its hook leaves.
const AUTHOR: &str = "author";
const MARK: &str = "mark";

/// A plugin made for Codex: a skill with a script, an MCP server, a hook that leaves a mark.
fn tools(stage: &Stage) -> Plugin {
    let mark = stage.home.path().join(MARK);
    let hook = json!({ "type": "command", "command": format!("echo ran >> '{}'", mark.display()) });
    let hooks = json!({ "hooks": { "SessionStart": [{ "hooks": [hook] }] } });
    plain_tools()
        .server(Server::new("gauge", &["read_gauge"]))
        .file("hooks/hooks.json", &hooks.to_string())
}

fn plain_tools() -> Plugin {
    let skill =
        "---\nname: measure\ndescription: About measuring.\n---\nRun `scripts/measure.sh`.\n";
    Plugin::new("tools")
        .file("skills/measure/SKILL.md", skill)
        .file("skills/measure/scripts/measure.sh", "echo measured\n")
}

/// Writes a plugin where its author has it; gives the folder.
fn author(stage: &Stage, plugin: &Plugin) -> String {
    let folder = stage.home.write_plugin(AUTHOR, plugin).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// How often the hook has run.
fn marks(stage: &Stage) -> usize {
    let mark = stage.home.path().join(MARK);
    std::fs::read_to_string(mark).map_or(0, |text| text.lines().count())
}

/// Runs a verb that has to succeed; gives what it says in JSON.
fn said(stage: &Stage, arguments: &[&str]) -> Value {
    let output = stage.verb(&[&["bundle"], arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a verb that has to fail; gives what it says of that.
fn refused(stage: &Stage, arguments: &[&str]) -> String {
    let output = stage.verb(&[&["bundle"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What the model sees in a turn of a thread.
async fn seen(stage: &Stage, host: &Client, thread: &str) -> Seen {
    host.turn(thread, "What can you do?").await.unwrap();
    stage.model.seen(thread).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_added_bundle_can_run_waits_for_approval() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &tools(&stage));
    let added = said(&stage, &["add", &folder]);
    let bundle = &added["bundle"];
    assert_eq!(
        (bundle["id"].as_str(), bundle["approved"].as_bool()),
        (Some("tools@bundle"), Some(false))
    );
    let executes = bundle["current"]["executes"].as_array().unwrap();
    let kinds: Vec<&str> = executes
        .iter()
        .map(|runs| runs["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["hook", "mcpServer", "script"]);

    let host = stage.host().await;
    let whole = json!({ "plugins": ["tools@bundle"], "hooks": "trusted" });
    let error = stage.refused(&host, whole.clone()).await;
    assert_eq!(error.data["kind"], "untrusted", "{error:?}");
    let digest = bundle["approvalDigest"].as_str().unwrap();
    assert!(error.data["hint"].as_str().unwrap().contains(digest));
    let without = json!({ "plugins": ["tools"], "hooks": "trusted", "onUntrusted": "omit" });
    let (thread, receipt) = stage.start(&host, without).await;
    assert_eq!(warnings(&receipt), ["untrusted", "untrusted"]);
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(shown.skills, ["tools:measure"]);
    assert!(
        shown.mcp_servers.is_empty() && marks(&stage) == 0,
        "{shown:?}"
    );

    // Named hooks are approved for the thread, and they alone.
    let named =
        json!({ "plugins": [{ "id": "tools", "mcpServers": [] }], "hooks": ["SessionStart"] });
    let (thread, receipt) = stage.start(&host, named).await;
    assert_eq!(receipt["hooks"][0]["active"], true, "{receipt}");
    seen(&stage, &host, &thread).await;
    assert_eq!(marks(&stage), 1);
    let wrong =
        json!({ "plugins": [{ "id": "tools", "mcpServers": [] }], "hooks": ["SesionStart"] });
    let error = stage.refused(&host, wrong).await;
    assert_eq!(
        error.data["items"][0]["didYouMean"],
        json!(["SessionStart"])
    );

    said(&stage, &["trust", digest]);
    let (thread, receipt) = stage.start(&host, whole.clone()).await;
    assert_eq!(receipt["plugins"][0]["source"], "bundle", "{receipt}");
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(marks(&stage), 2);
    assert_eq!(shown.skills, ["tools:measure"]);
    assert_eq!(shown.mcp_servers["mcp__gauge"], ["read_gauge"]);

    // What the user takes back holds for threads that live, too.
    said(&stage, &["trust", digest, "--revoke"]);
    assert_eq!(stage.refused(&host, whole).await.data["kind"], "untrusted");
    assert!(host.shutdown().await.unwrap().success());
}
