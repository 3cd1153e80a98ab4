//! Walking a folder, links resolved, nothing followed out of it.

use std::fs::{self, Metadata};
use std::path::{Path, PathBuf};

use super::error::ReadError;

/// What a bundle may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Files, at most; and as many folders.
    pub files: usize,
    /// Bytes of all files together, at most.
    pub bytes: u64,
    /// Bytes of all texts together, at most: they are read word by word.
    pub texts: u64,
}

impl Default for Limits {
    /// 20 000 files (what Codex 0.169 itself scans of a root), 256 MiB, and 32 MiB of texts.
    fn default() -> Self {
        Self {
            files: 20_000,
            bytes: 256 * 1024 * 1024,
            texts: 32 * 1024 * 1024,
        }
    }
}

/// What a conversion reads and rewrites.
fn is_text(name: &str) -> bool {
    [".md", ".json", ".toml", ".yaml", ".yml", ".txt", ".mdc"]
        .iter()
        .any(|end| name.ends_with(end))
}

/// Version control is no part of a bundle, and changes all the time.
const SKIPPED: &str = ".git";

/// What was found.
pub(super) enum Found<'a> {
    /// A folder, by its real path.
    Folder(&'a Path),
    /// A regular file.
    File {
        /// Relative to the walked folder, `/` between the parts.
        name: String,
        /// Where it really lies.
        path: &'a Path,
        metadata: Metadata,
    },
}

/// Folders in each other, at most: nobody's plugin is deeper, and each makes all paths below it longer.
const DEPTH: usize = 100;

/// Gives every folder and regular file below `root` to `visit`, `root` itself included. Links may lead anywhere in
/// `within`.
pub(super) fn walk(
    root: &Path,
    within: &Path,
    limits: Limits,
    visit: &mut dyn FnMut(Found<'_>) -> Result<(), ReadError>,
) -> Result<(), ReadError> {
    let real = root.canonicalize().map_err(ReadError::unreadable(root))?;
    let within = match within == root {
        true => real.clone(),
        false => within
            .canonicalize()
            .map_err(ReadError::unreadable(within))?,
    };
    let mut walk = Walk {
        root: &real,
        within: &within,
        limits,
        files: 0,
        folders: 0,
        bytes: 0,
        texts: 0,
        visit,
    };
    walk.folder(&real, "", &mut vec![real.clone()])
}

struct Walk<'a> {
    root: &'a Path,
    within: &'a Path,
    limits: Limits,
    files: usize,
    folders: usize,
    bytes: u64,
    texts: u64,
    visit: &'a mut dyn FnMut(Found<'_>) -> Result<(), ReadError>,
}

impl Walk<'_> {
    /// `above` holds the real paths of the folders on the way down: a link to one of them is a circle.
    fn folder(
        &mut self,
        path: &Path,
        name: &str,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), ReadError> {
        self.folders += 1;
        // Links to folders of links can make many folders of a few.
        if self.folders > self.limits.files {
            return Err(self.too_large(format!("{} folders", self.limits.files)));
        }
        if above.len() > DEPTH {
            return Err(self.too_large(format!("{DEPTH} folders in each other")));
        }
        (self.visit)(Found::Folder(path))?;
        let entries = fs::read_dir(path).map_err(ReadError::unreadable(path))?;
        for entry in entries {
            let entry = entry.map_err(ReadError::unreadable(path))?;
            let path = entry.path();
            let own = entry
                .file_name()
                .into_string()
                .map_err(|_| ReadError::Name(path.clone()))?;
            let kind = entry.file_type().map_err(ReadError::unreadable(&path))?;
            if own == SKIPPED {
                continue;
            }
            let name = if name.is_empty() {
                own
            } else {
                format!("{name}/{own}")
            };
            if kind.is_symlink() {
                let target = self.target(&path)?;
                self.entry(&target, &path, name, above)?;
            } else {
                self.entry(&path, &path, name, above)?;
            }
        }
        Ok(())
    }

    /// Where a link leads, if that is inside.
    fn target(&self, link: &Path) -> Result<PathBuf, ReadError> {
        let wrong = |why| ReadError::Link {
            path: link.to_owned(),
            why,
        };
        let target = link.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => wrong("leads to nothing"),
            _ => wrong("leads round in a circle"),
        })?;
        if target.starts_with(self.within) {
            Ok(target)
        } else {
            Err(wrong("leads out of the folder"))
        }
    }

    fn too_large(&self, limit: String) -> ReadError {
        ReadError::TooLarge {
            path: self.root.to_owned(),
            limit,
        }
    }

    fn entry(
        &mut self,
        real: &Path,
        shown: &Path,
        name: String,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), ReadError> {
        let metadata = fs::symlink_metadata(real).map_err(ReadError::unreadable(shown))?;
        if metadata.is_dir() {
            if above.iter().any(|folder| folder == real) {
                return Err(ReadError::Link {
                    path: shown.to_owned(),
                    why: "leads round in a circle",
                });
            }
            above.push(real.to_owned());
            self.folder(real, &name, above)?;
            above.pop();
            return Ok(());
        }
        if !metadata.is_file() {
            return Err(ReadError::Special(shown.to_owned()));
        }
        self.files += 1;
        self.bytes += metadata.len();
        if self.files > self.limits.files {
            return Err(self.too_large(format!("{} files", self.limits.files)));
        }
        if self.bytes > self.limits.bytes {
            return Err(self.too_large(format!("{} bytes", self.limits.bytes)));
        }
        if is_text(&name) {
            self.texts += metadata.len();
        }
        if self.texts > self.limits.texts {
            return Err(self.too_large(format!("{} bytes of texts", self.limits.texts)));
        }
        (self.visit)(Found::File {
            name,
            path: real,
            metadata,
        })
    }
}
