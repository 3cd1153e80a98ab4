//! What is asked at the gate, and answered.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::lowering::GateInput;
use crate::selections::session_file;

/// Whether a turn goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// The model may be asked.
    Go,
    /// The turn ends here.
    Hold,
}

/// A turn that waits. Dropped without an answer, it is held.
#[derive(Debug)]
pub struct Question {
    /// The thread.
    pub thread: String,
    /// The first thread of the line that it was spawned in, or itself.
    pub line: String,
    /// The turn.
    pub turn: String,
    /// The thread's session file; an ephemeral thread has none.
    pub session_file: Option<PathBuf>,
    /// Whether the turn ends: then nothing can be held, and what comes next can be prepared.
    pub ends: bool,
    answer: oneshot::Sender<Verdict>,
}

impl Question {
    /// What Codex told the hook, and where the answer goes.
    #[must_use]
    pub fn new(input: GateInput, answer: oneshot::Sender<Verdict>) -> Self {
        let ends = input.ends();
        let session_file = input.transcript_path.map(PathBuf::from);
        let of_file = session_file.as_deref().and_then(session_file::thread_of);
        Self {
            // All threads of a line go by the first one's id; each has a session file of its own.
            thread: of_file.unwrap_or(&input.session_id).to_owned(),
            line: input.session_id,
            turn: input.turn_id,
            session_file,
            ends,
            answer,
        }
    }

    /// About a turn that does not wait: nobody hears the answer.
    #[must_use]
    pub fn of_nobody(thread: &str, turn: &str, session_file: PathBuf) -> Self {
        Self {
            thread: thread.to_owned(),
            line: thread.to_owned(),
            turn: turn.to_owned(),
            session_file: Some(session_file),
            ends: false,
            answer: oneshot::channel().0,
        }
    }

    /// Answers.
    pub fn answer(self, verdict: Verdict) {
        // Codex may have given the turn up meanwhile.
        let _ = self.answer.send(verdict);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn thread(session_file: Option<&str>) -> String {
        let (answer, _) = oneshot::channel();
        let input = GateInput {
            session_id: "first".to_owned(),
            turn_id: "turn".to_owned(),
            transcript_path: session_file.map(str::to_owned),
            event: String::new(),
        };
        Question::new(input, answer).thread
    }

    #[test]
    fn a_spawned_thread_is_known_by_its_session_file() {
        let id = "01a1fe34-17bc-7062-825f-7e21a914f628";
        let file = format!("/c/sessions/2026/11/21/rollout-2026-11-21T13-03-09-{id}.jsonl");
        assert_eq!(thread(Some(&file)), id);
        let reverted = file.replace(".jsonl", "_01a1fe52-1374-76d1-a989-da1143e67545.jsonl");
        assert_eq!(thread(Some(&reverted)), id);
        assert_eq!(thread(None), "first");
        assert_eq!(thread(Some("/c/other.jsonl")), "first");
    }
}
