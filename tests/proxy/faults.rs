//! What Codex does not do on demand: garbage, hangs, crashes, floods; and disks that refuse.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use lab::{Client, Home, Process};
use serde_json::{Value, json};

use crate::stage::Stage;

async fn stage() -> Stage {
    Stage::of(Home::builder()).await
}

/// The proxy in front of a false Codex with this fault.
fn faulty(stage: &Stage, fault: &str) -> std::process::Command {
    let script = stage.home.path().join("false-codex");
    let text = format!(
        "#!/bin/sh\nFAULT={fault} exec node '{}'\n",
        concat!(env!("CARGO_MANIFEST_DIR"), "/tests/proxy/fake_codex.mjs")
    );
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    stage.proxy_to(&script)
}

async fn host(stage: &Stage, fault: &str) -> Client {
    let host = Client::spawn(faulty(stage, fault)).unwrap();
    host.initialize(true).await.unwrap();
    host
}

/// Threads on record, and roots with a link or a file.
async fn kept(stage: &Stage) -> (usize, usize) {
    let threads = stage.verb(&["threads", "--json"]);
    let threads: Value = serde_json::from_slice(&threads.stdout).unwrap();
    let roots = fs::read_dir(stage.home.path().join(".codex-loadout/roots"));
    (
        threads["data"].as_array().unwrap().len(),
        roots.map_or(0, Iterator::count),
    )
}

