//! Converted hooks and servers in the real Codex.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use anyhow::{Context as _, Result};
use codex_loadout_bundle::TreeFile;
use lab::{Client, Home, Model};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::{hooks, servers};
use crate::context::Context;
use crate::names::Names;
use crate::options::{BundleRoot, Options};
use crate::source::{HookSource, Plugin, ServerSource, Source};
use crate::target::Codex;
use crate::target::hook_trust::{SESSION_SOURCE, hook_hash, hook_key};

/// Runs a conversion for a bundle at `root`.
fn with_context<T>(
    plugin: &Plugin,
    source: &Source,
    root: &Path,
    convert: impl Fn(&Context<'_>) -> T,
) -> T {
    let options = Options {
        root: BundleRoot::At(root.to_string_lossy().into_owned()),
        ..Options::default()
    };
    convert(&Context {
        source,
        plugin,
        options: &options,
        target: &Codex,
        names: &Names::default(),
        moved: &BTreeMap::new(),
    })
}

/// `config.hooks` with the trust that each handler needs.
fn trusted(file: &Value) -> Map<String, Value> {
    let mut hooks = file["hooks"].as_object().unwrap().clone();
    let mut state = Map::new();
    for (event, groups) in &hooks {
        for (group, groups) in groups.as_array().unwrap().iter().enumerate() {
            for (index, handler) in groups["hooks"].as_array().unwrap().iter().enumerate() {
                let hash = hook_hash(
                    event,
                    groups["matcher"].as_str(),
                    handler.as_object().unwrap(),
                );
                let key = hook_key(SESSION_SOURCE, event, group, index);
                state.insert(key, json!({ "trusted_hash": hash.unwrap() }));
            }
        }
    }
    hooks.insert("state".to_owned(), Value::Object(state));
    hooks
}

/// What Codex answered to a call of the shell.
async fn shell(host: &Client, model: &Model, thread: &str, command: &str) -> Result<String> {
    let call = json!({ "cmd": command });
    host.turn(thread, &format!("CALL - exec_command {call}"))
        .await?;
    let last = model
        .last_for(|request| request.thread.as_deref() == Some(thread))
        .context("a request")?;
    let output = last.body["input"].as_array().and_then(|items| {
        let is_output = |item: &&Value| item["type"] == "function_call_output";
        items
            .iter()
            .rfind(is_output)
            .map(|item| item["output"].to_string())
    });
    output.context("an output")
}

async fn start(host: &Client, home: &Home, config: Value) -> Result<String> {
    let params =
        json!({ "cwd": home.project(), "sandbox": "danger-full-access", "config": config });
    let started = host.request("thread/start", params).await?;
    Ok(started["thread"]["id"]
        .as_str()
        .context("an id")?
        .to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_act_in_a_thread() -> Result<()> {
    let model = Model::start().await?;
    let home = Home::builder().build(model.url())?;
    let root = home.path().join("bundle of plug");
    // Guards a file; asks before a deletion; keeps commits back. Reads its input as in Claude Code.
    let guard = r#"#!/usr/bin/env bash
input=$(cat)
case "$input" in
  *'"file_path":"'*secret.txt'"'*) echo "secret.txt is guarded by $(basename "$CLAUDE_PLUGIN_ROOT")" >&2; exit 2 ;;
  *'"command":"rm '*) echo '{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"ask","permissionDecisionReason":"really delete?"}}' ;;
esac
"#;
    let mut source = Source::default();
    source.tree.insert("guard.sh", TreeFile::plain(guard));
    home.write("bundle of plug/guard.sh", guard)?;
    let hook = |group, matcher: &str, handler: Value| HookSource {
        file: "hooks/hooks.json".to_owned(),
        line: 1,
        event: "PreToolUse".to_owned(),
        matcher: Some(matcher.to_owned()),
        group,
        handler,
        is_native: false,
    };
    let run = "bash \"${CLAUDE_PLUGIN_ROOT}/guard.sh\"";
    let plugin = Plugin {
        name: "plug".to_owned(),
        hooks: vec![
            hook(0, "Write|Edit", json!({"type": "command", "command": run})),
            hook(1, "Bash", json!({"type": "command", "command": run})),
            hook(
                2,
                "Bash",
                json!({"type": "command", "command": "echo 'no commits' >&2; exit 2", "if": "Bash(git commit:*)"}),
            ),
        ],
        ..Plugin::default()
    };
    let converted = with_context(&plugin, &source, &root, hooks::convert);
    for (path, file) in &converted.files {
        home.write(
            &format!("bundle of plug/{path}"),
            std::str::from_utf8(&file.bytes)?,
        )?;
    }
    let file = converted.file.context("hooks")?;
    let host = Client::spawn(home.codex_app_server())?;
    host.initialize(true).await?;
    let config = json!({ "features": { "plugins": false }, "hooks": trusted(&file) });
    let thread = start(&host, &home, config).await?;

    let patch = |name: &str| {
        format!(
            "apply_patch <<'EOF'\n*** Begin Patch\n*** Add File: {name}\n+x\n*** End Patch\nEOF\n"
        )
    };
    for (command, refusal) in [
        ("echo passes".to_owned(), None),
        ("cd . && git commit -m x".to_owned(), Some("no commits")),
        ("rm -r x".to_owned(), Some("really delete?")),
        (
            patch("secret.txt"),
            Some("secret.txt is guarded by bundle of plug"),
        ),
        (patch("open.txt"), None),
    ] {
        let output = shell(&host, &model, &thread, &command).await?;
        match refusal {
            Some(reason) => assert!(output.contains(reason), "{command}: {output}"),
            None => assert!(
                output.contains("passes") || output.contains("Success"),
                "{command}: {output}"
            ),
        }
    }
    assert!(!home.project().join("secret.txt").exists());
    assert!(home.project().join("open.txt").exists());

    // The same hooks without trust do nothing.
    let mut hooks = trusted(&file);
    hooks.remove("state");
    let config = json!({ "features": { "plugins": false }, "hooks": hooks });
    let thread = start(&host, &home, config).await?;
    shell(&host, &model, &thread, &patch("secret.txt")).await?;
    assert!(home.project().join("secret.txt").exists());
    host.shutdown().await?;
    Ok(())
}

/// An endpoint that keeps what is asked of it.
async fn endpoint() -> Result<(String, Arc<Mutex<String>>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}/mcp", listener.local_addr()?);
    let asked = Arc::new(Mutex::new(String::new()));
    let log = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 1 << 16];
            let count = stream.read(&mut bytes).await.unwrap_or_default();
            if let Ok(mut log) = log.lock() {
                log.push_str(&String::from_utf8_lossy(&bytes[..count]).to_lowercase());
            }
            let answer = "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            drop(stream.write_all(answer.as_bytes()).await);
        }
    });
    Ok((url, asked))
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_get_what_their_definitions_say() -> Result<()> {
    let model = Model::start().await?;
    let home = Home::builder().build(model.url())?;
    let root = home.path().join("bundle");
    let (url, asked) = endpoint().await?;
    // Writes down what it is started with; that it is no server does not matter here.
    home.write(
        "bundle/server.sh",
        "printf '%s|' \"$PWD\" \"$1\" \"$KEY\" \"$CLAUDE_PLUGIN_ROOT\" > \"${0%/*}/started\"\n",
    )?;
    let server = |name: &str, definition: Value| ServerSource {
        name: name.to_owned(),
        file: ".mcp.json".to_owned(),
        line: 1,
        definition,
    };
    let plugin = Plugin {
        name: "plug".to_owned(),
        servers: vec![
            server(
                "a server",
                json!({"command": "sh", "args": ["${CLAUDE_PLUGIN_ROOT}/server.sh", "TOKEN=${LAB_TOKEN} ${LAB_UNSET:-none}"], "env": {"KEY": "${LAB_TOKEN}"}}),
            ),
            server(
                "web",
                json!({"type": "http", "url": url, "headers": {"Authorization": "Bearer ${LAB_TOKEN}", "X-Key": "${LAB_TOKEN}", "X-Default": "${LAB_UNSET:-fallback}", "X-Fixed": "fixed"}}),
            ),
        ],
        ..Plugin::default()
    };
    let converted = with_context(&plugin, &Source::default(), &root, servers::convert);
    assert!(
        !Value::Object(converted.servers.clone())
            .to_string()
            .contains("lab-secret")
    );
    let mut command = home.codex_app_server();
    command.env("LAB_TOKEN", "lab-secret");
    let host = Client::spawn(command)?;
    host.initialize(true).await?;
    let config = json!({ "features": { "plugins": false }, "mcp_servers": converted.servers });
    let thread = start(&host, &home, config).await?;
    host.turn(&thread, "hi").await?;

    let started = std::fs::read_to_string(root.join("started"))?;
    let expected = format!(
        "{}|TOKEN=lab-secret none|lab-secret|{}|",
        home.project().display(),
        root.display()
    );
    assert_eq!(started, expected);
    let asked = asked.lock().map(|log| log.clone()).unwrap_or_default();
    for header in [
        "authorization: bearer lab-secret",
        "x-key: lab-secret",
        "x-default: fallback",
        "x-fixed: fixed",
    ] {
        assert!(asked.contains(header), "{header}: {asked}");
    }
    host.shutdown().await?;
    Ok(())
}
