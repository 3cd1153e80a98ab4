//! The adapter, run by Node.js on what Codex 0.169.0 gives to hooks.

use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::target::{Codex, Gemini, Hooks};
use crate::test_table::{json as table_json, rows};

/// What became of a hook: exit code, answer, and what its command was told, call by call.
struct Run {
    code: i32,
    answer: Value,
    told: Vec<Value>,
    stderr: String,
}

/// Runs the adapter with a command that writes down its input and then does `then`.
fn run(spec: &Value, input: &Value, then: &str) -> Run {
    run_for(&Codex, spec, input, then)
}

fn run_for(target: &dyn Hooks, spec: &Value, input: &Value, then: &str) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("adapter.mjs");
    std::fs::write(&adapter, target.adapter().program).unwrap();
    let log = folder.path().join("told");
    let command = format!("{{ cat; echo; }} >> '{}'; {then}", log.display());
    let mut child = Command::new("node")
        .args([adapter.to_str().unwrap(), &spec.to_string(), &command])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.to_string().as_bytes()).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let told = std::fs::read_to_string(log).unwrap_or_default();
    Run {
        code: output.status.code().unwrap(),
        answer: serde_json::from_slice(&output.stdout).unwrap_or(Value::Null),
        told: told
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn tool(event: &str, name: &str, input: Value) -> Value {
    json!({"session_id": "s", "turn_id": "t", "transcript_path": "/nowhere", "cwd": "/tmp",
           "hook_event_name": event, "model": "m", "permission_mode": "bypassPermissions",
           "tool_name": name, "tool_input": input, "tool_use_id": "c1"})
}

const PATCH: &str = "*** Begin Patch\n*** Add File: new.txt\n+hello\n+world\n*** Update File: src/a.rs\n@@ fn x\n one\n-two\n+2\n@@\n-three\n+3\n*** Delete File: old.txt\n*** End Patch";

#[test]
fn a_patch_is_told_file_by_file() {
    let input = tool("PreToolUse", "apply_patch", json!({"command": PATCH}));
    let told = run(&json!({"matcher": "Write|Edit"}), &input, "exit 0").told;
    let told: Vec<Value> = told
        .iter()
        .map(|call| {
            let input = &call["tool_input"];
            json!([
                call["tool_name"],
                input["file_path"],
                input["content"],
                input["old_string"],
                input["new_string"]
            ])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!(["Write", "/tmp/new.txt", "hello\nworld", "", "hello\nworld"]),
            json!([
                "Edit",
                "/tmp/src/a.rs",
                "one\n2\n3",
                "one\ntwo\nthree",
                "one\n2\n3"
            ]),
            json!(["Edit", "/tmp/old.txt", "", "", ""]),
        ]
    );
}

#[test]
fn matchers_and_conditions_choose() {
    let heredoc = format!("apply_patch <<'EOF'\n{PATCH}\nEOF\n");
    for [spec, name, input, tools] in rows(
        r#"
            {"matcher": "Write"} ⇒ Bash ⇒ HEREDOC ⇒ Write Write Write
            {"matcher": "Write|Edit"} ⇒ Bash ⇒ {"command": "ls"}
            {"matcher": "^(?!Bash).*$"} ⇒ Bash ⇒ {"command": "ls"}
            {"matcher": "(((" } ⇒ Bash ⇒ {"command": "ls"}
            {"matcher": "Task"} ⇒ spawn_agent ⇒ {"message": "x"} ⇒ Task
            {"matcher": "MultiEdit", "if": "Edit(*.rs)"} ⇒ apply_patch ⇒ PATCH ⇒ MultiEdit
            {"if": "Edit(src/**)"} ⇒ apply_patch ⇒ PATCH ⇒ Edit
            {"if": "Write(/new.*)"} ⇒ apply_patch ⇒ PATCH ⇒ Write
            {"if": "Write(//tmp/new.txt)"} ⇒ apply_patch ⇒ PATCH ⇒ Write
            {"if": "Bash(git commit:*)"} ⇒ Bash ⇒ {"command": "cd x && A=1 git commit -m y"} ⇒ Bash
            {"if": "Bash(git commit:*)"} ⇒ Bash ⇒ {"command": "echo $(git commit)"} ⇒ Bash
            {"if": "Bash(git commit:*)"} ⇒ Bash ⇒ {"command": "git committed"}
            {"if": "Bash(git *)"} ⇒ Bash ⇒ {"command": "git push"} ⇒ Bash
            {"if": "Bash(npm * --force)"} ⇒ Bash ⇒ {"command": "npm i --force"} ⇒ Bash
            {"if": "Bash(rm:*)"} ⇒ Bash ⇒ {"command": "ls"}
            {"if": "mcp__db"} ⇒ mcp__db__query ⇒ {} ⇒ mcp__db__query
            {"matcher": "mcp__plugin_p_db__.*", "servers": {"db": "plugin_p_db"}} ⇒ mcp__db__query ⇒ {} ⇒ mcp__plugin_p_db__query
        "#,
    ) {
        let input = match input.as_str() {
            "HEREDOC" => json!({ "command": heredoc }),
            "PATCH" => json!({ "command": PATCH }),
            input => table_json(input),
        };
        let told = run(
            &table_json(&spec),
            &tool("PreToolUse", &name, input),
            "exit 0",
        )
        .told;
        let names: Vec<&str> = told
            .iter()
            .map(|call| call["tool_name"].as_str().unwrap())
            .collect();
        assert_eq!(names.join(" "), tools, "{spec}");
    }
}

#[test]
fn answers_are_put_in_words_that_act() {
    let bash = |event: &str| tool(event, "Bash", json!({"command": "ls"}));
    let other = |event: &str| json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": event});
    let deny = |reason: &str| json!({"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": reason}});
    for [event, says, answer] in rows(
        r#"
            PreToolUse ⇒ {"hookSpecificOutput": {"permissionDecision": "deny", "permissionDecisionReason": "no"}} ⇒ deny: no
            PreToolUse ⇒ {"hookSpecificOutput": {"permissionDecision": "deny"}} ⇒ deny: A hook refused this and gave no reason.
            PreToolUse ⇒ {"decision": "block", "reason": "no"} ⇒ deny: no
            PreToolUse ⇒ {"continue": false, "stopReason": "stop"} ⇒ deny: stop
            PreToolUse ⇒ {"hookSpecificOutput": {"permissionDecision": "allow"}, "suppressOutput": true}
            PreToolUse ⇒ {"decision": "approve"}
            PreToolUse ⇒ {"hookSpecificOutput": {"permissionDecision": "allow", "updatedInput": {"command": "pwd"}}} ⇒ {"hookSpecificOutput": {"hookEventName": "PreToolUse", "permissionDecision": "allow", "updatedInput": {"command": "pwd"}}}
            PreToolUse ⇒ {"additionalContext": "c", "systemMessage": "m", "unknown": 1} ⇒ {"systemMessage": "m", "hookSpecificOutput": {"hookEventName": "PreToolUse", "additionalContext": "c"}}
            PermissionRequest ⇒ {"hookSpecificOutput": {"decision": {"behavior": "allow", "updatedPermissions": []}}} ⇒ {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": "allow"}}}
            PermissionRequest ⇒ {"hookSpecificOutput": {"decision": {"behavior": "allow", "updatedInput": {}}}}
            PermissionRequest ⇒ {"hookSpecificOutput": {"decision": {"behavior": "deny", "interrupt": true, "message": "m"}}} ⇒ {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": "deny", "message": "m"}}}
            PostToolUse ⇒ {"decision": "block", "reason": "r"} ⇒ {"decision": "block", "reason": "r"}
            UserPromptSubmit ⇒ {"continue": false, "stopReason": "s"} ⇒ {"continue": false, "stopReason": "s"}
            SessionStart ⇒ {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "a"}, "additional_context": "a"} ⇒ {"hookSpecificOutput": {"hookEventName": "SessionStart", "additionalContext": "a"}}
            Stop ⇒ {"decision": "block", "reason": "go on"} ⇒ {"decision": "block", "reason": "go on"}
            PreCompact ⇒ {"decision": "block", "reason": "r"} ⇒ {"continue": false, "stopReason": "r"}
        "#,
    ) {
        let is_of_tool = event.contains("Tool") || event == "PermissionRequest";
        let input = if is_of_tool {
            bash(&event)
        } else {
            other(&event)
        };
        let done = run(&json!({}), &input, &format!("echo '{says}'"));
        let answer = answer
            .strip_prefix("deny: ")
            .map_or_else(|| table_json(&answer), deny);
        assert_eq!(
            (done.code, &done.answer),
            (0, &answer),
            "{event} {says} {}",
            done.stderr
        );
    }
    let asks = json!({"hookSpecificOutput": {"permissionDecision": "ask", "permissionDecisionReason": "sure?"}});
    let asked = run(&json!({}), &bash("PreToolUse"), &format!("echo '{asks}'")).answer;
    let asked = &asked["hookSpecificOutput"];
    assert_eq!(asked["permissionDecision"], "deny");
    assert!(
        asked["permissionDecisionReason"]
            .as_str()
            .unwrap()
            .starts_with("sure? (The hook wants the user")
    );
}

#[test]
fn exit_codes_and_texts() {
    let bash = tool("PreToolUse", "Bash", json!({"command": "ls"}));
    let blocked = run(&json!({}), &bash, "echo why >&2; exit 2");
    assert_eq!(
        blocked.answer["hookSpecificOutput"]["permissionDecisionReason"],
        "why"
    );
    let failed = run(&json!({}), &bash, "echo oops >&2; exit 1");
    assert_eq!((failed.code, failed.stderr.trim()), (1, "oops"));
    // Plain text fails a Stop hook in Codex.
    let stop = json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": "Stop"});
    assert_eq!(run(&json!({}), &stop, "echo done").answer, Value::Null);
    let start = json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": "SessionStart"});
    let told = run(&json!({}), &start, "echo $CLAUDE_PROJECT_DIR").answer;
    assert_eq!(told["hookSpecificOutput"]["additionalContext"], "/tmp");
}

#[test]
fn what_can_not_run_blocks() {
    // What comes in is no JSON object of a hook: nobody knows what would be let pass.
    assert_eq!(run(&json!({}), &json!("x"), "exit 0").code, 2);
    let bash = tool("PreToolUse", "Bash", json!({"command": 5}));
    assert_eq!(run(&json!({}), &bash, "exit 0").code, 0);
}

#[test]
fn a_stop_hook_does_not_block_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let adapter = folder.path().join("codex-adapter.mjs");
    std::fs::write(&adapter, Codex.adapter().program).unwrap();
    let answers: Vec<Value> = (0..10)
        .map(|turn| {
            let input = json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": "Stop", "stop_hook_active": turn > 0});
            let script = format!("echo '{input}' | node '{}' '{{}}' 'echo no >&2; exit 2'", adapter.display());
            let output = Command::new("sh").args(["-c", &script]).env("TMPDIR", folder.path()).output().unwrap();
            serde_json::from_slice(&output.stdout).unwrap()
        })
        .collect();
    let blocks: Vec<bool> = answers
        .iter()
        .map(|answer| answer["decision"] == "block")
        .collect();
    assert_eq!(blocks, [[true; 8].as_slice(), &[false, true]].concat());
    assert!(
        answers[8]["systemMessage"]
            .as_str()
            .unwrap()
            .contains("8 times")
    );
}

