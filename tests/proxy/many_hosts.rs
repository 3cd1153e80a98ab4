//! Many hosts on one Codex, at sockets: one truth about each thread, and it stays up.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use lab::{Client, Promise};
use serde_json::{Value, json};
use tokio::process::Child;

use crate::stage::{PROXY, Stage, id_of, spawn_child};

const UPDATE: &str = "thread/capability/update";

/// A proxy that listens at a socket.
struct Server {
    child: Child,
    socket: PathBuf,
}

impl Server {
    async fn start(stage: &Stage) -> Self {
        Self::with(stage, &[]).await
    }

    async fn with(stage: &Stage, arguments: &[&str]) -> Self {
        let socket = stage.home.path().join("host.sock");
        let mut command = stage.proxy();
        command
            .args(["--listen", &format!("unix://{}", socket.display())])
            .args(arguments);
        Self::spawn(command, socket).await
    }

    async fn spawn(command: Command, socket: PathBuf) -> Self {
        let child = tokio::process::Command::from(command)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let server = Self { child, socket };
        server.host().await;
        server
    }

    /// A host that has said hello; it is waited for until the server listens.
    async fn host(&self) -> Client {
        let come = async {
            loop {
                match Client::connect(&self.socket).await {
                    Ok(host) => return host,
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                }
            }
        };
        let host = tokio::time::timeout(Duration::from_secs(30), come).await;
        let host = host.unwrap();
        host.initialize(true).await.unwrap();
        host
    }

    async fn terminated(mut self) -> ExitStatus {
        let id = self.child.id().unwrap().to_string();
        Command::new("kill").arg(&id).status().unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(30), self.child.wait());
        ended.await.unwrap().unwrap()
    }

    /// The Codex processes that it has started.
    fn codex(&self) -> Vec<String> {
        let parent = self.child.id().unwrap().to_string();
        let found = Command::new("pgrep")
            .args(["-P", &parent, "codex"])
            .output();
        let found = String::from_utf8(found.unwrap().stdout).unwrap();
        found.lines().map(str::to_owned).collect()
    }
}

fn only(skill: &str) -> Value {
    json!({ "mode": "replace", "skills": [skill] })
}

async fn exact(stage: &Stage, host: &Client, thread: &str, skill: &str) {
    let promise = Promise::of_skills(&[skill]);
    // What the thread had before stays in its history.
    host.turn(thread, "What can you do?").await.unwrap();
    let seen = stage.model.seen(thread).unwrap();
    assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{thread}");
}

