//! Ways to a socket that are Codex's own verbs.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, id_of, native_codex};

fn only(skill: &str) -> Value {
    json!({ "mode": "replace", "skills": [skill] })
}

async fn exact(stage: &Stage, host: &Client, thread: &str, skill: &str) {
    let promise = Promise::of_skills(&[skill]);
    host.turn(thread, "What can you do?").await.unwrap();
    let seen = stage.model.seen(thread).unwrap();
    assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{thread}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_a_proxy_to_a_codex_that_runs_is_served() {
    let stage = Stage::standard().await;
    let (native, _codex) = native_codex(&stage).await;
    let socket = native.strip_prefix("unix://").unwrap();
    let arguments = ["app-server", "proxy", "--sock", socket];
    let mut command = stage.home.command(Path::new(PROXY), &arguments);
    command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
    let mut proxy = tokio::process::Command::from(command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let host = Client::on_stdio_of(&mut proxy).await.unwrap();
    host.initialize(true).await.unwrap();
    let (thread, _) = stage.start(&host, only("planning")).await;
    exact(&stage, &host, &thread, "planning").await;
    // It ends with its host.
    drop(host);
    let ended = tokio::time::timeout(Duration::from_secs(10), proxy.wait());
    assert!(ended.await.unwrap().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_that_runs_is_one_of_ours() {
    let stage = Stage::standard().await;
    let profile = "skills = [\"planning\"]\n";
    stage.home.add_profile("plan", profile).unwrap();
    let daemon = |verb: &str| -> Value {
        let said = stage.verb(&["--loadout", "plan", "app-server", "daemon", verb]);
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let why = String::from_utf8_lossy(&said.stderr).into_owned();
        assert!(said.status.success(), "{why}");
        serde_json::from_str(text.trim()).unwrap_or_else(|_| panic!("{text}"))
    };
    let started = daemon("start");
    assert_eq!(started["status"], "started");
    assert_eq!(daemon("start")["status"], "alreadyRunning");
    let socket = PathBuf::from(started["socketPath"].as_str().unwrap());
    assert_eq!(
        socket,
        stage
            .home
            .codex_home()
            .join("app-server-control/app-server-control.sock")
    );
    let host = Client::connect(&format!("unix://{}", socket.display()))
        .await
        .unwrap();
    host.initialize(true).await.unwrap();
    let plain = json!({ "cwd": stage.home.project() });
    let thread = id_of(&host.request("thread/start", plain).await.unwrap());
    exact(&stage, &host, &thread, "planning").await;
    let restarted = daemon("restart");
    assert_eq!(restarted["status"], "restarted");
    assert_ne!(restarted["pid"], started["pid"]);
    assert_eq!(daemon("version")["appServerVersion"], lab::DEFAULT_VERSION);
    assert_eq!(daemon("stop")["status"], "stopped");
    assert!(!socket.exists());
    for verb in ["bootstrap", "update"] {
        let refused = stage.verb(&["app-server", "daemon", verb]);
        let why = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && why.contains("hint: "), "{why}");
    }
}