#[test]
fn a_transcript_is_given_in_claudes_form() {
    let folder = tempfile::tempdir().unwrap();
    let session = folder.path().join("rollout.jsonl");
    let lines = [
        json!({"type": "session_meta", "payload": {}}),
        json!({"type": "response_item", "payload": {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "hidden"}]}}),
        json!({"type": "response_item", "payload": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}}),
        json!({"type": "response_item", "payload": {"type": "function_call", "name": "exec_command", "arguments": "{\"cmd\":\"ls\"}", "call_id": "c"}}),
        json!({"type": "response_item", "payload": {"type": "function_call_output", "call_id": "c", "output": "a.txt"}}),
        json!({"type": "response_item", "payload": {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "done"}]}}),
    ];
    let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
    std::fs::write(&session, text).unwrap();
    let input = json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": "Stop", "transcript_path": session});
    // What the hook says in the end is the transcript it read.
    let then = "cat \"$(tail -n 2 \"$T\" | head -n 1 | sed 's/.*\"transcript_path\":\"\\([^\"]*\\)\".*/\\1/')\" >&2; exit 2";
    let then = format!("T=$(ls \"$TMPDIR\"/told); {then}");
    let reason = run(&json!({"transcript": true}), &input, &then).answer["reason"].clone();
    let entries: Vec<Value> = reason
        .as_str()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let short: Vec<Value> = entries
        .iter()
        .map(|entry| json!([entry["type"], entry["message"]["content"][0]]))
        .collect();
    assert_eq!(
        short,
        [
            json!(["user", {"type": "text", "text": "hi"}]),
            json!(["assistant", {"type": "tool_use", "id": "c", "name": "Bash", "input": {"cmd": "ls", "command": "ls"}}]),
            json!(["user", {"type": "tool_result", "tool_use_id": "c", "content": "a.txt"}]),
            json!(["assistant", {"type": "text", "text": "done"}]),
        ]
    );
}

