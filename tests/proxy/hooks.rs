//! Hooks that were written for Claude Code, run by this program: the same as by the script in bundles that `convert`
//! writes, and without Node.js.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use codex_loadout_converter::target::{Codex, Hooks as _};
use lab::Client;
use serde_json::{Value, json};

use crate::claude::{is_blocked, stage_with_hooks};
use crate::stage::{PROXY, trust_hooks};

/// Exit code, what is answered, what the command was told.
type Run = (Option<i32>, Value, Vec<Value>);

/// Runs a hook by a command that writes down its input and then does `then`.
fn run(adapter: &[&str], spec: &Value, input: &Value, then: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("told");
    let command = format!("{{ cat; echo; }} >> '{}'; {then}", log.display());
    let mut child = Command::new(adapter[0])
        .args(&adapter[1..])
        .args([&spec.to_string(), &command])
        .env("TMPDIR", folder.path())
        .env("HOME", "/home/me")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let told = std::fs::read_to_string(log).unwrap_or_default();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        told.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
    )
}

const PATCH: &str = "*** Begin Patch\n*** Add File: new.txt\n+hello\n+world\n*** Update File: src/a.rs\n*** Move to: ./src/../b.rs\n@@ fn x\n one\n-two\n+2\n@@\n-three\n\n+3\n*** Update File: n.ipynb\n@@\n-a\n+b\n*** Delete File: /abs/old.txt\n*** End Patch\n+no";

fn tool(event: &str, name: &str, given: Value) -> Value {
    json!({"session_id": "s", "transcript_path": null, "cwd": "/tmp", "hook_event_name": event, "tool_name": name,
        "tool_input": given, "tool_response": "out"})
}

