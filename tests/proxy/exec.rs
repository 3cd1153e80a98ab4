//! Codex's other verbs: with the loadout that holds, or refused.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use lab::Promise;
use serde_json::{Value, json};

use crate::stage::{GITHUB_TOOLS, PROXY, Stage};

async fn stage() -> Stage {
    let stage = Stage::standard().await;
    let text = "skills = [\"repo-review\"]\nplugins = [\"github@internal\"]\n";
    stage.home.add_profile("review", text).unwrap();
    stage
}

fn review() -> Promise {
    Promise::of_skills(&["github:pull-request", "repo-review"]).server("github", &GITHUB_TOOLS)
}

fn line(stage: &Stage, arguments: &[&str]) -> Command {
    let mut command = stage.home.command(Path::new(PROXY), arguments);
    command.env("CODEX_LOADOUT_CODEX", stage.home.codex());
    command
}

fn run(mut command: Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).unwrap();
    drop(stdin);
    child.wait_with_output().unwrap()
}

/// The thread of a run with `--json`.
fn thread_of(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8_lossy(&output.stdout);
    let first: Value = serde_json::from_str(stdout.lines().next().unwrap()).unwrap();
    assert_eq!(first["type"], "thread.started", "{stdout}");
    assert!(stdout.contains("\"turn.completed\""), "{stdout}");
    first["thread_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn exec_and_exec_resume_run_with_the_loadout() {
    let stage = stage().await;
    let before = stage.home.config_hash().unwrap();
    let seen = |thread: &str| {
        let breaches = review().breaches(&stage.model.seen(thread).unwrap());
        assert_eq!(breaches, Vec::<String>::new(), "{thread}");
    };
    // The prompt on the line, as a user calls it.
    let by_line = [
        "--loadout",
        "review",
        "exec",
        "--json",
        "--skip-git-repo-check",
        "What can you do?",
    ];
    let thread = thread_of(&run(line(&stage, &by_line), ""));
    seen(&thread);
    // The prompt on stdin, as OpenAI's SDK for TypeScript calls it.
    let by_sdk = [
        "exec",
        "--experimental-json",
        "--sandbox",
        "read-only",
        "--skip-git-repo-check",
    ];
    let mut command = line(&stage, &by_sdk);
    command.env("CODEX_LOADOUT", "review");
    let thread = thread_of(&run(command, "What can you do?"));
    seen(&thread);
    let shown = stage.verb(&["show", &thread, "--json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(shown["capabilitySelection"]["profile"], json!(["review"]));
    // Resumed without a word about a loadout: it is on record. A mention puts in the body.
    let resume = [&by_sdk[..], &["resume", &thread]].concat();
    assert_eq!(
        thread_of(&run(line(&stage, &resume), "Use $repo-review")),
        thread
    );
    seen(&thread);
    let injected = stage.model.seen(&thread).unwrap().injected_skills;
    assert_eq!(injected, ["repo-review"]);
    // A host on the proxy finds it as it is.
    let host = stage.host().await;
    host.request("thread/resume", json!({ "threadId": thread }))
        .await
        .unwrap();
    stage.check(&host, &thread, &review()).await;
    host.shutdown().await.unwrap();
    // Without a loadout, it is Codex's own.
    let native = thread_of(&run(line(&stage, &by_sdk), "What can you do?"));
    let breaches = Promise::native().breaches(&stage.model.seen(&native).unwrap());
    assert_eq!(breaches, Vec::<String>::new());
    assert_eq!(stage.home.config_hash().unwrap(), before);
}

/// The session files that there are.
fn sessions(stage: &Stage) -> Vec<String> {
    let mut folders = vec![stage.home.codex_home().join("sessions")];
    let mut sessions = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => sessions.push(std::fs::read_to_string(path).unwrap()),
            }
        }
    }
    sessions
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ephemeral_run_has_its_loadout_and_leaves_nothing() {
    let stage = stage().await;
    let run_with = |more: &[&str], input: &str| {
        let begin = ["exec", "--json", "--skip-git-repo-check"];
        let mut command = line(&stage, &[&begin, more].concat());
        command.env("CODEX_LOADOUT", "review");
        thread_of(&run(command, input))
    };
    let seen = |thread: &str| stage.model.seen(thread).unwrap();
    let prompt = ["--ephemeral", "Use $planning, and $repo-review"];
    let thread = run_with(&prompt, "");
    let breaches = review().breaches(&seen(&thread));
    assert_eq!(breaches, Vec::<String>::new());
    // There is no root that a mention could put something in from, and nothing else's is put in.
    assert_eq!(seen(&thread).injected_skills, Vec::<String>::new());
    assert_eq!(sessions(&stage), Vec::<String>::new());
    let threads = stage.verb(&["threads", "--json"]);
    let threads: Value = serde_json::from_slice(&threads.stdout).unwrap();
    assert_eq!(threads["data"], json!([]));
    let audit = stage.verb(&["audit"]);
    let audit = String::from_utf8_lossy(&audit.stdout).into_owned();
    assert!(audit.contains("exec --ephemeral"), "{audit}");
    // What is kept is classified as the line says.
    let thread = run_with(&["--thread-source", "ci"], "What can you do?");
    let [session] = &sessions(&stage)[..] else {
        panic!("one session");
    };
    assert!(session.contains(r#""thread_source":"ci""#), "{session}");
    // A thread that is on record runs once more, and that is forgotten.
    let again = run_with(&["--ephemeral", "resume", &thread], "Use $repo-review");
    let again = seen(&again);
    let breaches = review().breaches(&again);
    assert_eq!(breaches, Vec::<String>::new());
    assert_eq!(sessions(&stage).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_be_given_a_loadout_is_refused() {
    let stage = stage().await;
    let refused = |arguments: &[&str], said: &str| {
        let output = run(line(&stage, arguments), "");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains(said) && stderr.contains("hint: "),
            "{arguments:?}: {stderr}"
        );
    };
    let bound = stage.verb(&["binding", "write", "review", "--default"]);
    assert!(bound.status.success());
    for arguments in [
        &["review", "--uncommitted"][..],
        &["--remote", "unix:///elsewhere"],
        &["exec", "review"],
        &["app-server", "daemon", "enable-remote-control"],
        &["agents"],
    ] {
        refused(arguments, "can't be given the loadout that holds for it");
    }
    for (option, way) in [
        (&["-p", "other"][..], "`-c key=value`"),
        (&["--profile=other"], "`-c key=value`"),
        (&["--worktree"], "`git worktree add`"),
        (&["--ignore-user-config"], "CODEX_HOME"),
    ] {
        refused(&[&["exec"], option, &["hello"]].concat(), way);
    }
    // What comes to no thread is Codex's own.
    let listed = line(&stage, &["mcp", "list", "--json"]).output().unwrap();
    assert!(listed.status.success());
    let exec = ["exec", "--json", "--skip-git-repo-check", "hello"];
    let thread = thread_of(&run(line(&stage, &exec), ""));
    let deleted = stage.verb(&["binding", "delete", "--default"]);
    assert!(deleted.status.success());
    for arguments in [
        &["exec", "fork", &thread, "go"][..],
        &["queue", &thread, "go"],
    ] {
        refused(arguments, "has a loadout");
    }
    refused(
        &["exec", "resume", "--last"],
        "may come to a thread that has a loadout",
    );
    refused(
        &["exec", "resume", "--last", "go"],
        "may come to a thread that has a loadout",
    );
}
