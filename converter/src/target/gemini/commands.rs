//! Commands: TOML files, named by their path below `commands`. The plugin's name is their namespace, as in Claude.

use serde::Serialize;

use crate::target::{CommandPlace, Commands, Expansions};

/// Commands in TOML.
#[derive(Debug)]
pub(super) struct Toml;

/// The folder of all commands.
const COMMANDS: &str = "commands/";
/// More of a part of a name is cut, in characters.
const LONGEST_PART: usize = 50;

#[derive(Serialize)]
struct Definition<'a> {
    description: &'a str,
    prompt: &'a str,
}

impl Commands for Toml {
    fn place(&self, plugin: &str, name: &str) -> CommandPlace {
        let parts: Vec<String> = std::iter::once(plugin)
            .chain(name.split([':', '/']))
            .map(part)
            .collect();
        CommandPlace {
            file: format!("{COMMANDS}{}.toml", parts.join("/")),
            name: parts.join(":"),
        }
    }

    fn is_file(&self, path: &str) -> bool {
        path.starts_with(COMMANDS) && path.ends_with(".toml")
    }

    fn definition(&self, description: &str, prompt: &str) -> String {
        let definition = Definition {
            description,
            prompt,
        };
        // Texts can always be written.
        toml::to_string_pretty(&definition).unwrap_or_default()
    }

    /// Files are read first, then arguments and output put in.
    fn expansions(&self) -> &'static Expansions {
        &Expansions {
            arguments: "{{args}}",
            include: ("@{", "}"),
            shell: ("!{", "}"),
        }
    }
}

/// A part of a name; what else it might have is replaced when it is read, too.
fn part(written: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let kept = written.chars().map(|c| if is_kept(c) { c } else { '_' });
    let part: String = kept.take(LONGEST_PART).collect();
    match part.as_str() {
        "" | "." | ".." => "_".to_owned(),
        _ => part,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths() {
        for (plugin, command, file, name) in [
            ("forge", "idea", "commands/forge/idea.toml", "forge:idea"),
            (
                "forge",
                "git:push",
                "commands/forge/git/push.toml",
                "forge:git:push",
            ),
            ("a b", "..", "commands/a_b/_.toml", "a_b:_"),
            ("p", "é?", "commands/p/__.toml", "p:__"),
        ] {
            let place = Toml.place(plugin, command);
            assert_eq!((place.file.as_str(), place.name.as_str()), (file, name));
            assert!(Toml.is_file(&place.file));
        }
    }

    proptest::proptest! {
        #[test]
        fn definitions_are_read_again(
            description in "\\PC{0,40}",
            prompt in "(\\PC|[\n\r\t\"'\\\\\u{0}-\u{1f}]){0,80}",
        ) {
            let table: toml::Table = Toml.definition(&description, &prompt).parse().unwrap();
            proptest::prop_assert_eq!(table["description"].as_str(), Some(description.as_str()));
            proptest::prop_assert_eq!(table["prompt"].as_str(), Some(prompt.as_str()));
            proptest::prop_assert_eq!(table.len(), 2);
        }
    }
}
