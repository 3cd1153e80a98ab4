//! Plugins that were made for Claude, in threads of the real Codex.

use std::path::{Path, PathBuf};

use lab::{Client, HomeBuilder, Plugin, Promise};
use serde_json::{Value, json};

use crate::stage::{Stage, id_of, spawn_child_as, trust_hooks, warnings};

/// A command, a skill, an agent, an MCP server and files that they need, all in Claude's words.
pub(crate) const FORGE: [(&str, &str); 7] = [
    (
        "commands/prd.md",
        "---\ndescription: Writes a PRD\nargument-hint: <idea>\n---\n\nWrite a PRD for: $ARGUMENTS\n\n\
         @${CLAUDE_PLUGIN_ROOT}/shared/rules.md\n\nRun:\n\n```bash\nsh ${CLAUDE_PLUGIN_ROOT}/scripts/go.sh\n```\n\n\
         Keep notes in `${CLAUDE_PLUGIN_DATA}/notes.md`. Then use `/forge:audit`, and let Task(subagent_type=\"reviewer\") look at it.\n",
    ),
    (
        "skills/audit/SKILL.md",
        "---\nname: audit\ndescription: Audits: everything\n---\n\nSee [the rules](../../shared/rules.md).\n",
    ),
    (
        "agents/reviewer.md",
        "---\nname: reviewer\ndescription: Reviews a PRD\ntools: Read, Grep\n---\n\nYou review what was forged.\n",
    ),
    ("shared/rules.md", "Be brief.\n"),
    ("scripts/go.sh", "echo gone\n"),
    ("server.mjs", include_str!("../support/src/home/mcp.mjs")),
    (
        ".mcp.json",
        r#"{"mcpServers":{"forge":{"command":"node","args":["${CLAUDE_PLUGIN_ROOT}/server.mjs","/dev/null","forge","strike"]}}}"#,
    ),
];

fn forge() -> Plugin {
    let plugin = Plugin::new("forge").for_claude();
    FORGE
        .iter()
        .fold(plugin, |plugin, (path, text)| plugin.file(path, text))
}

async fn stage() -> Stage {
    Stage::of(HomeBuilder::standard().unwrap().plugin(forge())).await
}

fn whole() -> Promise {
    Promise::of_skills(&["forge:audit", "forge:prd"]).server("forge", &["strike"])
}

/// The text that mentions of skills brought into a thread.
fn injected(stage: &Stage, thread: &str) -> String {
    let request = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(thread))
        .unwrap();
    let input = request.body["input"].as_array().unwrap().iter();
    let texts = input.flat_map(|item| item["content"].as_array().into_iter().flatten());
    let texts = texts.filter_map(|part| part["text"].as_str());
    texts
        .filter(|text| text.starts_with("<skill>"))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Every absolute path in a text that leads into our store.