/// Why a thread was unloaded that has what it must not, once it is.
async fn stopped(host: &Client, thread: &str) -> String {
    let noted = async {
        loop {
            let entries = json!({ "threadId": thread });
            let audit = host.request("capability/audit/list", entries).await;
            let audit = audit.unwrap();
            let last = audit["data"].as_array().unwrap().last().unwrap();
            if last["event"] == "refusal" {
                return last["cause"].to_string();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let noted = tokio::time::timeout(Duration::from_secs(20), noted);
    noted.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_dies_leaves_no_request_without_an_answer() {
    let stage = stage().await;
    let host = host(&stage, "crash").await;
    let error = host
        .refusal("thread/start", stage.params(json!({})))
        .await
        .unwrap();
    assert_eq!(error.message, "Codex ended before it answered");
    assert_eq!(host.shutdown().await.unwrap().code(), Some(7));
    assert_eq!(kept(&stage).await.0, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_for_which_codex_starts_a_server_that_is_not_of_its_loadout_is_unloaded() {
    let stage = stage().await;
    let host = host(&stage, "stranger").await;
    let (thread, _) = stage.start(&host, json!({})).await;
    host.wait_for(0, |message| {
        message["method"] == "thread/closed" && message["params"]["threadId"] == thread.as_str()
    })
    .await
    .unwrap();
    let cause = stopped(&host, &thread).await;
    assert!(cause.contains("starts MCP server `stranger`"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_the_receipt_that_codex_says_nothing_of_is_a_warning() {
    let stage = stage().await;
    let host = host(&stage, "quiet").await;
    let (thread, receipt) = stage.start(&host, json!({ "mcpServers": ["quiet"] })).await;
    assert_eq!(receipt["mcpServers"][0]["name"], "quiet");
    assert_eq!(receipt["warnings"], json!([]));
    let told = host
        .wait_for(0, |message| {
            message["method"] == "thread/capability/updated"
        })
        .await
        .unwrap();
    assert_eq!(told["params"]["threadId"], thread.as_str());
    let warning = &told["params"]["capabilitySelection"]["warnings"][0];
    assert_eq!(warning["code"], "serverNotStarted");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_for_one_that_a_dead_codex_had_are_answered() {
    let stage = stage().await;
    let host = host(&stage, "'crash in resume'").await;
    let (thread, _) = stage.start(&host, json!({})).await;
    let resume = || host.refusal("thread/resume", json!({ "threadId": thread }));
    let refused = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::join!(resume(), resume(), resume())
    });
    let (first, second, third) = refused.await.unwrap();
    for refused in [first, second, third] {
        refused.unwrap();
    }
    assert_eq!(host.shutdown().await.unwrap().code(), Some(7));
}

/// The real one does so for a moment after the last host has left a thread.
#[tokio::test(flavor = "multi_thread")]
async fn a_thread_that_is_closing_when_a_host_comes_back_is_as_before() {
    let stage = stage().await;
    let host = host(&stage, "closing").await;
    let (thread, receipt) = stage.start(&host, json!({})).await;
    let named = json!({ "threadId": thread });
    let left = host.request("thread/unsubscribe", named.clone()).await;
    left.unwrap();
    let resumed = host.request("thread/resume", named).await.unwrap();
    assert_eq!(resumed["capabilitySelection"]["digest"], receipt["digest"]);
    // What it may have is looked after again.
    let turn = json!({ "threadId": thread, "input": [] });
    host.request("turn/start", turn).await.unwrap();
    let cause = stopped(&host, &thread).await;
    assert!(cause.contains("starts MCP server `stranger`"), "{cause}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_start_leaves_nothing_behind() {
    let stage = stage().await;
    let host = host(&stage, "refuse").await;
    let error = stage.refused(&host, json!({})).await;
    assert_eq!((error.code, error.message.as_str()), (-32600, "not today"));
    host.shutdown().await.unwrap();
    assert_eq!(kept(&stage).await, (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_goes_through_and_breaks_nothing() {
    let stage = stage().await;
    let mut process = Process::spawn(faulty(&stage, "garbage")).unwrap();
    let hello =
        r#"{"id":0,"method":"initialize","params":{"capabilities":{"experimentalApi":true}}}"#;
    process.send(format!("{hello}\n").as_bytes()).await.unwrap();
    let mut read = async || {
        let line = process.read_line(Duration::from_secs(20)).await.unwrap();
        String::from_utf8(line.unwrap()).unwrap()
    };
    assert!(read().await.contains("userAgent"));
    let start = json!({ "id": 1, "method": "thread/start", "params": stage.params(json!({})) });
    process.send(format!("{start}\n").as_bytes()).await.unwrap();
    let mut read = async || {
        let line = process.read_line(Duration::from_secs(20)).await.unwrap();
        String::from_utf8(line.unwrap()).unwrap()
    };
    for line in ["no json\n", "\u{0}\u{1}\n", "{\"half\":\n", "[]\n", "\n"] {
        assert_eq!(read().await, line);
    }
    assert!(read().await.contains("thread/started"));
    assert!(read().await.contains("\"capabilitySelection\":{\"digest\""));
    assert!(process.shutdown().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_does_not_answer_us_holds_up_nothing_else() {
    let stage = stage().await;
    let host = host(&stage, "hang").await;
    let start = host.request("thread/start", stage.params(json!({})));
    let others = async {
        for number in 0..100 {
            let echo = host
                .request("any/method", json!({ "number": number }))
                .await
                .unwrap();
            assert_eq!(echo["echo"]["number"], number);
        }
    };
    tokio::select! {
        answer = start => panic!("nobody answered, but the host got {answer:?}"),
        () = others => {}
    }
    host.kill9().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_in_another_shape_is_a_typed_error() {
    let stage = stage().await;
    let host = host(&stage, "shape").await;
    let error = stage.refused(&host, json!({})).await;
    assert_eq!(error.data["kind"], "unsupportedUpstream");
    assert!(error.message.contains("skills/list"), "{}", error.message);
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_does_not_read_costs_no_memory() {
    let stage = stage().await;
    let mut process = Process::spawn(faulty(&stage, "flood")).unwrap();
    let hello =
        r#"{"id":0,"method":"initialize","params":{"capabilities":{"experimentalApi":true}}}"#;
    let start = json!({ "id": 1, "method": "thread/start", "params": stage.params(json!({})) });
    process
        .send(format!("{hello}\n{start}\n").as_bytes())
        .await
        .unwrap();
    // 50 MB wait to be read; give the proxy the time to take what it will.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let status = fs::read_to_string(format!("/proc/{}/status", process.id().unwrap())).unwrap();
    let peak = status
        .lines()
        .find(|line| line.starts_with("VmHWM"))
        .unwrap();
    let peak: u64 = peak.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!(peak < 60_000, "{peak} KiB");
    let mut deltas = 0;
    loop {
        let line = process.read_line(Duration::from_secs(20)).await.unwrap();
        let line = String::from_utf8(line.unwrap()).unwrap();
        if line.contains("flood/over") {
            break;
        }
        deltas += usize::from(line.contains("agentMessage/delta"));
    }
    assert_eq!(deltas, 50_000);
    assert!(process.shutdown().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_folder_that_cannot_be_written_is_a_typed_error_and_starts_nothing() {
    let stage = stage().await;
    stage.home.write("in-the-way", "a file").unwrap();
    let mut command = stage.proxy();
    command.env(
        "CODEX_LOADOUT_HOME",
        stage.home.path().join("in-the-way/state"),
    );
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    let error = stage.refused(&host, json!({})).await;
    assert_eq!(error.data["kind"], "stateUnavailable");
    assert!(error.message.contains("in-the-way"), "{}", error.message);
    let loaded = host.request("thread/loaded/list", json!({})).await.unwrap();
    assert_eq!(loaded["data"], json!([]));
    // Native threads need no state.
    host.request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_cannot_be_read_is_a_typed_error_and_leaves_nothing_half_published() {
    let builder = Home::builder().skill(lab::Skill::new("broken").file("data.txt", "x"));
    let stage = Stage::of(builder).await;
    let data = stage.home.path().join(".agents/skills/broken/data.txt");
    fs::remove_file(&data).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", &data).unwrap();
    let host = stage.host().await;
    let error = stage.refused(&host, json!({ "skills": ["broken"] })).await;
    assert_eq!(error.data["kind"], "conversionFailed");
    assert!(error.message.contains("data.txt"), "{}", error.message);
    let state = stage.home.path().join(".codex-loadout");
    for folder in ["store-v1/trees", "store-v1/staging", "roots"] {
        assert_eq!(
            fs::read_dir(state.join(folder)).unwrap().count(),
            0,
            "{folder}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_that_is_no_regular_file_holds_up_no_thread() {
    let stage = stage().await;
    let host = stage.host().await;
    let fifo = stage.home.path().join("fifo");
    let made = std::process::Command::new("mkfifo").arg(&fifo).status();
    assert!(made.unwrap().success());
    let started = host
        .request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
    let thread = started["thread"]["id"].as_str().unwrap();
    for path in [
        fifo.as_path(),
        Path::new("/dev/zero"),
        &stage.home.project(),
    ] {
        for method in ["thread/resume", "thread/fork"] {
            let by_path = json!({ "threadId": thread, "path": path });
            let error = host.refusal(method, by_path).await.unwrap();
            assert_eq!(error.data["kind"], "invalidSelection", "{method} {path:?}");
            assert_eq!(error.data["items"][0]["name"], "path");
        }
    }
    host.turn(thread, "hello").await.unwrap();
    assert!(host.shutdown().await.unwrap().success());
}
