//! What frontmatter says, key by key.

use indexmap::IndexMap;
use serde_json::Value;

/// One key's value. Scalars are strings, as they are written: a version `1.10` stays that.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Field {
    /// The value.
    pub(crate) value: Value,
    /// Line of its key, from 1.
    pub(crate) line: usize,
    /// The source of a list or map in brackets, on one line: authors put words in brackets, too.
    pub(crate) brackets: Option<String>,
}

/// What frontmatter says, in the order of its keys.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Header {
    fields: IndexMap<String, Field>,
}

impl Header {
    /// Whether it says nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// Sets a key; gives the value it had.
    pub(crate) fn insert(&mut self, key: String, field: Field) -> Option<Field> {
        self.fields.insert(key, field)
    }

    /// Every key that has a value.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Field)> {
        self.fields
            .iter()
            .filter(|(_, field)| !field.value.is_null())
            .map(|(key, field)| (key.as_str(), field))
    }

    /// The value of a key; `None` if it is absent or empty.
    pub(crate) fn get(&self, key: &str) -> Option<&Value> {
        self.fields
            .get(key)
            .map(|field| &field.value)
            .filter(|value| !value.is_null())
    }

    /// Line of a key, from 1; 1 if it is absent.
    pub(crate) fn line(&self, key: &str) -> usize {
        self.fields.get(key).map_or(1, |field| field.line)
    }

    /// A value as text, a list joined by `; `; `None` if it is absent or blank.
    pub(crate) fn text(&self, key: &str) -> Option<String> {
        let text = flat(self.get(key)?);
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// A value as text, brackets and all where YAML takes what stands in them for a list or a map.
    pub(crate) fn written(&self, key: &str) -> Option<String> {
        let brackets = self
            .fields
            .get(key)
            .and_then(|field| field.brackets.clone());
        brackets.or_else(|| self.text(key))
    }

    /// A value as yes or no, in all the words that Claude takes.
    pub(crate) fn flag(&self, key: &str) -> Option<bool> {
        let text = self.text(key)?;
        let word = text.split(" #").next().unwrap_or_default().trim();
        match word.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some(true),
            "false" | "no" | "off" | "0" => Some(false),
            _ => None,
        }
    }

    /// A value as a list: a list of YAML, or text with commas between (those in parentheses do not count).
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        let texts: Vec<String> = match self.get(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items.iter().map(flat).collect(),
            Some(value) => split_at_commas(&flat(value)),
        };
        texts
            .into_iter()
            .map(|text| text.trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect()
    }
}

/// A value as one line of text.
pub(crate) fn flat(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flat).collect::<Vec<_>>().join("; "),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| format!("{key}: {}", flat(value)))
            .collect::<Vec<_>>()
            .join("; "),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

fn split_at_commas(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut depth = 0_usize;
    for c in text.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if c == ',' && depth == 0 {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use crate::frontmatter::read;

    #[test]
    fn brackets_are_kept_where_they_are_asked_for() {
        for (yaml, written) in [
            ("hint: [--timeout 30s]", "[--timeout 30s]"),
            ("hint:   [a,   b] # comment", "[a, b]"),
            ("hint: [a\n  | --all]\nx: y", "[a | --all]"),
            ("hint: {file}", "{file}"),
            ("hint: [[a], b]", "[[a], b]"),
            ("hint: [a] [b]", "[a] [b]"),
            ("hint: <a> [b]", "<a> [b]"),
            ("hint: \"[a]\"", "[a]"),
            ("hint:\n  - a\n  - b", "a; b"),
            // What strict YAML refuses elsewhere.
            ("x: a: b\nhint: [--timeout 30s]", "[--timeout 30s]"),
            ("x: a: b\nhint: [a] [b]", "[a] [b]"),
            ("x: a: b\nhint: {file}", "{file}"),
        ] {
            let text = format!("---\n{yaml}\n---\n");
            let header = read(&text).header;
            assert_eq!(header.written("hint").as_deref(), Some(written), "{yaml}");
        }
        assert_eq!(read("---\na: b\n---\n").header.written("hint"), None);
        assert_eq!(
            read("---\nhint: []\n---\n")
                .header
                .written("hint")
                .as_deref(),
            Some("[]")
        );
    }

    #[test]
    fn values() {
        let document = read(
            "---\ntools: Bash(git add:*, git push), Read\nlist:\n  - a\n  - b\nmap:\n  a: b\noff: OFF\nnot: maybe\n---\n",
        );
        let header = &document.header;
        assert_eq!(header.list("tools"), ["Bash(git add:*, git push)", "Read"]);
        assert_eq!(header.list("list"), ["a", "b"]);
        assert_eq!(header.list("none"), Vec::<String>::new());
        assert_eq!(header.text("list").as_deref(), Some("a; b"));
        assert_eq!(header.text("map").as_deref(), Some("a: b"));
        assert_eq!(header.flag("off"), Some(false));
        assert_eq!(header.flag("not"), None);
    }
}
