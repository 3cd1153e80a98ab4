//! Addresses of git repositories: which texts are some, and which of them git is never given.

use url::Url;

use super::SourceError;
use crate::address::{self, escaped};

/// What git is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Git {
    pub(crate) url: String,
    /// What a `#fragment` named.
    pub(crate) reference: Option<String>,
}

/// Hosts whose every `https://host/owner/repo` is a git repository.
const FORGES: [&str; 4] = ["github.com", "gitlab.com", "bitbucket.org", "codeberg.org"];

/// Reads a text as the address of a git repository; `None` if it is the address of something else, or a path.
///
/// # Errors
/// If it is one for git that must not be used.
pub(crate) fn git_url(text: &str, has_reference: bool) -> Result<Option<Git>, SourceError> {
    let (text, mut is_git) = match text.strip_prefix("git+") {
        Some(rest) => (rest, true),
        None => (text, has_reference && text.contains("://")),
    };
    let (text, reference) = match text.split_once('#') {
        Some((url, reference)) if text.contains("://") || text.contains(':') => {
            (url, Some(reference.to_owned()).filter(|it| !it.is_empty()))
        }
        _ => (text, None),
    };
    if let Some(reference) = &reference {
        check_reference(reference)?;
    }
    let git = |url: String| Ok(Some(Git { url, reference }));
    if let Some(repository) = text.strip_prefix("github:") {
        return git(github(repository)?);
    }
    if let Some((transport, _)) = text.split_once("::")
        && transport
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '-')
    {
        return Err(SourceError::new(
            format!(
                "`{}::` is a helper program of git, which an address must not choose",
                escaped(transport)
            ),
            "use https:// or ssh://",
        ));
    }
    if text.starts_with('-') {
        return Err(SourceError::new(
            format!("`{}` is an option and no address", escaped(text)),
            "write ./-name for a path that begins so",
        ));
    }
    if !text.contains("://") {
        if !is_scp_like(text) {
            return Ok(None);
        }
        check(text)?;
        return git(text.to_owned());
    }
    let Ok(url) = Url::parse(text) else {
        return Ok(None);
    };
    let host = url.host_str().unwrap_or_default();
    let path = url.path().trim_end_matches('/');
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let is_forge = FORGES.contains(&host.trim_start_matches("www."));
    match url.scheme() {
        "https" | "http" => {
            if is_forge
                && parts.len() > 3
                && matches!(parts.get(2), Some(&"tree" | &"blob" | &"src"))
            {
                return Err(SourceError::new(
                    format!(
                        "`{}` is a page about a folder of a repository",
                        address::shown_url(&url)
                    ),
                    format!(
                        "name the repository and the folder: https://{host}/{}/{} --ref REF --path FOLDER",
                        parts[0], parts[1]
                    ),
                ));
            }
            // GitLab has groups in groups.
            let is_in_groups = host == "gitlab.com" && parts.len() > 2 && !parts.contains(&"-");
            is_git |= path.ends_with(".git") || is_forge && parts.len() == 2 || is_in_groups;
        }
        "file" => {
            is_git |= path.ends_with(".git")
                || url
                    .to_file_path()
                    .is_ok_and(|path| path.join(".git").exists());
        }
        // Every other address that git knows, the forbidden ones, too: they are looked at next.
        "ssh" | "git" | "ftp" | "ftps" | "rsync" => is_git = true,
        _ => {}
    }
    if !is_git {
        return Ok(None);
    }
    check(text)?;
    git(text.trim_end_matches('/').to_owned())
}

/// `user@host:path`, as ssh and git take it.
fn is_scp_like(text: &str) -> bool {
    let Some((host, path)) = text.split_once(':') else {
        return false;
    };
    host.contains('@') && !host.contains('/') && !path.is_empty()
}

