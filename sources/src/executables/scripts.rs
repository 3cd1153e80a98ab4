//! Files that can be run.

use codex_loadout_bundle::{Digest, Tree, TreeFile};
use memchr::memmem;

use super::{Executable, ExecutableKind};

/// Endings of files that some program runs.
const SCRIPTS: [&str; 24] = [
    "bash", "bat", "cjs", "cmd", "command", "exe", "fish", "jar", "js", "jsx", "ksh", "lua", "mjs",
    "mts", "php", "pl", "ps1", "psm1", "py", "pyz", "rb", "sh", "ts", "zsh",
];
/// Endings of files that are read; the run bit on one of them is a slip.
const DOCUMENTS: [&str; 18] = [
    "csv", "gif", "html", "ico", "jpeg", "jpg", "json", "md", "mdc", "pdf", "png", "svg", "toml",
    "txt", "webp", "xml", "yaml", "yml",
];
/// How programs begin: a line that names their interpreter, and the formats of Linux, Windows and macOS.
const BEGINNINGS: [&[u8]; 6] = [
    b"#!",
    b"\x7fELF",
    b"MZ",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
    b"\xce\xfa\xed\xfe",
];

pub(super) fn of(tree: &Tree) -> Vec<Executable> {
    let skills: Vec<(&str, &TreeFile)> = tree
        .iter()
        .filter(|(path, _)| *path == "SKILL.md" || path.ends_with("/SKILL.md"))
        .collect();
    tree.iter()
        .filter(|(path, file)| can_be_run(path, file))
        .map(|(path, file)| Executable {
            kind: ExecutableKind::Script,
            name: path.to_owned(),
            detail: named_by(path, &skills),
            path: path.to_owned(),
            digest: Digest::of_parts([&*file.bytes]),
        })
        .collect()
}

fn can_be_run(path: &str, file: &TreeFile) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name
        .rsplit_once('.')
        .map(|(_, ending)| ending.to_ascii_lowercase());
    let is = |endings: &[&str]| ending.as_deref().is_some_and(|it| endings.contains(&it));
    is(&SCRIPTS)
        || BEGINNINGS.iter().any(|begin| file.bytes.starts_with(begin))
        || file.executable && !is(&DOCUMENTS)
}

/// The skills that name a file, by its path from theirs or from the bundle.
fn named_by(path: &str, skills: &[(&str, &TreeFile)]) -> String {
    let names: Vec<&str> = skills
        .iter()
        .filter(|(skill, text)| {
            let folder = skill.strip_suffix("SKILL.md").unwrap_or_default();
            let own = path.strip_prefix(folder).unwrap_or(path);
            memmem::find(&text.bytes, own.as_bytes()).is_some()
        })
        .map(|(skill, _)| *skill)
        .collect();
    match names.as_slice() {
        [] => "named by no skill".to_owned(),
        [a, b, c, more @ ..] if !more.is_empty() => {
            format!("named by {a}, {b}, {c} and {} more", more.len())
        }
        names => format!("named by {}", names.join(", ")),
    }
}
