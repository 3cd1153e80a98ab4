//! What an administrator says of every thread: `/etc/codex/managed_config.toml` and `requirements.toml`, in
//! a mount namespace of the proxy's own.

use std::fs;
use std::path::Path;
use std::process::Command;

use lab::{Client, HomeBuilder, Promise, Server, can_be_under_administrator, under_administrator};
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, LINEAR_TOOLS, NOTES_TOOLS, PROXY, Stage, id_of, warnings};

const MANAGED: &str = "managed_config.toml";
const REQUIREMENTS: &str = "requirements.toml";

/// A user on a machine with an administrator.
struct Managed {
    stage: Stage,
}

impl Managed {
    /// `None`, and said so, where this machine lets nobody make a mount namespace.
    #[expect(clippy::print_stderr, reason = "a test that is skipped must say so")]
    async fn new(builder: HomeBuilder) -> Option<Self> {
        let stage = Stage::of(builder).await;
        if can_be_under_administrator(&stage.home.path().join("lab")) {
            return Some(Self { stage });
        }
        eprintln!("SKIPPED: `unshare -m` is not permitted here");
        None
    }

    fn command(&self, program: &Path, arguments: &[&str]) -> Command {
        let inside = under_administrator(&self.stage.home.path().join("lab")).unwrap();
        let inside: Vec<&str> = inside.iter().map(String::as_str).collect();
        let mut command = self.stage.home.command(Path::new("unshare"), &inside);
        command
            .arg(program)
            .args(arguments)
            .env("CODEX_LOADOUT_CODEX", self.stage.home.codex());
        command
    }

    /// What the administrator says from now on.
    fn says(&self, file: &str, text: &str) {
        self.stage
            .home
            .write(&format!("lab/admin/{file}"), text)
            .unwrap();
    }

    fn says_nothing(&self) {
        for file in [MANAGED, REQUIREMENTS] {
            let _ = fs::remove_file(self.stage.home.path().join("lab/admin").join(file));
        }
    }

    async fn host(&self) -> Client {
        let host = Client::spawn(self.command(Path::new(PROXY), &["app-server"])).unwrap();
        host.initialize(true).await.unwrap();
        host
    }

    /// A server of the lab, switched on for everyone.
    fn corp(&self) -> String {
        let home = self.stage.home.path().display();
        format!(
            "[mcp_servers.corp]\ncommand = \"node\"\nargs = [\"{home}/lab/mcp.mjs\", \"{home}/lab/mcp.log\", \"corp\", \"corp_tool\"]\n"
        )
    }
}

