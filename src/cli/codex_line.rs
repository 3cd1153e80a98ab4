//! How Codex reads a command line of its own.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// Options of `codex` that stand before a subcommand and take a value as a word of its own (Codex 0.169).
pub(super) const VALUE_OPTIONS: [&str; 19] = [
    "-c",
    "--config",
    "--enable",
    "--disable",
    "--remote",
    "--remote-auth-token-env",
    "-i",
    "--image",
    "-m",
    "--model",
    "--local-provider",
    "-p",
    "--profile",
    "-s",
    "--sandbox",
    "-C",
    "--cd",
    "--add-dir",
    "-a",
];

/// Where the subcommand stands, behind options of `codex` itself.
pub(super) fn first_word(arguments: &[OsString]) -> Option<usize> {
    let mut at = 0;
    while let Some(word) = arguments.get(at) {
        if VALUE_OPTIONS.iter().any(|option| word == option) {
            at += 2;
        } else if word.as_encoded_bytes().starts_with(b"-") {
            at += 1;
        } else {
            return Some(at);
        }
    }
    None
}

/// Takes `--codex PATH` out of what stands before the verb.
pub(super) fn without_codex(arguments: &[OsString]) -> (Option<PathBuf>, Vec<OsString>) {
    let mut codex = None;
    let mut kept = Vec::with_capacity(arguments.len());
    let mut words = arguments.iter();
    while let Some(word) = words.as_slice().first() {
        if !word.as_encoded_bytes().starts_with(b"-") {
            break;
        }
        words.next();
        if let Some(value) = option_value("--codex", word, &mut words) {
            codex = Some(PathBuf::from(value));
            continue;
        }
        kept.push(word.clone());
        if VALUE_OPTIONS.iter().any(|option| word == option) {
            kept.extend(words.next().cloned());
        }
    }
    kept.extend(words.cloned());
    (codex, kept)
}

/// The value of `--name VALUE` or `--name=VALUE`.
pub(super) fn option_value<'a>(
    name: &str,
    word: &'a OsString,
    rest: &mut impl Iterator<Item = &'a OsString>,
) -> Option<&'a OsStr> {
    if word == name {
        return Some(rest.next().map_or(OsStr::new(""), OsString::as_os_str));
    }
    let value = word.to_str()?.strip_prefix(name)?.strip_prefix('=')?;
    Some(OsStr::new(value))
}
