//! In the place of a `codex` that hosts start by name.

use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use lab::{Client, Process, Promise};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, id_of};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn seen(output: Output) -> (Option<i32>, String, String) {
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

fn shim(stage: &Stage, more: &[&str]) -> PathBuf {
    let folder = stage.home.path().join("shim");
    let arguments = [&["shim", folder.to_str().unwrap()], more].concat();
    let written = stage.verb(&arguments);
    assert!(written.status.success(), "{}", text(&written.stderr));
    folder
}

fn run(stage: &Stage, program: &Path, arguments: &[&str]) -> Output {
    stage.home.command(program, arguments).output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_is_codex_in_every_verb_and_gives_loadouts() {
    let stage = Stage::standard().await;
    let codex = shim(&stage, &[]).join("codex");
    for arguments in [
        &["--version"][..],
        &["help", "exec"],
        &["--help"],
        &["mcp", "list", "--json"],
        &["exec", "--bogus"],
        &["app-server", "--help"],
    ] {
        let own = seen(run(&stage, stage.home.codex(), arguments));
        assert_eq!(seen(run(&stage, &codex, arguments)), own, "{arguments:?}");
    }
    let threads = run(&stage, &codex, &["loadout", "threads", "--json"]);
    assert_eq!(
        text(&threads.stdout).trim(),
        "{\n  \"data\": [],\n  \"nextCursor\": null\n}"
    );
    let found = run(&stage, &codex, &["loadout", "version", "--json"]);
    assert!(found.status.success(), "{}", text(&found.stderr));
    let mut command = stage.home.command(&codex, &["app-server"]);
    command.env("CODEX_LOADOUT", r#"{"skills":["planning"]}"#);
    let host = Client::spawn(command).unwrap();
    host.initialize(false).await.unwrap();
    let started = host.request("thread/start", json!({ "cwd": stage.home.project() }));
    let thread = id_of(&started.await.unwrap());
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    host.shutdown().await.unwrap();
    // A link is called by its own name as well.
    let link = stage.home.path().join("link/codex");
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink(PROXY, &link).unwrap();
    let mut command = stage.home.command(&link, &["--codex"]);
    command.arg(stage.home.codex()).args(["doctor", "--help"]);
    let own = seen(run(&stage, stage.home.codex(), &["doctor", "--help"]));
    assert_eq!(seen(command.output().unwrap()), own);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shim_has_the_layout_of_npms_package() {
    let stage = Stage::standard().await;
    let folder = shim(&stage, &["--npm"]).join("node_modules/@openai");
    let manifest = std::fs::read_to_string(folder.join("codex/package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["version"], lab::DEFAULT_VERSION);
    let launcher = folder.join("codex/bin/codex.js");
    let told = run(
        &stage,
        Path::new("node"),
        &[launcher.to_str().unwrap(), "--version"],
    );
    let line = format!("codex-cli {}\n", lab::DEFAULT_VERSION);
    assert_eq!(text(&told.stdout), line);
    // Where the SDK looks for the program of this platform: the same place as in npm's own package.
    let codex = stage.home.codex();
    let is_scope = |folder: &&Path| folder.ends_with("@openai");
    let scope = codex.ancestors().find(is_scope).unwrap();
    let program = folder.join(codex.strip_prefix(scope).unwrap());
    assert_eq!(text(&run(&stage, &program, &["--version"]).stdout), line);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_read_codexs_version_reads_it() {
    let stage = Stage::standard().await;
    let probes = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hosts/version-probes.mjs");
    let shim = shim(&stage, &["--npm"]).join("node_modules/@openai/codex/bin/codex.js");
    let (codex, shim) = (stage.home.codex().to_str().unwrap(), shim.to_str().unwrap());
    for program in [
        &[codex, "--version"][..],
        &[PROXY, "--version"],
        &[PROXY, "-V"],
        &[PROXY, "--codex", codex, "--version"],
        &["node", shim, "--version"],
    ] {
        let line = [&[probes.to_str().unwrap(), lab::DEFAULT_VERSION], program].concat();
        let mut node = stage.home.command(Path::new("node"), &line);
        node.env("CODEX_LOADOUT_CODEX", codex);
        let (code, told, said) = seen(node.output().unwrap());
        assert_eq!(
            (code, told.as_str()),
            (Some(0), "13 probes\n"),
            "{program:?}: {said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_finds_itself_is_stopped_at_the_first_turn() {
    let stage = Stage::standard().await;
    let folder = stage.home.path().join("bin");
    let script = folder.join("codex");
    let log = stage.home.path().join("runs");
    for how in ["exec ", ""] {
        let body = format!(
            "#!/bin/sh\necho run >> '{}'\n{how}'{PROXY}' \"$@\"\n",
            log.display()
        );
        stage.home.write("bin/codex", &body).unwrap();
        std::fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
        for arguments in [&["app-server"][..], &["--version"], &["list"]] {
            let _ = std::fs::remove_file(&log);
            let mut command = stage.home.command(&script, arguments);
            let output = command
                .env("PATH", &path)
                .env_remove("CODEX_LOADOUT_CODEX")
                .output()
                .unwrap();
            let told = text(&output.stderr);
            assert!(
                told.contains("runs codex-loadout again"),
                "{how}{arguments:?}: {told}"
            );
            assert!(told.contains("hint: Name the real Codex"), "{told}");
            assert_eq!(output.status.code(), Some(1), "{arguments:?}");
            let runs = std::fs::read_to_string(&log).unwrap().lines().count();
            assert_eq!(runs, 2, "{how}{arguments:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_it_as_it_ends_codex() {
    let stage = Stage::standard().await;
    let end = async |mut command: Command, signal: &str| {
        // So that no signal is ignored, whoever runs the tests.
        command.env("LC_ALL", "C");
        let mut process = Process::spawn(command).unwrap();
        let hello = json!({ "id": 1, "method": "initialize", "params": {
            "clientInfo": { "name": "lab", "version": "0" } } });
        process.send(format!("{hello}\n").as_bytes()).await.unwrap();
        process.read_line(Duration::from_secs(20)).await.unwrap();
        let id = process.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status();
        assert!(sent.unwrap().success());
        let status = process.ended_within(Duration::from_secs(20)).await.unwrap();
        (status.code(), status.signal())
    };
    for signal in ["INT", "HUP", "TERM"] {
        let own = end(stage.home.codex_app_server(), signal).await;
        assert_eq!(end(stage.proxy(), signal).await, own, "{signal}");
    }
}
