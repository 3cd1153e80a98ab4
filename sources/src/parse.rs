//! What a user types, as an [`Origin`].

use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::address::{self, escaped};
use crate::place::names;
use crate::source::{Origin, Source};

mod git_url;
mod npm_name;
#[cfg(test)]
mod tests;

pub(crate) use git_url::{Git, check as check_git_url, check_reference, git_url, github};
pub(crate) use npm_name::check as check_npm_package;

/// What may be said beside a place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddOptions {
    /// A branch, a tag or a commit of a git repository.
    pub reference: Option<String>,
    /// A folder of the place.
    pub path: Option<String>,
    /// A plugin of the marketplace there.
    pub plugin: Option<String>,
    /// The SHA-256 of an archive file, in hex.
    pub sha256: Option<String>,
}

/// A text that names no place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SourceError {
    /// One sentence, without secrets.
    pub message: String,
    /// What to write instead.
    pub hint: String,
}

impl SourceError {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            message: escaped(&message.into()),
            hint: escaped(&hint.into()),
        }
    }
}

/// Where a Claude or Codex marketplace keeps the file that describes it.
const MARKETPLACES: [&str; 2] = [
    ".claude-plugin/marketplace.json",
    ".agents/plugins/marketplace.json",
];

/// What can be written for a place.
const FORMS: &str = "name a folder, a .tar.gz or .zip, a git URL (https://…/x.git, ssh://…, git@host:owner/repo, github:owner/repo) or npm:package";

/// Reads what a user wrote for a place. A relative path is seen from `cwd`. Whether there is a folder, a file or a git
/// repository at a path decides what the path means; nothing else of this machine is looked at, and nothing is fetched.
///
/// # Errors
/// [`SourceError`] if the text names nothing, what it names must not be fetched, or an option does not fit it.
pub fn parse(text: &str, options: &AddOptions, cwd: &Path) -> Result<Origin, SourceError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(SourceError::new("no place is named", FORMS));
    }
    if text.chars().any(address::is_unsafe) {
        return Err(SourceError::new(
            format!("`{}` has characters that no address has", escaped(text)),
            FORMS,
        ));
    }
    let source = match text.strip_prefix("npm:") {
        Some(package) => npm(package)?,
        None => match git_url(text, options.reference.is_some())? {
            Some(git) => of_git(git),
            None if text.contains("://") => of_url(text, options)?,
            None => of_path(text, options, cwd)?,
        },
    };
    let source = with_options(source, options)?;
    let plugin = options.plugin.clone().filter(|plugin| !plugin.is_empty());
    Ok(Origin { source, plugin })
}

fn of_git(git: Git) -> Source {
    Source::Git {
        url: git.url,
        reference: git.reference,
        path: None,
    }
}

fn npm(text: &str) -> Result<Source, SourceError> {
    // The first character may be the scope's own `@`.
    let at = text
        .get(1..)
        .and_then(|rest| rest.find('@'))
        .map(|at| at + 1);
    let (package, version) = match at {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at + 1..)),
        None => (text, None),
    };
    check_npm_package(package, version)?;
    Ok(Source::Npm {
        package: package.to_owned(),
        version: version.map(str::to_owned),
        registry: None,
    })
}

/// An address that is no git repository's.
fn of_url(text: &str, options: &AddOptions) -> Result<Source, SourceError> {
    let url = Url::parse(text).map_err(|error| {
        SourceError::new(
            format!(
                "`{}` is no address: {error}",
                escaped(&address::shown(text))
            ),
            FORMS,
        )
    })?;
    if url.scheme() == "file" {
        let path = url.to_file_path().map_err(|()| {
            SourceError::new(
                format!("`{}` names no file of this machine", escaped(text)),
                "write it as file:///path",
            )
        })?;
        return of_path(&path.to_string_lossy(), options, Path::new("/"));
    }
    let shown = address::shown_url(&url);
    if let Some((why, hint)) = address::refusal(&url) {
        return Err(SourceError::new(format!("`{shown}` {why}"), hint));
    }
    if url.path().ends_with("marketplace.json") {
        return Err(SourceError::new(
            format!("`{shown}` is a marketplace's file alone, without the plugins beside it"),
            "name the git repository or the archive that it lies in",
        ));
    }
    if is_archive_name(url.path()) || options.sha256.is_some() || url.path().contains("/tar.gz/") {
        return Ok(Source::Archive {
            location: text.to_owned(),
            path: None,
            sha256: None,
        });
    }
    Err(SourceError::new(
        format!("`{shown}` may be a git repository or an archive"),
        "for a git repository add `.git` or `--ref`, or write git+https://…; an archive ends in .tar.gz, .tgz or .zip, or is given with `--sha256`",
    ))
}

