//! Bundles that are added here, given to threads of the real Codex by name.

use std::path::Path;
use std::process::Command;

use lab::{Client, Plugin, Seen, Server};
use serde_json::{Value, json};

use crate::stage::{PROXY, Stage, warnings};

/// Where an author's plugin lies, in the home, and the mark that its hook leaves.
const AUTHOR: &str = "author";
const MARK: &str = "mark";

/// A plugin made for Codex: a skill with a script, an MCP server, a hook that leaves a mark.
fn tools(stage: &Stage) -> Plugin {
    let mark = stage.home.path().join(MARK);
    let hook = json!({ "type": "command", "command": format!("echo ran >> '{}'", mark.display()) });
    let hooks = json!({ "hooks": { "SessionStart": [{ "hooks": [hook] }] } });
    plain_tools()
        .server(Server::new("gauge", &["read_gauge"]))
        .file("hooks/hooks.json", &hooks.to_string())
}

fn plain_tools() -> Plugin {
    let skill =
        "---\nname: measure\ndescription: About measuring.\n---\nRun `scripts/measure.sh`.\n";
    Plugin::new("tools")
        .file("skills/measure/SKILL.md", skill)
        .file("skills/measure/scripts/measure.sh", "echo measured\n")
}

/// Writes a plugin where its author has it; gives the folder.
fn author(stage: &Stage, plugin: &Plugin) -> String {
    let folder = stage.home.write_plugin(AUTHOR, plugin).unwrap();
    folder.to_str().unwrap().to_owned()
}

/// How often the hook has run.
fn marks(stage: &Stage) -> usize {
    let mark = stage.home.path().join(MARK);
    std::fs::read_to_string(mark).map_or(0, |text| text.lines().count())
}

