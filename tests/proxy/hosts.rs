//! Hosts from npm and PyPI, unchanged and pinned, each with a profile; what counts is what their models were sent.

use std::path::Path;
use std::process::Command;

use lab::{Home, Promise};

#[cfg(unix)]
use crate::many_hosts::Doors;
use crate::stage::{PROXY, Stage};

async fn stage() -> Stage {
    let stage = Stage::standard().await;
    let text = "skills = [\"repo-review\"]\n";
    stage.home.add_profile("review", text).unwrap();
    stage
}

/// A host in the user's project.
fn host(home: &Home, program: &str, arguments: &[&Path]) -> Command {
    let arguments: Vec<&str> = arguments.iter().map(|it| it.to_str().unwrap()).collect();
    let mut command = home.command(Path::new(program), &arguments);
    command.current_dir(home.project());
    command.env("CODEX_LOADOUT_CODEX", home.codex());
    command
}

/// Runs a host and gives the lines that it prints.
fn run(host: &mut Command) -> Vec<String> {
    let output = host.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{host:?}: {said}");
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

/// Runs a verb that has to succeed.
fn done(stage: &Stage, arguments: &[&str]) {
    let output = stage.verb(arguments);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
}

fn review() -> Promise {
    Promise::of_skills(&["repo-review"])
}

#[tokio::test(flavor = "multi_thread")]
async fn ai_sdk_provider_by_a_profile_in_its_config_with_a_server_of_its_own() {
    let stage = stage().await;
    let script = lab::npm_hosts().unwrap().join("ai-sdk.mjs");
    let (project, server) = (stage.home.project(), stage.home.path().join("lab/mcp.mjs"));
    let log = stage.home.path().join("own.log");
    let arguments = [&script, Path::new(PROXY), &project, &server, &log];
    let threads = run(&mut host(&stage.home, "node", &arguments));
    check(
        &stage,
        &threads[0],
        2,
        &review().server("own", &["own_tool"]),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn codex_sdk_by_a_profile_in_its_config_over_two_turns() {
    let stage = stage().await;
    let script = lab::npm_hosts().unwrap().join("codex-sdk.mjs");
    let project = stage.home.project();
    let arguments = [&script, Path::new(PROXY), &project, Path::new("review")];
    let threads = run(&mut host(&stage.home, "node", &arguments));
    check(&stage, &threads[0], 2, &review());
}

#[tokio::test(flavor = "multi_thread")]
async fn openai_codex_for_python_by_a_profile_in_its_config_and_on_the_launch_line() {
    let Some(hosts) = lab::python_hosts().unwrap() else {
        eprintln!("SKIPPED: there is no python3 with pip");
        return;
    };
    let stage = stage().await;
    let script = hosts.join("openai_codex_sdk.py");
    let project = stage.home.project();
    let mut python = host(
        &stage.home,
        "python3",
        &[&script, Path::new(PROXY), &project],
    );
    let threads = run(python.env("PYTHONPATH", hosts.join("python")));
    // Started and resumed, forked, started.
    for (thread, turns) in threads.iter().zip([2, 1, 1]) {
        check(&stage, thread, turns, &review());
    }
    assert_eq!(threads.len(), 3);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn websockets_for_python_with_a_token_and_the_field() {
    let Some(hosts) = lab::python_hosts().unwrap() else {
        eprintln!("SKIPPED: there is no python3 with pip");
        return;
    };
    let stage = stage().await;
    stage.home.write("token", "a long secret\n").unwrap();
    let mut proxy = stage.proxy();
    proxy.args(["--ws-auth", "capability-token", "--ws-token-file"]);
    proxy.arg(stage.home.path().join("token"));
    let doors = Doors::of(&stage, proxy).await;
    let script = hosts.join("websockets_host.py");
    let (url, token) = (Path::new(&doors.web_socket), Path::new("a long secret"));
    let project = stage.home.project();
    let mut python = host(&stage.home, "python3", &[&script, url, token, &project]);
    let threads = run(python.env("PYTHONPATH", hosts.join("python")));
    check(&stage, &threads[0], 2, &review());
}

#[tokio::test(flavor = "multi_thread")]
async fn happy_by_a_shim_and_a_binding_to_its_name_with_a_server_of_its_own() {
    let stage = stage().await;
    let shim = stage.home.path().join("shim");
    done(&stage, &["shim", shim.to_str().unwrap()]);
    done(
        &stage,
        &["binding", "write", "review", "--host", "happy-codex"],
    );
    let script = lab::happy().unwrap().join("happy.mjs");
    let (project, server) = (stage.home.project(), stage.home.path().join("lab/mcp.mjs"));
    let log = stage.home.path().join("own.log");
    let mut happy = host(&stage.home, "node", &[&script, &project, &server, &log]);
    let path = std::env::var("PATH").unwrap();
    happy.env("PATH", format!("{}:{path}", shim.display()));
    let threads = run(happy.env_remove("CODEX_LOADOUT_CODEX"));
    // Started and resumed, forked.
    let promise = review().server("happy", &["change_title"]);
    for (thread, turns) in threads.iter().zip([2, 1]) {
        check(&stage, thread, turns, &promise);
    }
    assert_eq!(threads.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_root_of_an_sdk_by_a_shim_and_a_binding_to_the_folder() {
    let stage = stage().await;
    let root = stage.home.path().join("sdk");
    done(&stage, &["shim", root.to_str().unwrap(), "--npm"]);
    let (project, server) = (stage.home.project(), stage.home.path().join("lab/mcp.mjs"));
    let bound = ["binding", "write", "review", "--project"];
    done(&stage, &[&bound[..], &[project.to_str().unwrap()]].concat());
    let log = stage.home.path().join("own.log");
    let hosts = lab::npm_hosts().unwrap();
    let arguments = [&hosts.join("sdk-root.mjs"), &root, &project, &server, &log];
    let arguments = arguments.map(AsRef::as_ref);
    let threads = run(&mut host(&stage.home, "node", &arguments));
    check(
        &stage,
        &threads[0],
        2,
        &review().server("own", &["own_tool"]),
    );

    // OpenAI's own SDK finds it in the place of npm's package, too.
    let sdk = root.join("node_modules/@openai/codex-sdk");
    let installed = hosts.join("node_modules/@openai/codex-sdk");
    let mut copy = Command::new("cp");
    assert!(
        copy.arg("-R")
            .args([&installed, &sdk])
            .status()
            .unwrap()
            .success()
    );
    let script = root.join("codex-sdk.mjs");
    std::fs::copy(hosts.join("codex-sdk.mjs"), &script).unwrap();
    let arguments = [&script, Path::new("-"), &project, Path::new("review")];
    let threads = run(&mut host(&stage.home, "node", &arguments));
    check(&stage, &threads[0], 2, &review());
}
