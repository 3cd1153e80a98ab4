//! Codex's session file in the form that Claude Code's transcripts have: messages and calls.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::Event;

/// A transcript that is there for one hook.
pub(super) struct Transcript {
    folder: tempfile::TempDir,
    pub(super) path: PathBuf,
}

impl Transcript {
    pub(super) fn remove(self) {
        let _ = self.folder.close();
    }
}

/// Writes a session down as Claude Code would have it. Of a file that can't be read now, it has what could be.
pub(super) fn as_claude_has_it(session: &Path, event: &Event) -> io::Result<Transcript> {
    let text = fs::read_to_string(session).unwrap_or_default();
    let folder = tempfile::TempDir::with_prefix("hook-adapter-")?;
    let path = folder.path().join("transcript.jsonl");
    let mut file = fs::File::create(&path)?;
    for (role, content) in text.lines().map_while(|line| entry(line).ok()).flatten() {
        let line = json!({ "type": role, "sessionId": event.input["session_id"], "cwd": event.folder,
            "message": { "role": role, "content": content } });
        writeln!(file, "{line}")?;
    }
    Ok(Transcript { folder, path })
}

/// What a line of a session is in a transcript, if it is a message or a call.
fn entry(line: &str) -> serde_json::Result<Option<(String, Value)>> {
    if line.is_empty() {
        return Ok(None);
    }
    let line: Value = serde_json::from_str(line)?;
    let payload = &line["payload"];
    if line["type"] != "response_item" {
        return Ok(None);
    }
    let kind = payload["type"].as_str().unwrap_or_default();
    let id = &payload["call_id"];
    Ok(match kind {
        "message" if payload["role"] != "developer" => {
            let parts = payload["content"].as_array().into_iter().flatten();
            let texts = parts.map(
                |part| json!({ "type": "text", "text": part["text"].as_str().unwrap_or_default() }),
            );
            let role = payload["role"].as_str().unwrap_or_default().to_owned();
            Some((role, texts.collect()))
        }
        "function_call" | "custom_tool_call" => {
            let raw = [&payload["arguments"], &payload["input"]];
            let raw = raw
                .into_iter()
                .find(|raw| !raw.is_null())
                .unwrap_or(&Value::Null);
            let mut given = json!({ "command": raw });
            if let Some(Ok(read)) = raw.as_str().map(serde_json::from_str::<Value>)
                && read.is_object()
            {
                given = read;
            }
            if let Some(command) = given["cmd"].as_str().map(str::to_owned) {
                given["command"] = json!(command);
            }
            let name = match payload["name"].as_str().unwrap_or_default() {
                "exec_command" | "shell_command" => "Bash",
                name => name,
            };
            let call = json!([{ "type": "tool_use", "id": id, "name": name, "input": given }]);
            Some(("assistant".to_owned(), call))
        }
        "function_call_output" | "custom_tool_call_output" => {
            let content = match &payload["output"] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let result = json!([{ "type": "tool_result", "tool_use_id": id, "content": content }]);
            Some(("user".to_owned(), result))
        }
        _ => None,
    })
}
