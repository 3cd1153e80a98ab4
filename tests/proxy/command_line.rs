//! The command line.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::stage::{PROXY, Stage};

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn json_of(output: &Output) -> Value {
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn help_is_what_the_readme_says() {
    for verb in [
        "",
        "app-server",
        "list",
        "resolve",
        "prove",
        "threads",
        "show",
        "update",
        "convert",
        "audit",
        "status",
        "metrics",
    ] {
        let mut command = std::process::Command::new(PROXY);
        // `app-server --help` is Codex's own.
        match verb {
            "" => command.arg("--help"),
            verb => command.args(["help", verb]),
        };
        let output = command.env("COLUMNS", "100").output().unwrap();
        assert!(output.status.success());
        let name = if verb.is_empty() { "top" } else { verb };
        insta::assert_snapshot!(format!("help_{name}"), text(&output.stdout));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn verbs_show_what_there_is_and_what_threads_have() {
    let stage = Stage::standard().await;
    let project = stage.home.project();
    let cwd = project.to_str().unwrap();
    let listed = stage.verb(&["list", "--cwd", cwd]);
    let table = text(&listed.stdout);
    assert!(table.starts_with("KIND "), "{table}");
    let row = table
        .lines()
        .find(|line| line.contains("sentry@internal ") && line.starts_with("plugin"))
        .unwrap();
    assert!(row.contains(" no "), "{row}");
    let listed = json_of(&stage.verb(&["list", "--cwd", cwd, "--json"]));
    assert!(listed["data"].as_array().unwrap().len() > 10);

    let selection = json!({ "plugins": ["github"], "skills": ["planning"] });
    stage
        .home
        .write("selection.json", &selection.to_string())
        .unwrap();
    let file = stage.home.path().join("selection.json");
    let file = file.to_str().unwrap();
    let resolved = json_of(&stage.verb(&["resolve", file, "--cwd", cwd, "--json"]));
    let table = text(&stage.verb(&["resolve", file, "--cwd", cwd]).stdout);
    assert!(table.contains("github:pull-request"), "{table}");

    assert_eq!(
        json_of(&stage.verb(&["threads", "--json"])),
        json!({ "data": [], "nextCursor": null })
    );
    let host = stage.host().await;
    let (thread, receipt) = stage.start(&host, selection).await;
    assert_eq!(resolved["capabilitySelection"], receipt);
    assert_eq!(
        json_of(&stage.verb(&["show", &thread, "--json"])),
        json!({ "capabilitySelection": receipt, "loaded": true, "stale": false })
    );
    assert_eq!(
        json_of(&stage.verb(&["threads", "--json", "--plugin", "github"]))["data"][0]["threadId"],
        json!(thread)
    );
    let table = text(&stage.verb(&["threads"]).stdout);
    assert!(
        table.contains(&thread) && table.contains("  yes     replace  "),
        "{table}"
    );
    let shown = text(&stage.verb(&["show", &thread]).stdout);
    assert!(
        shown.contains("left out: ") && shown.ends_with("\nloaded\n"),
        "{shown}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_codes_and_hints() {
    let stage = Stage::standard().await;
    let check = |output: Output, code: i32, hint: &str| {
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(hint), "{stderr}");
        assert_eq!(text(&output.stdout), "");
    };
    check(
        stage.verb(&["show", "nobody"]),
        1,
        "(or `codex-loadout threads`) shows those that have one.",
    );
    check(stage.verb(&["list", "--bogus"]), 2, "--bogus");
    check(stage.verb(&["prove"]), 2, "SELECTION.json");
    check(stage.verb(&["audit", "--since", "yesterday"]), 2, "2h");
    for arguments in [
        ["resolve", "/none.json"].as_slice(),
        &["list", "--cwd", "/none"],
        &["convert", "/none", "--out", "/none/out"],
    ] {
        check(stage.verb(arguments), 1, "/none");
        check(stage.verb(arguments), 1, "hint: ");
    }
    stage
        .home
        .write("bad.json", r#"{"skills":["plannin"]}"#)
        .unwrap();
    let bad = stage.home.path().join("bad.json");
    check(
        stage.verb(&["resolve", bad.to_str().unwrap()]),
        1,
        "plannin: did you mean planning",
    );
    check(
        stage.verb(&["app-server", "--listen", "ws://nowhere"]),
        2,
        "ws://IP:PORT",
    );
    check(
        stage.verb(&["app-server", "--listen", "ws://0.0.0.0:0"]),
        1,
        "--ws-auth capability-token",
    );
    let alone = |path: &str, arguments: &[&str]| {
        stage
            .home
            .command(Path::new(PROXY), arguments)
            .env("PATH", path)
            .env_remove("CODEX_LOADOUT_CODEX")
            .output()
            .unwrap()
    };
    check(
        alone("/nowhere", &["app-server"]),
        1,
        "npm install -g @openai/codex",
    );
    check(
        alone("/nowhere", &["app-server", "--codex", "/none/codex"]),
        1,
        "/none/codex",
    );
    check(alone("/nowhere", &["list"]), 1, "hint: ");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_version_is_ours_and_codexs() {
    let stage = Stage::standard().await;
    for option in ["--version", "-V"] {
        let told = text(&stage.verb(&[option]).stdout);
        assert_eq!(told, format!("codex-cli {}\n", lab::DEFAULT_VERSION));
    }
    let told = stage.verb(&["version", "--json"]);
    let told: Value = serde_json::from_slice(&told.stdout).unwrap();
    assert_eq!(told["version"], env!("CARGO_PKG_VERSION"));
    assert!(told["codex"]["path"].as_str().unwrap().contains("codex"));
    let told = text(&stage.verb(&["version"]).stdout);
    assert!(
        told.starts_with(&format!("codex-loadout {}\n", env!("CARGO_PKG_VERSION"))),
        "{told}"
    );
    assert!(told.contains(lab::DEFAULT_VERSION), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_verb_of_ours_is_codexs() {
    let stage = Stage::standard().await;
    for arguments in [
        &["plugin", "list"][..],
        &["app-server", "--help"],
        &["exec", "--bogus"],
        &["mcp", "list", "--json"],
    ] {
        let own = stage
            .home
            .command(stage.home.codex(), arguments)
            .output()
            .unwrap();
        let ours = stage.verb(arguments);
        assert_eq!(
            (own.status.code(), text(&own.stdout), text(&own.stderr)),
            (ours.status.code(), text(&ours.stdout), text(&ours.stderr)),
            "{arguments:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_holds_on_the_installed_codex() {
    let stage = Stage::standard().await;
    let found = stage.verb(&["doctor", "--json"]);
    let found = json_of(&found);
    let checks: Vec<(&str, &str)> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|check| {
            (
                check["check"].as_str().unwrap(),
                check["finding"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        checks,
        [
            ("start", "exact"),
            ("fork", "exact"),
            ("resume after a restart", "exact"),
            ("spawned thread", "exact"),
            ("a skill is added", "exact"),
            ("a skill is added before the first turn", "exact"),
            ("a review", "exact"),
            ("after a compaction", "exact"),
            ("a goal's turns", "exact"),
            ("an ephemeral thread", "exact"),
            ("spawned thread resumed", "exact"),
            ("fork with another loadout", "exact"),
            ("a fork's source changes", "exact"),
            ("a spawned thread's parent changes", "exact"),
            ("all of these resumed", "exact"),
            ("a plugin made for Claude", "exact"),
            ("a role of the user's own", "exact"),
            ("the launch line takes a tool away", "exact"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn shells_complete_it_and_man_shows_it() {
    let stage = Stage::standard().await;
    let text = |arguments: &[&str]| String::from_utf8(stage.verb(arguments).stdout).unwrap();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = text(&["completions", shell]);
        assert!(
            script.contains("codex-loadout") && script.contains("app-server"),
            "{shell}"
        );
    }
    let page = text(&["man"]);
    assert!(
        page.contains(".TH codex-loadout") && page.contains("app\\-server"),
        "{page}"
    );
    assert_eq!(
        stage.verb(&["completions", "no-such-shell"]).status.code(),
        Some(2)
    );
}
