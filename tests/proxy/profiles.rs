//! Loadouts that no host asks for by the field: by profiles, config, the launch line, the environment, bindings.

use std::path::Path;
use std::process::{Command, Output};

use lab::{Client, Promise};
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, NOTES_TOOLS, Stage, id_of, warnings};

/// The user's profiles of these tests.
fn with_profiles(stage: &Stage) {
    let write = |name, text| stage.home.add_profile(name, text).unwrap();
    write("review", "skills = [\"repo-review\"]\n");
    write("plan", "skills = [\"planning\"]\nmcp_servers = []\n");
    write(
        "github",
        "extends = [\"review\"]\nplugins = [\"github@internal\"]\n",
    );
    write("notes", "mcp_servers = [\"team-notes\"]\n");
}

fn review() -> Promise {
    Promise::of_skills(&["repo-review"])
}

async fn profiled() -> Stage {
    let stage = Stage::standard().await;
    with_profiles(&stage);
    stage
}

async fn host_of(command: Command) -> Client {
    let host = Client::spawn(command).unwrap();
    host.initialize(true).await.unwrap();
    host
}

/// Starts a thread with these params beside its folder.
async fn start(stage: &Stage, host: &Client, mut params: Value) -> (String, Value) {
    params["cwd"] = json!(stage.home.project());
    let mut started = host.request("thread/start", params).await.unwrap();
    (id_of(&started), started["capabilitySelection"].take())
}

