//! What a turn shows of skills, as Codex wrote it down before it asks the model.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use codex_loadout_protocol::Seen;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Value, json};

/// How much of the end of a session file is read first. A turn that has just begun is a few kB.
const FIRST: u64 = 128 * 1024;

/// What is found of a turn in its thread's session file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// These skills, new to the conversation or told again; none if the list is as it was.
    Skills(BTreeSet<String>),
    /// Codex has not written it all down yet.
    NotYet,
}

/// Reads what a turn shows; `names` are those of skills that it may. Blocking: it reads the end of the file.
///
/// # Errors
/// What the system says if the file can't be read.
pub fn shown(session_file: &Path, turn: &str, names: &[&str]) -> io::Result<Shown> {
    let mut file = File::open(session_file)?;
    let whole = file.metadata()?.len();
    let mut length = FIRST.min(whole);
    loop {
        file.seek(SeekFrom::Start(whole - length))?;
        let mut end = Vec::new();
        Read::by_ref(&mut file).take(length).read_to_end(&mut end)?;
        if let Some(shown) = in_lines(&end, turn, names) {
            return Ok(shown);
        }
        if length == whole {
            return Ok(Shown::NotYet);
        }
        length = (length * 4).min(whole);
    }
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(rename = "type", borrow)]
    kind: &'a str,
    payload: Value,
}

/// `None` if the turn's beginning is not among these lines.
fn in_lines(lines: &[u8], turn: &str, names: &[&str]) -> Option<Shown> {
    let begins = |line: &&[u8]| {
        memmem::find(line, b"\"task_started\"").is_some()
            && memmem::find(line, turn.as_bytes()).is_some()
    };
    let mut messages = Vec::new();
    let mut lines = lines.split(|byte| *byte == b'\n');
    lines.by_ref().find(begins)?;
    for line in lines {
        let Ok(Line { kind, payload }) = serde_json::from_slice(line) else {
            // The last one may be half written.
            continue;
        };
        match kind {
            "response_item" => messages.push(payload),
            // It follows on what the turn shows.
            "turn_context" if payload["turn_id"] == turn => {
                let seen = Seen::knowing(&json!({ "input": messages }), names);
                return Some(Shown::Skills(seen.skills.into_iter().collect()));
            }
            _ => {}
        }
    }
    Some(Shown::NotYet)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn line(kind: &str, payload: Value) -> String {
        json!({ "timestamp": "t", "type": kind, "payload": payload }).to_string() + "\n"
    }

    fn begun(turn: &str) -> String {
        line(
            "event_msg",
            json!({ "type": "task_started", "turn_id": turn }),
        )
    }

    fn skills(names: &[&str]) -> String {
        let list: String = names
            .iter()
            .map(|name| format!("- {name}: Does. (file: r0/{name}/SKILL.md)\n"))
            .collect();
        let text =
            format!("<skills_instructions>\n### Available skills\n{list}</skills_instructions>");
        line(
            "response_item",
            json!({ "type": "message", "role": "developer", "content": [{ "type": "input_text", "text": text }] }),
        )
    }

    fn context(turn: &str) -> String {
        line("turn_context", json!({ "turn_id": turn }))
    }

    fn set(names: &[&str]) -> Shown {
        Shown::Skills(names.iter().map(|name| (*name).to_owned()).collect())
    }

    #[test]
    fn a_turn_shows_what_stands_between_its_beginning_and_its_context() {
        let first = [begun("one"), skills(&["a", "b"]), context("one")].concat();
        let second = [begun("two"), context("two")].concat();
        let third = [begun("three"), skills(&["a", "new"]), context("three")].concat();
        let file = [first, second, third, skills(&["later"])].concat();
        let of = |turn| in_lines(file.as_bytes(), turn, &[]);
        assert_eq!(of("one"), Some(set(&["a", "b"])));
        assert_eq!(of("two"), Some(set(&[])));
        assert_eq!(of("three"), Some(set(&["a", "new"])));
        assert_eq!(of("four"), None);
        let half = [
            begun("five"),
            skills(&["a"]),
            "{\"type\":\"turn_con".to_owned(),
        ]
        .concat();
        let odd = begun("six") + &skills(&["Review: Fast", "b"]) + &context("six");
        for (names, found) in [
            ([].as_slice(), set(&["Review", "b"])),
            (&["Review: Fast"], set(&["Review: Fast", "b"])),
        ] {
            assert_eq!(in_lines(odd.as_bytes(), "six", names), Some(found));
        }
        assert_eq!(in_lines(half.as_bytes(), "five", &[]), Some(Shown::NotYet));
    }

    #[test]
    fn a_turn_that_lies_far_from_the_end_is_found() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let filler = line("event_msg", json!({ "text": "x".repeat(100_000) })).repeat(9);
        let text = [begun("t"), filler, skills(&["a"]), context("t")].concat();
        file.write_all(text.as_bytes()).unwrap();
        assert_eq!(shown(file.path(), "t", &[]).unwrap(), set(&["a"]));
        assert_eq!(shown(file.path(), "other", &[]).unwrap(), Shown::NotYet);
        assert!(shown(Path::new("/none"), "t", &[]).is_err());
    }
}
