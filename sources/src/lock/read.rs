//! A lock from its text.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use codex_loadout_bundle::Digest;
use serde::Deserialize;
use toml::Spanned;

use super::places::{self, is_commit};
use super::{LoadoutLock, LockError, LockedBundle, VERSION};
use crate::address::is_unsafe;
use crate::toml_text::{line_at, read};
use crate::{Origin, Source};

const HINT: &str =
    "Write it anew with `codex-loadout bundle lock`, or restore it from version control.";
/// More than a thousand bundles with all that they execute.
const MOST_BYTES: usize = 8 << 20;

/// As much as a lock of any version says.
#[derive(Deserialize)]
struct Head {
    version: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    #[serde(rename = "version")]
    _version: i64,
    #[serde(default)]
    bundle: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    name: Spanned<String>,
    source: Spanned<Source>,
    plugin: Option<Spanned<String>>,
    resolved: Option<Spanned<Source>>,
    commit: Option<Spanned<String>>,
    digest: Digest,
    executes: Spanned<BTreeSet<String>>,
}

/// Refuses what is no lock at all, but what a merge or a mishap left.
pub(super) fn refuse_remains(text: &str) -> Result<(), LockError> {
    if text.len() > MOST_BYTES {
        let message = format!("the file has {} bytes, more than {MOST_BYTES}", text.len());
        return Err(LockError::new(message, HINT));
    }
    let markers = ["<<<<<<< ", ">>>>>>> ", "||||||| "];
    for (index, line) in text.lines().enumerate() {
        if markers.iter().any(|marker| line.starts_with(marker)) {
            let mut error = LockError::new(
                "a merge conflict of git is not resolved here",
                "Keep the entries of both sides that are needed, one a bundle, and remove the markers.",
            );
            error.line = Some(index + 1);
            return Err(error);
        }
    }
    Ok(())
}

impl LoadoutLock {
    /// Reads a lock that lies in a folder: relative paths lead from there.
    ///
    /// # Errors
    /// Line and key of what is wrong.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, LockError> {
        let text = text.trim_start_matches('\u{feff}');
        refuse_remains(text)?;
        let head: Head = read(text).map_err(|fault| LockError::from_fault(fault, HINT))?;
        let Some(version) = head.version else {
            return Err(LockError::new("`version` is missing", HINT));
        };
        if *version.get_ref() != VERSION {
            let message = format!(
                "this is version {}, and {VERSION} can be read",
                version.get_ref()
            );
            let hint = "Install the codex-loadout that wrote it, or write it anew with `codex-loadout bundle lock`.";
            let line = line_at(text, version.span().start);
            return Err(LockError::new(message, hint).at(line, "version"));
        }
        let read: Text = read(text).map_err(|fault| LockError::from_fault(fault, HINT))?;
        let mut bundles = BTreeMap::new();
        for (index, entry) in read.bundle.into_iter().enumerate() {
            let (name, bundle) = entry.check(index, text, folder)?;
            let line = line_at(text, name.span().start);
            let name = name.into_inner();
            if bundles.contains_key(&name) {
                let message = format!("`{name}` stands here a second time");
                let hint = "Keep one entry a bundle: `codex-loadout bundle lock` writes it anew.";
                return Err(LockError::new(message, hint).at(line, format!("bundle[{index}].name")));
            }
            bundles.insert(name, bundle);
        }
        Ok(Self { bundles })
    }
}

impl Entry {
    fn check(
        self,
        index: usize,
        text: &str,
        folder: &Path,
    ) -> Result<(Spanned<String>, LockedBundle), LockError> {
        let wrong = |at: usize, key: &str, message: String| {
            LockError::new(message, HINT).at(line_at(text, at), format!("bundle[{index}].{key}"))
        };
        let fault_of = |source: &Option<&Spanned<Source>>, key: &str| {
            source.and_then(|source| {
                let fault = places::fault(source.get_ref()).or_else(|| {
                    let unwritten = "an address with a query or a fragment, which may hold a token, must not stand in a lock";
                    source.get_ref().has_query().then(|| unwritten.to_owned())
                })?;
                Some(wrong(source.span().start, key, fault))
            })
        };
        let named = [("name", Some(&self.name)), ("plugin", self.plugin.as_ref())];
        for (key, name) in named {
            if let Some(name) = name.filter(|name| !is_name(name.get_ref())) {
                return Err(wrong(
                    name.span().start,
                    key,
                    "a name has no spaces, no `@` and no `/`".to_owned(),
                ));
            }
        }
        let faults = [
            fault_of(&Some(&self.source), "source"),
            fault_of(&self.resolved.as_ref(), "resolved"),
        ];
        if let Some(fault) = faults.into_iter().flatten().next() {
            return Err(fault);
        }
        if let Some(commit) = self
            .commit
            .as_ref()
            .filter(|commit| !is_commit(commit.get_ref()))
        {
            let message = "a commit is 40 or 64 hex digits, in lower case".to_owned();
            return Err(wrong(commit.span().start, "commit", message));
        }
        if self.executes.get_ref().iter().any(|line| !is_line(line)) {
            let message = "each is a line of letters that can be seen".to_owned();
            return Err(wrong(self.executes.span().start, "executes", message));
        }
        let (source, resolved) = (
            self.source.into_inner(),
            self.resolved.map(Spanned::into_inner),
        );
        let relative = [Some(&source), resolved.as_ref()]
            .into_iter()
            .flatten()
            .filter_map(places::local_path)
            .any(Path::is_relative);
        let here = |source| {
            places::with_local_path(source, |path| Some(places::absolute(path, folder))).ok_or_else(
                || {
                    LockError::new(
                        "the lock's folder is not Unicode",
                        "Move the project to another folder.",
                    )
                },
            )
        };
        let bundle = LockedBundle {
            origin: Origin {
                source: here(source)?,
                plugin: self.plugin.map(Spanned::into_inner),
            },
            relative,
            resolved: resolved.map(here).transpose()?,
            commit: self.commit.map(Spanned::into_inner),
            digest: self.digest,
            executes: self.executes.into_inner(),
        };
        Ok((self.name, bundle))
    }
}

/// Whether a bundle or plugin can have this name: it is a part of `name@bundle`.
pub(super) fn is_name(name: &str) -> bool {
    let fits =
        |letter: char| !letter.is_whitespace() && !is_unsafe(letter) && !"@/\\".contains(letter);
    (1..=200).contains(&name.len()) && !name.starts_with('-') && name.chars().all(fits)
}

/// Whether this is one line that shows what it says.
pub(super) fn is_line(line: &str) -> bool {
    !line.is_empty() && !line.chars().any(is_unsafe)
}
