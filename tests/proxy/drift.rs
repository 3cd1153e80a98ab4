//! What changes underneath a loaded thread is kept out before its next turn begins.

use std::time::Duration;

use lab::{Client, Plugin, Promise, Server, Skill};
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, Stage, id_of, spawn_child, warnings};

fn review() -> (Value, Promise) {
    let selection = json!({ "plugins": ["github@internal"], "skills": ["repo-review"] });
    let promise =
        Promise::of_skills(&["github:pull-request", "repo-review"]).server("github", &GITHUB_TOOLS);
    (selection, promise)
}

/// Codex notices a change within a second, and says so of skills alone: real time is what is waited for.
async fn noticed() {
    tokio::time::sleep(Duration::from_millis(1200)).await;
}

/// Everything that can change underneath a thread, by the hand it comes from.
async fn churn(stage: &Stage, host: &Client, step: usize) -> bool {
    let home = &stage.home;
    let newcomer = Skill::new(&format!("newcomer-{step}"));
    match step {
        0 => home.add_skill(".agents/skills", &newcomer).unwrap(),
        1 => home.add_skill(".codex/skills", &newcomer).unwrap(),
        2 => home.add_skill("project/.agents/skills", &newcomer).unwrap(),
        3 => {
            let config = home.codex_home().join("config.toml");
            let text = std::fs::read_to_string(&config).unwrap();
            let server = "\n[mcp_servers.late]\ncommand = \"node\"\nargs = [\"/none\"]\n";
            std::fs::write(&config, text + server).unwrap();
            host.request("config/mcpServer/reload", Value::Null)
                .await
                .unwrap();
        }
        4 => {
            home.run_codex(&["plugin", "remove", "sentry@internal"])
                .unwrap();
            home.run_codex(&["plugin", "add", "sentry@internal"])
                .unwrap();
        }
        5 => {
            let extra = home.path().join("extra");
            home.add_skill("extra", &newcomer).unwrap();
            host.request("skills/extraRoots/set", json!({ "extraRoots": [extra] }))
                .await
                .unwrap();
        }
        6 => home
            .write(
                ".agents/skills/incident-debugging/SKILL.md",
                "---\nname: renamed\ndescription: Renamed.\n---\n\nBody.\n",
            )
            .unwrap(),
        _ => return false,
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_changes_a_replace_thread_sees_its_loadout_only() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (thread, receipt) = stage.start(&host, selection.clone()).await;
    stage.check(&host, &thread, &promise).await;
    let mut step = 0;
    while churn(&stage, &host, step).await {
        noticed().await;
        let stale = json!({ "threadId": thread });
        let read = host.request("thread/capability/read", stale).await.unwrap();
        let mark = host.mark();
        host.turn(&thread, &format!("turn {step}")).await.unwrap();
        let breaches = promise.breaches(&stage.model.seen(&thread).unwrap());
        assert_eq!(breaches, Vec::<String>::new(), "step {step}");
        // The host noticed nothing but that.
        let methods: Vec<String> = host.messages()[mark..]
            .iter()
            .map(|message| message["method"].as_str().unwrap_or_default().to_owned())
            .collect();
        for silent in ["thread/closed", "thread/archived", "thread/unarchived"] {
            assert!(!methods.contains(&silent.to_owned()), "{methods:?}");
        }
        if read["stale"] == json!(true) {
            assert!(
                methods.contains(&"thread/capability/updated".to_owned()),
                "step {step}: {methods:?}"
            );
        }
        step += 1;
    }
    // Its history is there.
    let request = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(thread.as_str()))
        .unwrap();
    let input = request.body["input"].to_string();
    for turn in ["What can you do?", "turn 0", "turn 6"] {
        assert!(input.contains(turn), "{turn} is gone");
    }
    let (_, fresh) = stage.start(&host, selection).await;
    assert_eq!(fresh["digest"], receipt["digest"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn newcomers_before_the_first_turn_are_kept_out_as_well() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (thread, _) = stage.start(&host, selection).await;
    stage.add_noticed_skill(&host, "newcomer").await;
    stage.check(&host, &thread, &promise).await;
    let listed = host
        .request("thread/list", json!({ "archived": true }))
        .await
        .unwrap();
    assert_eq!(listed["data"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_folder_brings_nothing_of_its_own() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (thread, _) = stage.start(&host, selection).await;
    stage.check(&host, &thread, &promise).await;
    for (folder, by) in [("one", "turn"), ("two", "settings"), ("three", "resume")] {
        stage
            .home
            .add_skill(
                &format!("{folder}/.agents/skills"),
                &Skill::new(&format!("of-{folder}")),
            )
            .unwrap();
        let cwd = stage.home.path().join(folder);
        let mut turn = json!({ "threadId": thread, "input": [{ "type": "text", "text": folder }] });
        match by {
            "turn" => turn["cwd"] = json!(cwd),
            "settings" => {
                let settings = json!({ "threadId": thread, "cwd": cwd });
                host.request("thread/settings/update", settings)
                    .await
                    .unwrap();
            }
            _ => {
                let resume = json!({ "threadId": thread, "cwd": cwd });
                host.request("thread/resume", resume).await.unwrap();
            }
        }
        let mark = host.mark();
        host.request("turn/start", turn).await.unwrap();
        host.wait_for(mark, |message| message["method"] == "turn/completed")
            .await
            .unwrap();
        let breaches = promise.breaches(&stage.model.seen(&thread).unwrap());
        assert_eq!(breaches, Vec::<String>::new(), "{by}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_host_set_is_still_set_after_a_rebind() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let mut params = stage.params(json!({ "skills": ["planning"] }));
    params["approvalPolicy"] = json!("untrusted");
    params["sandbox"] = json!("workspace-write");
    params["model"] = json!("another-model");
    params["developerInstructions"] = json!("Answer in Latin.");
    params["config"] = json!({ "model_reasoning_effort": "low" });
    let started = host.request("thread/start", params).await.unwrap();
    let thread = id_of(&started);
    host.turn(&thread, "one").await.unwrap();
    let update = json!({ "threadId": thread, "effort": "high" });
    host.request("thread/settings/update", update)
        .await
        .unwrap();
    stage.add_noticed_skill(&host, "newcomer").await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    let request = stage
        .model
        .last_for(|request| request.thread.as_deref() == Some(thread.as_str()))
        .unwrap();
    assert_eq!(request.body["model"], "another-model");
    assert_eq!(request.body["reasoning"]["effort"], "high");
    assert!(request.body.to_string().contains("Answer in Latin."));
    // A resume of a loaded thread says how it is set.
    let now = host
        .request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    for field in ["approvalPolicy", "model"] {
        assert_eq!(now[field], started[field], "{field}");
    }
    assert_eq!(now["sandbox"]["type"], started["sandbox"]["type"]);
    assert_eq!(now["reasoningEffort"], "high");
}

#[tokio::test(flavor = "multi_thread")]
async fn loaded_children_are_kept_to_it_too() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    let mark = host.mark();
    let child = spawn_child(&host, &thread).await;
    let ended = |message: &Value| {
        message["method"] == "turn/completed" && message["params"]["threadId"] == json!(child)
    };
    host.wait_for(mark, ended).await.unwrap();
    stage.add_noticed_skill(&host, "newcomer").await;
    let mark = host.mark();
    let call = format!(r#"CALL multi_agent_v1 send_input {{"target":"{child}","message":"more"}}"#);
    host.turn(&thread, &call).await.unwrap();
    host.wait_for(mark, ended).await.unwrap();
    let promise = Promise::of_skills(&["planning"]);
    for thread in [&thread, &child] {
        let seen = stage.model.seen(thread).unwrap();
        assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{thread}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_loadout_for_a_thread_that_lives_and_back_to_native() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (thread, first) = stage.start(&host, selection).await;
    stage.check(&host, &thread, &promise).await;
    let update = |selection: Value| {
        host.request(
            "thread/capability/update",
            json!({ "threadId": thread, "capabilitySelection": selection }),
        )
    };
    let updated = update(json!({ "skills": ["planning"] })).await.unwrap();
    let receipt = &updated["capabilitySelection"];
    assert_ne!(receipt["digest"], first["digest"]);
    let planning = Promise::of_skills(&["planning"]);
    stage.check(&host, &thread, &planning).await;
    let read = host
        .request("thread/capability/read", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(
        read,
        json!({ "capabilitySelection": receipt, "stale": false })
    );

    // During a turn it is busy, and stays as it is.
    let mark = host.mark();
    let hold = json!({ "threadId": thread, "input": [{ "type": "text", "text": "HOLD" }] });
    let asked = stage.model.requests().len();
    host.request("turn/start", hold).await.unwrap();
    stage.model.wait_for(asked + 1).await.unwrap();
    let busy = host
        .refusal(
            "thread/capability/update",
            json!({ "threadId": thread, "capabilitySelection": {} }),
        )
        .await
        .unwrap();
    assert_eq!(busy.data["kind"], "threadBusy");
    stage.model.release();
    host.wait_for(mark, |message| message["method"] == "turn/completed")
        .await
        .unwrap();
    stage.check(&host, &thread, &planning).await;

    // Wrong ones change nothing.
    let wrong = host
        .refusal(
            "thread/capability/update",
            json!({ "threadId": thread, "capabilitySelection": { "skills": ["no-such"] } }),
        )
        .await
        .unwrap();
    assert_eq!(wrong.data["kind"], "unknownCapability");
    let missing = host
        .refusal("thread/capability/update", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(missing.data["kind"], "invalidSelection");
    stage.check(&host, &thread, &planning).await;

    let dropped = update(Value::Null).await.unwrap();
    assert_eq!(dropped, json!({ "capabilitySelection": null }));
    stage.check(&host, &thread, &Promise::native()).await;
    host.shutdown().await.unwrap();
    let host = stage.host().await;
    let resumed = host
        .request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    assert_eq!(resumed.get("capabilitySelection"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_loadout_on_resume_of_a_loaded_thread_is_in_force_at_once() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (selection, promise) = review();
    let (thread, _) = stage.start(&host, selection).await;
    stage.check(&host, &thread, &promise).await;
    let resumed = host
        .request(
            "thread/resume",
            json!({ "threadId": thread, "capabilitySelection": { "skills": ["planning"] } }),
        )
        .await
        .unwrap();
    assert_eq!(
        warnings(&resumed["capabilitySelection"]),
        Vec::<String>::new()
    );
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    host.kill9().await.unwrap();
    let host = stage.host().await;
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_comes_later_is_kept_out_of_restrict() {
    let builder = lab::HomeBuilder::standard().unwrap().disabled_plugin(
        Plugin::new("late")
            .skill(Skill::new("late-skill"))
            .server(Server::new("late-server", &["late_tool"])),
    );
    let stage = Stage::of(builder).await;
    let host = stage.host().await;
    let selection = json!({ "mode": "restrict", "plugins": ["github@internal"], "skills": ["planning"], "mcpServers": [] });
    let promise = Promise::of_skills(&["github:pull-request", "planning"]);
    let (thread, _) = stage.start(&host, selection).await;
    stage.check(&host, &thread, &promise).await;
    let config = stage.home.codex_home().join("config.toml");
    let text = std::fs::read_to_string(&config).unwrap();
    let off = "[plugins.\"late@internal\"]\nenabled = false";
    assert!(text.contains(off), "{text}");
    std::fs::write(&config, text.replace(off, &off.replace("false", "true"))).unwrap();
    noticed().await;
    stage.check(&host, &thread, &promise).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_codex_is_made_to_find_while_a_turn_begins_is_not_shown() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let (thread, _) = stage.start(&host, json!({ "skills": ["planning"] })).await;
    let promise = Promise::of_skills(&["planning"]);
    stage.check(&host, &thread, &promise).await;
    for round in 0..12_u64 {
        let name = format!("newcomer-{round}");
        let mark = host.mark();
        let turn = async {
            host.turn(&thread, &format!("Round {round}."))
                .await
                .unwrap();
        };
        // A host of its own kind asks Codex to look at the disk, at one moment or another: each round at a later one.
        let find = async {
            tokio::time::sleep(std::time::Duration::from_millis(round / 2)).await;
            stage
                .home
                .add_skill(".agents/skills", &Skill::new(&name))
                .unwrap();
            let look = json!({ "cwds": [stage.home.project()], "forceReload": true });
            host.request("skills/list", look).await.unwrap();
        };
        tokio::join!(turn, find);
        let last = stage
            .model
            .last_for(|request| request.thread.as_ref() == Some(&thread))
            .unwrap();
        assert_eq!(promise.breaches(&last.seen()), Vec::<String>::new());
        let body = last.body.to_string();
        assert!(!body.contains("newcomer-"), "round {round}");
        assert!(body.contains(&format!("Round {round}.")));
        // Whatever was undone, the host heard of one turn.
        let begun = host.messages()[mark..]
            .iter()
            .filter(|message| message["method"] == "turn/started")
            .count();
        assert_eq!(begun, 1);
    }
    // Nothing that was said before was lost.
    let last = stage
        .model
        .last_for(|request| request.thread.as_ref() == Some(&thread))
        .unwrap();
    for round in 0..12 {
        let said = format!("\"Round {round}.\"");
        assert_eq!(last.body.to_string().matches(&said).count(), 1, "{said}");
    }
}
