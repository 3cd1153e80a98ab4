//! The two facts of a `SKILL.md` that a catalog needs: its name and what it is for.

use std::io::Read;
use std::path::Path;

use serde::Deserialize;

use crate::bounded_file::open_regular;

/// Frontmatter ends long before this many bytes.
const HEADER_LIMIT: u64 = 64 * 1024;

/// What the frontmatter of a `SKILL.md` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SkillHeader {
    /// Absent: the skill is named as its folder.
    pub(crate) name: Option<String>,
    /// Required by Codex.
    pub(crate) description: String,
}

impl SkillHeader {
    /// Reads the file; `None` where Codex would not load the skill.
    #[must_use]
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let mut text = Vec::new();
        open_regular(path)
            .ok()?
            .take(HEADER_LIMIT)
            .read_to_end(&mut text)
            .ok()?;
        Self::parse(&String::from_utf8_lossy(&text))
    }

    /// Reads the text of a `SKILL.md`. Like Codex 0.169, it takes a plain
    /// description that holds `: `, which strict YAML refuses.
    #[must_use]
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let after = text
            .strip_prefix("---\n")
            .or_else(|| text.strip_prefix("---\r\n"))?;
        let mut end = 0;
        for line in after.split_inclusive('\n') {
            if line.trim_end() == "---" {
                return Self::from_yaml(after.get(..end)?);
            }
            end += line.len();
        }
        None
    }

    fn from_yaml(yaml: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Yaml {
            #[serde(default)]
            name: Option<String>,
            description: Option<String>,
        }
        let header = match serde_saphyr::from_str::<Yaml>(yaml) {
            Ok(read) => Self {
                name: read.name,
                description: read.description?,
            },
            Err(_) => Self {
                name: plain_value(yaml, "name:"),
                description: plain_value(yaml, "description:")?,
            },
        };
        (!header.description.trim().is_empty()).then_some(header)
    }
}

fn plain_value(yaml: &str, key: &str) -> Option<String> {
    let value = yaml.lines().find_map(|line| line.strip_prefix(key))?.trim();
    let value = value.trim_matches(['"', '\'']);
    (!value.is_empty()).then(|| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let read = |text| SkillHeader::parse(text).map(|header| (header.name, header.description));
        assert_eq!(
            read("---\nname: a\ndescription: b\n---\nx"),
            Some((Some("a".into()), "b".into()))
        );
        assert_eq!(
            read("---\r\ndescription: >\r\n  two\r\n  lines\r\n---\r\n")
                .map(|(_, text)| text.trim().to_owned()),
            Some("two lines".into())
        );
        assert_eq!(
            read("---\nname: a\ndescription: Use when: always\n---\n"),
            Some((Some("a".into()), "Use when: always".into()))
        );
        assert_eq!(read("---\nname: a\n---\n"), None);
        assert_eq!(read("name: a\ndescription: b\n"), None);
        assert_eq!(read("---\nname: a\ndescription: b\n"), None);
    }
}
