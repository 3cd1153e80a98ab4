//! What Codex refuses in a `SKILL.md`, as measured with 0.169.0.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Longest name, in characters.
const NAME_LIMIT: usize = 64;
/// Longest `plugin:name`, in characters.
const FULL_NAME_LIMIT: usize = 129;

/// What Codex reads of a header; other keys are nothing to it.
#[derive(Deserialize)]
struct Header {
    name: Option<String>,
    description: String,
    #[serde(rename = "metadata")]
    _metadata: Option<Map<String, Value>>,
}

/// Why the file would not be loaded, or not under this name.
pub(super) fn check_skill(plugin: &str, name: &str, text: &str) -> Vec<String> {
    let yaml = text
        .strip_prefix("---\n")
        .and_then(|rest| rest.split_once("\n---\n"));
    let Some((yaml, _)) = yaml else {
        return vec!["it does not begin with frontmatter between two lines of `---`".to_owned()];
    };
    let header: Header = match serde_saphyr::from_str(yaml) {
        Ok(header) => header,
        Err(error) => {
            let error = error.to_string();
            let error = error.lines().next().unwrap_or_default();
            return vec![format!("its frontmatter is refused: {error}")];
        }
    };
    let mut problems = Vec::new();
    if header.name.as_deref() != Some(name) {
        problems.push(format!("its frontmatter does not name it `{name}`"));
    }
    if name.chars().count() > NAME_LIMIT {
        problems.push(format!(
            "its name is longer than {NAME_LIMIT} characters: give it a shorter one in the alias file"
        ));
    }
    if plugin.chars().count() + 1 + name.chars().count() > FULL_NAME_LIMIT {
        problems.push(format!(
            "`{plugin}:{name}` is longer than {FULL_NAME_LIMIT} characters: give it a shorter name in the alias file"
        ));
    }
    if header.description.trim().is_empty() {
        problems.push("it has no description".to_owned());
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_codex_refuses() {
        let long = "n".repeat(65);
        for (plugin, name, text, problem) in [
            ("p", "a", "---\nname: a\ndescription: b\n---\nx", ""),
            (
                "p",
                "a",
                "---\nname: a\ndescription: b\nmetadata:\n  c: d\n---\n",
                "",
            ),
            ("p", "a", "name: a", "does not begin"),
            (
                "p",
                "a",
                "\u{feff}---\nname: a\ndescription: b\n---\n",
                "does not begin",
            ),
            (
                "p",
                "a",
                "\n---\nname: a\ndescription: b\n---\n",
                "does not begin",
            ),
            ("p", "a", "---\nname: a\n---\n", "refused"),
            ("p", "a", "---\nname: a\ndescription: [b]\n---\n", "refused"),
            (
                "p",
                "a",
                "---\nname: a\nname: a\ndescription: b\n---\n",
                "refused",
            ),
            (
                "p",
                "a",
                "---\nname: a\ndescription: b\nmetadata: c\n---\n",
                "refused",
            ),
            (
                "p",
                "a",
                "---\nname: b\ndescription: b\n---\n",
                "does not name it",
            ),
            (
                "p",
                "a",
                "---\nname: a\ndescription: \" \"\n---\n",
                "no description",
            ),
            (
                "p",
                long.as_str(),
                &format!("---\nname: {long}\ndescription: b\n---\n"),
                "64",
            ),
            (
                &"p".repeat(128),
                "a",
                "---\nname: a\ndescription: b\n---\n",
                "129",
            ),
        ] {
            let problems = check_skill(plugin, name, text);
            if problem.is_empty() {
                assert_eq!(problems, Vec::<String>::new(), "{text}");
            } else {
                assert!(
                    problems.len() == 1 && problems[0].contains(problem),
                    "{text} {problems:?}"
                );
            }
        }
    }
}
