//! The head of a `SKILL.md` as Codex reads it, as measured with 0.169.0.

use serde::Deserialize;
use serde_json::{Map, Value};

/// What Codex reads of a skill's frontmatter; other keys are nothing to it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SkillHeader {
    /// Absent: the skill is named as its folder.
    #[serde(default)]
    pub name: Option<String>,
    /// What it is for.
    pub description: String,
    /// It has to be a map.
    #[serde(rename = "metadata", default)]
    _metadata: Option<Map<String, Value>>,
}

impl SkillHeader {
    /// Reads the text of a `SKILL.md`.
    ///
    /// # Errors
    /// Why Codex would not load the skill.
    pub fn parse(text: &str) -> Result<Self, String> {
        let yaml =
            yaml(text).ok_or("it does not begin with frontmatter between two lines of `---`")?;
        let is_yaml = serde_saphyr::from_str::<Value>(yaml).is_ok();
        let read = match is_yaml {
            true => serde_saphyr::from_str(yaml),
            // Plain text may hold `: ` and begin with a sign, which strict YAML refuses.
            false => serde_saphyr::from_str(&quoted(yaml)),
        };
        let header: Self = read.map_err(|error| {
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            format!("its frontmatter is refused: {error}")
        })?;
        if header.description.trim().is_empty() {
            return Err("it has no description".to_owned());
        }
        Ok(header)
    }
}

/// What stands between the two lines of `---`, the first of which begins the file.
fn yaml(text: &str) -> Option<&str> {
    let after = text
        .strip_prefix("---\n")
        .or_else(|| text.strip_prefix("---\r\n"))?;
    let mut end = 0;
    for line in after.split_inclusive('\n') {
        if line.trim_end() == "---" {
            return after.get(..end);
        }
        end += line.len();
    }
    None
}

/// The same with the plain values of name and description in quotes.
fn quoted(yaml: &str) -> String {
    let line = |line: &str| -> String {
        let found = ["name", "description"]
            .into_iter()
            .find_map(|key| Some((key, line.strip_prefix(key)?.strip_prefix(':')?.trim())));
        match found {
            Some((key, value))
                if !value.is_empty() && !value.starts_with(['"', '\'', '|', '>']) =>
            {
                format!("{key}: '{}'\n", value.replace('\'', "''"))
            }
            _ => line.to_owned(),
        }
    };
    yaml.split_inclusive('\n').map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let read = |text| {
            let header = SkillHeader::parse(text).ok()?;
            Some((header.name, header.description.trim().to_owned()))
        };
        let named = |text: &str| Some((Some("a".to_owned()), text.to_owned()));
        for (text, expected) in [
            ("---\nname: a\ndescription: b\n---\nx", named("b")),
            (
                "---\r\ndescription: >\r\n  two\r\n  lines\r\n---\r\n",
                Some((None, "two lines".to_owned())),
            ),
            (
                "---\nname: a\ndescription: Use when: always, it's\n---\n",
                named("Use when: always, it's"),
            ),
            ("---\nname: a\ndescription: [open\n---\n", named("[open")),
            (
                "---\nname: a\ndescription: @me: {x\nother: 1\n---\n",
                named("@me: {x"),
            ),
            ("---\nname: a\n---\n", None),
            ("name: a\ndescription: b\n", None),
            ("---\nname: a\ndescription: b\n", None),
            ("\u{feff}---\nname: a\ndescription: b\n---\n", None),
            ("---\nname: a\nname: a\ndescription: b: c\n---\n", None),
            ("---\nname: a\ndescription: [b]\n---\n", None),
            ("---\nname: a\ndescription: \"bad \\q\"\n---\n", None),
            ("---\nname: a\ndescription: \"open\n---\n", None),
            ("---\nname: a\ndescription: b\nmetadata: c\n---\n", None),
            ("---\nname: a\ndescription: \" \"\n---\n", None),
        ] {
            assert_eq!(read(text), expected, "{text}");
        }
    }
}
