//! A marketplace's folder without what its plugins' files say.

use std::fs;
use std::path::{Path, PathBuf};

use super::signs::{MARKETPLACES, regular_file};
use crate::bundle::{Tree, TreeFile};

/// More files and folders than this are not looked at to find a marketplace's plugins.
const NAMES: usize = 200_000;
/// Deeper folders are not looked at for that.
const DEPTH: usize = 32;

/// The names of all files, and the content of the marketplace's: a plugin whose files can't be read is
/// no reason not to find its neighbours.
pub(super) fn outline(folder: &Path) -> Tree {
    let mut outline = Outline {
        root: folder,
        left: NAMES,
        names: Vec::new(),
    };
    outline.list(folder, "", DEPTH);
    outline
        .names
        .into_iter()
        .filter_map(|name| {
            let bytes = if MARKETPLACES.contains(&name.as_str()) {
                regular_file(&folder.join(&name))?
            } else {
                Vec::new()
            };
            Some((name, TreeFile::plain(bytes)))
        })
        .collect()
}

struct Outline<'a> {
    root: &'a Path,
    /// So many more files and folders are looked at.
    left: usize,
    names: Vec<String>,
}

impl Outline<'_> {
    fn list(&mut self, folder: &Path, prefix: &str, depth: usize) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            if name == ".git" || self.left == 0 {
                continue;
            }
            self.left -= 1;
            let path = format!("{prefix}{name}");
            let Some(real) = self.inside(&entry.path()) else {
                continue;
            };
            if !real.is_dir() {
                self.names.push(path);
            } else if depth > 0 && !folder.starts_with(&real) {
                self.list(&real, &format!("{path}/"), depth - 1);
            }
        }
    }

    /// Where a path really leads, if that is in the folder.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let real = if path.is_symlink() {
            path.canonicalize().ok()?
        } else {
            path.to_owned()
        };
        real.starts_with(self.root).then_some(real)
    }
}
