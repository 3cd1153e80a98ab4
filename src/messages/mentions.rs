//! Which skills a host's request names: `$name` in a text, and `skill` and `mention` items.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use crate::wire::Frame;

/// The texts of a request that may name a skill.
#[derive(Debug, PartialEq, Eq)]
pub struct Mentions {
    texts: Vec<String>,
}

impl Mentions {
    /// Reads a request's `params`. `None`: it names no skill, which most requests show without being read.
    #[must_use]
    pub fn of(request: &Frame) -> Option<Self> {
        #[derive(Deserialize)]
        struct Message {
            params: Value,
        }
        if !may_name(request.bytes()) {
            return None;
        }
        let Message { params } = serde_json::from_slice(request.bytes()).ok()?;
        let mut texts = Vec::new();
        collect(params, &mut texts);
        (!texts.is_empty()).then_some(Self { texts })
    }

    /// Whether it names the skill of this name, or the one with this `SKILL.md`. Codex 0.144 to 0.169 take a name
    /// up to the first character that can't be part of one; what goes on after that may be a longer name, and
    /// counts as well.
    #[must_use]
    pub fn name_skill(&self, name: &str, path: &Path) -> bool {
        let called = format!("${name}");
        let path = path.to_string_lossy();
        let folder = path.strip_suffix("/SKILL.md").unwrap_or(&path);
        self.texts
            .iter()
            .any(|text| text == name || text.contains(&called) || text.contains(folder))
    }
}

/// A `$`, an item of the two kinds, or an escape that could hide either.
fn may_name(bytes: &[u8]) -> bool {
    let has = |text: &str| memchr::memmem::find(bytes, text.as_bytes()).is_some();
    memchr::memchr(b'$', bytes).is_some() || ["\"skill", "\"mention\"", "\\u"].into_iter().any(has)
}

/// Every text with a `$`, and every text of an item that is a skill or a mention.
fn collect(value: Value, texts: &mut Vec<String>) {
    match value {
        Value::String(text) if text.contains('$') => texts.push(text),
        Value::Array(items) => items.into_iter().for_each(|item| collect(item, texts)),
        Value::Object(fields) => {
            let names = fields
                .get("type")
                .and_then(Value::as_str)
                .is_some_and(|kind| kind == "skill" || kind == "mention");
            for (_, field) in fields {
                match field {
                    Value::String(text) if names => texts.push(text),
                    field => collect(field, texts),
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use serde_json::json;

    fn mentions(params: Value) -> Option<Mentions> {
        let request = json!({ "id": 1, "method": "turn/start", "params": params });
        Mentions::of(&Frame::new(Bytes::from(request.to_string())))
    }

    #[test]
    fn a_skill_is_named_in_a_text_or_by_an_item() {
        let path = Path::new("/home/.agents/skills/new-one/SKILL.md");
        for (names, params) in [
            (
                true,
                json!({ "input": [{ "type": "text", "text": "use $new, please" }] }),
            ),
            (
                true,
                json!({ "input": [{ "type": "text", "text": "[x](skill:///home/.agents/skills/new-one/SKILL.md) $" }] }),
            ),
            (
                true,
                json!({ "input": [{ "type": "skill", "name": "new", "path": "/elsewhere" }] }),
            ),
            (
                true,
                json!({ "input": [{ "type": "skill", "name": "x", "path": "/home/.agents/skills/new-one/SKILL.md" }] }),
            ),
            (
                true,
                json!({ "input": [{ "type": "mention", "name": "x", "path": "skill:///home/.agents/skills/new-one/SKILL.md" }] }),
            ),
            (true, json!({ "objective": "go on with $new" })),
            (
                false,
                json!({ "input": [{ "type": "text", "text": "new costs $5 in $HOME" }] }),
            ),
            (
                false,
                json!({ "input": [{ "type": "image", "url": "new" }, { "type": "text", "text": "$" }] }),
            ),
        ] {
            let found = mentions(params.clone()).unwrap();
            assert_eq!(found.name_skill("new", path), names, "{params}");
        }
        assert_eq!(
            mentions(json!({ "input": [{ "type": "text", "text": "new" }] })),
            None
        );
    }

    #[test]
    fn an_escape_hides_nothing() {
        let text = r#"{"id":1,"method":"turn/start","params":{"input":[{"type":"text","text":"\u0024new"}]}}"#;
        let found = Mentions::of(&Frame::new(Bytes::from_static(text.as_bytes()))).unwrap();
        assert!(found.name_skill("new", Path::new("/x/SKILL.md")));
        let text = r#"{"id":1,"method":"turn/start","params":{"input":[{"type":"\u0073kill","name":"new"}]}}"#;
        let found = Mentions::of(&Frame::new(Bytes::from_static(text.as_bytes()))).unwrap();
        assert!(found.name_skill("new", Path::new("/x/SKILL.md")));
    }
}