/// Runs a verb that has to succeed; gives what it says in JSON.
fn said(stage: &Stage, arguments: &[&str]) -> Value {
    let output = stage.verb(&[&["bundle"], arguments, &["--json"]].concat());
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Runs a verb that has to fail; gives what it says of that.
fn refused(stage: &Stage, arguments: &[&str]) -> String {
    let output = stage.verb(&[&["bundle"], arguments].concat());
    assert_eq!(output.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

/// What the model sees in a turn of a thread.
async fn seen(stage: &Stage, host: &Client, thread: &str) -> Seen {
    host.turn(thread, "What can you do?").await.unwrap();
    stage.model.seen(thread).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_added_bundle_can_run_waits_for_approval() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &tools(&stage));
    let added = said(&stage, &["add", &folder]);
    let bundle = &added["bundle"];
    assert_eq!(
        (bundle["id"].as_str(), bundle["approved"].as_bool()),
        (Some("tools@bundle"), Some(false))
    );
    let executes = bundle["current"]["executes"].as_array().unwrap();
    let kinds: Vec<&str> = executes
        .iter()
        .map(|runs| runs["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["hook", "mcpServer", "script"]);

    let host = stage.host().await;
    let whole = json!({ "plugins": ["tools@bundle"], "hooks": "trusted" });
    let error = stage.refused(&host, whole.clone()).await;
    assert_eq!(error.data["kind"], "untrusted", "{error:?}");
    let digest = bundle["approvalDigest"].as_str().unwrap();
    assert!(error.data["hint"].as_str().unwrap().contains(digest));
    let without = json!({ "plugins": ["tools"], "hooks": "trusted", "onUntrusted": "omit" });
    let (thread, receipt) = stage.start(&host, without).await;
    assert_eq!(warnings(&receipt), ["untrusted", "untrusted"]);
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(shown.skills, ["tools:measure"]);
    assert!(
        shown.mcp_servers.is_empty() && marks(&stage) == 0,
        "{shown:?}"
    );

    // Named hooks are approved for the thread, and they alone.
    let named =
        json!({ "plugins": [{ "id": "tools", "mcpServers": [] }], "hooks": ["SessionStart"] });
    let (thread, receipt) = stage.start(&host, named).await;
    assert_eq!(receipt["hooks"][0]["active"], true, "{receipt}");
    seen(&stage, &host, &thread).await;
    assert_eq!(marks(&stage), 1);
    let wrong =
        json!({ "plugins": [{ "id": "tools", "mcpServers": [] }], "hooks": ["SesionStart"] });
    let error = stage.refused(&host, wrong).await;
    assert_eq!(
        error.data["items"][0]["didYouMean"],
        json!(["SessionStart"])
    );

    said(&stage, &["trust", digest]);
    let (thread, receipt) = stage.start(&host, whole.clone()).await;
    assert_eq!(receipt["plugins"][0]["source"], "bundle", "{receipt}");
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(marks(&stage), 2);
    assert_eq!(shown.skills, ["tools:measure"]);
    assert_eq!(shown.mcp_servers["mcp__gauge"], ["read_gauge"]);

    // What the user takes back holds for threads that live, too.
    said(&stage, &["trust", digest, "--revoke"]);
    assert_eq!(stage.refused(&host, whole).await.data["kind"], "untrusted");
    assert!(host.shutdown().await.unwrap().success());
}

/// A repository of an author's; git asks nothing of the machine's own config.
fn git(folder: &str, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args([
            "-C",
            folder,
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@example.com",
        ])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Commits what an author's folder holds; gives the commit.
fn commit(folder: &str) -> String {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", "x"]);
    git(folder, &["rev-parse", "HEAD"])
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_is_pinned_and_what_an_update_brings_is_shown() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &plain_tools());
    let first = commit(&folder);
    let url = format!("file://{folder}");
    let added = said(&stage, &["add", &url, "--ref", "main"]);
    assert_eq!(added["bundle"]["current"]["commit"], first.as_str());
    let host = stage.host().await;
    let selection = json!({ "plugins": ["tools@bundle"] });
    let (thread, receipt) = stage.start(&host, selection.clone()).await;
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(shown.skills, ["tools:measure"]);

    let newer = tools(&stage).file(
        "skills/weigh/SKILL.md",
        "---\nname: weigh\ndescription: About weighing.\n---\nWeigh.\n",
    );
    author(&stage, &newer);
    let second = commit(&folder);
    let changes = said(&stage, &["update", "--dry-run"]);
    let update = &changes["data"][0];
    assert_eq!(
        (&update["applied"], &update["changes"]["skillsAdded"]),
        (&json!(false), &json!(["tools:weigh"]))
    );
    let gained = update["changes"]["executesAdded"].as_array().unwrap();
    assert_eq!(gained.len(), 2, "{update}");
    // Nobody can be asked: nothing changes.
    let output = stage.verb(&["bundle", "update", "tools"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("CAN RUN NOW") && text.contains("not updated"),
        "{text}"
    );
    let updated = said(&stage, &["update", "tools", "--yes"]);
    assert_eq!(updated["data"][0]["applied"], true);
    assert_eq!(
        said(&stage, &["show", "tools"])["bundle"]["current"]["commit"],
        second.as_str()
    );

    let read = json!({ "threadId": thread });
    let now = host.request("thread/capability/read", read).await.unwrap();
    assert_eq!(now["updateAvailable"], true);
    assert_eq!(now["capabilitySelection"]["digest"], receipt["digest"]);
    assert_eq!(seen(&stage, &host, &thread).await.skills, ["tools:measure"]);
    assert_eq!(
        stage.refused(&host, selection).await.data["kind"],
        "untrusted"
    );
    let skills = json!({ "plugins": [{ "id": "tools", "mcpServers": [] }] });
    let (newer, _) = stage.start(&host, skills).await;
    assert_eq!(
        seen(&stage, &host, &newer).await.skills,
        ["tools:measure", "tools:weigh"]
    );
    assert!(host.shutdown().await.unwrap().success());

    // What was approved once is another content now, and what is new is said.
    let digest = said(&stage, &["show", "tools"])["bundle"]["approvalDigest"].clone();
    said(&stage, &["trust", digest.as_str().unwrap()]);
    let more = tools(&stage).server(Server::new("scale", &["read_scale"]));
    author(&stage, &more);
    commit(&folder);
    said(&stage, &["update", "--yes"]);
    let shown = said(&stage, &["show", "tools"]);
    assert_eq!(shown["bundle"]["approved"], false);
    let since = shown["executesSince"].as_array().unwrap();
    assert_eq!(
        (since.len(), &since[0]["name"]),
        (1, &json!("scale")),
        "{shown}"
    );

    let error = refused(&stage, &["add", &url, "--ref", "mian", "--name", "other"]);
    assert!(error.contains("mian") && error.contains("hint:"), "{error}");
}

/// The digests of all bundles, by name.
fn digests(stage: &Stage) -> Vec<(String, String)> {
    let listed = said(stage, &["list"]);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let bundles = listed["data"].as_array().unwrap().iter();
    bundles
        .map(|bundle| (text(&bundle["id"]), text(&bundle["current"]["digest"])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn another_machine_has_what_the_lock_says() {
    let (here, there) = (Stage::standard().await, Stage::standard().await);
    let folder = author(&here, &plain_tools());
    commit(&folder);
    said(&here, &["add", &format!("file://{folder}")]);
    let profile = "plugins = [\"tools@bundle\"]\n";
    for stage in [&here, &there] {
        stage
            .home
            .write("project/.codex-loadout/profiles/work.toml", profile)
            .unwrap();
    }
    let project = |stage: &Stage| stage.home.project().to_str().unwrap().to_owned();
    let file = "project/.codex-loadout/loadout.lock";
    let lacking = refused(&there, &["sync", "--cwd", &project(&there)]);
    assert!(lacking.contains("bundle lock"), "{lacking}");
    said(&here, &["lock", "--cwd", &project(&here)]);
    let lock = std::fs::read_to_string(here.home.path().join(file)).unwrap();
    there.home.write(file, &lock).unwrap();
    std::fs::remove_file(
        here.home
            .path()
            .join("project/.codex-loadout/profiles/work.toml"),
    )
    .unwrap();
    let removed = here
        .home
        .command(Path::new(PROXY), &["bundle", "remove", "tools"]);
    let removed = { removed }
        .current_dir(here.home.project())
        .output()
        .unwrap();
    let why = String::from_utf8_lossy(&removed.stderr);
    assert!(why.contains("loadout.lock"), "{why}");
    // The author has gone on since.
    author(&here, &tools(&here));
    commit(&folder);
    let offline = refused(&there, &["sync", "--offline", "--cwd", &project(&there)]);
    assert!(offline.contains("--offline"), "{offline}");
    let synced = said(&there, &["sync", "--frozen", "--cwd", &project(&there)]);
    assert_eq!(synced["data"][0]["done"], "added");
    assert_eq!(digests(&there), digests(&here));
    let again = said(
        &there,
        &["sync", "--frozen", "--offline", "--cwd", &project(&there)],
    );
    assert_eq!(again["data"][0]["done"], "unchanged");

    // What a lock says is not what lies there.
    let digest = lock.split("sha256:").nth(1).unwrap()[..64].to_owned();
    let other = lock.replace(&digest, &"0".repeat(64));
    there.home.write(file, &other).unwrap();
    let differs = refused(&there, &["sync", "--cwd", &project(&there)]);
    assert!(differs.contains("the lock says"), "{differs}");
    // A profile needs what the lock does not have.
    there.home.write(file, &lock).unwrap();
    let needs = "plugins = [\"tools@bundle\", \"more@bundle\"]\n";
    there
        .home
        .write("project/.codex-loadout/profiles/work.toml", needs)
        .unwrap();
    let lacks = refused(&there, &["sync", "--frozen", "--cwd", &project(&there)]);
    assert!(lacks.contains("`more`"), "{lacks}");
}

#[tokio::test(flavor = "multi_thread")]
async fn threads_follow_a_folder_that_is_linked_live() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &tools(&stage));
    said(&stage, &["add", "--link", "--live", "--trust", &folder]);
    let host = stage.host().await;
    let (thread, _) = stage
        .start(&host, json!({ "plugins": ["tools@bundle"] }))
        .await;
    assert_eq!(seen(&stage, &host, &thread).await.skills, ["tools:measure"]);
    let mark = host.mark();
    let weigh = "---\nname: weigh\ndescription: About weighing.\n---\nWeigh.\n";
    author(&stage, &tools(&stage).file("skills/weigh/SKILL.md", weigh));
    host.wait_for(mark, |message| {
        message["method"] == "thread/capability/updated"
    })
    .await
    .unwrap();
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!(shown.skills, ["tools:measure", "tools:weigh"]);
    // The folder was approved, whatever it holds.
    assert_eq!(shown.mcp_servers["mcp__gauge"], ["read_gauge"]);
    assert!(host.shutdown().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_verified_and_what_is_needed_stays() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &plain_tools());
    let added = said(&stage, &["add", &folder]);
    stage
        .home
        .add_profile("work", "plugins = [\"tools\"]\n")
        .unwrap();
    let needed = refused(&stage, &["remove", "tools"]);
    assert!(needed.contains("work.toml"), "{needed}");
    let digest = added["bundle"]["current"]["digest"].as_str().unwrap();
    let kept = stage
        .home
        .path()
        .join(".codex-loadout/store-v1/trees")
        .join(&digest["sha256:".len()..]);
    let skill = kept.join("skills/measure/SKILL.md");
    let mut permissions = std::fs::metadata(&skill).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    std::fs::set_permissions(&skill, permissions).unwrap();
    std::fs::write(
        &skill,
        "---\nname: measure\ndescription: Another.\n---\nHarm.\n",
    )
    .unwrap();
    let found = stage.verb(&["bundle", "verify", "--json"]);
    assert_eq!(found.status.code(), Some(1));
    let host = stage.host().await;
    let selection = json!({ "plugins": ["tools"] });
    assert_eq!(
        stage.refused(&host, selection.clone()).await.data["kind"],
        "tampered"
    );
    said(&stage, &["update", "tools", "--yes"]);
    assert!(stage.verb(&["bundle", "verify"]).status.success());
    let (thread, _) = stage.start(&host, selection).await;
    assert_eq!(seen(&stage, &host, &thread).await.skills, ["tools:measure"]);
    std::fs::remove_file(stage.home.path().join(".codex-loadout/profiles/work.toml")).unwrap();
    said(&stage, &["remove", "tools@bundle"]);
    let gone = refused(&stage, &["show", "tools"]);
    assert!(gone.contains("there is no bundle"), "{gone}");
    // The thread has its own, and a clean-up takes nothing that it needs.
    assert!(stage.verb(&["gc"]).status.success());
    assert_eq!(seen(&stage, &host, &thread).await.skills, ["tools:measure"]);
    assert!(host.shutdown().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_says_what_is_fetched_and_what_runs() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &tools(&stage));
    said(&stage, &["add", "--trust", &folder]);
    let policy = |text: &str| {
        stage
            .home
            .write(".codex-loadout/policy.toml", text)
            .unwrap()
    };
    policy("hooks = \"deny\"\n[sources]\nallow = [{ host = \"github.com\" }]\n");
    let error = refused(&stage, &["add", &folder, "--name", "other"]);
    assert!(error.contains("policy.toml"), "{error}");
    let host = stage.host().await;
    let selection = json!({ "plugins": ["tools"], "hooks": "trusted" });
    let (thread, receipt) = stage.start(&host, selection).await;
    assert_eq!(warnings(&receipt), ["blockedByPolicy"], "{receipt}");
    let shown = seen(&stage, &host, &thread).await;
    assert_eq!((marks(&stage), shown.mcp_servers.len()), (0, 1));
    let named = json!({ "plugins": ["tools"], "hooks": ["SessionStart"] });
    assert_eq!(
        stage.refused(&host, named).await.data["kind"],
        "blockedByPolicy"
    );
    policy("servers = \"deny\"\n");
    let (thread, receipt) = stage.start(&host, json!({ "plugins": ["tools"] })).await;
    assert_eq!(warnings(&receipt), ["blockedByPolicy"], "{receipt}");
    assert!(seen(&stage, &host, &thread).await.mcp_servers.is_empty());
    // Who can't read it lets nothing run.
    policy("servers = 5\n");
    let closed = stage.refused(&host, json!({ "plugins": ["tools"] })).await;
    assert_eq!(closed.data["kind"], "blockedByPolicy");
    assert!(host.shutdown().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn hosts_add_and_remove_bundles_too() {
    let stage = Stage::standard().await;
    let folder = author(&stage, &plain_tools());
    let host = stage.host().await;
    let wanted = json!({ "source": folder });
    let added = host
        .request("capability/bundle/add", wanted.clone())
        .await
        .unwrap();
    assert_eq!(added["bundle"]["id"], "tools@bundle");
    let same = host.request("capability/bundle/add", wanted).await.unwrap();
    assert_eq!(
        same["bundle"]["current"]["digest"],
        added["bundle"]["current"]["digest"]
    );
    let listed = host.request("capability/list", json!({})).await.unwrap();
    let of_bundle =
        |entry: &&Value| entry["source"] == "bundle" || entry["source"] == "tools@bundle";
    let listed: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(of_bundle)
        .collect();
    let ids: Vec<&str> = listed
        .iter()
        .map(|entry| entry["id"].as_str().unwrap())
        .collect();
    assert_eq!(ids, ["tools@bundle", "tools:measure"]);
    let elsewhere = json!({ "source": stage.home.project(), "name": "tools" });
    let refusal = host
        .refusal("capability/bundle/add", elsewhere)
        .await
        .unwrap();
    assert_eq!(refusal.data["origin"], "codex-loadout", "{refusal:?}");
    let verified = host
        .request("capability/bundle/verify", json!({}))
        .await
        .unwrap();
    assert_eq!(verified["data"][0]["intact"], true);
    let updated = host
        .request("capability/bundle/update", json!({ "name": "tools" }))
        .await
        .unwrap();
    assert_eq!(updated["data"][0]["applied"], false);
    let name = json!({ "name": "tools" });
    host.request("capability/bundle/remove", name.clone())
        .await
        .unwrap();
    let gone = host.refusal("capability/bundle/read", name).await.unwrap();
    assert_eq!(gone.data["kind"], "unknownCapability");
    let page = host
        .request("capability/audit/list", json!({ "plugin": "tools" }))
        .await
        .unwrap();
    let events = page["data"].as_array().unwrap().iter();
    let events: Vec<&str> = events.map(|row| row["event"].as_str().unwrap()).collect();
    assert_eq!(events, ["bundleAdd", "bundleRemove"]);
    assert!(host.shutdown().await.unwrap().success());
}