fn ok(output: Output) -> Value {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_in_the_field_is_merged_with_what_stands_beside_it() {
    let stage = profiled().await;
    let host = stage.host().await;
    for (selection, promise, names) in [
        (json!({ "profile": "review" }), review(), json!(["review"])),
        (
            json!({ "profile": ["github", "notes"] }),
            review()
                .and_skills(&["github:pull-request"])
                .server("team-notes", &NOTES_TOOLS),
            json!(["github", "notes"]),
        ),
        (
            json!({ "profile": "github", "skills": ["planning"] }),
            review()
                .and_skills(&["github:pull-request", "planning"])
                .server("github", &GITHUB_TOOLS),
            json!(["github"]),
        ),
    ] {
        let (thread, receipt) = stage.start(&host, selection.clone()).await;
        assert_eq!(receipt["profile"], names);
        stage.check(&host, &thread, &promise).await;
        let proof = host
            .request("thread/capability/prove", stage.params(selection))
            .await
            .unwrap();
        assert_eq!(proof["differences"], json!([]));
        assert_eq!(proof["capabilitySelection"]["profile"], names);
    }
    // The same content is the same loadout, whoever names it.
    let (_, by_profile) = stage.start(&host, json!({ "profile": "review" })).await;
    let (_, by_name) = stage
        .start(&host, json!({ "skills": ["repo-review"] }))
        .await;
    assert_eq!(by_profile["digest"], by_name["digest"]);
    let error = stage.refused(&host, json!({ "profile": "reviw" })).await;
    assert_eq!(error.data["kind"], "unknownCapability");
    assert_eq!(error.data["items"][0]["didYouMean"][0], "review");
    let audit = host
        .request("capability/audit/list", json!({}))
        .await
        .unwrap();
    let audit = audit["data"].to_string();
    assert!(audit.contains("profile github, notes"), "{audit}");
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_carrier_gives_a_loadout_and_the_nearest_wins() {
    let stage = profiled().await;
    let before = stage.home.config_hash().unwrap();
    let project = stage.home.project();
    let project = project.to_str().unwrap();
    let bind =
        |arguments: &[&str]| ok(stage.verb(&[&["binding", "write", "--json"], arguments].concat()));
    // The farthest first: each one that comes beats those before it.
    bind(&["review", "--default"]);
    let host = host_of(stage.proxy()).await;
    let (thread, receipt) = start(&stage, &host, json!({})).await;
    assert_eq!(receipt["profile"], json!(["review"]));
    stage.check(&host, &thread, &review()).await;

    let plan = Promise::of_skills(&["planning"]);
    bind(&["plan", "--host", "lab"]);
    let (thread, _) = start(&stage, &host, json!({})).await;
    stage.check(&host, &thread, &plan).await;

    bind(&["github", "--project", project]);
    let (thread, _) = start(&stage, &host, json!({})).await;
    let github = review()
        .and_skills(&["github:pull-request"])
        .server("github", &GITHUB_TOOLS);
    stage.check(&host, &thread, &github).await;

    bind(&["notes", "--task", "42"]);
    let notes = Promise::default().server("team-notes", &NOTES_TOOLS);
    let config = json!({ "config": { "capability_task": "42" } });
    let (thread, _) = start(&stage, &host, config).await;
    stage.check(&host, &thread, &notes).await;

    let mut command = stage.proxy();
    command.env("CODEX_LOADOUT", "plan");
    let of_environment = host_of(command).await;
    let (thread, _) = start(&stage, &of_environment, json!({})).await;
    stage.check(&of_environment, &thread, &plan).await;

    let mut command = stage.proxy();
    command.env("CODEX_LOADOUT", "plan");
    command.args([
        "--loadout",
        "review",
        "-c",
        "capability_selection.skills=[\"house-style\"]",
    ]);
    let of_line = host_of(command).await;
    let (thread, _) = start(&stage, &of_line, json!({})).await;
    let with_style = review().and_skills(&["house-style"]);
    stage.check(&of_line, &thread, &with_style).await;

    for config in [
        json!({ "capability_selection": "notes" }),
        json!({ "capabilitySelection": { "mcp_servers": ["team-notes"] } }),
        json!({ "capability_selection.mcpServers": ["team-notes"] }),
    ] {
        let (thread, receipt) = start(&stage, &of_line, json!({ "config": config })).await;
        assert_eq!(receipt["mcpServers"][0]["name"], "team-notes");
        stage.check(&of_line, &thread, &notes).await;
    }
    let both = json!({ "capabilitySelection": { "skills": ["planning"] }, "config": { "capability_selection": "notes" } });
    let (thread, _) = start(&stage, &of_line, both).await;
    stage.check(&of_line, &thread, &plan).await;
    // What the host says explicitly wins, also where it says that it wants none.
    let (native, receipt) = start(&stage, &of_line, json!({ "capabilitySelection": null })).await;
    assert_eq!(receipt, Value::Null);
    stage.check(&of_line, &native, &Promise::native()).await;

    let resolved = ok(stage.verb(&[
        "resolve", "--cwd", project, "--host", "lab", "--task", "42", "--json",
    ]));
    let decision = &resolved["decision"];
    assert_eq!(decision["rule"]["carrier"], "task");
    let beaten: Vec<&str> = decision["beaten"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| rule["carrier"].as_str().unwrap())
        .collect();
    assert_eq!(beaten, ["project", "host", "default"]);
    let told = stage.verb(&["resolve", "--cwd", project]);
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(
        told.contains(&format!("decided by: project {project} (profile github)")),
        "{told}"
    );
    assert!(
        told.contains("it beats: default (profile review)"),
        "{told}"
    );
    for host in [host, of_environment, of_line] {
        assert!(host.shutdown().await.unwrap().success());
    }
    assert_eq!(stage.home.config_hash().unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thread_keeps_its_loadout_and_says_that_a_profile_changed() {
    let stage = profiled().await;
    let mut command = stage.proxy();
    command.args(["--loadout", "review"]);
    let host = host_of(command).await;
    let (thread, _) = start(&stage, &host, json!({})).await;
    stage.check(&host, &thread, &review()).await;
    let read = async |thread: &str| {
        host.request("thread/capability/read", json!({ "threadId": thread }))
            .await
            .unwrap()
    };
    assert_eq!(read(&thread).await["profileChanged"], false);
    stage
        .home
        .write(
            ".codex-loadout/profiles/review.toml",
            "skills = [\"planning\"]\n",
        )
        .unwrap();
    assert_eq!(read(&thread).await["profileChanged"], true);
    stage.check(&host, &thread, &review()).await;
    let (other, _) = start(&stage, &host, json!({})).await;
    stage
        .check(&host, &other, &Promise::of_skills(&["planning"]))
        .await;
    assert!(host.shutdown().await.unwrap().success());
    // What is said of new threads does not change one that is on record, and a native one stays native.
    let plain = host_of(stage.proxy()).await;
    let (native, _) = start(&stage, &plain, json!({})).await;
    stage.check(&plain, &native, &Promise::native()).await;
    assert!(plain.shutdown().await.unwrap().success());
    let mut command = stage.proxy();
    command.env("CODEX_LOADOUT", "notes");
    let host = host_of(command).await;
    for (id, promise) in [(&thread, review()), (&native, Promise::native())] {
        let resume = json!({ "threadId": id });
        host.request("thread/resume", resume).await.unwrap();
        stage.check(&host, id, &promise).await;
    }
    // The host's own config does.
    let resume = json!({ "threadId": thread, "config": { "capability_selection": "plan" } });
    let resumed = host.request("thread/resume", resume).await.unwrap();
    assert_eq!(resumed["capabilitySelection"]["profile"], json!(["plan"]));
    let fork = json!({ "threadId": thread, "config": { "capability_selection.profile": "notes" } });
    let forked = host.request("thread/fork", fork).await.unwrap();
    assert_eq!(forked["capabilitySelection"]["profile"], json!(["notes"]));
    let notes = Promise::default().server("team-notes", &NOTES_TOOLS);
    stage.check(&host, &id_of(&forked), &notes).await;
    stage
        .check(&host, &thread, &Promise::of_skills(&["planning"]))
        .await;
    assert!(host.shutdown().await.unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_projects_profiles_count_once_it_is_trusted() {
    let stage = profiled().await;
    let of_project = "project/.codex-loadout/profiles/review.toml";
    stage
        .home
        .write(of_project, "skills = [\"house-style\"]\n")
        .unwrap();
    stage
        .home
        .write(
            "project/.codex-loadout/profiles/own.toml",
            "extends = [\"review\"]\n",
        )
        .unwrap();
    let host = stage.host().await;
    let (thread, receipt) = stage.start(&host, json!({ "profile": "review" })).await;
    assert_eq!(warnings(&receipt), ["projectNotTrusted"]);
    stage.check(&host, &thread, &review()).await;
    let error = stage.refused(&host, json!({ "profile": "own" })).await;
    assert!(
        error.data["hint"]
            .as_str()
            .unwrap()
            .contains("trust project")
    );
    let project = stage.home.project();
    let trusted = stage.verb(&["trust", "project", project.to_str().unwrap(), "--json"]);
    assert_eq!(ok(trusted)["trusted"], true);
    let (thread, receipt) = stage.start(&host, json!({ "profile": "own" })).await;
    assert_eq!(warnings(&receipt), Vec::<String>::new());
    stage
        .check(&host, &thread, &Promise::of_skills(&["house-style"]))
        .await;
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_broken_fails_closed() {
    let stage = profiled().await;
    let write = |name: &str, text: &str| {
        let path = format!(".codex-loadout/profiles/{name}.toml");
        stage.home.write(&path, text).unwrap();
    };
    write("wrong", "\nskils = []\n");
    write("a", "extends = [\"b\"]\n");
    write("b", "extends = [\"a\"]\n");
    write("unknown", "skills = [\n  \"repo-reviw\",\n]\n");
    for (profile, said, meant) in [
        ("wrong", "wrong.toml`, line 2: `skils`", Some("skills")),
        (
            "a",
            "a profile begins with itself: `a` extends `b` extends `a`",
            None,
        ),
        ("unknown", "unknown.toml`, line 2", Some("repo-review")),
        ("gone", "there is no profile `gone`", None),
    ] {
        let mut command = stage.proxy();
        command.args(["--loadout", profile]);
        let host = host_of(command).await;
        let error = host
            .refusal("thread/start", json!({ "cwd": stage.home.project() }))
            .await
            .unwrap();
        assert!(error.message.contains(said), "{}", error.message);
        let first = error.data["items"][0]["didYouMean"][0].as_str();
        assert_eq!(first, meant, "{profile}");
        host.shutdown().await.unwrap();
    }
    stage.home.wait_for_mcp_processes(0).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_in_a_wrong_place_is_refused_and_says_the_right_one() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let started = host.request("thread/start", json!({ "cwd": stage.home.project() }));
    let thread = id_of(&started.await.unwrap());
    let input = json!([{ "type": "text", "text": "hello" }]);
    let selection = json!({ "skills": [] });
    for (method, params, name) in [
        (
            "turn/start",
            json!({ "threadId": thread, "input": input, "capabilitySelection": selection }),
            "capabilitySelection",
        ),
        (
            "thread/settings/update",
            json!({ "threadId": thread, "capabilitySelection": selection }),
            "capabilitySelection",
        ),
        (
            "thread/start",
            json!({ "capability_selection": selection }),
            "capability_selection",
        ),
        (
            "thread/start",
            json!({ "config": { "capabilitySelections": selection } }),
            "config.capabilitySelections",
        ),
        (
            "thread/start",
            json!({ "config": { "capability_selection": { "skils": [] } } }),
            "config.capability_selection.skils",
        ),
        (
            "thread/resume",
            json!({ "threadId": thread, "capabilitySelecton": selection }),
            "capabilitySelecton",
        ),
    ] {
        let error = host.refusal(method, params).await.unwrap();
        assert_eq!(error.code, -32602, "{method}");
        assert_eq!(error.data["kind"], "invalidSelection", "{method}");
        assert_eq!(error.data["items"][0]["name"], name, "{method}");
    }
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_write_what_verbs_show() {
    let stage = Stage::standard().await;
    let host = stage.host().await;
    let ask = async |method: &str, params: Value| host.request(method, params).await.unwrap();
    let written = ask(
        "capability/profile/write",
        json!({ "name": "mine", "description": "d", "selection": { "skills": ["planning"], "hostServers": "drop" } }),
    )
    .await;
    let text = written["profile"]["text"].as_str().unwrap();
    assert!(
        text.starts_with("#:schema ../schema/profile.json\n"),
        "{text}"
    );
    assert!(text.contains("host_servers = \"drop\""), "{text}");
    let file = Path::new(written["profile"]["path"].as_str().unwrap()).to_owned();
    assert!(
        file.parent()
            .unwrap()
            .join("../schema/profile.json")
            .exists()
    );
    let shown = ok(stage.verb(&["profile", "show", "mine", "--json"]));
    assert_eq!(shown, written);
    let listed = ok(stage.verb(&["profile", "list", "--json"]));
    assert_eq!(listed["data"][0]["name"], "mine");
    let error = host
        .refusal(
            "capability/profile/write",
            json!({ "name": "other", "text": "extends = [\"min\"]" }),
        )
        .await
        .unwrap();
    assert_eq!(error.data["items"][0]["didYouMean"][0], "mine");
    let binding = json!({ "scope": "project", "key": stage.home.project(), "profile": ["mine"] });
    let bound = ask("capability/binding/write", binding.clone()).await;
    assert_eq!(bound["binding"], binding);
    let listed = ok(stage.verb(&["binding", "list", "--json"]));
    assert_eq!(listed["data"], json!([binding]));
    let refused = host
        .refusal(
            "capability/binding/write",
            json!({ "scope": "default", "profile": "min" }),
        )
        .await
        .unwrap();
    assert_eq!(refused.data["items"][0]["didYouMean"][0], "mine");
    let project = stage.home.project();
    let deleted = stage.verb(&["binding", "delete", "--project", project.to_str().unwrap()]);
    assert!(deleted.status.success());
    assert_eq!(
        ask("capability/binding/list", json!({})).await["data"],
        json!([])
    );
    ask("capability/profile/delete", json!({ "name": "mine" })).await;
    assert!(!file.exists());
    let schema = stage.verb(&["schema", "profile"]);
    let schema: Value = serde_json::from_slice(&schema.stdout).unwrap();
    assert!(schema["properties"]["mcp_servers"].is_object());
    host.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_of_what_the_user_wrote() {
    let stage = profiled().await;
    let file = stage.home.path().join("mine.toml");
    let file = file.to_str().unwrap();
    for (text, arguments, told) in [
        (
            "skils = []\n",
            &["profile", "write", "mine", file][..],
            "mine.toml`, line 1: `skils` is no member of a profile",
        ),
        (
            "skills = []\nextends = [\"revew\"]\n",
            &["profile", "write", "mine", file],
            "mine.toml`, line 2: there is no profile `revew`",
        ),
        (
            "",
            &["trust", "project", "/no/such/folder"],
            "hint: Name the folder of a project",
        ),
        // It would count for nothing there.
        (
            "",
            &["list", "--loadout", "review"],
            "hint: `app-server` and `exec` take it",
        ),
        ("", &["app-server", "--loadout"], "no loadout is named"),
        (
            "",
            &["shim", "/proc/none"],
            "hint: Name a folder that you may write to",
        ),
    ] {
        std::fs::write(file, text).unwrap();
        let output = stage.verb(arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        let code = 1 + i32::from(arguments.contains(&"--loadout"));
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        let is_told = stderr.contains(told) && !stderr.contains(".codex-loadout/profiles/mine");
        assert!(is_told, "{arguments:?}: {stderr}");
    }
    // What a project has and nobody trusts is told with what lets it count.
    let theirs = stage.home.project().join(".codex-loadout/profiles");
    std::fs::create_dir_all(&theirs).unwrap();
    std::fs::write(theirs.join("team.toml"), "skills = []\n").unwrap();
    let cwd = stage.home.project().to_string_lossy().into_owned();
    let output = stage.verb(&["resolve", "-p", "team", "--cwd", &cwd]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    let hint = stderr.split("`codex-loadout ").nth(1).unwrap_or_default();
    let hint = hint.split('`').next().unwrap_or_default();
    let line: Vec<&str> = hint.split(' ').collect();
    assert!(stage.verb(&line).status.success(), "{stderr}");
    let output = stage.verb(&["resolve", "-p", "team", "--cwd", &cwd]);
    assert!(output.status.success());
}
