//! Folders of this machine.

use std::fs;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use codex_loadout_bundle::{Tree, TreeFile};
use codex_loadout_files::{BoundedReadError, is_executable, read_at_most};
use walkdir::{DirEntry, WalkDir};

use crate::address::escaped;
use crate::context::FetchContext;
use crate::error::{FetchError, FetchErrorKind};
use crate::marketplace;
use crate::place::intake::Intake;
use crate::place::names::{self, is_skipped};
use crate::place::{Place, no_folder};

/// A folder of this machine.
pub(crate) struct FolderPlace {
    /// Its real path.
    root: PathBuf,
    /// Where links may lead.
    within: PathBuf,
}

impl FolderPlace {
    /// Opens a folder; if it is itself a link, what it leads to. Links may lead anywhere in the marketplace that it lies
    /// in, if there is one. The user's home may be one, too: there, links stay in the folder itself.
    ///
    /// # Errors
    /// If it is none or can't be read.
    pub(crate) fn open(path: &Path) -> Result<Self, FetchError> {
        let root = path.canonicalize().map_err(unreadable(path))?;
        if !root.is_dir() {
            return Err(unreadable(path)(std::io::ErrorKind::NotADirectory.into()));
        }
        let is_marketplace = |folder: &&Path| {
            marketplace::FILES
                .iter()
                .any(|file| folder.join(file).is_file())
        };
        let within = root
            .ancestors()
            .find(is_marketplace)
            .unwrap_or(&root)
            .to_owned();
        Ok(Self { root, within })
    }

    fn within(&self, folder: &Path) -> PathBuf {
        let home = std::env::home_dir().and_then(|home| home.canonicalize().ok());
        if home.is_some_and(|home| home.starts_with(&self.within)) {
            folder.to_owned()
        } else {
            self.within.clone()
        }
    }

    /// The real path of something in the folder, if it is there and does not lead out.
    fn real(&self, path: &str) -> Option<PathBuf> {
        let real = self.root.join(path).canonicalize().ok()?;
        real.starts_with(&self.within).then_some(real)
    }
}

impl Place for FolderPlace {
    fn file(&self, path: &str, cx: &FetchContext<'_>) -> Result<Option<Bytes>, FetchError> {
        let Some(real) = self.real(path).filter(|real| real.is_file()) else {
            return Ok(None);
        };
        let most = cx.limits.texts;
        let bytes = read(&real, most, || {
            FetchError::too_large("bytes of texts", most)
        })?;
        Ok(Some(bytes.into()))
    }

    fn has_folder(&self, path: &str) -> bool {
        self.real(path).is_some_and(|real| real.is_dir())
    }

    fn tree(&self, folder: &str, cx: &FetchContext<'_>) -> Result<Tree, FetchError> {
        let real = self.real(folder).filter(|real| real.is_dir());
        let root = real.ok_or_else(|| no_folder(folder))?;
        let within = self.within(&root);
        let mut intake = Intake::new(&cx.limits);
        let mut tree = Tree::default();
        let entries = WalkDir::new(&root)
            .follow_links(true)
            .into_iter()
            .filter_entry(|entry| {
                entry.depth() == 0 || !entry.file_name().to_str().is_some_and(is_skipped)
            });
        let mut left = cx.limits.bytes;
        for entry in entries {
            cx.go_on()?;
            let entry = entry.map_err(walking)?;
            if entry.path_is_symlink() && entry.depth() > 0 {
                stays(&entry, &within)?;
            }
            if entry.file_type().is_dir() {
                intake.folder(entry.depth())?;
                continue;
            }
            let metadata = entry.metadata().map_err(walking)?;
            if !metadata.is_file() {
                return Err(FetchError::hostile(format!(
                    "`{}` is a pipe, a socket or a device",
                    shown(entry.path())
                )));
            }
            let below = entry.path().strip_prefix(&root).unwrap_or(entry.path());
            let path = below.to_string_lossy();
            intake.file(&path, metadata.len())?;
            // It may have grown since it was looked at.
            let content = read(entry.path(), left, || {
                FetchError::too_large("bytes", cx.limits.bytes)
            })?;
            left -= content.len() as u64;
            let file = TreeFile {
                bytes: content.into(),
                executable: is_executable(&metadata),
            };
            tree.insert(path, file);
        }
        names::check_cases(tree.iter().map(|(path, _)| path))?;
        Ok(tree)
    }
}

/// Reads a regular file.
fn read(
    path: &Path,
    most: u64,
    too_large: impl FnOnce() -> FetchError,
) -> Result<Vec<u8>, FetchError> {
    read_at_most(path, most).map_err(|error| match error {
        BoundedReadError::Unreadable(error) => unreadable(path)(error),
        BoundedReadError::TooLong { .. } => too_large(),
    })
}

/// Looks whether a link leads to something inside.
fn stays(link: &DirEntry, within: &Path) -> Result<(), FetchError> {
    match link.path().canonicalize() {
        Ok(target) if target.starts_with(within) => Ok(()),
        _ => Err(FetchError::hostile(format!(
            "the link `{}` leads out of the folder",
            shown(link.path())
        ))),
    }
}

/// What stopped the walk.
fn walking(error: walkdir::Error) -> FetchError {
    let path = error.path().map(Path::to_owned).unwrap_or_default();
    if error.loop_ancestor().is_some() {
        return FetchError::hostile(format!(
            "the link `{}` leads round in a circle",
            shown(&path)
        ));
    }
    if fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
        return FetchError::hostile(format!("the link `{}` leads to nothing", shown(&path)));
    }
    unreadable(&path)(error.into())
}

fn unreadable(path: &Path) -> impl FnOnce(std::io::Error) -> FetchError {
    let path = shown(path);
    move |error| {
        FetchError::new(
            FetchErrorKind::NotFound,
            format!("`{path}` can't be read: {error}"),
            "name a folder that this user can read",
        )
    }
}

fn shown(path: &Path) -> String {
    escaped(&path.to_string_lossy())
}
