//! The launch line (`-c …`, `--disable …`) holds in a thread with a loadout as in a native one.

use lab::{Client, HomeBuilder, Promise, Skill};
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, Stage, id_of};

/// A host on a proxy that was launched with these flags.
async fn launched(stage: &Stage, flags: &[&str]) -> Client {
    let mut command = stage.proxy();
    command.args(flags);
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    host
}

/// A server of the lab as `-c` takes it.
fn server_flag(stage: &Stage, name: &str, tool: &str) -> String {
    let home = stage.home.path().display();
    format!(
        "mcp_servers.{name}={{command=\"node\",args=[\"{home}/lab/mcp.mjs\",\"{home}/lab/mcp.log\",\"{name}\",\"{tool}\"]}}"
    )
}

/// Whether the model of a thread has Codex's shell.
fn has_shell(stage: &Stage, thread: &str) -> bool {
    let seen = stage.model.seen(thread).unwrap();
    seen.other_tools.iter().any(|tool| tool == "exec_command")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_takes_away_no_loadout_gives_back() {
    let stage = Stage::standard().await;
    let own_server = server_flag(&stage, "launched", "launched_tool");
    let flags = [
        "--disable",
        "shell_tool",
        "-c",
        "mcp_servers.team-notes.disabled_tools=[\"write_note\"]",
        "-c",
        &own_server,
        "-c",
        "skills.config=[{name=\"planning\",enabled=false}]",
    ];
    let host = launched(&stage, &flags).await;
    let native = host
        .request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
    host.turn(&id_of(&native), "What can you do?")
        .await
        .unwrap();
    assert!(!has_shell(&stage, &id_of(&native)));
    let cases: Vec<(Value, Promise)> = vec![
        (json!({}), Promise::default()),
        (
            json!({ "plugins": ["github@internal"], "skills": ["repo-review"] }),
            Promise::of_skills(&["github:pull-request", "repo-review"])
                .server("github", &GITHUB_TOOLS),
        ),
        (
            json!({ "mcpServers": ["team-notes", "launched"] }),
            Promise::default()
                .server("team-notes", &["search_notes"])
                .server("launched", &["launched_tool"]),
        ),
        (
            json!({ "mode": "restrict", "plugins": [], "mcpServers": ["launched"] }),
            Promise::of_skills(&[
                "dependency-upgrade",
                "house-style",
                "incident-debugging",
                "release-notes",
                "repo-review",
            ])
            .and_bundled_skills()
            .server("launched", &["launched_tool"]),
        ),
    ];
    for (selection, promise) in cases {
        let (thread, _) = stage.start(&host, selection.clone()).await;
        stage.check(&host, &thread, &promise).await;
        assert!(!has_shell(&stage, &thread), "{selection}");
        let proof = host
            .request("thread/capability/prove", stage.params(selection.clone()))
            .await
            .unwrap();
        assert_eq!(proof["differences"], json!([]), "{selection}");
    }
    for (selection, name) in [
        (json!({ "skills": ["planning"] }), "planning"),
        (
            json!({ "mcpServers": [{ "name": "team-notes", "tools": ["write_note"] }] }),
            "team-notes.write_note",
        ),
    ] {
        let error = stage.refused(&host, selection).await;
        assert_eq!(error.data["kind"], "blockedByPolicy");
        assert_eq!(error.data["items"][0]["name"], name);
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_dot_and_the_hosts_own_config_merge_with_it() {
    let builder = HomeBuilder::standard()
        .unwrap()
        .config("[mcp_servers.\"dot.ted\"]\ncommand = \"node\"\nargs = [\"/no/such/script\"]\n");
    let stage = Stage::of(builder).await;
    let own_server = server_flag(&stage, "launched", "launched_tool");
    let host = launched(&stage, &["--disable", "shell_tool", "-c", &own_server]).await;
    let start = async |config: Value| {
        let mut params = stage.params(json!({ "mcpServers": ["launched"] }));
        params["config"] = config;
        let thread = id_of(&host.request("thread/start", params).await.unwrap());
        let promise = Promise::default().server("launched", &["launched_tool"]);
        stage.check(&host, &thread, &promise).await;
        thread
    };
    for config in [json!({}), json!({ "features.view_image_tool": false })] {
        assert!(!has_shell(&stage, &start(config).await));
    }
    // A table of the host's takes the place of the launch line's, as in a native thread.
    let nested = start(json!({ "features": { "goals": true } })).await;
    assert!(has_shell(&stage, &nested));
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn its_hooks_run_beside_those_of_the_loadout_and_no_others() {
    let mark = |name: &str| format!("touch \\\"$HOME/{name}\\\"");
    let stage = Stage::of(HomeBuilder::default().skill(Skill::new("alone"))).await;
    let group = |name: &str| {
        format!(
            "[{{hooks=[{{type=\"command\",command=\"{}\"}}]}}]",
            mark(name)
        )
    };
    let untrusted = format!("hooks.Stop={}", group("launched"));
    let host = launched(&stage, &["-c", &untrusted]).await;
    let listed = host
        .request("hooks/list", json!({ "cwds": [stage.home.project()] }))
        .await
        .unwrap();
    let hook = &listed["data"][0]["hooks"][0];
    host.shutdown().await.unwrap();
    let trusted = format!(
        "hooks={{Stop={},state={{{}={{trusted_hash={}}}}}}}",
        group("launched"),
        hook["key"],
        hook["currentHash"]
    );
    let host = launched(&stage, &["-c", &trusted]).await;
    let (thread, _) = stage.start(&host, json!({})).await;
    host.turn(&thread, "What can you do?").await.unwrap();
    assert!(stage.home.path().join("launched").exists());
    let proof = host
        .request("thread/capability/prove", stage.params(json!({})))
        .await
        .unwrap();
    assert_eq!(proof["differences"], json!([]));
    host.shutdown().await.unwrap();
}
