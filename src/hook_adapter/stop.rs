//! Ends what would go on for ever: Codex itself sets no limit to a Stop hook that always blocks. Claude Code, too, ends
//! such a turn.

use std::fs;
use std::io::{self, Write};

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::answer::Answer;

/// So many times in a row a hook may have the turn go on.
const MOST: u64 = 8;

/// Counts what blocks, in a file of the thread's and the hook's own, and lets the last one pass.
pub(super) fn cap(blocking: Option<&mut Answer>, input: &Value, command: &str) -> io::Result<()> {
    let text = |key: &str| input[key].as_str().unwrap_or_default();
    let of = format!("{}\n{}\n{command}", text("session_id"), text("agent_id"));
    let hash = Sha256::digest(of.as_bytes());
    let name: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let file = std::env::temp_dir().join(format!("hook-adapter-{name}"));
    let Some(answer) = blocking else {
        let _ = fs::remove_file(file);
        return Ok(());
    };
    let before = match input["stop_hook_active"].as_bool() {
        Some(true) => fs::read_to_string(&file).ok(),
        _ => None,
    };
    let count: u64 = before.and_then(|text| text.parse().ok()).unwrap_or(0);
    if count < MOST {
        let mut options = fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        return options
            .open(file)?
            .write_all((count + 1).to_string().as_bytes());
    }
    let _ = fs::remove_file(file);
    answer.block = None;
    answer.message = Some(format!(
        "A hook wanted the turn to go on {count} times in a row; it was ended."
    ));
    Ok(())
}
