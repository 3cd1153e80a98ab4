//! The lock file of APM, Microsoft's Agent Package Manager (PyPI `apm-cli`, 0.35): `apm.lock.yaml`, before that `apm.lock`.
//!
//! Versions 1 to 3: 2 adds registries and version ranges, 3 adds replacements of a package by another. A dependency
//! pins the commit (`resolved_commit`) or, from a registry, the archive's SHA-256 (`resolved_hash`); `content_hash` is
//! a SHA-256 over each file's path and content. MCP servers that the lock names are no bundles, and are not read.

use std::path::Path;

use serde::Deserialize;

use super::super::{LockError, places};
use super::{ForeignEntry, ForeignLock, git, inner_path};
use crate::toml_text::plain;
use crate::{Origin, Source};

const HINT: &str = "`apm install` writes it anew.";
const VERSIONS: [&str; 3] = ["1", "2", "3"];
/// What APM takes a single file for, by the end of its name.
const FILES: [&str; 3] = [".prompt.md", ".instructions.md", ".agent.md"];

#[derive(Deserialize)]
struct Head {
    lockfile_version: Option<String>,
}

#[derive(Deserialize)]
struct Text {
    dependencies: Option<Vec<Dependency>>,
}

#[derive(Deserialize)]
struct Dependency {
    repo_url: String,
    /// The repository as its owner spells it: `repo_url` is in lower case for some hosts.
    materialization_repo_url: Option<String>,
    alias: Option<String>,
    host: Option<String>,
    port: Option<u16>,
    registry_prefix: Option<String>,
    resolved_commit: Option<String>,
    resolved_ref: Option<String>,
    resolved_by: Option<String>,
    virtual_path: Option<String>,
    source: Option<String>,
    local_path: Option<String>,
    anchored_local_path: Option<String>,
    content_hash: Option<String>,
    #[serde(default)]
    is_insecure: bool,
    skill_subset: Option<Vec<String>>,
    resolved_url: Option<String>,
    resolved_hash: Option<String>,
    replacement: Option<Replacement>,
}

#[derive(Deserialize)]
struct Replacement {
    source: ReplacedBy,
}

#[derive(Deserialize)]
struct ReplacedBy {
    git: Option<String>,
    path: Option<String>,
    #[serde(rename = "ref")]
    reference: Option<String>,
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, LockError> {
    serde_saphyr::from_str(text).map_err(|error| {
        let mut wrong = LockError::new(plain(&error.without_snippet().to_string()), HINT);
        let line = error
            .location()
            .and_then(|location| usize::try_from(location.line()).ok());
        wrong.line = line.filter(|line| *line > 0);
        wrong
    })
}

pub(super) fn read(text: &str, folder: &Path) -> Result<ForeignLock, LockError> {
    let head: Head = parse(text)?;
    let version = head.lockfile_version.as_deref().unwrap_or("1");
    if !VERSIONS.contains(&version) {
        let message = format!(
            "this is version {}, and {} can be read",
            plain(version),
            VERSIONS.join(", ")
        );
        let mut error = LockError::new(message, HINT);
        error.key = Some("lockfile_version".to_owned());
        return Err(error);
    }
    let text: Text = parse(text)?;
    let mut read = ForeignLock::default();
    for dependency in text.dependencies.unwrap_or_default() {
        // The project itself.
        if dependency.local_path.as_deref() == Some(".") {
            continue;
        }
        let name = dependency.name();
        let entry = dependency.read(name.clone(), folder);
        read.take(name, entry);
    }
    Ok(read)
}

impl Dependency {
    /// Its alias, else the last part of what it is.
    fn name(&self) -> String {
        let paths = [&self.alias, &self.virtual_path, &self.local_path];
        let whole = paths.into_iter().flatten().find(|path| !path.is_empty());
        let whole = whole.unwrap_or(&self.repo_url).trim_end_matches('/');
        let last = whole.rsplit('/').next().unwrap_or(whole);
        plain(last.strip_suffix(".git").unwrap_or(last))
    }

