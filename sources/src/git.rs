//! Git repositories, by the `git` program: one commit, none of its hooks, filters, submodules or other transports.
//!
//! Nothing is checked out. Files are read out of git's own objects, so neither attributes nor filters nor the disk's
//! idea of names have a say, and a link is what it says.

use std::path::Path;

use bytes::Bytes;
use codex_loadout_bundle::{Tree, TreeFile};
use tempfile::TempDir;
use url::Url;

use crate::address::{self, escaped};
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::fetch::Opened;
use crate::http;
use crate::place::Place;
use crate::place::listing::{File, Listing};
use crate::source::Source;

mod objects;
mod program;
mod reference;

use program::Git;
use reference::Wanted;

/// Opens a repository at a commit.
///
/// # Errors
/// If the repository or the commit is not there, can't be reached, or git is not installed.
pub(crate) fn open(
    url: &str,
    reference: Option<&str>,
    path: Option<&String>,
    cx: &FetchContext<'_>,
) -> Result<Opened, FetchError> {
    crate::parse::check_git_url(url)
        .map_err(|error| FetchError::new(FetchErrorKind::Unsafe, error.message, error.hint))?;
    let folder = tempfile::Builder::new()
        .prefix("git-")
        .tempdir_in(cx.scratch)
        .map_err(FetchError::io("making a folder for git"))?;
    let git = Git::new(folder.path(), url, cx)?;
    let (git, wanted) = match reference::find(&git, reference, cx) {
        // A repository that has moved: git is not left to follow, who it leads to is asked for.
        Err(error) if error.items == [program::REDIRECTED] => {
            let moved = moved_to(url, cx)?;
            let git = Git::new(folder.path(), &moved, cx)?;
            let wanted = reference::find(&git, reference, cx)?;
            (git, wanted)
        }
        found => (git, found?),
    };
    let commit = get(&git, &wanted, cx)?;
    let commit_object = git.run(&["cat-file", "commit", &commit], 1 << 20, cx)?;
    let (listing, ids, submodules) = objects::list(&git, &commit, cx)?;
    let place = GitPlace {
        git,
        listing,
        ids,
        _folder: folder,
    };
    let resolved = Source::Git {
        url: url.to_owned(),
        reference: Some(commit.clone()),
        path: path.cloned(),
    };
    let mut opened = Opened::new(Box::new(place), path, resolved);
    opened.commit = Some(commit);
    opened.commit_object = Some(commit_object);
    if !submodules.is_empty() {
        let names: Vec<String> = submodules
            .iter()
            .map(|name| format!("`{}`", escaped(name)))
            .collect();
        opened.warnings.push(format!(
            "submodules are other repositories and left out: {}",
            names.join(", ")
        ));
    }
    Ok(opened)
}

/// Where the repository of an https address has moved to.
fn moved_to(url: &str, cx: &FetchContext<'_>) -> Result<String, FetchError> {
    const ASKED: &str = "/info/refs?service=git-upload-pack";
    let asked = Url::parse(&format!("{url}{ASKED}")).map_err(|_| {
        FetchError::hostile(format!("`{}` is no address", escaped(&address::shown(url))))
    })?;
    let there = http::redirected(&asked, cx)?;
    match there.as_str().strip_suffix(ASKED) {
        Some(moved) => Ok(moved.to_owned()),
        None => Err(FetchError::new(
            FetchErrorKind::NotFound,
            format!(
                "`{}` leads to `{}`, which is no git repository",
                address::shown_url(&asked),
                address::shown_url(&there)
            ),
            "name the repository by the address it has now",
        )),
    }
}

/// Gets the commit, alone if the other side gives it alone.
fn get(git: &Git, wanted: &Wanted, cx: &FetchContext<'_>) -> Result<String, FetchError> {
    git.init(wanted.is_sha256(), cx)?;
    let name = wanted.name();
    let alone = wanted.is_whole();
    if alone
        && git
            .fetch(&["--depth=1"], &[name], cx)
            .is_ok_and(|done| done)
    {
        return reference::commit(git, name, cx);
    }
    cx.go_on()?;
    let all = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];
    if !git.fetch(&[], &all, cx)? {
        return Err(FetchError::new(
            FetchErrorKind::Unreachable,
            format!("git can't get `{}`", git.shown()),
            "try again later",
        ));
    }
    reference::commit(git, name, cx)
}

/// A repository at a commit.
struct GitPlace {
    git: Git,
    listing: Listing,
    /// The id of each file's content.
    ids: Vec<String>,
    /// Where git keeps it.
    _folder: TempDir,
}

impl GitPlace {
    fn read(&self, files: &[File], cx: &FetchContext<'_>) -> Result<Vec<Bytes>, FetchError> {
        let ids: Vec<&str> = files
            .iter()
            .filter_map(|file| self.ids.get(file.number).map(String::as_str))
            .collect();
        let sizes: u64 = files.iter().map(|file| file.size).sum();
        objects::read(&self.git, &ids, sizes, cx)
    }
}

impl Place for GitPlace {
    fn file(&self, path: &str, cx: &FetchContext<'_>) -> Result<Option<Bytes>, FetchError> {
        let Some(file) = self
            .listing
            .file(path)
            .filter(|file| file.size <= cx.limits.texts)
        else {
            return Ok(None);
        };
        Ok(self.read(&[file], cx)?.pop())
    }

    fn has_folder(&self, path: &str) -> bool {
        self.listing.has_folder(path)
    }

    fn tree(&self, folder: &str, cx: &FetchContext<'_>) -> Result<Tree, FetchError> {
        let taken = self.listing.take(folder, &cx.limits)?;
        let files: Vec<File> = taken.iter().map(|(_, file)| *file).collect();
        let contents = self.read(&files, cx)?;
        let pairs = taken.into_iter().zip(contents);
        Ok(pairs
            .map(|((path, file), bytes)| {
                let executable = file.executable;
                (path, TreeFile { bytes, executable })
            })
            .collect())
    }
}

/// The bytes of the files in a folder, not those of its folders: git keeps packs in one.
fn bytes_in(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.metadata().ok())
        .filter(std::fs::Metadata::is_file)
        .map(|metadata| metadata.len())
        .sum()
}
