//! The lock files of the `skills` CLI (npm `skills`, 1.5): `skills-lock.json` of a project, `.skill-lock.json` of a user.
//!
//! An entry is a skill. Neither file pins a commit: `ref` is what the user named, and the hash is of the skill's
//! folder: `computedHash` is a SHA-256 over each file's path and content, sorted by JavaScript's `localeCompare`;
//! `skillFolderHash` is that or the id of git's tree. The CLI reads a file of another version as empty.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use url::Url;

use super::super::{LockError, places};
use super::{ForeignEntry, ForeignLock, git, inner_path};
use crate::toml_text::plain;
use crate::{Origin, Source};

const HINT: &str = "`npx skills add` writes it anew.";

/// Which of the two.
#[derive(Clone, Copy)]
pub(super) enum Lock {
    Project,
    Global,
}

impl Lock {
    fn version(self) -> u64 {
        match self {
            Self::Project => 1,
            Self::Global => 3,
        }
    }
}

#[derive(Deserialize)]
struct Head {
    version: serde_json::Number,
}

#[derive(Deserialize)]
struct Text {
    skills: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    source: String,
    source_type: String,
    source_url: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
    skill_path: Option<String>,
    computed_hash: Option<String>,
    skill_folder_hash: Option<String>,
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, LockError> {
    let mut json = serde_json::Deserializer::from_str(text);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let key = error.path().to_string();
        let mut wrong = LockError::new(plain(&error.inner().to_string()), HINT);
        wrong.line = Some(error.inner().line()).filter(|line| *line > 0);
        wrong.key = (key != ".").then(|| plain(&key));
        wrong
    })?;
    json.end()
        .map_err(|error| LockError::new(plain(&error.to_string()), HINT))?;
    Ok(parsed)
}

pub(super) fn read(text: &str, lock: Lock, folder: &Path) -> Result<ForeignLock, LockError> {
    let head: Head = parse(text)?;
    if head.version.as_u64() != Some(lock.version()) {
        let message = format!(
            "this is version {}, and {} can be read",
            plain(&head.version.to_string()),
            lock.version()
        );
        let mut error = LockError::new(message, HINT);
        error.key = Some("version".to_owned());
        return Err(error);
    }
    let text: Text = parse(text)?;
    let mut read = ForeignLock::default();
    for (name, entry) in text.skills {
        let entry = entry.read(&name, folder);
        read.take(name, entry);
    }
    Ok(read)
}

impl Entry {
    fn read(self, name: &str, folder: &Path) -> Result<ForeignEntry, String> {
        let stated = [self.computed_hash, self.skill_folder_hash];
        let skill_folder = self
            .skill_path
            .as_deref()
            .map(|path| path.strip_suffix("SKILL.md").unwrap_or(path));
        let path = skill_folder.and_then(inner_path);
        let (source, commit) = match &*self.source_type {
            "github" => {
                let place = self.source_url.unwrap_or(self.source);
                git(github_address(&place), self.reference, path)
            }
            "git" | "gitlab" => {
                let place = self.source_url.unwrap_or(self.source);
                if !place.contains(':') && !place.starts_with(['.', '/']) {
                    return Err("the lock has no address for it, only a short name.".to_owned());
                }
                git(place, self.reference, path)
            }
            "local" => {
                let place = Path::new(self.source_url.as_deref().unwrap_or(&self.source));
                let mut place = places::absolute(place, folder);
                place.extend(path);
                (Source::Folder { path: place }, None)
            }
            "node_modules" => {
                let package = self.source;
                (
                    Source::Npm {
                        package,
                        version: None,
                        registry: None,
                    },
                    None,
                )
            }
            "well-known" => {
                return Err("it comes from the `.well-known` folder of a website, which is no place for a bundle.".to_owned());
            }
            other => {
                return Err(format!(
                    "places of the kind `{}` are not known.",
                    plain(other)
                ));
            }
        };
        Ok(ForeignEntry {
            name: name.to_owned(),
            origin: Origin {
                source,
                plugin: None,
            },
            commit,
            digest_as_stated: stated.into_iter().flatten().find(|it| !it.is_empty()),
            skills: vec![name.to_owned()],
        })
    }
}

/// `owner/repository` or an address, as an address.
fn github_address(place: &str) -> String {
    if place.contains(':') || Url::parse(place).is_ok() {
        return place.to_owned();
    }
    let repository = place.trim_end_matches('/').trim_end_matches(".git");
    format!("https://github.com/{repository}.git")
}
