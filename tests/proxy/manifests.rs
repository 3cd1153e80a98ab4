//! Every form of a plugin's manifest that Codex reads: the catalog says of it what Codex itself says.

use std::collections::BTreeSet;

use lab::{Client, HomeBuilder, Promise};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

const PLUGIN_SCHEMA: &str = "https://agent-plugins.org/schemas/1.0.0/plugin.schema.json";
const MCP_SCHEMA: &str = "https://agent-plugins.org/schemas/1.0.0/mcp.schema.json";
const MARKET: &str = "forms/.agents/plugins/marketplace.json";

/// A plugin and the files that make it what it is; `null`: without that file of [`everywhere`].
struct Form {
    name: &'static str,
    files: Vec<(&'static str, Value)>,
}

impl Form {
    fn is_converted(&self) -> bool {
        let has = |path: &str| self.files.iter().any(|(own, _)| own.starts_with(path));
        let is_portable = self
            .files
            .iter()
            .any(|(path, manifest)| *path == "plugin.json" && manifest.get("$schema").is_some());
        !is_portable && (has(".claude-plugin") || has(".cursor-plugin"))
    }
}

fn form<const N: usize>(name: &'static str, files: [(&'static str, Value); N]) -> Form {
    Form {
        name,
        files: files.into(),
    }
}

fn manifest(name: &str, more: Value) -> Value {
    let mut manifest = json!({ "name": name, "version": "1.0.0", "description": "A form." });
    let fields = manifest.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    manifest
}

fn server() -> Value {
    json!({ "command": "true" })
}

fn portable(name: &str) -> Value {
    manifest(name, json!({ "$schema": PLUGIN_SCHEMA }))
}

fn portable_servers(name: &str) -> Value {
    let server = json!({ "type": "stdio", "command": "true" });
    let mut servers = json!({});
    servers[format!("{name}-top")] = server;
    json!({ "$schema": MCP_SCHEMA, "mcpServers": servers })
}

/// What each plugin has wherever Codex might look, unless a form says otherwise.
fn everywhere(name: &str) -> Vec<(&'static str, Value)> {
    let skill = |name: &str| json!(format!("---\nname: {name}\ndescription: It is.\n---\n"));
    vec![
        ("skills/a/SKILL.md", skill("a")),
        ("skills/group/b/SKILL.md", skill("b")),
        ("mine/m/SKILL.md", skill("m")),
        (
            ".mcp.json",
            json!({ "mcpServers": { format!("{name}-dot"): server() } }),
        ),
        ("mcp.json", portable_servers(name)),
        ("s.json", json!({ format!("{name}-s"): server() })),
    ]
}

