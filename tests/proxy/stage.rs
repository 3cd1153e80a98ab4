//! A user, a model, and hosts that talk to Codex through the proxy.

use std::path::Path;
use std::process::Command;

use lab::{Client, Home, HomeBuilder, Model, Promise, RpcError, Skill};
use serde_json::{Value, json};

/// The proxy under test.
pub(crate) const PROXY: &str = env!("CARGO_BIN_EXE_codex-loadout");

/// What `github@internal` and the others of the standard home bring.
pub(crate) const GITHUB_TOOLS: [&str; 3] = ["comment", "list_pull_requests", "read_diff"];
pub(crate) const LINEAR_TOOLS: [&str; 2] = ["create_issue", "search_issues"];
pub(crate) const NOTES_TOOLS: [&str; 2] = ["search_notes", "write_note"];

pub(crate) struct Stage {
    pub(crate) model: Model,
    pub(crate) home: Home,
}

impl Stage {
    pub(crate) async fn standard() -> Self {
        Self::of(HomeBuilder::standard().unwrap()).await
    }

    pub(crate) async fn of(builder: HomeBuilder) -> Self {
        let model = Model::start().await.unwrap();
        let home = builder.build(model.url()).unwrap();
        Self { model, home }
    }

    /// `codex-loadout app-server` on this home's Codex.
    pub(crate) fn proxy(&self) -> Command {
        self.proxy_to(self.home.codex())
    }

    pub(crate) fn proxy_to(&self, codex: &Path) -> Command {
        let mut command = self.home.command(Path::new(PROXY), &["app-server"]);
        command.arg("--codex").arg(codex);
        command
    }

    /// A skill of the user's is added, and this host's Codex has noticed it.
    pub(crate) async fn add_noticed_skill(&self, host: &Client, name: &str) {
        let mark = host.mark();
        self.home
            .add_skill(".agents/skills", &Skill::new(name))
            .unwrap();
        host.wait_for(mark, |message| message["method"] == "skills/changed")
            .await
            .unwrap();
    }

    /// A host that has said hello.
    pub(crate) async fn host(&self) -> Client {
        let client = Client::spawn(self.proxy()).unwrap();
        client.initialize(true).await.unwrap();
        client
    }

    /// A host whose proxy is started by this shell, which does something first.
    pub(crate) async fn host_after(&self, shell: &[&str], first: &str) -> Client {
        let proxy = self.proxy();
        let script = format!("{first}; exec \"$0\" \"$@\"");
        let arguments: Vec<&str> = [&shell[1..], &["-c", &script]].concat();
        let mut command = self.home.command(Path::new(shell[0]), &arguments);
        command.arg(proxy.get_program()).args(proxy.get_args());
        let client = Client::spawn(command).unwrap();
        client.initialize(true).await.unwrap();
        client
    }

    /// `codex-loadout VERB …`, which asks this home's Codex.
    pub(crate) fn verb(&self, arguments: &[&str]) -> std::process::Output {
        self.home
            .command(Path::new(PROXY), arguments)
            .env("CODEX_LOADOUT_CODEX", self.home.codex())
            .output()
            .unwrap()
    }

    pub(crate) fn params(&self, selection: Value) -> Value {
        json!({ "cwd": self.home.project(), "capabilitySelection": selection })
    }

    /// Starts a thread with a selection; gives its id and receipt.
    pub(crate) async fn start(&self, host: &Client, selection: Value) -> (String, Value) {
        let mut started = host
            .request("thread/start", self.params(selection))
            .await
            .unwrap();
        (id_of(&started), started["capabilitySelection"].take())
    }

    pub(crate) async fn refused(&self, host: &Client, selection: Value) -> RpcError {
        host.refusal("thread/start", self.params(selection))
            .await
            .unwrap()
    }

    /// Runs a turn and holds what the model saw against the promise.
    pub(crate) async fn check(&self, host: &Client, thread: &str, promise: &Promise) {
        host.turn(thread, "What can you do?").await.unwrap();
        let breaches = promise.breaches(&self.model.seen(thread).unwrap());
        assert_eq!(breaches, Vec::<String>::new(), "{thread}");
    }
}

/// This home's Codex by itself, at a socket: where it listens, and what it ends with.
#[cfg(unix)]
pub(crate) async fn native_codex(stage: &Stage) -> (String, tokio::process::Child) {
    let socket = stage.home.path().join("codex.sock");
    let address = format!("unix://{}", socket.display());
    let mut codex = stage.home.codex_app_server();
    codex.args(["--listen", &address]);
    let mut codex = tokio::process::Command::from(codex)
        .stderr(std::process::Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    while tokio::net::UnixStream::connect(&socket).await.is_err() {
        assert!(codex.try_wait().unwrap().is_none());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    (address, codex)
}

pub(crate) fn id_of(opened: &Value) -> String {
    opened["thread"]["id"].as_str().unwrap().to_owned()
}

/// The codes of a receipt's warnings.
pub(crate) fn warnings(receipt: &Value) -> Vec<String> {
    receipt["warnings"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|warning| warning["code"].as_str().unwrap().to_owned())
        .collect()
}

/// Lets a thread's model spawn a child; gives the child's id.
pub(crate) async fn spawn_child(host: &Client, parent: &str) -> String {
    spawn(host, parent, &json!({ "message": "look" })).await
}

/// The same, in a role.
pub(crate) async fn spawn_child_as(host: &Client, parent: &str, role: &str) -> String {
    spawn(
        host,
        parent,
        &json!({ "message": "look", "agent_type": role }),
    )
    .await
}

async fn spawn(host: &Client, parent: &str, arguments: &Value) -> String {
    let mark = host.mark();
    host.turn(
        parent,
        &format!("CALL multi_agent_v1 spawn_agent {arguments}"),
    )
    .await
    .unwrap();
    let spawned = host
        .wait_for(mark, |message| {
            message["params"]["item"]["receiverThreadIds"][0].is_string()
        })
        .await
        .unwrap();
    spawned["params"]["item"]["receiverThreadIds"][0]
        .as_str()
        .unwrap()
        .to_owned()
}

/// Lets the user approve every hook that Codex lists, as its own interface does.
pub(crate) async fn trust_hooks(stage: &Stage) {
    let host = stage.host().await;
    let folder = json!({ "cwds": [stage.home.project()] });
    let listed = host.request("hooks/list", folder).await.unwrap();
    let file = stage.home.codex_home().join("config.toml");
    let mut config = std::fs::read_to_string(&file).unwrap();
    for hook in listed["data"][0]["hooks"].as_array().unwrap() {
        let hashes = hook["currentHash"].as_str().unwrap();
        let (definition, content) = hashes.split_once('/').unwrap_or((hashes, ""));
        let key = hook["key"].as_str().unwrap();
        config += &format!("\n[hooks.state.{key:?}]\ntrusted_hash = {definition:?}\n");
        if !content.is_empty() {
            config += &format!("trusted_content_hash = {content:?}\n");
        }
    }
    std::fs::write(file, config).unwrap();
    assert!(host.shutdown().await.unwrap().success());
}
