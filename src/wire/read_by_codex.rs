//! Whether Codex reads a request at all. One that it can't read, it neither carries out nor answers (0.144 to 0.169).

use super::{Frame, FrameKind};

/// Codex's JSON reader gives up where objects and lists lie this deep in one another.
const DEPTH: usize = 128;

/// Whether Codex reads this request and answers it: its id is a string or a 64-bit integer, nothing in it lies
/// too deep, and it is text.
#[must_use]
pub(crate) fn is_read_by_codex(request: &Frame) -> bool {
    request.kind() == FrameKind::Request
        && has_id(request.id_json())
        && depth(request.bytes()) < DEPTH
        && std::str::from_utf8(request.bytes()).is_ok()
}

fn has_id(json: &str) -> bool {
    json.starts_with('"') || json.parse::<i64>().is_ok()
}

/// How deep objects and lists lie in one another.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    let (mut in_text, mut escaped) = (false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn is_read(id: &str, params: &str) -> bool {
        let text = format!(r#"{{"id":{id},"method":"thread/start","params":{params}}}"#);
        is_read_by_codex(&Frame::new(Bytes::from(text)))
    }

    #[test]
    fn ids_are_texts_and_integers() {
        for id in ["1", "-5", "9223372036854775807", r#""a""#, r#""""#] {
            assert!(is_read(id, "{}"), "{id}");
        }
        for id in ["1.5", "null", "9223372036854775808", "1e3", "{}", "true"] {
            assert!(!is_read(id, "{}"), "{id}");
        }
    }

    #[test]
    fn what_lies_too_deep_is_not_read() {
        // The message itself is the first.
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(is_read("1", &deep(DEPTH - 2)));
        assert!(!is_read("1", &deep(DEPTH - 1)));
        let texts = format!(r#"["{}", "\"{}"]"#, "[".repeat(200), "{".repeat(200));
        assert!(is_read("1", &texts));
    }
}