async fn open(host: &Client, thread: &str) -> Value {
    let named = json!({ "threadId": thread, "excludeTurns": true });
    host.request("thread/resume", named).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_that_have_a_thread_open_have_it_with_one_loadout() {
    let stage = Stage::standard().await;
    let server = Server::start(&stage).await;
    let (one, two) = (server.host().await, server.host().await);
    let (thread, _) = stage.start(&one, only("repo-review")).await;
    let (other, _) = stage.start(&two, only("planning")).await;
    exact(&stage, &one, &thread, "repo-review").await;
    exact(&stage, &two, &other, "planning").await;
    let opened = open(&two, &thread).await;
    assert_eq!(
        opened["capabilitySelection"]["skills"][0]["name"],
        "repo-review"
    );
    exact(&stage, &two, &thread, "repo-review").await;
    // The second changes it: both are told, both still have it open.
    let (heard_by_one, heard_by_two) = (one.mark(), two.mark());
    let update = json!({ "threadId": thread, "capabilitySelection": only("planning") });
    two.request(UPDATE, update).await.unwrap();
    for (host, mark) in [(&one, heard_by_one), (&two, heard_by_two)] {
        let told = host.wait_for(mark, |told| told["method"] == "thread/capability/updated");
        let told = told.await.unwrap();
        let skills = &told["params"]["capabilitySelection"]["skills"];
        assert_eq!(skills[0]["name"], "planning");
    }
    for (speaks, hears) in [(&one, &two), (&two, &one)] {
        let mark = hears.mark();
        exact(&stage, speaks, &thread, "planning").await;
        let ended = |told: &Value| {
            told["method"] == "turn/completed" && told["params"]["threadId"] == *thread
        };
        hears.wait_for(mark, ended).await.unwrap();
    }
    // By a resume of the first, too; and what is spawned has it, and both hear of it.
    let resumed = json!({ "threadId": thread, "capabilitySelection": only("repo-review") });
    one.request("thread/resume", resumed).await.unwrap();
    let mark = two.mark();
    exact(&stage, &one, &thread, "repo-review").await;
    let child = spawn_child(&two, &thread).await;
    let of_child = |told: &Value| told["params"]["threadId"] == *child;
    two.wait_for(mark, of_child).await.unwrap();
    one.wait_for(0, of_child).await.unwrap();
    let seen = stage.model.wait_for_thread(&child).await.unwrap();
    let breaches = Promise::of_skills(&["repo-review"]).breaches(&seen);
    assert_eq!(breaches, Vec::<String>::new());
    // The other thread is what it was.
    exact(&stage, &two, &other, "planning").await;
    assert!(server.terminated().await.code().is_some() || cfg!(unix));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_codex_that_dies_is_started_again_and_its_hosts_go_on_with_their_loadouts() {
    let stage = Stage::standard().await;
    let server = Server::start(&stage).await;
    let (one, two) = (server.host().await, server.host().await);
    let (thread, _) = stage.start(&one, only("repo-review")).await;
    exact(&stage, &one, &thread, "repo-review").await;
    let codex = server.codex();
    assert_eq!(codex.len(), 1);
    let (heard_by_one, heard_by_two) = (one.mark(), two.mark());
    Command::new("kill")
        .args(["-9", &codex[0]])
        .status()
        .unwrap();
    let closed =
        |told: &Value| told["method"] == "thread/closed" && told["params"]["threadId"] == *thread;
    one.wait_for(heard_by_one, closed).await.unwrap();
    for (host, mark) in [(&one, heard_by_one), (&two, heard_by_two)] {
        let warned = |told: &Value| {
            let message = told["params"]["message"].as_str().unwrap_or_default();
            told["method"] == "warning" && message.contains("started again")
        };
        host.wait_for(mark, warned).await.unwrap();
    }
    assert!(!two.messages()[heard_by_two..].iter().any(closed));
    open(&one, &thread).await;
    exact(&stage, &one, &thread, "repo-review").await;
    open(&two, &thread).await;
    exact(&stage, &two, &thread, "repo-review").await;
    let third = server.host().await;
    let (another, _) = stage.start(&third, only("planning")).await;
    exact(&stage, &third, &another, "planning").await;
    assert_ne!(server.codex(), codex);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_dying_codex_owes_has_one_answer_and_one_that_dies_again_and_again_ends_it() {
    let stage = Stage::standard().await;
    let mut server = Server::start(&stage).await;
    let host = server.host().await;
    for _ in 0..4 {
        let codex = server.codex();
        // A command that Codex runs for as long as it lives.
        let slow = json!({ "command": ["sleep", "60"], "timeoutMs": 60_000 });
        let owed = host.request("command/exec", slow);
        let end = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            Command::new("kill")
                .args(["-9", &codex[0]])
                .status()
                .unwrap();
        };
        let (owed, ()) = tokio::join!(owed, end);
        let error = format!("{:#}", owed.unwrap_err());
        assert!(error.contains("Codex ended before it answered"), "{error}");
        // It is there again.
        host.request("model/list", json!({})).await.unwrap();
    }
    let codex = server.codex();
    Command::new("kill")
        .args(["-9", &codex[0]])
        .status()
        .unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(30), server.child.wait());
    assert!(!ended.await.unwrap().unwrap().success());
    assert!(!server.socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_that_leave_leave_nothing_behind() {
    let stage = Stage::standard().await;
    let server = Server::start(&stage).await;
    let stays = server.host().await;
    let open_files = || {
        let files = format!("/proc/{}/fd", server.child.id().unwrap());
        std::fs::read_dir(files).map_or(0, Iterator::count)
    };
    let (thread, _) = stage.start(&stays, only("planning")).await;
    exact(&stage, &stays, &thread, "planning").await;
    let before = open_files();
    for _ in 0..20 {
        let host = server.host().await;
        open(&host, &thread).await;
        host.leave().await.unwrap();
    }
    let mut after = open_files();
    for _ in 0..100 {
        if after <= before {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        after = open_files();
    }
    assert!(after <= before, "{before} files, then {after}");
    // Nobody but the one that stays keeps the thread: it can be changed.
    let update = json!({ "threadId": thread, "capabilitySelection": only("repo-review") });
    stays.request(UPDATE, update).await.unwrap();
    exact(&stage, &stays, &thread, "repo-review").await;
    let socket = server.socket.clone();
    server.terminated().await;
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_passes_a_proxy_to_a_codex_that_runs_is_served() {
    let stage = Stage::standard().await;
    let socket = stage.home.path().join("codex.sock");
    let mut codex = stage.home.codex_app_server();
    codex.args(["--listen", &format!("unix://{}", socket.display())]);
    let native = Server::spawn(codex, socket.clone()).await;
    let arguments = ["app-server", "proxy", "--sock", socket.to_str().unwrap()];
    let proxied = |arguments: &[&str]| {
        let mut command = stage.home.command(Path::new(PROXY), arguments);
        command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
        tokio::process::Command::from(command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap()
    };
    let mut proxy = proxied(&arguments);
    let host = Client::on_stdio_of(&mut proxy).await.unwrap();
    host.initialize(true).await.unwrap();
    let (thread, _) = stage.start(&host, only("planning")).await;
    exact(&stage, &host, &thread, "planning").await;
    // It ends with its host.
    host.leave().await.unwrap();
    let ended = tokio::time::timeout(Duration::from_secs(10), proxy.wait());
    assert!(ended.await.unwrap().unwrap().success());
    drop(native);
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
    let host = Client::connect(&socket).await.unwrap();
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
