//! The hook's command, run as Claude Code runs it.

use std::io::{self, Write};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::transcript;
use super::{Event, Spec};

/// Runs the command on one input.
pub(super) fn run(command: &str, call: &Value, event: &Event, spec: &Spec) -> io::Result<Output> {
    let mut told = call.clone();
    let transcript = match told["transcript_path"].as_str() {
        Some(path) if spec.transcript => {
            Some(transcript::as_claude_has_it(Path::new(path), event)?)
        }
        _ => None,
    };
    if let Some(transcript) = &transcript {
        told["transcript_path"] = json!(transcript.path);
    }
    let done = start(command, &told, event);
    if let Some(transcript) = transcript {
        transcript.remove();
    }
    done
}

fn start(command: &str, told: &Value, event: &Event) -> io::Result<Output> {
    let shells = ["/bin/bash", "/usr/bin/bash"];
    let shell = shells.into_iter().find(|shell| Path::new(shell).exists());
    let mut child = Command::new(shell.unwrap_or("/bin/sh"))
        .args(["-c", command])
        .current_dir(&event.folder)
        .env("CLAUDE_PROJECT_DIR", &event.folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    let text = told.to_string();
    // It may write before it has read all, and need not read at all.
    let writing =
        std::thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(text.as_bytes())));
    let done = child.wait_with_output();
    let _ = writing.join();
    done
}
