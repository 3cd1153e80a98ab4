//! Hosts from npm and PyPI, unchanged and pinned, each with a profile; what counts is what their models were sent.

use std::path::Path;

use lab::Promise;

use crate::stage::{PROXY, Stage};

async fn stage() -> Stage {
    let stage = Stage::standard().await;
    let text = "skills = [\"repo-review\"]\n";
    stage.home.add_profile("review", text).unwrap();
    stage
}

/// Runs a host and gives the lines that it prints.
fn run(stage: &Stage, program: &str, arguments: &[&str], python: Option<&Path>) -> Vec<String> {
    let mut command = stage.home.command(Path::new(program), arguments);
    command.current_dir(stage.home.project());
    command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
    if let Some(packages) = python {
        command.env("PYTHONPATH", packages);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{program}: {said}");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Every request that a thread's model got keeps the promise.
fn check(stage: &Stage, thread: &str, turns: usize, promise: &Promise) {
    let requests = stage.model.requests();
    let of_thread = requests
        .iter()
        .filter(|it| it.thread.as_deref() == Some(thread));
    let seen: Vec<_> = of_thread.map(|request| request.seen()).collect();
    assert_eq!(seen.len(), turns, "{thread}");
    for seen in seen {
        assert_eq!(promise.breaches(&seen), Vec::<String>::new(), "{thread}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_provider_by_a_profile_in_its_config_with_a_server_of_its_own() {
    let stage = stage().await;
    let script = lab::npm_hosts().unwrap().join("ai-sdk.mjs");
    let project = stage.home.project();
    let log = stage.home.path().join("own.log");
    let server = stage.home.path().join("lab/mcp.mjs");
    let arguments = [&script, Path::new(PROXY), &project, &server, &log];
    let arguments = arguments.map(|it| it.to_str().unwrap());
    let threads = run(&stage, "node", &arguments, None);
    let promise = Promise::of_skills(&["repo-review"]).server("own", &["own_tool"]);
    check(&stage, &threads[0], 2, &promise);
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_sdk_by_a_profile_in_its_config_over_two_turns() {
    let stage = stage().await;
    let script = lab::npm_hosts().unwrap().join("codex-sdk.mjs");
    let project = stage.home.project();
    let arguments = [&script, Path::new(PROXY), &project, Path::new("review")];
    let arguments = arguments.map(|it| it.to_str().unwrap());
    let threads = run(&stage, "node", &arguments, None);
    check(
        &stage,
        &threads[0],
        2,
        &Promise::of_skills(&["repo-review"]),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_codex_for_python_by_a_profile_in_its_config() {
    let Some(hosts) = lab::python_hosts().unwrap() else {
        eprintln!("SKIPPED: there is no python3 with pip");
        return;
    };
    let stage = stage().await;
    let script = hosts.join("openai_codex_sdk.py");
    let project = stage.home.project();
    let arguments = [&script, Path::new(PROXY), &project];
    let arguments = arguments.map(|it| it.to_str().unwrap());
    let threads = run(&stage, "python3", &arguments, Some(&hosts.join("python")));
    for thread in &threads {
        check(&stage, thread, 1, &Promise::of_skills(&["repo-review"]));
    }
}