/// Kind, layer named, and keys of a refusal.
fn told(error: &lab::RpcError) -> (String, String, Vec<String>) {
    let items = error.data["items"].as_array().unwrap();
    let names = items
        .iter()
        .map(|item| item["name"].as_str().unwrap().to_owned());
    let layer = error.message.split('`').nth(1).unwrap_or_default();
    (
        error.data["kind"].as_str().unwrap().to_owned(),
        layer.to_owned(),
        names.collect(),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forced_on_every_thread_is_refused_or_in_the_receipt() {
    let Some(managed) = Managed::new(HomeBuilder::standard().unwrap()).await else {
        return;
    };
    let stage = &managed.stage;
    let corp = managed.corp();
    let enabled = format!("{corp}enabled = true\n");
    let with_plugins = || {
        Promise::default()
            .server("github", &GITHUB_TOOLS)
            .server("linear", &LINEAR_TOOLS)
    };
    let plugins = "[features]\nplugins = true\n";
    let with_corp = || Promise::default().server("corp", &["corp_tool"]);
    for (file, text, key, promise) in [
        (MANAGED, plugins, "features.plugins", with_plugins()),
        (REQUIREMENTS, plugins, "features.plugins", with_plugins()),
        (MANAGED, &enabled, "mcp_servers.corp.enabled", with_corp()),
    ] {
        managed.says_nothing();
        managed.says(file, text);
        let host = managed.host().await;
        let layer = format!("/etc/codex/{file}");
        let error = stage.refused(&host, json!({})).await;
        let expected = (
            "policyConflict".to_owned(),
            layer.clone(),
            vec![key.to_owned()],
        );
        assert_eq!(told(&error), expected);
        let params = stage.params(json!({}));
        let error = host.refusal("capability/resolve", params).await.unwrap();
        assert_eq!(told(&error), expected);
        let include = json!({ "managed": "include" });
        let (thread, receipt) = stage.start(&host, include.clone()).await;
        assert_eq!(receipt["managed"], json!([{ "layer": layer, "key": key }]));
        stage.check(&host, &thread, &promise).await;
        let proof = host
            .request("thread/capability/prove", stage.params(include))
            .await
            .unwrap();
        assert_eq!(proof["differences"], json!([]), "{file} {key}");
        host.shutdown().await.unwrap();
    }
    // What a thread can be kept free of, is no conflict.
    managed.says_nothing();
    managed.says(
        MANAGED,
        &format!("{corp}[skills.bundled]\nenabled = true\n[features]\nhooks = true\n"),
    );
    let host = managed.host().await;
    let (thread, receipt) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    assert_eq!(receipt["managed"], Value::Null);
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_of_an_administrator_run_in_every_thread() {
    let Some(managed) = Managed::new(HomeBuilder::standard().unwrap()).await else {
        return;
    };
    let stage = &managed.stage;
    let ran = stage.home.path().join("ran");
    let handler = format!(
        "type = \"command\"\ncommand = \"touch {}\"\n",
        ran.display()
    );
    let hook = format!("[[hooks.Stop]]\n[[hooks.Stop.hooks]]\n{handler}");
    let in_folder = format!(
        "[hooks]\nmanaged_dir = \"{}\"\n{hook}",
        stage.home.path().join("lab").display()
    );
    for (file, text) in [(MANAGED, &hook), (REQUIREMENTS, &in_folder)] {
        managed.says_nothing();
        managed.says(file, text);
        let host = managed.host().await;
        let error = stage.refused(&host, json!({})).await;
        let (kind, layer, keys) = told(&error);
        assert_eq!(
            (&*kind, keys),
            ("policyConflict", vec!["hooks.Stop".to_owned()])
        );
        assert_eq!(layer, format!("/etc/codex/{file}"));
        let (thread, receipt) = stage.start(&host, json!({ "managed": "include" })).await;
        assert_eq!(receipt["managed"][0]["key"], "hooks.Stop");
        assert!(!ran.exists());
        stage.check(&host, &thread, &Promise::default()).await;
        assert!(ran.exists(), "{file}");
        fs::remove_file(&ran).unwrap();
        host.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_forbidden_is_refused_where_it_is_named_and_no_receipt_has_it() {
    let builder = HomeBuilder::standard()
        .unwrap()
        .server(Server::new("other", &["other_tool"]));
    let Some(managed) = Managed::new(builder).await else {
        return;
    };
    let stage = &managed.stage;
    managed.says(
        REQUIREMENTS,
        "[mcp_servers.team-notes.identity]\ncommand = \"node\"\n",
    );
    let host = managed.host().await;
    let layer = "/etc/codex/requirements.toml".to_owned();
    let blocked = |keys: &[&str]| {
        let keys = keys.iter().map(|key| (*key).to_owned()).collect();
        ("blockedByPolicy".to_owned(), layer.clone(), keys)
    };
    let (thread, _) = stage
        .start(&host, json!({ "mcpServers": ["team-notes"] }))
        .await;
    let notes = Promise::default().server("team-notes", &NOTES_TOOLS);
    stage.check(&host, &thread, &notes).await;
    let named = json!({ "mcpServers": ["team-notes", "other", "github"] });
    let error = stage.refused(&host, named).await;
    assert_eq!(
        told(&error),
        blocked(&["mcp_servers.github", "mcp_servers.other"])
    );
    // One that comes along with a plugin is left out, and said so.
    let (thread, receipt) = stage
        .start(&host, json!({ "plugins": ["github@internal"] }))
        .await;
    assert_eq!(receipt["mcpServers"], json!([]));
    assert_eq!(warnings(&receipt), ["blockedByPolicy"]);
    stage
        .check(
            &host,
            &thread,
            &Promise::of_skills(&["github:pull-request"]),
        )
        .await;
    // What remains of the user's own is what runs.
    let (_, receipt) = stage.start(&host, json!({ "mode": "restrict" })).await;
    let servers: Vec<&Value> = receipt["mcpServers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|server| &server["name"])
        .collect();
    assert_eq!(servers, ["github", "linear", "team-notes"]);
    host.shutdown().await.unwrap();

    for text in [
        "[features]\nplugins = false\n",
        "[marketplaces]\nrestrict_to_allowed_sources = true\n",
    ] {
        managed.says(REQUIREMENTS, text);
        let host = managed.host().await;
        for name in ["github", "github@internal"] {
            let error = stage.refused(&host, json!({ "plugins": [name] })).await;
            assert_eq!(error.data["kind"], "blockedByPolicy", "{text}");
            assert_eq!(error.data["items"][0]["name"], "github@internal");
        }
        host.shutdown().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_while_threads_live_counts_at_their_next_load() {
    let Some(managed) = Managed::new(HomeBuilder::standard().unwrap()).await else {
        return;
    };
    let stage = &managed.stage;
    let host = managed.host().await;
    let selection = json!({ "skills": ["planning"] });
    let promise = Promise::of_skills(&["planning"]);
    let (thread, _) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &thread, &promise).await;
    managed.says(MANAGED, "[features]\nplugins = true\n");
    // A loaded thread has the config it was loaded with.
    stage.check(&host, &thread, &promise).await;
    let error = stage.refused(&host, selection.clone()).await;
    assert_eq!(told(&error).0, "policyConflict");
    let fork = json!({ "threadId": thread });
    let error = host.refusal("thread/fork", fork.clone()).await.unwrap();
    assert_eq!(told(&error).0, "policyConflict");
    host.shutdown().await.unwrap();

    let host = managed.host().await;
    let error = host.refusal("thread/resume", fork.clone()).await.unwrap();
    assert_eq!(told(&error).0, "policyConflict");
    managed.says_nothing();
    let resumed = host.request("thread/resume", fork).await.unwrap();
    stage.check(&host, &id_of(&resumed), &promise).await;
    // A server that comes in would make it load anew: that is where it is refused.
    managed.says(MANAGED, &format!("{}enabled = true\n", managed.corp()));
    stage.check(&host, &thread, &promise).await;
    let reload = "config/mcpServer/reload";
    let error = host.refusal(reload, Value::Null).await.unwrap();
    assert_eq!(
        told(&error),
        (
            "policyConflict".to_owned(),
            "/etc/codex/managed_config.toml".to_owned(),
            vec!["mcp_servers.corp.enabled".to_owned()]
        )
    );
    managed.says_nothing();
    stage.check(&host, &thread, &promise).await;
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_says_what_policy_is_in_force() {
    let Some(managed) = Managed::new(HomeBuilder::standard().unwrap()).await else {
        return;
    };
    managed.says(REQUIREMENTS, "allow_managed_hooks_only = true\n");
    let output = managed
        .command(Path::new(PROXY), &["doctor", "--json"])
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let policy = found["policy"].as_array().unwrap();
    assert_eq!(policy.len(), 1);
    assert_eq!(policy[0]["layer"], "/etc/codex/requirements.toml");
    assert_eq!(policy[0]["key"], "allow_managed_hooks_only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_of_an_administrator_is_not_replaced_and_its_base_counts_in_its_layer() {
    let Some(managed) = Managed::new(HomeBuilder::standard().unwrap()).await else {
        return;
    };
    let home = &managed.stage.home;
    let write = |path: &str, text: &str| home.write(path, text).unwrap();
    write(
        "lab/admin-loadout/profiles/review.toml",
        "skills = [\"repo-review\"]\n",
    );
    write(
        "lab/admin-loadout/profiles/base.toml",
        "mcp_servers = [\"team-notes\"]\n",
    );
    let own = |name, text| home.add_profile(name, text).unwrap();
    own("review", "skills = [\"planning\"]\n");
    own(
        "mine",
        "extends = [\"review\"]\nskills = [\"house-style\"]\n",
    );
    let mut command = managed.command(Path::new(PROXY), &["app-server"]);
    command.arg("--codex").arg(home.codex());
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    for (profile, skills) in [
        ("review", &["repo-review"][..]),
        ("mine", &["repo-review", "house-style"]),
    ] {
        let selection = json!({ "profile": profile });
        let (thread, _) = managed.stage.start(&host, selection).await;
        let promise = Promise::of_skills(skills).server("team-notes", &NOTES_TOOLS);
        managed.stage.check(&host, &thread, &promise).await;
    }
    let refused = host
        .refusal(
            "capability/profile/write",
            json!({ "name": "review", "text": "skills = []" }),
        )
        .await
        .unwrap();
    assert_eq!(refused.data["kind"], "blockedByPolicy");
    host.shutdown().await.unwrap();
}
