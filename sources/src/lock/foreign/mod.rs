//! Lock files of others: what they name can be added here, pinned where they pin.

mod apm;
mod skills_cli;

use std::path::Path;

use super::LockError;
use super::places;
use super::read::{is_name, refuse_remains};
use crate::{Origin, Source};

/// The names of the files that are read: the `skills` CLI's in a project and its global one, then APM's.
pub const FOREIGN_LOCKS: [&str; 4] = [
    "skills-lock.json",
    ".skill-lock.json",
    "apm.lock.yaml",
    "apm.lock",
];

/// What another's lock names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ForeignLock {
    /// What can be added here.
    pub entries: Vec<ForeignEntry>,
    /// What can't.
    pub left_out: Vec<LeftOut>,
}

/// One thing that another's lock names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignEntry {
    /// Its name there. Of APM's, several may have the same.
    pub name: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The commit, where the lock pins one.
    pub commit: Option<String>,
    /// What the lock says of the content. It is no digest of ours, so it is shown and not compared.
    pub digest_as_stated: Option<String>,
    /// The skills that are wanted of it; all without one.
    pub skills: Vec<String>,
}

/// One thing that can't be added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Its name there.
    pub name: String,
    /// A sentence.
    pub why: String,
}

/// Reads another's lock. The path says which it is, and where its relative paths lead from; no file is read.
///
/// # Errors
/// It is none that is known, of a version that is not, or broken.
pub fn read_foreign(path: &Path, text: &str) -> Result<ForeignLock, LockError> {
    let name = path.file_name().and_then(|name| name.to_str());
    let folder = path.parent().unwrap_or(Path::new(""));
    let text = text.trim_start_matches('\u{feff}');
    refuse_remains(text)?;
    match name {
        Some("skills-lock.json") => skills_cli::read(text, skills_cli::Lock::Project, folder),
        Some(".skill-lock.json") => skills_cli::read(text, skills_cli::Lock::Global, folder),
        Some("apm.lock.yaml" | "apm.lock") => apm::read(text, folder),
        _ => Err(LockError::new(
            "this is the name of no lock file that can be read",
            format!("These can be: `{}`.", FOREIGN_LOCKS.join("`, `")),
        )),
    }
}

impl ForeignLock {
    /// Takes an entry in if it can be added, or says why it can't.
    fn take(&mut self, name: String, entry: Result<ForeignEntry, String>) {
        let checked = entry.and_then(|entry| match places::fault(&entry.origin.source) {
            Some(fault) => Err(format!("{fault}.")),
            None if !is_name(&entry.name) => Err("no bundle can have this name.".to_owned()),
            None => Ok(entry),
        });
        match checked {
            Ok(entry) => self.entries.push(entry),
            Err(why) => self.left_out.push(LeftOut { name, why }),
        }
    }
}

/// A git source; its commit, if that is what the ref is.
fn git(url: String, reference: Option<String>, path: Option<String>) -> (Source, Option<String>) {
    let commit = reference.clone().filter(|it| places::is_commit(it));
    let source = Source::Git {
        url,
        reference,
        path,
    };
    (source, commit)
}

/// A path as a source has it: none for the place itself.
fn inner_path(path: &str) -> Option<String> {
    let path = path.trim_start_matches("./").trim_end_matches('/');
    (!path.is_empty() && path != ".").then(|| path.to_owned())
}

#[cfg(test)]
mod tests;
