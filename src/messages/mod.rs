//! What the messages we touch say: one file a subject, each a pure reading of one frame.
//!
//! *Architecture invariant:* no state and no decision here; the router decides.

pub mod announcement;
pub mod catalog;
pub mod experimental;
pub mod initialize;
pub mod mentions;
pub mod notices;
pub mod servers;
pub mod thread;

#[cfg(test)]
mod recorded {
    use bytes::Bytes;
    use serde_json::Value;

    use super::{announcement, initialize, thread};
    use crate::wire::Frame;

    /// Frames of the real Codex, one of each kind (`protocol/frames`).
    const FILES: [(&str, &str); 2] = [
        (
            "0.144.1",
            include_str!("../../protocol/frames/0.144.1.json"),
        ),
        (
            "0.169.0",
            include_str!("../../protocol/frames/0.169.0.json"),
        ),
    ];

    #[test]
    fn what_is_read_stands_in_the_frames_of_the_real_codex() {
        for (version, text) in FILES {
            let recorded: Value = serde_json::from_str(text).unwrap();
            let frame = |kind: &str| Frame::new(Bytes::from(recorded[kind].to_string()));
            let info = initialize::upstream_info(&frame("initialize")).unwrap();
            assert_eq!(info.version.to_string(), version);
            assert_eq!(info.codex_home.to_str(), Some("/home/user/.codex"));
            for method in [thread::START, thread::RESUME, thread::FORK] {
                let named = thread::named_in_result(&frame(method));
                assert_eq!(
                    named.as_deref(),
                    recorded[method]["result"]["thread"]["id"].as_str(),
                    "{method}"
                );
            }
            assert_eq!(thread::named_in_result(&frame("error")), None);
            let started = thread::named_in_params(&frame(thread::STARTED));
            assert!(started.is_some_and(|id| id.len() == 36));
            let spawned = announcement::read(&frame("item/completed")).unwrap();
            assert_eq!(
                recorded["thread/read"]["result"]["thread"]["id"],
                spawned.parent
            );
            assert_eq!(spawned.children.len(), 1);
        }
    }
}