/// Looks at an address that git would be given.
///
/// # Errors
/// If it is an option, runs a program, is not encrypted, or has a password in it.
pub(crate) fn check(text: &str) -> Result<(), SourceError> {
    let shown = escaped(&address::shown(text));
    let wrong = |why: &str, hint: &str| Err(SourceError::new(format!("`{shown}` {why}"), hint));
    if text.starts_with('-') || text.contains("::") && !text.contains("://") {
        return wrong("is no address", "use https:// or ssh://");
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || address::is_unsafe(c))
    {
        return wrong("has characters that no address has", "write blanks as %20");
    }
    if !text.contains("://") {
        let (host, path) = text.split_once(':').unwrap_or_default();
        let (user, host) = host.rsplit_once('@').unwrap_or_default();
        let is_word = |text: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
        };
        if !is_word(user) || !is_word(host) || path.starts_with('-') {
            return wrong("is no address that ssh is given", "write user@host:path");
        }
        return Ok(());
    }
    let Ok(url) = Url::parse(text) else {
        return wrong("is no address", "use https:// or ssh://");
    };
    // `https:host/a://b` is an address to the parser, and to git a place on a host that is called `https`; `FILE://` is a
    // helper program's to git.
    let scheme = text.split_once("://").map(|(scheme, _)| scheme);
    if scheme != Some(url.scheme()) {
        return wrong(
            "is no address to git",
            "begin it with its kind in lower case and `://`",
        );
    }
    if url.query().is_some() {
        return wrong(
            "has a query, which git does not send and which would be recorded",
            "take it out; for a password, let a credential helper know it (`git help credentials`)",
        );
    }
    match url.scheme() {
        "file" if url.path().trim_end_matches('/').is_empty() => {
            wrong("names no folder", "write it as file:///path")
        }
        "file" if url.host().is_none() => Ok(()),
        "ssh" => {
            let host = url.host_str().unwrap_or_default();
            if url.password().is_some() {
                return wrong("has a password in it, which would be recorded", "use a key");
            }
            if host.is_empty() || host.starts_with('-') || url.username().starts_with('-') {
                return wrong(
                    "is no address that ssh is given",
                    "write ssh://user@host/path",
                );
            }
            Ok(())
        }
        "https" | "http" => match address::refusal(&url) {
            Some((why, hint)) => wrong(why, hint),
            None => Ok(()),
        },
        "git" => wrong(
            "is neither encrypted nor signed: whoever is on the way can change it",
            "use https:// or ssh://",
        ),
        _ => wrong(
            "is of a kind that git is not given",
            "use https:// or ssh://",
        ),
    }
}

/// `owner/repo` of GitHub, as its address.
///
/// # Errors
/// If it is not two names.
pub(crate) fn github(repository: &str) -> Result<String, SourceError> {
    let repository = repository.trim_end_matches('/').trim_end_matches(".git");
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(['-', '.'])
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
    };
    match repository.split_once('/') {
        Some((owner, name)) if is_name(owner) && (is_name(name) || name == ".github") => {
            Ok(format!("https://github.com/{owner}/{name}.git"))
        }
        _ => Err(SourceError::new(
            format!("`{}` is no repository of GitHub", escaped(repository)),
            "write github:owner/repo",
        )),
    }
}

/// Looks at the name of a branch, a tag or a commit.
///
/// # Errors
/// If it is none, by the rules of `git check-ref-format`.
pub(crate) fn check_reference(reference: &str) -> Result<(), SourceError> {
    let is_bad = reference.is_empty()
        || reference.starts_with(['-', '/', '.'])
        || reference.ends_with(['/', '.'])
        || reference.len() > 255
        || ["..", "@{", "//", "/.", ".lock/"]
            .iter()
            .any(|bad| reference.contains(bad))
        || reference
            .chars()
            .any(|c| c.is_whitespace() || address::is_unsafe(c) || "~^:?*[\\".contains(c));
    if is_bad {
        return Err(SourceError::new(
            format!(
                "`{}` is no name of a branch, a tag or a commit",
                escaped(reference)
            ),
            "name a branch, a tag, or a commit by its whole hash",
        ));
    }
    Ok(())
}
