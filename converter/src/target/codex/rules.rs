//! What Codex refuses in a `SKILL.md`, as measured with 0.169.0.

use super::SkillHeader;

/// Longest name, in characters.
const NAME_LIMIT: usize = 64;
/// Longest `plugin:name`, in characters.
const FULL_NAME_LIMIT: usize = 129;

/// Why the file would not be loaded, or not under this name.
pub(super) fn check_skill(plugin: &str, name: &str, text: &str) -> Vec<String> {
    let header = match SkillHeader::parse(text) {
        Ok(header) => header,
        Err(problem) => return vec![problem],
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
