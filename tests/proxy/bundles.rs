//! Bundles that are added here, given to threads of the real Codex by name.

use std::path::{Path, PathBuf};
use std::process::Command;

use lab::Client;
use serde_json::{Value, json};

use crate::stage::{Stage, warnings};

/// A folder that holds a plugin made for Codex: a skill, a script, an MCP server, a hook that leaves a mark.
struct Author {
    folder: tempfile::TempDir,
}

impl Author {
    fn new(name: &str) -> Self {
        let author = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        let manifest = json!({ "name": name, "version": "1.0.0", "description": "About tools." });
        author.write(".codex-plugin/plugin.json", &manifest.to_string());
        author.skill("measure");
        author
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn source(&self) -> &str {
        self.path().to_str().unwrap()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn skill(&self, name: &str) {
        let text = format!("---\nname: {name}\ndescription: About {name}.\n---\nRun `scripts/{name}.sh`.\n");
        self.write(&format!("skills/{name}/SKILL.md"), &text);
        self.write(&format!("skills/{name}/scripts/{name}.sh"), "echo measured\n");
    }

    /// A hook that leaves a mark outside, and a server of the lab's.
    fn that_runs(self, stage: &Stage) -> Self {
        let mark = self.mark();
        let hook = json!({ "type": "command", "command": format!("echo ran >> '{}'", mark.display()) });
        let hooks = json!({ "hooks": { "SessionStart": [{ "hooks": [hook] }] } });
        self.write("hooks/hooks.json", &hooks.to_string());
        let servers = json!({ "mcpServers": { "gauge": stage.home.mcp_server(&["read_gauge"]) } });
        self.write(".mcp.json", &servers.to_string());
        self
    }

    fn mark(&self) -> PathBuf {
        self.path().join("../").canonicalize().unwrap().join(format!(
            "mark-of-{}",
            self.path().file_name().unwrap().to_str().unwrap()
        ))
    }

    fn marks(&self) -> usize {
        std::fs::read_to_string(self.mark()).map_or(0, |text| text.lines().count())
    }
}

impl Drop for Author {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.mark());
    }
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

async fn seen(stage: &Stage, host: &Client, thread: &str) -> lab::Seen {
    host.turn(thread, "What can you do?").await.unwrap();
    stage.model.seen(thread).unwrap()
}

fn skills(seen: &lab::Seen) -> Vec<String> {
    seen.skills.iter().map(|skill| skill.name.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_added_bundle_can_run_waits_for_approval() {
    let stage = Stage::standard().await;
    let author = Author::new("tools").that_runs(&stage);
    let added = said(&stage, &["add", author.source()]);
    let bundle = &added["bundle"];
    assert_eq!((bundle["id"].as_str(), bundle["approved"].as_bool()), (Some("tools@bundle"), Some(false)));
    let executes = bundle["current"]["executes"].as_array().unwrap();
    let kinds: Vec<&str> = executes.iter().map(|runs| runs["kind"].as_str().unwrap()).collect();
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
    assert_eq!(skills(&shown), ["tools:measure"]);
    assert!(shown.mcp_tools.is_empty() && author.marks() == 0, "{shown:?}");

    // Named hooks are approved for the thread, and they alone.
    let named = json!({ "plugins": [{ "id": "tools", "mcpServers": [] }], "hooks": ["SessionStart"] });
    let (thread, receipt) = stage.start(&host, named).await;
    assert_eq!(receipt["hooks"][0]["active"], true, "{receipt}");
    seen(&stage, &host, &thread).await;
    assert_eq!(author.marks(), 1);
    let wrong = json!({ "plugins": [{ "id": "tools", "mcpServers": [] }], "hooks": ["SesionStart"] });
    let error = stage.refused(&host, wrong).await;
    assert_eq!(error.data["items"][0]["didYouMean"], json!(["SessionStart"]));

    said(&stage, &["trust", digest]);
    let (thread, receipt) = stage.start(&host, whole.clone()).await;
    assert_eq!(receipt["plugins"][0]["source"], "bundle", "{receipt}");
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(author.marks(), 2);
    assert_eq!(skills(&shown), ["tools:measure"]);
    assert_eq!(shown.mcp_tools.len(), 1, "{shown:?}");

    // What the user takes back holds for threads that live, too.
    said(&stage, &["trust", digest, "--revoke"]);
    assert_eq!(stage.refused(&host, whole).await.data["kind"], "untrusted");
    assert!(host.shutdown().await.unwrap().success());
}
