//! What is secret in the user's config, in plugins, in the environment and in requests is in nothing that we write,
//! but for copies of the user's own files and the definitions that a thread is loaded with again: those are its user's
//! alone.

use std::collections::BTreeSet;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use lab::{Client, HomeBuilder, Plugin, Skill};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, trust_hooks};

/// Where secrets are planted that are in nothing that we write.
const NOWHERE: [&str; 7] = [
    "secret-of-config-env",
    "secret-of-config-header",
    "secret-of-config-bearer",
    "secret-of-config-hook",
    "secret-of-environment",
    "secret-of-launch-line",
    "secret-of-auth",
];
/// Where secrets are planted that a thread's snapshots and records have to hold.
const KEPT: [&str; 4] = [
    "secret-of-plugin-env",
    "secret-of-plugin-header",
    "secret-of-plugin-hook",
    "secret-of-request",
];

fn stage_of_secrets() -> HomeBuilder {
    let servers = json!({ "mcpServers": {
        "of-plugin": { "command": "true", "env": { "TOKEN": "secret-of-plugin-env" } },
        "of-plugin-remote": { "type": "http", "url": "http://127.0.0.1:9/mcp", "headers": { "X-Token": "secret-of-plugin-header" } },
    } });
    let hooks = json!({ "hooks": { "Stop": [{ "hooks": [{ "type": "command", "command": "TOKEN=secret-of-plugin-hook true" }] }] } });
    let plugin = Plugin::new("keeper")
        .for_claude()
        .skill(Skill::new("keeping"))
        .file(".mcp.json", &servers.to_string())
        .file("hooks/hooks.json", &hooks.to_string());
    HomeBuilder::standard().unwrap().plugin(plugin).config(
        r#"
[mcp_servers.of-config]
command = "true"
env = { TOKEN = "secret-of-config-env" }

[mcp_servers.of-config-remote]
url = "http://127.0.0.1:9/mcp"
bearer_token_env_var = "LAB_BEARER"
http_headers = { "X-Token" = "secret-of-config-header" }

[[hooks.Stop]]
[[hooks.Stop.hooks]]
type = "command"
command = "TOKEN=secret-of-config-hook true"
"#,
    )
}

fn with_environment(mut command: std::process::Command) -> std::process::Command {
    command
        .env("LAB_BEARER", "secret-of-config-bearer")
        .env("LAB_SECRET", "secret-of-environment")
        .env("CODEX_API_KEY", "secret-of-auth")
        .env("CODEX_LOADOUT_LOG", "trace")
        .env("LOG_FORMAT", "json");
    command
}

/// Everything in a folder that is a file.
fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let kind = path.symlink_metadata().unwrap().file_type();
        if kind.is_dir() {
            files(&path, found);
        } else if kind.is_file() {
            found.push(path);
        }
    }
}

