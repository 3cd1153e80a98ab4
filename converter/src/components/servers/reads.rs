//! Which variables of the environment a server's own program reads.
//!
//! Claude Code gives a server the whole environment, others only what is named. A program that lies
//! in the plugin tells what it reads.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

use super::variables::{Piece, Text};
use crate::paths;
use crate::source::Source;

/// More is no program that someone wrote by hand.
const LONGEST: usize = 1 << 20;

/// What every platform passes on by itself, and what Claude Code alone sets.
const NOT_NAMED: [&str; 14] = [
    "HOME",
    "PATH",
    "PWD",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "TERM",
    "TMPDIR",
    "TZ",
    "CLAUDE_PLUGIN_ROOT",
    "CLAUDE_PLUGIN_DATA",
    "CLAUDE_PROJECT_DIR",
];

static READ: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r#"(?x)
        (?: (?:process|Bun|import\.meta)\.env\.
          | (?:process|Bun)\.env\[\s*["']
          | os\.environ(?:\.get\(|\[)\s*["']
          | os\.getenv\(\s*["']
          | os\.Getenv\(\s*"
          | Deno\.env\.get\(\s*["']
          | env::var(?:_os)?\(\s*"
          | ENV(?:\.fetch\(|\[)\s*["']
        ) ([A-Z][A-Z0-9_]{1,63}) \b"#,
    )
    .unwrap_or_else(|error| panic!("{error}"))
});

/// The variables that the files named in these texts read, sorted.
pub(crate) fn variables_of_files<'a>(
    source: &Source,
    texts: impl Iterator<Item = &'a Text>,
) -> BTreeSet<String> {
    texts
        .filter_map(|text| match text.pieces.as_slice() {
            [.., Piece::Root, Piece::Literal(path)] => paths::join("", path),
            _ => None,
        })
        .filter_map(|path| source.tree.get(&path))
        .filter(|file| file.bytes.len() <= LONGEST)
        .filter_map(|file| std::str::from_utf8(&file.bytes).ok())
        .flat_map(|program| READ.captures_iter(program))
        .filter_map(|found| Some(found.get(1)?.as_str().to_owned()))
        .filter(|name| !NOT_NAMED.contains(&name.as_str()))
        .collect()
}
