//! A folder as a value.

use std::collections::BTreeMap;

use bytes::Bytes;
use memchr::memmem;

use crate::Digest;

/// Stands for the absolute path of the folder that a tree is kept in, inside its own files.
///
/// The digest of a tree is of its files with this in them: so it does not depend on where the tree
/// is kept, although the files that are kept name that place.
pub const KEPT_AT: &str = "/where-codex-loadout-keeps-this-bundle";

/// Stands for the path of the program that makes bundles, in commands of hooks: it may move, a bundle may not change.
pub const PROGRAM_AT: &str = "/where-codex-loadout-lies";

/// One regular file of a [`Tree`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFile {
    /// Its content.
    pub bytes: Bytes,
    /// Whether it can be run.
    pub executable: bool,
}

impl TreeFile {
    /// A file that is not run.
    pub fn plain(bytes: impl Into<Bytes>) -> Self {
        Self {
            bytes: bytes.into(),
            executable: false,
        }
    }
}

/// Regular files by relative path, `/` between the parts on every system.
///
/// Links are resolved before a tree is made; empty folders are not part of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree {
    files: BTreeMap<String, TreeFile>,
}

impl Tree {
    /// Adds or replaces a file.
    pub fn insert(&mut self, path: impl Into<String>, file: TreeFile) {
        self.files.insert(path.into(), file);
    }

    /// Takes a file out.
    pub fn remove(&mut self, path: &str) -> Option<TreeFile> {
        self.files.remove(path)
    }

    /// The file at a path.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&TreeFile> {
        self.files.get(path)
    }

    /// Whether some file lies below a folder; the empty path is the whole tree.
    #[must_use]
    pub fn has_folder(&self, path: &str) -> bool {
        self.under(path).next().is_some()
    }

    /// Every file, sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &TreeFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Every file below a folder, sorted by path; the empty name is the root. It costs what it yields.
    pub fn under<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a TreeFile)> {
        let prefix = if folder.is_empty() {
            String::new()
        } else {
            format!("{folder}/")
        };
        self.files
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, file)| (path.as_str(), file))
    }

    /// Keeps the files for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(&str, &TreeFile) -> bool) {
        self.files.retain(|path, file| keep(path, file));
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is no file.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The tree as it is kept at `place`: its files name that place.
    #[must_use]
    pub fn placed_at(self, place: &str) -> Self {
        self.replacing(KEPT_AT, place)
    }

    /// What [`Self::placed_at`] was made of.
    #[must_use]
    pub fn taken_from(self, place: &str) -> Self {
        self.replacing(place, KEPT_AT)
    }

    fn replacing(mut self, old: &str, new: &str) -> Self {
        let finder = memmem::Finder::new(old);
        for file in self.files.values_mut() {
            let mut rest: &[u8] = &file.bytes;
            let mut replaced = Vec::new();
            while let Some(at) = finder.find(rest) {
                let (before, found) = rest.split_at(at);
                replaced.extend_from_slice(before);
                replaced.extend_from_slice(new.as_bytes());
                rest = found.get(old.len()..).unwrap_or_default();
            }
            if !replaced.is_empty() {
                replaced.extend_from_slice(rest);
                file.bytes = replaced.into();
            }
        }
        self
    }

    /// The digest of paths, contents and run bits: equal trees and only they have equal digests.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let parts = self.files.iter().flat_map(|(path, file)| {
            let run_bit: &[u8] = if file.executable { b"x" } else { b"-" };
            [path.as_bytes(), run_bit, &file.bytes]
        });
        Digest::of_parts(std::iter::once(b"tree v1".as_slice()).chain(parts))
    }
}

impl FromIterator<(String, TreeFile)> for Tree {
    fn from_iter<I: IntoIterator<Item = (String, TreeFile)>>(files: I) -> Self {
        Self {
            files: files.into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_prefix() {
        let tree: Tree = ["a", "a-b/c", "a/b", "a/c/d", "b"]
            .iter()
            .map(|path| ((*path).to_owned(), TreeFile::plain("")))
            .collect();
        let under = |folder| tree.under(folder).map(|(path, _)| path).collect::<Vec<_>>();
        assert_eq!(under("a"), ["a/b", "a/c/d"]);
        assert_eq!(under("").len(), 5);
        assert!(under("c").is_empty());
    }

    #[test]
    fn the_digest_depends_on_path_content_and_run_bit_only() {
        let tree = |path: &str, text: &'static str, executable| {
            Tree::from_iter([(
                path.to_owned(),
                TreeFile {
                    bytes: Bytes::from_static(text.as_bytes()),
                    executable,
                },
            )])
        };
        let digest = tree("a/b", "text", false).digest();
        assert_eq!(digest, tree("a/b", "text", false).digest());
        assert_ne!(digest, tree("a/c", "text", false).digest());
        assert_ne!(digest, tree("a/b", "test", false).digest());
        assert_ne!(digest, tree("a/b", "text", true).digest());
        assert_ne!(digest, Tree::default().digest());
    }

    #[test]
    fn a_kept_tree_names_its_place_and_keeps_its_digest() {
        let text = format!("{KEPT_AT}/a and {KEPT_AT}");
        let tree = Tree::from_iter([
            ("a".to_owned(), TreeFile::plain(text)),
            ("b".to_owned(), TreeFile::plain("neither")),
        ]);
        let kept = tree.clone().placed_at("/store/x");
        assert_eq!(kept.get("a").unwrap().bytes, "/store/x/a and /store/x");
        assert_eq!(kept.get("b"), tree.get("b"));
        assert_eq!(kept.taken_from("/store/x"), tree);
    }

    #[test]
    fn a_folder_is_there_if_something_lies_in_it() {
        let tree: Tree = ["a-b", "a/b/c", "a0"]
            .map(|path| (path.to_owned(), TreeFile::plain("")))
            .into_iter()
            .collect();
        for (path, there) in [
            ("", true),
            ("a", true),
            ("a/b", true),
            ("a/b/c", false),
            ("a-b", false),
            ("b", false),
        ] {
            assert_eq!(tree.has_folder(path), there, "{path}");
        }
        assert!(!Tree::default().has_folder(""));
    }
}
