//! Where `codex app-server` was run, the proxy does the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use lab::{Client, Process, Promise};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of};

/// The real Codex with both its pipes written down.
struct Tapped {
    script: PathBuf,
    folder: PathBuf,
}

impl Tapped {
    fn new(stage: &Stage) -> Self {
        let folder = stage.home.path().join("tapped");
        fs::create_dir_all(&folder).unwrap();
        let script = folder.join("codex");
        let text = format!(
            "#!/bin/sh\ntee '{at}/in' | '{codex}' \"$@\" | tee '{at}/out'\n",
            at = folder.display(),
            codex = stage.home.codex().display()
        );
        fs::write(&script, text).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { script, folder }
    }

    fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(name)).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }
}

/// A host that writes down its bytes too.
struct RawHost {
    process: Process,
    sent: Vec<String>,
    received: Vec<String>,
}

impl RawHost {
    fn of(stage: &Stage, tapped: &Tapped) -> Self {
        Self {
            process: Process::spawn(stage.proxy_to(&tapped.script)).unwrap(),
            sent: Vec::new(),
            received: Vec::new(),
        }
    }

    async fn send(&mut self, line: &str) {
        let line = format!("{line}\n");
        self.process.send(line.as_bytes()).await.unwrap();
        self.sent.push(line);
    }