    fn read(self, name: String, folder: &Path) -> Result<ForeignEntry, String> {
        if let Some(file) = self
            .virtual_path
            .as_deref()
            .filter(|path| FILES.iter().any(|end| path.ends_with(end)))
        {
            return Err(format!("`{}` is a single file, not a bundle.", plain(file)));
        }
        let stated = self.content_hash.clone();
        let skills = self.skill_subset.clone().unwrap_or_default();
        let locked_commit = self
            .resolved_commit
            .clone()
            .filter(|it| places::is_commit(it));
        let (source, commit) = self.place(folder)?;
        let is_git = matches!(source, Source::Git { .. });
        Ok(ForeignEntry {
            name,
            origin: Origin {
                source,
                plugin: None,
            },
            commit: locked_commit.filter(|_| is_git).or(commit),
            digest_as_stated: stated,
            skills,
        })
    }

    fn place(self, folder: &Path) -> Result<(Source, Option<String>), String> {
        let at = |path: &str| Source::Folder {
            path: places::absolute(Path::new(path), folder),
        };
        if let Some(Replacement { source }) = self.replacement {
            let path = source.path.as_deref();
            return match (source.git, path) {
                (Some(url), path) => Ok(git(
                    url,
                    self.resolved_ref.or(source.reference),
                    path.and_then(inner_path),
                )),
                (None, Some(path)) => Ok((at(path), None)),
                (None, None) => Err("its `replacement` names no place.".to_owned()),
            };
        }
        match self.source.as_deref() {
            Some("local") => match (self.anchored_local_path, self.local_path, self.resolved_by) {
                (Some(path), _, _) | (None, Some(path), None) => Ok((at(&path), None)),
                (None, Some(_), Some(_)) => {
                    Err("its folder lies beside the package that names it, and the lock does not say where.".to_owned())
                }
                (None, None, _) => Err("it has no `local_path`.".to_owned()),
            },
            Some("registry") => {
                let Some(location) = self.resolved_url else {
                    return Err("it has no `resolved_url`.".to_owned());
                };
                let Some(sum) = self.resolved_hash else {
                    return Err("it has no `resolved_hash`.".to_owned());
                };
                let source = Source::Archive {
                    location,
                    path: self.virtual_path.as_deref().and_then(inner_path),
                    sha256: Some(sum.strip_prefix("sha256:").unwrap_or(&sum).to_owned()),
                };
                Ok((source, None))
            }
            None | Some("git") => {
                let path = self.virtual_path.as_deref().and_then(inner_path);
                Ok(git(self.address()?, self.resolved_ref, path))
            }
            Some(other) => Err(format!("places of the kind `{}` are not known.", plain(other))),
        }
    }

    /// The address of its repository, as APM builds it.
    fn address(&self) -> Result<String, String> {
        let host = self.host.as_deref().unwrap_or("github.com");
        let repository = self
            .materialization_repo_url
            .as_ref()
            .unwrap_or(&self.repo_url);
        let scheme = if self.is_insecure { "http" } else { "https" };
        let port = self.port.map(|port| format!(":{port}")).unwrap_or_default();
        let prefix = self
            .registry_prefix
            .as_deref()
            .map(|prefix| format!("{prefix}/"))
            .unwrap_or_default();
        let is_azure = host == "dev.azure.com" || host.ends_with(".visualstudio.com");
        let path = match (
            is_azure,
            repository.split('/').collect::<Vec<_>>().as_slice(),
        ) {
            (true, [organization, project, name]) if host == "dev.azure.com" => {
                format!("{organization}/{project}/_git/{name}")
            }
            (true, [_, project, name]) => format!("{project}/_git/{name}"),
            (true, _) => {
                return Err("its repository is not `organization/project/repository`.".to_owned());
            }
            (false, _) => format!("{prefix}{repository}"),
        };
        Ok(format!("{scheme}://{host}{port}/{path}"))
    }
}