fn forms() -> Vec<Form> {
    let codex = ".codex-plugin/plugin.json";
    let inline = |name: &str| json!({ "mcpServers": { format!("{name}-in"): server() } });
    let with = |name: &'static str, more: Value| form(name, [(codex, manifest(name, more))]);
    let servers = |name: &'static str, file: &'static str, servers: Value| {
        form(name, [(codex, manifest(name, json!({}))), (file, servers)])
    };
    let top = |name: &'static str, servers: Value| {
        form(
            name,
            [("plugin.json", portable(name)), ("mcp.json", servers)],
        )
    };
    let portable_odd = json!({ "$schema": MCP_SCHEMA, "mcpServers": {
        "odd-ok": { "type": "stdio", "command": "true" },
        "odd-relative": { "type": "stdio", "command": "./run" },
        "odd-http": { "type": "streamable-http", "url": "https://127.0.0.1:1/x", "headers": { "X-A": "b" } },
        "odd-here": { "type": "streamable-http", "url": "http://localhost:1/x" },
        "odd-data": { "type": "stdio", "command": "true", "cwd": "${PLUGIN_DATA}/x" },
        "odd-root": { "type": "stdio", "command": "true", "cwd": "./skills" },
        "odd-sse": { "type": "sse", "url": "https://127.0.0.1:1/x" },
        "odd-plain": { "type": "streamable-http", "url": "http://example.invalid/x" },
        "odd-user": { "type": "streamable-http", "url": "https://a@127.0.0.1/x" },
        "odd-absolute": { "type": "stdio", "command": "/bin/true" },
        "odd-out": { "type": "stdio", "command": "true", "cwd": "../" },
        "odd-here-again": { "type": "stdio", "command": "true", "cwd": "." },
        "odd-more": { "type": "stdio", "command": "true", "enabled": true },
        "odd-untyped": { "command": "true" },
        "odd-null": { "type": "stdio", "command": "true", "cwd": null },
        "odd-args": { "type": "stdio", "command": "true", "args": [1] },
        "odd-env": { "type": "stdio", "command": "true", "env": { "PLUGIN_ROOT": "x" } },
    }});
    let odd = json!({ "mcpServers": {
        "plain-ok": { "command": "true", "args": ["x"], "note": 1 },
        "plain-url": { "url": "http://127.0.0.1:1", "type": "http" },
        "plain-sse": { "url": "http://127.0.0.1:1", "type": "sse" },
        "plain-off": { "command": "true", "enabled": false },
        "plain-both": { "command": "true", "url": "http://127.0.0.1:1" },
        "plain-none": {},
        "plain-number": 5,
        "plain-args": { "command": "true", "args": "x" },
    }});
    vec![
        form("codex", [(codex, manifest("codex", json!({})))]),
        form(
            "claude",
            [(".claude-plugin/plugin.json", manifest("claude", json!({})))],
        ),
        form(
            "cursor",
            [(".cursor-plugin/plugin.json", manifest("cursor", json!({})))],
        ),
        form("top", [("plugin.json", portable("top"))]),
        form(
            "top-codex",
            [
                ("plugin.json", portable("top-codex")),
                (codex, manifest("top-codex", inline("top-codex"))),
            ],
        ),
        form(
            "top-claude",
            [
                ("plugin.json", portable("top-claude")),
                (
                    ".claude-plugin/plugin.json",
                    manifest("top-claude", inline("top-claude")),
                ),
            ],
        ),
        form(
            "top-plain",
            [
                ("plugin.json", manifest("top-plain", json!({}))),
                (
                    ".claude-plugin/plugin.json",
                    manifest("top-plain", inline("top-plain")),
                ),
            ],
        ),
        form(
            "top-inline",
            [(
                "plugin.json",
                manifest(
                    "top-inline",
                    json!({ "$schema": PLUGIN_SCHEMA, "skills": "./mine", "mcpServers": { "x": server() } }),
                ),
            )],
        ),
        top(
            "top-unwrapped",
            json!({ "top-unwrapped-x": { "type": "stdio", "command": "true" } }),
        ),
        top(
            "top-schemaless",
            json!({ "mcpServers": { "top-schemaless-x": { "type": "stdio", "command": "true" } } }),
        ),
        top(
            "top-meta",
            json!({ "$schema": MCP_SCHEMA, "_meta": {}, "mcpServers": { "top-meta-x": { "type": "stdio", "command": "true" } } }),
        ),
        top("top-none", Value::Null),
        top("top-odd", portable_odd),
        with(
            "codex-path",
            json!({ "mcpServers": "./s.json", "skills": "./mine" }),
        ),
        with(
            "codex-list",
            json!({ "mcpServers": ["./s.json"], "skills": ["./mine", "./skills/group"] }),
        ),
        with(
            "codex-bare",
            json!({ "mcpServers": "s.json", "skills": "mine" }),
        ),
        with(
            "codex-out",
            json!({ "mcpServers": "./../s.json", "skills": "./" }),
        ),
        with(
            "codex-missing",
            json!({ "mcpServers": "./none.json", "skills": "./none" }),
        ),
        with(
            "codex-top",
            json!({ "mcpServers": "./mcp.json", "skills": [] }),
        ),
        with("codex-inline", inline("codex-inline")),
        with(
            "codex-wrapped",
            json!({ "mcpServers": inline("codex-wrapped") }),
        ),
        with("codex-empty", json!({ "mcpServers": {}, "skills": 5 })),
        with(
            "codex-odd",
            json!({ "mcpServers": true, "skills": ["./mine", 5] }),
        ),
        servers(
            "dot-unwrapped",
            ".mcp.json",
            json!({ "dot-unwrapped-x": server() }),
        ),
        servers(
            "dot-snake",
            ".mcp.json",
            json!({ "mcp_servers": { "dot-snake-x": server() } }),
        ),
        servers(
            "dot-schema",
            ".mcp.json",
            json!({ "$schema": "x", "mcpServers": { "dot-schema-x": server() } }),
        ),
        servers(
            "dot-both",
            ".mcp.json",
            json!({ "mcpServers": { "dot-both-x": server() }, "dot-both-y": server() }),
        ),
        servers("dot-broken", ".mcp.json", json!("{,}")),
        servers("dot-odd", ".mcp.json", odd),
        form(
            "codex-claude",
            [
                (codex, manifest("codex-claude", json!({}))),
                (
                    ".claude-plugin/plugin.json",
                    manifest("codex-claude", inline("codex-claude")),
                ),
            ],
        ),
    ]
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// A home with these forms installed, by Codex itself, and a host in it.
async fn installed(forms: &[Form]) -> (Stage, Client) {
    let stage = Stage::of(HomeBuilder::default()).await;
    let entries: Vec<Value> = forms
        .iter()
        .map(|form| json!({ "name": form.name, "source": { "source": "local", "path": format!("./{}", form.name) } }))
        .collect();
    for form in forms {
        let mut files = everywhere(form.name);
        files.retain(|(path, _)| form.files.iter().all(|(own, _)| own != path));
        for (path, content) in files.iter().chain(&form.files) {
            if !content.is_null() {
                let path = format!("forms/{}/{path}", form.name);
                stage.home.write(&path, &text(content)).unwrap();
            }
        }
    }
    let market = json!({ "name": "forms", "plugins": entries }).to_string();
    stage.home.write(MARKET, &market).unwrap();
    let folder = stage.home.path().join("forms");
    let add = ["plugin", "marketplace", "add", folder.to_str().unwrap()];
    stage.home.run_codex(&add).unwrap();
    let host = stage.host().await;
    for form in forms {
        let params =
            json!({ "marketplacePath": stage.home.path().join(MARKET), "pluginName": form.name });
        host.request("plugin/install", params).await.unwrap();
    }
    host.shutdown().await.unwrap();
    let host = stage.host().await;
    (stage, host)
}

