//! The hook: this program as Codex runs it before a turn.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::question::Verdict;
use crate::lowering::GateInput;

/// Codex goes on without an answer after [`crate::lowering::GATE_TIMEOUT`]: nobody waits that long.
const ANSWERED_WITHIN: Duration = Duration::from_secs(crate::lowering::GATE_TIMEOUT - 10);

/// Reads what Codex tells a hook, asks at the socket, and gives the reason if the turn is to end.
///
/// # Errors
/// Why it ends.
pub fn ask(socket: &Path, mut told: impl Read) -> Result<(), String> {
    let mut text = String::new();
    let read = told.read_to_string(&mut text);
    let input = read.and_then(|_| Ok(serde_json::from_str::<GateInput>(&text)?));
    // At its end, a turn that is not let go would begin anew with the reason for its prompt.
    let ends = input.as_ref().is_ok_and(GateInput::ends);
    let verdict = input.and_then(|input| put(socket, &input));
    match verdict {
        _ if ends => Ok(()),
        Ok(Verdict::Go) => Ok(()),
        Ok(Verdict::Hold) => Err(
            "codex-loadout: something has changed underneath, and this turn would have shown it. Send it again.".to_owned(),
        ),
        Err(error) => Err(format!(
            "codex-loadout: whether this turn keeps to its loadout can't be asked ({error})."
        )),
    }
}

/// Asks, and waits for the answer.
pub(super) fn put(socket: &Path, told: &GateInput) -> io::Result<Verdict> {
    // What the user wrote stands there too, and is nobody's concern.
    let question = json!({ "session_id": told.session_id, "turn_id": told.turn_id,
        "transcript_path": told.transcript_path, "hook_event_name": told.event });
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(ANSWERED_WITHIN))?;
    stream.write_all(format!("{question}\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(serde_json::from_str(&answer)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_nobody_can_be_asked_the_turn_ends() {
        let told = r#"{"session_id":"s","turn_id":"t"}"#;
        for told in [told, "garbage", ""] {
            let reason = ask(Path::new("/none/gate"), told.as_bytes()).unwrap_err();
            assert!(reason.contains("can't be asked"), "{told}: {reason}");
        }
        let ends = r#"{"session_id":"s","turn_id":"t","hook_event_name":"Stop"}"#;
        assert_eq!(ask(Path::new("/none/gate"), ends.as_bytes()), Ok(()));
    }
}