#[test]
fn both_adapters_do_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("codex-adapter.mjs");
    std::fs::write(&script, Codex.adapter().program).unwrap();
    let script = ["node", script.to_str().unwrap()];
    let program = [PROXY, "run-claude-hook"];

    let bash = |command: &str| tool("PreToolUse", "Bash", json!({ "command": command }));
    let patch = |event: &str| tool(event, "apply_patch", json!({ "command": PATCH }));
    let heredoc = format!("apply_patch <<'EOF'\n{PATCH}\nEOF");
    let spawn = tool(
        "PreToolUse",
        "spawn_agent",
        json!({"message": "m".repeat(80), "agent_type": "explorer"}),
    );
    let server = tool("PreToolUse", "mcp__db__query", json!({"q": 1}));
    let plain = |event: &str| json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": event, "prompt": "hi"});
    let servers = json!({"matcher": "mcp__plugin_p_d__.*", "servers": {"db": "plugin_p_d"}});
    let condition = |rule: &str| json!({ "if": rule });
    let mut cases: Vec<(Value, Value, String)> = Vec::new();
    for (spec, input) in [
        (json!({}), patch("PreToolUse")),
        (json!({"matcher": "Write"}), patch("PostToolUse")),
        (
            json!({"matcher": "NotebookEdit|Write"}),
            patch("PreToolUse"),
        ),
        (json!({"matcher": "^(?!Bash).*$"}), bash(&heredoc)),
        (json!({"matcher": "(["}), bash("ls")),
        (json!({"matcher": "Bash, Write"}), bash(&heredoc)),
        (
            json!({}),
            tool("PostToolUse", "Bash", json!({"command": "ls"})),
        ),
        (json!({"matcher": "Task"}), spawn.clone()),
        (condition("Agent(explorer)"), spawn),
        (servers, server.clone()),
        (json!({"matcher": "mcp__db"}), server.clone()),
        (condition("mcp__db"), server),
        (
            condition("Bash(git push:*)"),
            bash("cd x && A=b sudo git push origin"),
        ),
        (condition("Bash(git push:*)"), bash("git pushed")),
        (condition("Bash(git *)"), bash("x=$(git log)")),
        (
            condition("Bash(npm run *:prod)"),
            bash("npm run build:prod"),
        ),
        (condition("Bash(a.c)"), bash("abc")),
        (condition("Bash"), bash("ls")),
        (condition("Edit(src/**)"), patch("PreToolUse")),
        (condition("Edit(*.txt)"), patch("PreToolUse")),
        (condition("Write(//abs/**)"), patch("PreToolUse")),
        (condition("Edit(/b.rs)"), patch("PreToolUse")),
        (condition("Edit(~/x)"), patch("PreToolUse")),
        (condition("Edit(**/a?rs)"), patch("PreToolUse")),
        (json!({}), plain("Stop")),
        (json!({}), plain("UserPromptSubmit")),
    ] {
        cases.push((spec, input, "exit 0".to_owned()));
    }
    let endings = [
        "echo text",
        "echo no >&2; exit 2",
        "exit 2",
        "echo bad >&2; exit 3",
        r#"echo '{"decision":"block","reason":"r"}'"#,
        r#"echo '{"continue":false,"stopReason":"s","systemMessage":"m"}'"#,
        r#"echo '{"hookSpecificOutput":{"permissionDecision":"deny","permissionDecisionReason":"r","additionalContext":"c"}}'"#,
        r#"echo '{"hookSpecificOutput":{"permissionDecision":"ask"},"additionalContext":"c"}'"#,
        r#"echo '{"hookSpecificOutput":{"permissionDecision":"allow","updatedInput":{"command":"pwd"}}}'"#,
        r#"echo '{"hookSpecificOutput":{"decision":{"behavior":"allow"}}}'"#,
        r#"echo '{"hookSpecificOutput":{"decision":{"behavior":"deny","message":"d"}}}'"#,
        r#"echo '{"suppressOutput":true}'"#,
        "echo '{broken'",
        "kill -9 $$",
    ];
    for (event, which) in [
        ("PreToolUse", (0..endings.len()).collect()),
        ("PermissionRequest", vec![2, 5, 9, 10]),
        ("PostToolUse", vec![0, 4, 6]),
        ("UserPromptSubmit", vec![0, 1, 3, 4, 5]),
        ("Stop", vec![1, 4, 5]),
        ("SessionStart", vec![0, 3, 5]),
    ] {
        let input = match event {
            "PreToolUse" | "PostToolUse" | "PermissionRequest" => {
                tool(event, "Bash", json!({"command": "ls"}))
            }
            event => plain(event),
        };
        let endings = which.into_iter().map(|ending: usize| endings[ending]);
        cases.extend(endings.map(|then| (json!({}), input.clone(), then.to_owned())));
    }
    cases.push((
        json!({}),
        patch("PreToolUse"),
        r#"echo '{"hookSpecificOutput":{"updatedInput":{}}}'"#.to_owned(),
    ));
    cases.push((json!({}), json!("x"), "exit 0".to_owned()));
    cases.push((
        json!({}),
        json!({"hook_event_name": "Stop", "cwd": "/none"}),
        "exit 0".to_owned(),
    ));
    cases.push((
        json!({}),
        json!({"hook_event_name": "PreToolUse", "tool_name": "Bash", "cwd": "/none"}),
        "exit 0".to_owned(),
    ));
    let mut wrong = Vec::new();
    for (spec, input, then) in &cases {
        let (theirs, ours) = (
            run(&script, spec, input, then),
            run(&program, spec, input, then),
        );
        if theirs != ours {
            wrong.push(format!(
                "{spec} {input} {then}\n script  {theirs:?}\n program {ours:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn both_adapters_give_the_transcript_and_end_what_never_ends() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("codex-adapter.mjs");
    std::fs::write(&script, Codex.adapter().program).unwrap();
    let session = folder.path().join("rollout.jsonl");
    let lines = [
        json!({"type": "session_meta", "payload": {}}),
        json!({"type": "response_item", "payload": {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "hidden"}]}}),
        json!({"type": "response_item", "payload": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}}),
        json!({"type": "response_item", "payload": {"type": "function_call", "name": "exec_command", "arguments": "{\"cmd\":\"ls\"}", "call_id": "c"}}),
        json!({"type": "response_item", "payload": {"type": "custom_tool_call", "name": "apply_patch", "input": "*** Begin", "call_id": "d"}}),
        json!({"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c", "output": "a.txt"}}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&session, text).unwrap();
    let input = json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": "Stop", "transcript_path": session});
    let command = r#"cat "$(sed 's/.*"transcript_path":"\([^"]*\)".*/\1/')" >&2; exit 2"#;
    let spec = json!({"transcript": true}).to_string();
    let mut told = Vec::new();
    let mut blocks = Vec::new();
    for adapter in [
        vec!["node", script.to_str().unwrap()],
        vec![PROXY, "run-claude-hook"],
    ] {
        let temporary = tempfile::tempdir().unwrap();
        let answer = |input: &Value, spec: &str, command: &str| -> Value {
            let mut child = Command::new(adapter[0])
                .args(&adapter[1..])
                .args([spec, command])
                .env("TMPDIR", temporary.path())
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            child
                .stdin
                .take()
                .unwrap()
                .write_all(input.to_string().as_bytes())
                .unwrap();
            serde_json::from_slice(&child.wait_with_output().unwrap().stdout).unwrap()
        };
        told.push(answer(&input, &spec, command)["reason"].clone());
        let turns = (0..10).map(|turn| {
            let input = json!({"session_id": "t", "cwd": "/tmp", "hook_event_name": "Stop", "stop_hook_active": turn > 0});
            answer(&input, "{}", "echo no >&2; exit 2")["decision"] == "block"
        });
        blocks.push(turns.collect::<Vec<bool>>());
        // The transcript is gone; what counts is the owner's alone.
        let left: Vec<_> = std::fs::read_dir(temporary.path())
            .unwrap()
            .flatten()
            .collect();
        assert!(left.iter().all(|entry| entry.path().is_file()), "{left:?}");
    }
    assert!(told[0].as_str().unwrap().lines().count() == 4, "{told:?}");
    assert_eq!(told[0], told[1]);
    assert_eq!(blocks[1], [[true; 8].as_slice(), &[false, true]].concat());
    assert_eq!(blocks[0], blocks[1]);
}

/// A folder of links to a few programs, for a PATH without Node.js.
fn path_without_node(folder: &Path) {
    for name in ["sh", "bash", "cat", "echo", "env", "git"] {
        let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
            .map(|folder| folder.join(name))
            .find(|path| path.is_file());
        if let Some(found) = found {
            std::os::unix::fs::symlink(found, folder.join(name)).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hooks_of_a_thread_need_no_node() {
    let stage = stage_with_hooks().await;
    trust_hooks(&stage).await;
    let programs = tempfile::tempdir().unwrap();
    path_without_node(programs.path());
    let mut proxy = stage.proxy();
    proxy.env("PATH", programs.path());
    let host = Client::spawn(proxy).unwrap();
    host.initialize(true).await.unwrap();
    let selection = json!({ "plugins": ["forge"], "mcpServers": [], "hooks": "trusted" });
    let (thread, receipt) = stage.start(&host, selection).await;
    assert_eq!(receipt["hooks"][0]["active"], true, "{receipt}");
    assert!(is_blocked(&host, &thread).await);
}