fn of_path(text: &str, options: &AddOptions, cwd: &Path) -> Result<Source, SourceError> {
    let path = absolute(Path::new(text), cwd);
    let shown = escaped(&path.to_string_lossy());
    let Ok(metadata) = path.metadata() else {
        let looks_like_a_repository =
            text.split('/').count() == 2 && !text.starts_with(['.', '/', '~']);
        return Err(SourceError::new(
            format!("there is nothing at `{shown}`"),
            if looks_like_a_repository {
                format!(
                    "if a repository of GitHub is meant, write github:{}",
                    escaped(text)
                )
            } else {
                FORMS.to_owned()
            },
        ));
    };
    if path.to_str().is_none() {
        return Err(SourceError::new(
            format!("the name of `{shown}` is not UTF-8, so it can't be recorded"),
            "rename it",
        ));
    }
    if metadata.is_dir() {
        if options.reference.is_some() || is_bare_repository(&path) {
            let url = Url::from_file_path(&path).map_err(|()| {
                SourceError::new(format!("`{shown}` is no path git can take"), FORMS)
            })?;
            return Ok(Source::Git {
                url: url.into(),
                reference: None,
                path: None,
            });
        }
        return Ok(Source::Folder { path });
    }
    if let Some(place) = MARKETPLACES.iter().find(|file| path.ends_with(file)) {
        let up = place.split('/').count();
        return Ok(Source::Folder {
            path: path.ancestors().nth(up).unwrap_or(&path).to_owned(),
        });
    }
    if path.ends_with("marketplace.json") {
        return Err(SourceError::new(
            format!("`{shown}` lies where no marketplace's file is looked for"),
            "it has to be .claude-plugin/marketplace.json or .agents/plugins/marketplace.json of its folder",
        ));
    }
    if metadata.is_file() && is_archive_name(text) {
        return Ok(Source::Archive {
            location: path.to_string_lossy().into_owned(),
            path: None,
            sha256: None,
        });
    }
    Err(SourceError::new(
        format!("`{shown}` is no folder, and no archive by its name"),
        "name the folder that it lies in; archives end in .tar.gz, .tgz or .zip",
    ))
}

/// Adds what options say, each to the kind of place that knows it.
fn with_options(mut source: Source, options: &AddOptions) -> Result<Source, SourceError> {
    let unfit = |option: &str, of: &str| {
        SourceError::new(
            format!("`{option}` does not go with `{source}`"),
            format!("{option} is for {of}: leave it out here"),
        )
    };
    if options.sha256.is_some() && !matches!(source, Source::Archive { .. }) {
        return Err(unfit("--sha256", "archives"));
    }
    if options.reference.is_some() && !matches!(source, Source::Git { .. }) {
        return Err(unfit("--ref", "git repositories"));
    }
    let said = options.path.as_deref().map(inside).transpose()?;
    let said = said.filter(|path| !path.is_empty());
    if said.is_some() && matches!(source, Source::Npm { .. }) {
        return Err(unfit("--path", "folders, git repositories and archives"));
    }
    match &mut source {
        Source::Folder { path } => path.extend(said),
        Source::Git {
            reference, path, ..
        } => {
            *path = said;
            if let Some(named) = &options.reference {
                if reference.as_ref().is_some_and(|there| there != named) {
                    return Err(SourceError::new(
                        "the address names a ref, and `--ref` another",
                        "say it once",
                    ));
                }
                check_reference(named)?;
                *reference = Some(named.clone());
            }
        }
        Source::Archive { path, sha256, .. } => {
            *path = said;
            *sha256 = options.sha256.as_deref().map(checksum).transpose()?;
        }
        Source::Npm { .. } => {}
    }
    Ok(source)
}

/// A sub-folder in a user's words.
pub(crate) fn inside(path: &str) -> Result<String, SourceError> {
    names::inside(path).ok_or_else(|| {
        SourceError::new(
            format!("`{}` is no folder of the place", escaped(path)),
            "name it relative to the place, `/` between the parts, without `..`",
        )
    })
}

fn checksum(text: &str) -> Result<String, SourceError> {
    let hex = text.strip_prefix("sha256:").unwrap_or(text);
    if hex.len() == 64 && hex.bytes().all(|c| c.is_ascii_hexdigit()) {
        return Ok(hex.to_ascii_lowercase());
    }
    Err(SourceError::new(
        format!("`{}` is no SHA-256", escaped(text)),
        "it has 64 hex digits, as `sha256sum FILE` prints them",
    ))
}

fn is_archive_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    [".tar.gz", ".tgz", ".zip"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// A repository without a working tree: its folder holds nothing that anybody would add.
fn is_bare_repository(path: &Path) -> bool {
    path.join("HEAD").is_file() && path.join("objects").is_dir() && path.join("refs").is_dir()
}

/// A path from the root, `.` and `..` taken out by their words: what is recorded is what was written.
fn absolute(path: &Path, cwd: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for part in cwd.join(path).components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            part => result.push(part),
        }
    }
    result
}