fn store_paths(text: &str) -> Vec<PathBuf> {
    let ends = |c: char| c.is_whitespace() || "`'\"<>()".contains(c);
    text.split(ends)
        .filter(|word| word.starts_with('/') && word.contains("/store-v1/"))
        .map(|word| PathBuf::from(word.trim_end_matches(['.', ','])))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chosen_claude_plugin_is_there_with_all_its_parts() {
    let stage = stage().await;
    let before = stage.home.fingerprint().unwrap();
    let host = stage.host().await;
    let (thread, receipt) = stage.start(&host, json!({ "plugins": ["forge"] })).await;
    let plugin = &receipt["plugins"][0];
    assert_eq!(plugin["skills"], json!(["forge:audit", "forge:prd"]));
    assert_eq!(plugin["agents"], json!(["forge:reviewer"]));
    assert_eq!(plugin["mcpServers"], json!(["forge"]));
    stage.check(&host, &thread, &whole()).await;
    let seen = stage.model.seen(&thread).unwrap();
    assert!(
        seen.agents.contains(&"forge:reviewer".to_owned()),
        "{:?}",
        seen.agents
    );

    host.turn(&thread, "$forge:prd a new hammer").await.unwrap();
    let text = injected(&stage, &thread);
    assert!(!text.contains("CLAUDE_"), "{text}");
    assert!(
        text.contains("$forge:audit")
            && text.contains("agent_type=\"forge:reviewer\"")
            && text.contains("`Task` – spawn an agent"),
        "{text}"
    );
    let paths = store_paths(&text);
    let read = |end: &str| {
        let path = paths.iter().find(|path| path.ends_with(end));
        std::fs::read_to_string(path.unwrap_or_else(|| panic!("no {end} in {text}"))).unwrap()
    };
    assert_eq!(read("shared/rules.md"), "Be brief.\n");
    assert_eq!(read("scripts/go.sh"), "echo gone\n");
    let data = stage.home.path().join(".codex-loadout/data/forge@internal");
    assert!(
        text.contains(data.to_str().unwrap()) && data.is_dir(),
        "{text}"
    );

    let child = spawn_child_as(&host, &thread, "forge:reviewer").await;
    stage.model.wait_for_thread(&child).await.unwrap();
    let asked = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(&child))
        .unwrap();
    assert!(
        asked
            .body
            .to_string()
            .contains("You review what was forged.")
    );
    assert_eq!(
        whole().breaches(&stage.model.seen(&child).unwrap()),
        Vec::<String>::new()
    );
    assert!(host.shutdown().await.unwrap().success());
    assert_eq!(
        stage.home.fingerprint().unwrap().changes_since(&before),
        Vec::<String>::new()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn it_can_be_proven() {
    let stage = stage_with_hooks().await;
    trust_hooks(&stage).await;
    let host = stage.host().await;
    let selection = json!({ "plugins": ["forge"], "hooks": "trusted" });
    let params = json!({ "capabilitySelection": selection, "cwd": stage.home.project() });
    let proof = host
        .request("thread/capability/prove", params)
        .await
        .unwrap();
    assert_eq!(proof["differences"], json!([]), "{proof}");
    assert_eq!(proof["hooks"], json!(["sessionStart"]));
    let agents = proof["seen"]["agents"].as_array().unwrap();
    assert!(agents.contains(&json!("forge:reviewer")));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_the_same_after_restart_resume_and_fork() {
    let stage = stage().await;
    let host = stage.host().await;
    let (thread, first) = stage.start(&host, json!({ "plugins": ["forge"] })).await;
    stage.check(&host, &thread, &whole()).await;
    assert!(host.shutdown().await.unwrap().success());

    let host = stage.host().await;
    let resumed = host
        .request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(resumed["capabilitySelection"]["digest"], first["digest"]);
    assert_eq!(
        warnings(&resumed["capabilitySelection"]),
        Vec::<String>::new()
    );
    stage.check(&host, &thread, &whole()).await;
    let forked = host
        .request("thread/fork", json!({ "threadId": thread }))
        .await
        .unwrap();
    stage.check(&host, &id_of(&forked), &whole()).await;
    let fork_seen = stage.model.seen(&id_of(&forked)).unwrap();
    assert!(fork_seen.agents.contains(&"forge:reviewer".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_and_modes() {
    let stage = stage().await;
    let host = stage.host().await;
    let agent_alone = json!({ "agents": ["forge:reviewer"] });
    let narrowed = json!({ "plugins": [{ "id": "forge@internal", "skills": ["prd"], "agents": [], "mcpServers": [] }] });
    for (selection, promise, agents) in [
        (agent_alone, Promise::default(), true),
        (
            json!({ "skills": ["forge:prd"] }),
            Promise::of_skills(&["forge:prd"]),
            false,
        ),
        (narrowed, Promise::of_skills(&["forge:prd"]), false),
        // What remains is as natively: Codex lists its skill alone.
        (
            json!({ "mode": "restrict", "skills": [], "mcpServers": [] }),
            natively_left(),
            false,
        ),
        (
            json!({ "mode": "extend", "plugins": ["forge"] }),
            extended(),
            true,
        ),
    ] {
        let (thread, receipt) = stage.start(&host, selection.clone()).await;
        host.turn(&thread, "What can you do?").await.unwrap();
        let seen = stage.model.seen(&thread).unwrap();
        assert_eq!(
            promise.breaches(&seen),
            Vec::<String>::new(),
            "{selection} {receipt}"
        );
        let there = seen.agents.contains(&"forge:reviewer".to_owned());
        assert_eq!(there, agents, "{selection}");
    }
}

fn natively_left() -> Promise {
    Promise::of_skills(&["forge:audit", "github:pull-request", "linear:issue-writing"])
}

fn extended() -> Promise {
    Promise::native()
        .and_skills(&["forge:audit", "forge:prd"])
        .server("forge", &["strike"])
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_codex_has_not_installed_is_taken_from_its_marketplace() {
    let stage = Stage::of(HomeBuilder::standard().unwrap().offered_plugin(forge())).await;
    let before = stage.home.fingerprint().unwrap();
    let host = stage.host().await;
    for mode in ["replace", "extend"] {
        let selection = json!({ "mode": mode, "plugins": ["forge@internal"] });
        let (thread, receipt) = stage.start(&host, selection).await;
        assert_eq!(warnings(&receipt), ["notInstalled"]);
        let promise = if mode == "replace" {
            whole()
        } else {
            extended()
        };
        stage.check(&host, &thread, &promise).await;
        let plugins = receipt["plugins"].as_array().unwrap();
        let forge = plugins
            .iter()
            .find(|plugin| plugin["id"] == "forge@internal")
            .unwrap();
        assert_eq!(forge["source"], "marketplace");
    }
    assert!(host.shutdown().await.unwrap().success());
    assert_eq!(
        stage.home.fingerprint().unwrap().changes_since(&before),
        Vec::<String>::new()
    );
}

/// Registers a marketplace of two plugins, of which Codex installs none: one has its skills by a link to a folder of the
/// marketplace, the other must not be read before it is named.
fn register_shelf(stage: &Stage) {
    let shelf = stage.home.path().join("shelf");
    let manifest = r#"{"name":"shelf","owner":{"name":"o"},"plugins":[{"name":"quiet","source":"./plugins/quiet"},{"name":"loud","source":"./plugins/loud"}]}"#;
    crate::convert::write(&shelf, ".claude-plugin/marketplace.json", manifest);
    for name in ["quiet", "loud"] {
        let manifest = format!("{{\"name\":\"{name}\"}}");
        crate::convert::write(
            &shelf,
            &format!("plugins/{name}/.claude-plugin/plugin.json"),
            &manifest,
        );
    }
    let hum = "---\nname: hum\ndescription: Hums\n---\n\nHum.\n";
    crate::convert::write(&shelf, "skills/hum/SKILL.md", hum);
    std::os::unix::fs::symlink("../../skills", shelf.join("plugins/quiet/skills")).unwrap();
    let add = ["plugin", "marketplace", "add", shelf.to_str().unwrap()];
    let added = stage
        .home
        .command(stage.home.codex(), &add)
        .output()
        .unwrap();
    assert!(added.status.success(), "{added:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_marketplace_offers_is_listed_started_and_proven() {
    let stage = Stage::standard().await;
    register_shelf(&stage);
    let host = stage.host().await;
    let listed = host.request("capability/list", json!({})).await.unwrap();
    let offered = |id: &str| {
        let mut all = listed["data"].as_array().unwrap().iter();
        all.find(|entry| entry["id"] == id).cloned()
    };
    let quiet = json!({ "id": "quiet@shelf", "kind": "plugin", "source": "marketplace", "enabled": false, "version": null, "description": null });
    assert_eq!(offered("quiet@shelf"), Some(quiet));
    assert!(offered("loud@shelf").is_some() && offered("quiet:hum").is_none());
    let promise = Promise::of_skills(&["quiet:hum"]);
    for selection in [
        json!({ "plugins": ["quiet"] }),
        json!({ "skills": ["quiet:hum"] }),
        json!({ "skills": ["quiet@shelf:hum"] }),
    ] {
        let (thread, receipt) = stage.start(&host, selection.clone()).await;
        if !selection["plugins"].is_null() {
            assert_eq!(warnings(&receipt), ["notInstalled"]);
        }
        stage.check(&host, &thread, &promise).await;
        let asked = json!({ "capabilitySelection": selection });
        host.request("capability/resolve", asked.clone())
            .await
            .unwrap();
        let proof = host
            .request("thread/capability/prove", asked)
            .await
            .unwrap();
        assert_eq!(proof["differences"], json!([]), "{selection}");
    }
    let file = stage.home.path().join("selection.json");
    std::fs::write(&file, r#"{ "plugins": ["quiet@shelf"] }"#).unwrap();
    let proven = stage.verb(&["prove", file.to_str().unwrap()]);
    assert!(proven.status.success(), "{proven:?}");
    let listed = stage.verb(&["list"]);
    assert!(String::from_utf8_lossy(&listed.stdout).contains("quiet@shelf"));
    // A name that is not quite one of them.
    let error = stage
        .refused(&host, json!({ "plugins": ["quiet@shelv"] }))
        .await;
    assert_eq!(error.data["items"][0]["didYouMean"], json!(["quiet@shelf"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_converted_is_refused_and_its_neighbours_are_not() {
    let broken = Plugin::new("broken").for_claude().file(
        "commands/go.md",
        "---\ndescription: Goes\n---\n@../shared/gone.md\n",
    );
    let builder = HomeBuilder::standard()
        .unwrap()
        .plugin(forge())
        .plugin(broken);
    let stage = Stage::of(builder).await;
    let host = stage.host().await;
    let error = stage.refused(&host, json!({ "plugins": ["broken"] })).await;
    assert_eq!(error.data["kind"], "conversionFailed");
    let message = error.data["message"].as_str().unwrap();
    assert!(message.contains("commands/go.md:4"), "{message}");
    let (thread, _) = stage.start(&host, json!({ "plugins": ["forge"] })).await;
    stage.check(&host, &thread, &whole()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bundle_is_healed_when_it_was_changed() {
    let stage = stage().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "plugins": ["forge"] })).await;
    host.turn(&thread, "$forge:prd a hammer").await.unwrap();
    let rules = store_paths(&injected(&stage, &thread))
        .into_iter()
        .find(|path| path.ends_with("shared/rules.md"))
        .unwrap();
    tamper(&rules);
    host.turn(&thread, "And now?").await.unwrap();
    assert_eq!(std::fs::read_to_string(&rules).unwrap(), "Be brief.\n");
    let listed = host.request("capability/list", json!({})).await.unwrap();
    let ids: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["id"])
        .collect();
    assert!(ids.contains(&&json!("forge:prd")) && ids.contains(&&json!("forge:reviewer")));
}

fn config_of(stage: &Stage) -> PathBuf {
    stage.home.codex_home().join("config.toml")
}

/// A plugin that says a word when a session starts and forbids a command; and a user's own hook.
pub(crate) async fn stage_with_hooks() -> Stage {
    let hooks = json!({ "hooks": {
        "SessionStart": [{ "hooks": [{ "type": "command", "command": "cat ${CLAUDE_PLUGIN_ROOT}/word.txt" }] }],
        "PreToolUse": [{ "matcher": "Bash", "hooks": [{ "type": "command", "if": "Bash(git push:*)", "command": "echo no >&2; exit 2" }] }]
    } });
    let plugin = forge()
        .file("word.txt", "the-word-of-the-plugin")
        .file("hooks/hooks.json", &hooks.to_string());
    let stage = Stage::of(HomeBuilder::standard().unwrap().plugin(plugin)).await;
    let own = "\n[[hooks.SessionStart]]\n[[hooks.SessionStart.hooks]]\ntype = \"command\"\ncommand = \"echo the-word-of-the-user\"\n";
    let config = std::fs::read_to_string(config_of(&stage)).unwrap();
    std::fs::write(config_of(&stage), config + own).unwrap();
    stage
}

async fn words(stage: &Stage, host: &lab::Client, selection: Value) -> (Value, bool, bool) {
    let (thread, receipt) = stage.start(host, selection).await;
    host.turn(&thread, "What can you do?").await.unwrap();
    let asked = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(&thread))
        .unwrap();
    let text = asked.body["input"].to_string();
    let said = |word| text.contains(word);
    (
        receipt,
        said("the-word-of-the-plugin"),
        said("the-word-of-the-user"),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_run_when_they_are_asked_for_and_trusted() {
    let stage = stage_with_hooks().await;
    let asked_for = json!({ "plugins": ["forge"], "hooks": "trusted" });
    let host = stage.host().await;
    let (receipt, plugin, user) = words(&stage, &host, asked_for.clone()).await;
    assert_eq!((plugin, user), (false, false));
    assert_eq!(
        receipt["hooks"][0],
        json!({ "id": "forge@internal:hooks/hooks.json:session_start:0:0", "event": "SessionStart", "source": "forge@internal",
            "trusted": false, "active": false })
    );
    assert_eq!(warnings(&receipt), ["hooksNotApproved"]);
    assert!(host.shutdown().await.unwrap().success());

    trust_hooks(&stage).await;
    let host = stage.host().await;
    let (receipt, plugin, user) = words(&stage, &host, asked_for.clone()).await;
    assert_eq!((plugin, user), (true, false), "{receipt}");
    assert_eq!(receipt["hooks"][0]["active"], true);
    assert_eq!(warnings(&receipt), Vec::<String>::new());
    let (receipt, plugin, user) = words(&stage, &host, json!({ "plugins": ["forge"] })).await;
    assert_eq!((plugin, user), (false, false));
    assert_eq!(receipt["hooks"][0]["active"], false);
    let extended = json!({ "mode": "extend", "plugins": ["forge"], "hooks": "trusted" });
    let (receipt, plugin, user) = words(&stage, &host, extended).await;
    assert_eq!((plugin, user), (true, true));
    // Those that are the user's own and stay are listed, too.
    let own = |receipt: &Value| -> Vec<Value> {
        let hooks = receipt["hooks"].as_array().unwrap().iter();
        hooks
            .filter(|hook| hook["source"] == "user")
            .cloned()
            .collect()
    };
    let is_active = |hook: &Value| hook["active"] == true && hook["trusted"] == true;
    assert!(own(&receipt).iter().any(is_active), "{receipt}");
    let restricted = json!({ "mode": "restrict", "skills": [] });
    let (receipt, _, user) = words(&stage, &host, restricted).await;
    assert!(user && own(&receipt).iter().any(is_active), "{receipt}");
    let (receipt, _, _) = words(&stage, &host, asked_for).await;
    assert_eq!(own(&receipt), Vec::<Value>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_of_plugins_that_codex_loads_are_in_the_receipt() {
    let stage = stage_with_hooks().await;
    let of_plugin = |receipt: &Value| -> Vec<(bool, bool)> {
        let hooks = receipt["hooks"].as_array().unwrap().iter();
        hooks
            .filter(|hook| hook["source"] == "forge@internal")
            .map(|hook| (hook["trusted"] == true, hook["active"] == true))
            .collect()
    };
    let stays = [
        json!({ "mode": "restrict", "skills": [] }),
        json!({ "mode": "extend" }),
    ];
    let host = stage.host().await;
    for selection in &stays {
        let (receipt, runs, _) = words(&stage, &host, selection.clone()).await;
        assert!(!runs, "{selection}");
        assert_eq!(of_plugin(&receipt), [(false, false); 2], "{receipt}");
    }
    assert!(host.shutdown().await.unwrap().success());

    trust_hooks(&stage).await;
    let host = stage.host().await;
    for selection in &stays {
        let (receipt, runs, _) = words(&stage, &host, selection.clone()).await;
        assert!(runs, "{selection}");
        assert_eq!(of_plugin(&receipt), [(true, true); 2], "{receipt}");
    }
    let without = json!({ "mode": "restrict", "plugins": ["github"] });
    let (receipt, runs, _) = words(&stage, &host, without).await;
    assert_eq!((of_plugin(&receipt), runs), (Vec::new(), false));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_stays_with_its_thread() {
    let stage = stage_with_hooks().await;
    trust_hooks(&stage).await;
    let host = stage.host().await;
    let (thread, _) = stage
        .start(&host, json!({ "plugins": ["forge"], "hooks": "trusted" }))
        .await;
    host.turn(&thread, "What can you do?").await.unwrap();
    assert!(host.shutdown().await.unwrap().success());
    let host = stage.host().await;
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert!(is_blocked(&host, &thread).await);

    // Until it is trusted no longer. A host that uses what is ours is told.
    host.request("capability/audit/list", json!({}))
        .await
        .unwrap();
    let config = stage.home.codex_home().join("config.toml");
    let trusted = std::fs::read_to_string(&config).unwrap();
    let distrusted = trusted.replace("trusted_hash = \"sha256:", "trusted_hash = \"sha256:0");
    std::fs::write(&config, distrusted).unwrap();
    let mark = host.mark();
    assert!(!is_blocked(&host, &thread).await);
    // What the host is told of it says so.
    let is_update = |message: &Value| message["method"] == "thread/capability/updated";
    let told = host.wait_for(mark, is_update).await.unwrap();
    let hooks = &told["params"]["capabilitySelection"]["hooks"];
    let is_off = |hook: &Value| hook["trusted"] == false && hook["active"] == false;
    assert!(hooks.as_array().unwrap().iter().all(is_off), "{told}");
    let named = json!({ "threadId": thread });
    let read = host.request("thread/capability/read", named).await.unwrap();
    let hooks = read["capabilitySelection"]["hooks"].as_array().unwrap();
    assert!(
        hooks.iter().all(|hook| hook["active"] == false),
        "{hooks:?}"
    );
}

/// Whether a hook of the thread keeps it from pushing.
pub(crate) async fn is_blocked(host: &Client, thread: &str) -> bool {
    let mark = host.mark();
    host.turn(thread, r#"CALL - exec_command {"cmd":"git push origin"}"#)
        .await
        .unwrap();
    host.messages().into_iter().skip(mark).any(|message| {
        message["method"] == "hook/completed" && message["params"]["run"]["status"] == "blocked"
    })
}

fn tamper(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::fs::write(file, "Be long.\n").unwrap();
}