fn has(text: &[u8], secret: &str) -> bool {
    memchr::memmem::find(text, secret.as_bytes()).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_nothing_that_we_write_but_for_what_a_thread_is_loaded_with() {
    let stage = Stage::of(stage_of_secrets()).await;
    trust_hooks(&stage).await;
    let mut proxy = with_environment(stage.proxy());
    proxy.args([
        "-c",
        "mcp_servers.of-launch={command=\"true\",env={TOKEN=\"secret-of-launch-line\"}}",
    ]);
    let host = Client::spawn(proxy).unwrap();
    host.initialize(true).await.unwrap();
    let mut said: Vec<(String, Vec<u8>)> = Vec::new();

    // A thread with all of it, told anew, forked, and refused what is wrong.
    let mut params = stage.params(json!({
        "mode": "extend",
        "plugins": ["keeper@internal"],
        "mcpServers": ["of-config", "of-config-remote", "of-plugin", "of-plugin-remote", "own"],
    }));
    params["config"] = json!({ "mcp_servers": { "own": { "command": "true", "env": { "TOKEN": "secret-of-request" } } } });
    let ask = async |said: &mut Vec<(String, Vec<u8>)>, method: &str, params: Value| -> Value {
        let answer = host.request(method, params).await;
        let text = format!("{answer:?}");
        said.push((method.to_owned(), text.into_bytes()));
        answer.unwrap_or_default()
    };
    let started = ask(&mut said, "thread/start", params.clone()).await;
    let thread = started["thread"]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{:?}", String::from_utf8_lossy(&said[0].1)))
        .to_owned();
    host.turn(&thread, "hello").await.unwrap();
    let mut wrong = params.clone();
    wrong["capabilitySelection"]["skills"] = json!(["no-such"]);
    ask(&mut said, "thread/start", wrong).await;
    let mut misfit = params.clone();
    misfit["config"]["mcp_servers"]["own"]["env"] = json!("secret-of-request");
    // Codex quotes what it can't read to the host that has sent it: its own answer, which is written down nowhere.
    ask(&mut Vec::new(), "thread/start", misfit).await;
    let named = |selection: Value| json!({ "threadId": thread, "capabilitySelection": selection });
    let replaced = json!({ "plugins": ["keeper@internal"], "hooks": "trusted" });
    let updated = ask(&mut said, "thread/capability/update", named(replaced)).await;
    assert!(updated["capabilitySelection"]["digest"].is_string());
    host.turn(&thread, "hello again").await.unwrap();
    ask(&mut said, "thread/fork", json!({ "threadId": thread })).await;
    for (method, params) in [
        ("thread/capability/read", json!({ "threadId": thread })),
        ("thread/capability/list", json!({})),
        ("thread/capability/prove", json!({ "threadId": thread })),
        ("capability/list", json!({ "cwd": stage.home.project() })),
        (
            "capability/resolve",
            stage.params(json!({ "plugins": ["keeper@internal"] })),
        ),
        ("capability/audit/list", json!({ "limit": 1000 })),
    ] {
        ask(&mut said, method, params).await;
    }
    let ours = |it: &&Value| {
        let method = it["method"].as_str().unwrap_or_default();
        method.contains("capability/")
    };
    let heard: Vec<Value> = host.messages().iter().filter(ours).cloned().collect();
    assert!(!heard.is_empty());
    said.push((
        "notifications".to_owned(),
        Value::from(heard).to_string().into_bytes(),
    ));
    let keeper = stage.home.path().join("market/plugins/keeper");
    let keeper = keeper.to_str().unwrap();
    let verbs: [&[&str]; 13] = [
        &["bundle", "add", keeper, "--trust", "--json"],
        &["bundle", "list", "--json"],
        &["bundle", "show", "keeper"],
        &["bundle", "show", "keeper", "--json"],
        &["bundle", "lock", "keeper", "--json"],
        &["list", "--json"],
        &["resolve", "-p", "no-such"],
        &["threads", "--json"],
        &["show", &thread, "--json"],
        &["show", &thread],
        &["prove", &thread, "--json"],
        &["audit", "--json"],
        &["gc", "--json"],
    ];
    for verb in verbs {
        let mut command = with_environment(stage.home.command(Path::new(PROXY), verb));
        command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
        let done = command.output().unwrap();
        said.push((verb.join(" "), done.stdout));
        said.push((format!("log of {}", verb.join(" ")), done.stderr));
    }
    let log = host.stderr();
    assert!(log.contains("codex_loadout"), "nothing is logged");
    said.push(("log".to_owned(), log.into_bytes()));
    host.shutdown().await.unwrap();
    for (what, text) in &said {
        for secret in NOWHERE.iter().chain(&KEPT) {
            assert!(
                !has(text, secret),
                "{what}: {secret}\n{}",
                excerpt(text, secret)
            );
        }
    }

    // The state folder: what is kept, is for its user alone, and is where it has to be.
    let state = stage.home.path().join(".codex-loadout");
    let (mut found, mut kept) = (Vec::new(), BTreeSet::new());
    files(&state, &mut found);
    for file in found {
        let content = std::fs::read(&file).unwrap();
        for secret in NOWHERE {
            assert!(!has(&content, secret), "{file:?}: {secret}");
        }
        let place = file.strip_prefix(&state).unwrap();
        let mode = file.metadata().unwrap().mode() & 0o777;
        let name = place.to_string_lossy().into_owned();
        // What a thread is loaded with again: the hooks and servers of its plugins, and its host's own.
        let is_record = name.starts_with("state-v1.sqlite3") || name.starts_with("roots/");
        // Copies of the user's own files.
        let is_snapshot = name.starts_with("store-v1/");
        if is_record {
            assert_eq!(mode, 0o600, "{file:?}");
        }
        for secret in KEPT.iter().filter(|secret| has(&content, secret)) {
            assert!(is_record || is_snapshot, "{file:?}: {secret}");
            assert!(is_record || *secret != "secret-of-request", "{file:?}");
            kept.insert(*secret);
        }
    }
    let mode = |folder: &Path| folder.metadata().unwrap().mode() & 0o777;
    for folder in ["", "roots", "store-v1"] {
        assert_eq!(mode(&state.join(folder)), 0o700, "{folder}");
    }
    // It was planted where it is looked for.
    assert_eq!(kept, BTreeSet::from(KEPT));
    // The audit is of names.
    let database = state.join("state-v1.sqlite3");
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&database);
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options)
        .await
        .unwrap();
    let rows: Vec<String> = sqlx::query_scalar("SELECT cause || COALESCE(actor, '') FROM audit")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    // A start, a refusal, an update, a fork.
    assert!(rows.len() >= 4, "{rows:?}");
    assert!(
        rows.iter().all(|row| !row.contains("secret-of-")),
        "{rows:?}"
    );
}

fn excerpt(text: &[u8], secret: &str) -> String {
    let at = memchr::memmem::find(text, secret.as_bytes()).unwrap_or_default();
    let from = at.saturating_sub(300);
    String::from_utf8_lossy(&text[from..text.len().min(at + 100)]).into_owned()
}