/// What the Gemini CLI 0.61 gives to hooks: what the command is told of it, and what the CLI is answered.
#[test]
fn hooks_of_the_gemini_cli() {
    let tool = |event: &str, name: &str, input: Value| {
        json!({"session_id": "s", "cwd": "/tmp", "hook_event_name": event, "tool_name": name, "tool_input": input,
            "tool_response": {"llmContent": [{"text": "out"}]}})
    };
    let deny = r#"echo '{"hookSpecificOutput":{"permissionDecision":"deny","permissionDecisionReason":"no"}}'"#;
    let bash = || {
        tool(
            "BeforeTool",
            "run_shell_command",
            json!({"command": "git push"}),
        )
    };
    let edit = || {
        tool(
            "BeforeTool",
            "replace",
            json!({"file_path": "a.rs", "old_string": "a", "new_string": "b"}),
        )
    };
    let start =
        |source: &str| json!({"cwd": "/tmp", "hook_event_name": "SessionStart", "source": source});
    let prompt = || json!({"cwd": "/tmp", "hook_event_name": "BeforeAgent", "prompt": "hi"});
    let mut server = tool("BeforeTool", "mcp_db_query", json!({}));
    server["mcp_context"] = json!({"server_name": "db", "tool_name": "query"});
    let context = |event: &str, text: &str| json!({"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}});
    for (spec, input, then, told, code, answer) in [
        (
            json!({"matcher": "Bash"}),
            bash(),
            deny,
            json!("Bash"),
            0,
            json!({"decision": "deny", "reason": "no"}),
        ),
        (
            json!({"matcher": "Bash"}),
            bash(),
            "echo no >&2; exit 2",
            json!("Bash"),
            0,
            json!({"decision": "deny", "reason": "no"}),
        ),
        (
            json!({"matcher": "Edit|Write"}),
            edit(),
            "exit 0",
            json!("Edit"),
            0,
            json!(null),
        ),
        (
            json!({"matcher": "Write"}),
            edit(),
            "exit 2",
            json!(null),
            0,
            json!(null),
        ),
        (
            json!({"if": "Bash(git push:*)"}),
            bash(),
            "exit 1",
            json!("Bash"),
            1,
            json!(null),
        ),
        (
            json!({"if": "Bash(git pull:*)"}),
            bash(),
            "exit 2",
            json!(null),
            0,
            json!(null),
        ),
        (
            json!({"if": "Edit(*.rs)"}),
            edit(),
            "exit 2",
            json!("Edit"),
            0,
            json!({"decision": "deny", "reason": "Blocked by a hook that gave no reason."}),
        ),
        (
            json!({"matcher": "mcp__plugin_p_d.*", "servers": {"db": "plugin_p_d"}}),
            server,
            "exit 0",
            json!("mcp__plugin_p_d__query"),
            0,
            json!(null),
        ),
        (
            json!({"matcher": "startup|clear"}),
            start("startup"),
            "echo hello",
            json!(null),
            0,
            context("SessionStart", "hello"),
        ),
        (
            json!({"matcher": "startup|clear"}),
            start("resume"),
            "echo hello",
            json!(null),
            0,
            json!(null),
        ),
        (
            json!({}),
            prompt(),
            r#"echo '{"continue":false,"stopReason":"stop"}'"#,
            json!(null),
            0,
            json!({"continue": false, "stopReason": "stop", "reason": "stop"}),
        ),
        (
            json!({}),
            tool("AfterTool", "run_shell_command", json!({"command": "ls"})),
            "echo ignored",
            json!("Bash"),
            0,
            json!(null),
        ),
    ] {
        let run = run_for(&Gemini, &spec, &input, then);
        let first = run.told.first();
        assert_eq!(
            first.map_or(&json!(null), |told| &told["tool_name"]),
            &told,
            "{spec} {input}"
        );
        assert_eq!(
            (run.code, &run.answer),
            (code, &answer),
            "{spec} {input} {}",
            run.stderr
        );
    }
    let after = run_for(
        &Gemini,
        &json!({}),
        &tool("AfterTool", "run_shell_command", json!({"command": "ls"})),
        "exit 0",
    );
    assert_eq!(after.told[0]["hook_event_name"], "PostToolUse");
    assert_eq!(after.told[0]["tool_response"]["stdout"], "out");
}