    /// Reads up to the first line that fits.
    async fn until(&mut self, fits: impl Fn(&Value) -> bool) -> Value {
        loop {
            let line = self
                .process
                .read_line(Duration::from_secs(30))
                .await
                .unwrap();
            let line = String::from_utf8(line.unwrap()).unwrap();
            let message: Value = serde_json::from_str(&line).unwrap();
            self.received.push(line);
            if fits(&message) {
                return message;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_uses_nothing_of_ours_is_the_same_to_the_byte() {
    let stage = Stage::standard().await;
    let tapped = Tapped::new(&stage);
    let mut host = RawHost::of(&stage, &tapped);
    let answers =
        |id: Value| move |message: &Value| message["id"] == id && message.get("method").is_none();
    host.send(r#"{"id":0,"method":"initialize","params":{"clientInfo":{"name":"raw","title":"raw","version":"1"},"capabilities":{"experimentalApi":true}},"x":1.0}"#).await;
    host.until(answers(json!(0))).await;
    host.send(r#"{"method":"initialized"}"#).await;
    // Odd, and Codex's to judge: ids, unknown methods, spaces, what is no message at all.
    host.send(r#"{ "method" : "no/such/method", "id": "a \u0062" , "params": {"n":1.10} }"#)
        .await;
    host.until(answers(json!("a b"))).await;
    host.send("no json").await;
    host.send(r#"{"id":9007199254740993,"method":"skills/list","params":{}}"#)
        .await;
    host.until(answers(json!(9007199254740993_i64))).await;
    let start = json!({ "id": "start", "method": "thread/start", "params": { "cwd": stage.home.project(), "approvalPolicy": "untrusted" } });
    host.send(&start.to_string()).await;
    let thread = id_of(&host.until(answers(json!("start"))).await["result"]);
    let turn = json!({ "id": 5, "method": "turn/start", "params": { "threadId": thread, "input": [{ "type": "text",
        "text": r#"CALL - exec_command {"cmd":"touch new-file"}"# }] } });
    host.send(&turn.to_string()).await;
    let approval = host
        .until(|message| message["method"] == "item/commandExecution/requestApproval")
        .await;
    host.send(&json!({ "id": approval["id"], "result": { "decision": "decline" } }).to_string())
        .await;
    host.until(|message| message["method"] == "turn/completed")
        .await;
    // A thread without a loadout is resumed and forked as it comes.
    for method in ["thread/resume", "thread/fork"] {
        let request = json!({ "params": { "threadId": thread }, "method": method, "id": method });
        host.send(&request.to_string()).await;
        host.until(answers(json!(method))).await;
    }
    assert!(host.process.shutdown().await.unwrap().success());
    assert_eq!(tapped.lines("in"), host.sent);
    // What Codex said on its way out was not read here.
    assert_eq!(tapped.lines("out")[..host.received.len()], host.received);
    assert!(!stage.home.path().join(".codex-loadout").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_proxy_asks_for_itself_never_reaches_the_host() {
    let stage = Stage::standard().await;
    let tapped = Tapped::new(&stage);
    let mut host = RawHost::of(&stage, &tapped);
    host.send(r#"{"id":1,"method":"initialize","params":{"clientInfo":{"name":"raw","version":"1"},"capabilities":{"experimentalApi":true}}}"#).await;
    host.until(|message| message["id"] == 1).await;
    host.send(r#"{"method":"initialized"}"#).await;
    let start = json!({ "id": 2, "method": "thread/start", "params": stage.params(json!({ "skills": ["planning"] })) });
    host.send(&start.to_string()).await;
    let started = host.until(|message| message["id"] == 2).await;
    assert!(started["result"]["capabilitySelection"].is_object());
    let id = id_of(&started["result"]);
    let turn = json!({ "id": 3, "method": "turn/start", "params": { "threadId": id, "input": [{ "type": "text", "text": "hi" }] } });
    host.send(&turn.to_string()).await;
    host.until(|message| message["method"] == "turn/completed")
        .await;
    let asked = tapped.lines("in").concat();
    assert!(asked.contains("\"codex-loadout/"), "it asked nothing");
    let heard = host.received.concat();
    assert!(!heard.contains("\"codex-loadout/"), "{heard}");
    assert!(!asked.contains("capabilitySelection"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_is_codexs_own() {
    let stage = Stage::standard().await;
    let host = Client::spawn(stage.proxy()).unwrap();
    host.initialize(false).await.unwrap();
    let own = host
        .refusal(
            "thread/start",
            json!({ "cwd": stage.home.project(), "selectedCapabilityRoots": [] }),
        )
        .await
        .unwrap();
    let ours = host
        .refusal("thread/start", stage.params(json!({})))
        .await
        .unwrap();
    assert_eq!(ours.code, own.code);
    assert_eq!(
        ours.message,
        own.message
            .replace("selectedCapabilityRoots", "capabilitySelection")
    );
    assert_eq!(ours.data, own.data);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_without_a_selection_is_native_beside_one_that_has_one() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    stage.start(&host, json!({})).await;
    let started = host
        .request("thread/start", json!({ "cwd": stage.home.project() }))
        .await
        .unwrap();
    assert_eq!(started.get("capabilitySelection"), None);
    stage
        .check(&host, &id_of(&started), &Promise::native())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn exit_code_and_stderr_are_codexs() {
    let stage = Stage::standard().await;
    let bad = |program: &Path, more: &[&str]| {
        let mut command = stage
            .home
            .command(program, &["app-server", "--no-such-flag"]);
        let output = command.args(more).output().unwrap();
        (
            output.status.code(),
            String::from_utf8(output.stderr).unwrap(),
        )
    };
    let codex = stage.home.codex();
    let own = bad(codex, &[]);
    assert_ne!(own.0, Some(0));
    let through = bad(
        Path::new(crate::stage::PROXY),
        &["--codex", codex.to_str().unwrap()],
    );
    assert_eq!(own, through);

    // A host that hangs up ends both; a signal ends Codex, and the proxy as a shell would say it.
    let host = stage.host().await;
    assert!(host.shutdown().await.unwrap().success());
    let host = stage.host().await;
    let pid = host.id().unwrap().to_string();
    let own = Client::spawn(stage.home.codex_app_server()).unwrap();
    own.initialize(true).await.unwrap();
    let own_pid = own.id().unwrap().to_string();
    for pid in [pid, own_pid] {
        let sent = std::process::Command::new("kill")
            .args(["-TERM", &pid])
            .status();
        assert!(sent.unwrap().success());
    }
    let (host, own) = (
        host.shutdown().await.unwrap(),
        own.shutdown().await.unwrap(),
    );
    use std::os::unix::process::ExitStatusExt;
    let told = own.code().or(own.signal().map(|signal| 128 + signal));
    assert_eq!(host.code(), told);
}
