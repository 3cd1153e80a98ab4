//! The places that a lock names: what may stand there, and paths that another machine has, too.

use std::path::{Component, Path, PathBuf};

use url::Url;

use crate::Source;
use crate::address::is_unsafe;

/// Why a place may not stand in a lock, or what is to be read from one.
pub(super) fn fault(source: &Source) -> Option<String> {
    match source {
        Source::Folder { .. } => None,
        Source::Git {
            url,
            reference,
            path,
        } => address_fault(url)
            .or_else(|| {
                reference
                    .as_deref()
                    .and_then(|name| word_fault(name, "ref"))
            })
            .or_else(|| inner_path_fault(path.as_deref())),
        Source::Archive {
            location,
            path,
            sha256,
        } => address_fault(location)
            .or_else(|| {
                let is_wrong = location.contains("://") && Url::parse(location).is_err();
                is_wrong.then(|| "the address can't be read".to_owned())
            })
            .or_else(|| inner_path_fault(path.as_deref()))
            .or_else(|| {
                let is_wrong = sha256.as_deref().is_some_and(|sum| !is_hex(sum, &[64]));
                is_wrong.then(|| "`sha256` has to be 64 hex digits, in lower case".to_owned())
            }),
        Source::Npm {
            package,
            version,
            registry,
        } => word_fault(package, "package")
            .or_else(|| version.as_deref().and_then(|it| word_fault(it, "version")))
            .or_else(|| registry.as_deref().and_then(address_fault)),
    }
}

fn address_fault(address: &str) -> Option<String> {
    if let Some(fault) = word_fault(address, "address") {
        return Some(fault);
    }
    let url = Url::parse(address).ok()?;
    let has_secret = url.password().is_some()
        || (url.scheme().starts_with("http") && !url.username().is_empty());
    has_secret
        .then(|| "an address with a password or token in it must not stand in a lock".to_owned())
}

/// A word that a program gets as an argument, and a terminal shows.
fn word_fault(word: &str, what: &str) -> Option<String> {
    if word.is_empty() {
        Some(format!("the {what} is empty"))
    } else if word.starts_with('-') {
        Some(format!("the {what} begins with `-`, as an option does"))
    } else if word.chars().any(is_unsafe) {
        Some(format!("the {what} has a letter that can't be seen"))
    } else {
        None
    }
}

fn inner_path_fault(path: Option<&str>) -> Option<String> {
    let path = path?;
    let is_inner = path
        .split('/')
        .all(|part| !matches!(part, "" | "." | "..") && !part.contains('\\'));
    if !is_inner {
        return Some(
            "`path` has to lead to a folder inside, with `/` between its parts".to_owned(),
        );
    }
    word_fault(path, "path")
}

/// Whether a text is so many lower-case hex digits.
pub(super) fn is_hex(text: &str, lengths: &[usize]) -> bool {
    lengths.contains(&text.len())
        && text
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a text names a commit, and nothing else: SHA-1 or SHA-256.
pub(crate) fn is_commit(text: &str) -> bool {
    is_hex(text, &[40, 64])
}

/// The path of a place on this machine, if it has one.
pub(super) fn local_path(source: &Source) -> Option<&Path> {
    match source {
        Source::Folder { path } => Some(path),
        Source::Archive { location, .. } if !location.contains("://") => Some(Path::new(location)),
        Source::Git { .. } | Source::Archive { .. } | Source::Npm { .. } => None,
    }
}

/// The same place with another path on this machine, if it has one.
pub(super) fn with_local_path(
    mut source: Source,
    change: impl Fn(&Path) -> Option<PathBuf>,
) -> Option<Source> {
    let Some(path) = local_path(&source) else {
        return Some(source);
    };
    let changed = change(path)?;
    match &mut source {
        Source::Folder { path } => *path = changed,
        Source::Archive { location, .. } => *location = changed.to_str()?.to_owned(),
        Source::Git { .. } | Source::Npm { .. } => {}
    }
    Some(source)
}

/// What a relative path leads to from a folder, without `.` and `..`.
pub(super) fn absolute(path: &Path, folder: &Path) -> PathBuf {
    let mut whole = PathBuf::new();
    for part in folder.join(path).components() {
        match part {
            Component::ParentDir => {
                whole.pop();
            }
            Component::CurDir => {}
            part => whole.push(part),
        }
    }
    whole
}

/// How an absolute path is written from a folder: with `/`, and `.` for the folder itself.
pub(super) fn relative(path: &Path, folder: &Path) -> PathBuf {
    let (path, folder) = (
        absolute(path, Path::new("/")),
        absolute(folder, Path::new("/")),
    );
    let shared = path
        .components()
        .zip(folder.components())
        .take_while(|(one, other)| one == other)
        .count();
    let up = folder
        .components()
        .skip(shared)
        .map(|_| Component::ParentDir);
    let whole: PathBuf = up.chain(path.components().skip(shared)).collect();
    if whole.as_os_str().is_empty() {
        return PathBuf::from(".");
    }
    whole
}