fn names(list: &Value) -> BTreeSet<String> {
    let items = list.as_array().into_iter().flatten();
    items
        .filter_map(|item| item.as_str().or(item["name"].as_str()))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_catalog_says_of_every_form_what_codex_says() {
    let forms = forms();
    let (stage, host) = installed(&forms).await;
    let folder = json!({ "cwd": stage.home.project() });
    let listed = host
        .request("capability/list", folder.clone())
        .await
        .unwrap();
    let native = host.request("thread/start", folder).await.unwrap();
    let mut differences = Vec::new();
    for form in &forms {
        let params =
            json!({ "marketplacePath": stage.home.path().join(MARKET), "pluginName": form.name });
        let codex = host.request("plugin/read", params).await.unwrap();
        let id = format!("{}@forms", form.name);
        let items = listed["data"].as_array().unwrap().iter();
        let ours: Vec<&Value> = items.filter(|item| item["source"] == *id).collect();
        let of_kind = |kind: &str| -> BTreeSet<String> {
            let own = ours.iter().filter(|item| item["kind"] == kind);
            own.map(|item| text(&item["id"])).collect()
        };
        let (servers, skills) = (of_kind("mcpServer"), of_kind("skill"));
        let of_codex = names(&codex["plugin"]["mcpServers"]);
        // Of what was made for another host, the list has what it becomes when it is chosen.
        if form.is_converted() {
            if !of_codex.is_subset(&servers) {
                differences.push(format!("{id}: {servers:?}, Codex {of_codex:?}"));
            }
            continue;
        }
        if servers != of_codex {
            differences.push(format!("{id}: {servers:?}, Codex {of_codex:?}"));
        }
        let of_codex = names(&codex["plugin"]["skills"]);
        if !of_codex.is_subset(&skills) {
            differences.push(format!("{id}: {skills:?}, Codex {of_codex:?}"));
        }
    }
    assert_eq!(differences, Vec::<String>::new());
    assert!(running(&host, &native).await.contains("top-top"));
    // Whatever Codex itself reads of a plugin can be kept out.
    for selection in [
        json!({ "mode": "restrict", "mcpServers": [] }),
        json!({ "mode": "replace" }),
    ] {
        let started = host.request("thread/start", stage.params(selection)).await;
        assert_eq!(running(&host, &started.unwrap()).await, BTreeSet::new());
    }
}

/// The MCP servers that Codex has in a thread, and not switched off.
async fn running(host: &Client, opened: &Value) -> BTreeSet<String> {
    let params = json!({ "threadId": id_of(opened), "limit": 500 });
    let status = host.request("mcpServerStatus/list", params).await.unwrap();
    let on = status["data"].as_array().unwrap().iter();
    let on = on.filter(|server| server["runtimeStatus"] != "disabled");
    names(&on.cloned().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_of_an_agent_plugin_run_where_they_are_chosen_and_nowhere_else() {
    let script = include_str!("../support/src/home/mcp.mjs");
    let servers = json!({ "$schema": MCP_SCHEMA, "mcpServers": { "side": { "type": "stdio", "command": "node",
        "args": ["${PLUGIN_ROOT}/server.mjs", "/dev/null", "side", "wave"] } } });
    let side = form(
        "side",
        [
            ("plugin.json", portable("side")),
            ("mcp.json", servers),
            ("server.mjs", json!(script)),
            ("skills/group/b/SKILL.md", Value::Null),
            ("mine/m/SKILL.md", Value::Null),
        ],
    );
    let (stage, host) = installed(&[side]).await;
    let skill = Promise::of_skills(&["side:a"]);
    let whole = skill.server("side", &["wave"]);
    let (thread, receipt) = stage.start(&host, json!({ "plugins": ["side"] })).await;
    assert_eq!(receipt["plugins"][0]["mcpServers"], json!(["side"]));
    stage.check(&host, &thread, &whole).await;
    for selection in [
        json!({ "mode": "restrict", "mcpServers": [] }),
        json!({ "mode": "extend", "mcpServers": ["side"] }),
    ] {
        let wanted = !selection["mcpServers"].as_array().unwrap().is_empty();
        let (thread, receipt) = stage.start(&host, selection).await;
        host.turn(&thread, "What can you do?").await.unwrap();
        let seen = stage.model.seen(&thread).unwrap();
        assert_eq!(
            format!("{seen:?}").contains("wave"),
            wanted,
            "{seen:?} {receipt}"
        );
    }
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_files_without_end_holds_up_no_start() {
    use std::os::unix::fs::symlink;
    use std::time::Duration;
    let stage = Stage::standard().await;
    let agents = stage.home.project().join(".codex/agents");
    std::fs::create_dir_all(&agents).unwrap();
    symlink("/dev/zero", agents.join("zero.toml")).unwrap();
    symlink("/", agents.join("disk")).unwrap();
    symlink(".", agents.join("round")).unwrap();
    let huge = std::fs::File::create(agents.join("huge.toml")).unwrap();
    huge.set_len(10 << 30).unwrap();
    let fifo = std::process::Command::new("mkfifo")
        .arg(agents.join("fifo.toml"))
        .status();
    assert!(fifo.unwrap().success());
    let host = stage.host().await;
    let start = stage.start(&host, json!({ "skills": ["repo-review"] }));
    let (thread, _) = tokio::time::timeout(Duration::from_secs(60), start)
        .await
        .unwrap();
    stage
        .check(&host, &thread, &Promise::of_skills(&["repo-review"]))
        .await;
}
