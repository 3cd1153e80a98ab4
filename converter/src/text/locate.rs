//! Where files of the plugin lie, and how a text names them.

use super::Role;
use super::draft::TextDraft;
use super::preamble;
use crate::discovery::{SKILL_FILE, ancestors, skill_file};
use crate::options::BundleRoot;
use crate::paths::{file_name, folder_of, in_folder, join, relative};
use crate::report::Code;

/// How a text names a file of the plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Located {
    /// In code.
    pub(super) code: String,
    /// In words, where a path alone would not be understood.
    pub(super) words: Option<String>,
}

impl Located {
    /// What stands in code, in quotes if a shell would take it for several words.
    pub(super) fn quoted(&self, ending: &str) -> String {
        let code = format!("{}{ending}", self.code);
        // What stands for a folder is replaced by its reader.
        let path = code.rsplit('>').next().unwrap_or(&code);
        if is_one_word(path) {
            code
        } else {
            format!("\"{code}\"")
        }
    }
}

/// Whether a shell takes a path for one word.
fn is_one_word(path: &str) -> bool {
    !path.contains(|c: char| c.is_whitespace() || "&();|'".contains(c))
}

impl TextDraft<'_> {
    /// Where a file or folder of the source lies in the bundle.
    pub(super) fn bundle_path(&self, source: &str) -> String {
        let moved = self.context.moved;
        let mut folder = source;
        loop {
            if let Some(new) = moved.get(folder) {
                return join(new, &source[folder.len()..]).unwrap_or_else(|| new.clone());
            }
            if folder.is_empty() {
                return source.to_owned();
            }
            folder = folder_of(folder);
        }
    }

    /// Whether the plugin has such a file or folder.
    pub(super) fn exists(&self, source: &str) -> bool {
        let tree = &self.context.source.tree;
        tree.get(source).is_some() || tree.has_folder(source)
    }

    /// The folder that `${CLAUDE_SKILL_DIR}` means in this text.
    pub(super) fn skill_folder(&self) -> &str {
        match self.text.role {
            Role::Skill { folder, .. } => folder,
            Role::Command { .. } | Role::Agent => folder_of(self.text.file),
            Role::Support => ancestors(self.text.file)
                .find(|folder| self.context.source.tree.get(&skill_file(folder)).is_some())
                .unwrap_or_else(|| folder_of(self.text.file)),
        }
    }

    /// A path as written in this text, from its own folder; `None` if it leads out of the plugin.
    pub(super) fn resolve(&self, path: &str) -> Option<String> {
        join(folder_of(self.text.file), path)
    }

    /// Names a file or folder of the source at a place of the text.
    pub(super) fn locate(&mut self, at: usize, source: &str) -> Located {
        let path = self.bundle_path(source);
        self.locate_at(at, path)
    }

    /// The same in the middle of code. Where the new path would have to be in quotes there, the old one is
    /// named if the file lies there as well.
    pub(super) fn locate_in_code(&mut self, at: usize, source: &str) -> Located {
        let path = self.bundle_path(source);
        let is_seen_whole = matches!(self.text.role, Role::Agent)
            || self.seen_folder().is_some()
            || matches!(self.context.options.root, BundleRoot::At(_));
        let way = if is_seen_whole {
            path.clone()
        } else {
            relative(folder_of(self.text.bundle_file), &path)
        };
        let is_better = !is_one_word(&way) && is_one_word(source) && self.lies_there_too(source);
        self.locate_at(at, if is_better { source.to_owned() } else { path })
    }

    /// Whether a file – or every file of a folder – of a skill that moves lies at its old place, too: the bundle is
    /// assembled so, unless something else lies there.
    fn lies_there_too(&mut self, source: &str) -> bool {
        if let Some(known) = self.left_behind.get(source) {
            return *known;
        }
        let tree = &self.context.source.tree;
        let taken = self.taken.take().unwrap_or_else(|| {
            let places = tree.iter().map(|(path, _)| self.bundle_path(path));
            places.map(|place| place.to_lowercase()).collect()
        });
        let stays = |path: &str| {
            file_name(path) != SKILL_FILE
                && !self.context.moved.contains_key(path)
                && !taken.contains(&path.to_lowercase())
        };
        let mut inside = tree.under(source).map(|(path, _)| path).peekable();
        let is_there = match inside.peek() {
            None => tree.get(source).is_some() && stays(source),
            Some(_) => inside.all(stays),
        };
        self.taken = Some(taken);
        self.left_behind.insert(source.to_owned(), is_there);
        is_there
    }

    /// How this text names the bundle's folder, if not by the way to it.
    fn seen_folder(&self) -> Option<String> {
        let context = self.context;
        let target = context.target;
        target.folder_seen_from(&context.plugin.name, self.text.bundle_file)
    }

    fn locate_at(&mut self, at: usize, path: String) -> Located {
        if self.context.options.root == BundleRoot::Portable
            && let Some(folder) = self.seen_folder()
        {
            return Located {
                code: in_folder(&folder, &path).trim_end_matches('/').to_owned(),
                words: None,
            };
        }
        match (&self.context.options.root, self.text.role) {
            (BundleRoot::At(root), _) => Located {
                code: if path.is_empty() {
                    root.clone()
                } else {
                    format!("{root}/{path}")
                },
                words: None,
            },
            (BundleRoot::Portable, Role::Agent) => {
                let plugin = &self.context.plugin.name;
                let folder = preamble::plugin_folder(plugin);
                let located = if path.is_empty() {
                    Located {
                        code: folder,
                        words: Some(format!("the folder of the plugin `{plugin}`")),
                    }
                } else {
                    Located {
                        code: format!("{folder}/{path}"),
                        words: Some(format!("`{path}` in the folder of the plugin `{plugin}`")),
                    }
                };
                self.find(
                    at,
                    Code::PathNotAbsolute,
                    format!(
                        "an agent isn't told where the bundle lies: `{path}` is named in words"
                    ),
                );
                located
            }
            (BundleRoot::Portable, _) => {
                let way = relative(folder_of(self.text.bundle_file), &path);
                let code = if way.starts_with('.') {
                    way
                } else {
                    format!("./{way}")
                };
                if self.notes.relative_path.is_none() {
                    self.notes.relative_path = Some(code.clone());
                }
                Located { code, words: None }
            }
        }
    }

    /// Says at the top what the plugin's folder is, if code names it in words.
    pub(super) fn explain(&mut self, located: &Located) {
        if located.words.is_some() {
            self.notes.plugin_folder = Some(self.context.plugin.name.clone());
        }
    }
}
