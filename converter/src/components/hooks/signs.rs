//! What a plugin's programs are likely to read and to answer, by the words in them.
//!
//! A program is not run to find out. A word that stands somewhere in the plugin makes its hooks run
//! through the adapter: better once too often than a guard that fails open.

use std::ops::BitOr;
use std::sync::LazyLock;

use codex_loadout_bundle::Tree;
use regex::bytes::{Regex, RegexSet};

use crate::paths;

/// More is no program that someone wrote by hand.
const LONGEST: usize = 1 << 20;

/// Which words were found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Signs {
    /// `CLAUDE_PROJECT_DIR`.
    pub(super) project: bool,
    /// `CLAUDE_ENV_FILE`.
    pub(super) env_file: bool,
    /// `transcript_path`.
    pub(super) transcript: bool,
    /// `tool_response`.
    pub(super) response: bool,
    /// An answer that a platform may take for a failure.
    pub(super) answer: bool,
    /// A decision to ask the user.
    pub(super) asks: bool,
    /// Another output than the tool's.
    pub(super) output: bool,
}

impl BitOr for Signs {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self {
            project: self.project | other.project,
            env_file: self.env_file | other.env_file,
            transcript: self.transcript | other.transcript,
            response: self.response | other.response,
            answer: self.answer | other.answer,
            asks: self.asks | other.asks,
            output: self.output | other.output,
        }
    }
}

static WORDS: LazyLock<RegexSet> = LazyLock::new(|| {
    RegexSet::new([
        r"CLAUDE_PROJECT_DIR",
        r"CLAUDE_ENV_FILE",
        r"transcript_path",
        r"tool_response",
        r#"permissionDecision|suppressOutput|additional_?[cC]ontext|updatedInput|stopReason|["']continue\\?["']|["']approve\\?["']"#,
        r#"["']ask\\?["']"#,
        r"updatedToolOutput|updatedMCPToolOutput",
    ])
    .unwrap_or_else(|error| panic!("{error}"))
});

/// The signs in one text.
pub(super) fn of_text(text: &[u8]) -> Signs {
    let found = WORDS.matches(text);
    Signs {
        project: found.matched(0),
        env_file: found.matched(1),
        transcript: found.matched(2),
        response: found.matched(3),
        answer: found.matched(4),
        asks: found.matched(5),
        output: found.matched(6),
    }
}

/// The signs in all programs of a plugin.
pub(super) fn of_plugin(tree: &Tree) -> Signs {
    tree.iter()
        .filter(|(path, file)| is_program(path) && file.bytes.len() <= LONGEST)
        .map(|(_, file)| of_text(&file.bytes))
        .fold(Signs::default(), BitOr::bitor)
}

fn is_program(path: &str) -> bool {
    let name = paths::file_name(path);
    match name.rsplit_once('.') {
        None => true,
        Some((_, ending)) => matches!(
            ending,
            "sh" | "bash"
                | "zsh"
                | "py"
                | "js"
                | "mjs"
                | "cjs"
                | "ts"
                | "mts"
                | "rb"
                | "pl"
                | "php"
                | "go"
                | "rs"
                | "cmd"
                | "bat"
                | "ps1"
        ),
    }
}

static OWN_FILE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\$\{?(?:CLAUDE_)?PLUGIN_ROOT(?::-[^}]*)?\}?["']?/([^\s"'`;|&<>()$]+)"#)
        .unwrap_or_else(|error| panic!("{error}"))
});

/// Whether it can be told from words what a command answers: it runs a file of the plugin, or
/// nothing but words of the shell.
pub(super) fn is_readable(command: &str, tree: &Tree) -> bool {
    let runs_own_file = OWN_FILE
        .captures_iter(command.as_bytes())
        .filter_map(|found| std::str::from_utf8(found.get(1)?.as_bytes()).ok())
        .filter_map(|path| paths::join("", path))
        .any(|path| tree.get(&path).is_some_and(|file| !file.bytes.is_empty()));
    let first = command.split_whitespace().next().unwrap_or_default();
    runs_own_file || matches!(first, "echo" | "printf" | "exit" | "true" | "false" | ":")
}

#[cfg(test)]
mod tests {
    use codex_loadout_bundle::TreeFile;

    use super::*;

    #[test]
    fn words_are_signs() {
        for (text, signs) in [
            ("exit 2", Signs::default()),
            (
                "cd $CLAUDE_PROJECT_DIR",
                Signs {
                    project: true,
                    ..Signs::default()
                },
            ),
            (
                r#"{"permissionDecision": "ask"}"#,
                Signs {
                    answer: true,
                    asks: true,
                    ..Signs::default()
                },
            ),
            (
                r#"echo "{\"continue\": false}""#,
                Signs {
                    answer: true,
                    ..Signs::default()
                },
            ),
            ("for x; do continue; done", Signs::default()),
            (
                "jq .transcript_path",
                Signs {
                    transcript: true,
                    ..Signs::default()
                },
            ),
        ] {
            assert_eq!(of_text(text.as_bytes()), signs, "{text}");
        }
    }

    #[test]
    fn only_programs_are_read() {
        let tree =
            |path: &str| Tree::from_iter([(path.to_owned(), TreeFile::plain("CLAUDE_ENV_FILE"))]);
        for (path, is_read) in [
            ("a.md", false),
            ("hooks/run", true),
            ("x/a.py", true),
            ("a.json", false),
        ] {
            assert_eq!(of_plugin(&tree(path)).env_file, is_read, "{path}");
        }
    }

    #[test]
    fn a_command_is_readable_if_its_program_is_there() {
        let tree = Tree::from_iter([("h/a.sh".to_owned(), TreeFile::plain("exit 2"))]);
        for (command, readable) in [
            ("\"${CLAUDE_PLUGIN_ROOT}/h/a.sh\" x", true),
            ("bash \"${CLAUDE_PLUGIN_ROOT}\"/h/a.sh", true),
            ("${CLAUDE_PLUGIN_ROOT:-.}/h/a.sh", true),
            ("$CLAUDE_PLUGIN_ROOT/h/b.sh", false),
            ("npx guard", false),
            ("echo x; exit 2", true),
        ] {
            assert_eq!(is_readable(command, &tree), readable, "{command}");
        }
    }
}
