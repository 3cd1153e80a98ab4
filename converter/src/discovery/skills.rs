//! Skills: `skills/<name>/SKILL.md`, what manifests add to it, a plugin that is one skill, and a plain folder of skills.

use indexmap::IndexSet;

use super::paths::DeclaredPath;
use super::{Finder, SKILL_FILE, skill_file};
use crate::paths::folder_of;
use crate::report::{Code, Kind, Location};
use crate::source::SkillSource;

const DEFAULT: &str = "skills";

impl Finder<'_> {
    /// The author's choice for the target comes first, so that it wins where two have one name.
    pub(super) fn skills(&mut self) {
        let mut kept = IndexSet::new();
        let mut searched = IndexSet::new();
        let for_target = self.manifests.declared_for_target("skills");
        for declared in for_target.iter().flat_map(super::manifests::Declared::each) {
            // Manifests made by tools name the default folder whether it is there or not.
            let is_default = declared
                .value
                .as_str()
                .is_some_and(|path| crate::paths::join("", path).as_deref() == Some(DEFAULT));
            if !is_default && let Some(place) = self.place(&declared, Kind::Skill) {
                self.search(place, &mut kept, &mut searched);
            }
        }
        let only_listed = self.manifests.entry_alone_lists("skills");
        if !only_listed {
            self.search(
                DeclaredPath::Folder(DEFAULT.to_owned()),
                &mut kept,
                &mut searched,
            );
        }
        let for_claude = self.manifests.declared("skills");
        for declared in for_claude.iter().flat_map(super::manifests::Declared::each) {
            if let Some(place) = self.place(&declared, Kind::Skill) {
                self.search(place, &mut kept, &mut searched);
            }
        }
        if !only_listed && self.has(SKILL_FILE) {
            kept.insert(String::new());
        }
        if kept.is_empty() && self.manifests.are_none() {
            self.search(
                DeclaredPath::Folder(String::new()),
                &mut kept,
                &mut searched,
            );
        }
        self.nested(&kept, &searched);
        self.misspelled(&searched, !only_listed);
        self.found.plugin.skills = kept
            .into_iter()
            .map(|folder| SkillSource { folder })
            .collect();
    }

    /// A folder with a `SKILL.md` is a skill; else each of its folders that has one is.
    fn search(
        &self,
        place: DeclaredPath,
        kept: &mut IndexSet<String>,
        searched: &mut IndexSet<String>,
    ) {
        let folder = match place {
            DeclaredPath::Folder(folder) => folder,
            // A path to the `SKILL.md` itself means its folder.
            DeclaredPath::File(file) => folder_of(&file).to_owned(),
        };
        if !searched.insert(folder.clone()) {
            return;
        }
        if self.has(&skill_file(&folder)) {
            kept.insert(folder.clone());
            if folder != DEFAULT {
                return;
            }
        }
        for (path, _) in self.source.tree.under(&folder) {
            let below = path.get(folder.len()..).unwrap_or_default();
            let below = below.strip_prefix('/').unwrap_or(below);
            if let Some((child, SKILL_FILE)) = below.split_once('/')
                && !child.starts_with('.')
            {
                kept.insert(folder_of(path).to_owned());
            }
        }
    }

    /// Those that lie deeper than Claude looks, but that a search in all folders would find.
    fn nested(&mut self, kept: &IndexSet<String>, searched: &IndexSet<String>) {
        let nested: Vec<String> = self
            .source
            .tree
            .iter()
            .map(|(path, _)| path)
            .filter(|path| path.ends_with("/SKILL.md") && !is_hidden(path))
            .filter(|path| !kept.contains(folder_of(path)))
            .filter(|path| {
                ancestors(path).any(|folder| match folder {
                    // A plugin that is one skill holds files of all kinds; a folder of skills holds skills.
                    "" => searched.contains("") && !kept.contains(""),
                    _ => kept.contains(folder) || searched.contains(folder),
                })
            })
            .map(str::to_owned)
            .collect();
        for path in nested {
            let name = crate::paths::file_name(folder_of(&path)).to_owned();
            self.drop(
                Kind::Skill,
                &name,
                Location::new(&path, 1),
                Code::NestedSkillDropped,
                "it lies inside another skill or deeper than Claude looks, so Claude does not load it either; its text stays in the bundle",
            );
        }
    }
}

impl Finder<'_> {
    /// Files that would be skills but for the case of their name; where there is a skill as well, they are its own.
    fn misspelled(&mut self, searched: &IndexSet<String>, root_counts: bool) {
        let is_searched = |folder: &str| {
            let above = folder_of(folder);
            let is_one_skill = above != DEFAULT && self.has(&skill_file(above));
            searched.contains(folder)
                || folder.is_empty() && root_counts
                || !folder.is_empty() && searched.contains(above) && !is_one_skill
        };
        let is_misspelled = |path: &&str| {
            let (name, folder) = (crate::paths::file_name(path), folder_of(path));
            name != SKILL_FILE
                && name.eq_ignore_ascii_case(SKILL_FILE)
                && !is_hidden(path)
                && is_searched(folder)
                && !self.has(&skill_file(folder))
        };
        let files = self.source.tree.iter().map(|(path, _)| path);
        let misspelled: Vec<&str> = files.filter(is_misspelled).collect();
        for path in misspelled {
            let folder = crate::paths::file_name(folder_of(path));
            let name = if folder.is_empty() {
                self.found.plugin.name.clone()
            } else {
                folder.to_owned()
            };
            self.drop(
                Kind::Skill,
                &name,
                Location::new(path, 1),
                Code::SkillFileMisspelled,
                "only a file that is called `SKILL.md`, in just these letters, is a skill",
            );
        }
    }
}

/// Folders whose name begins with a dot are never searched, by Claude or by the targets.
pub(crate) fn is_hidden(path: &str) -> bool {
    path.split('/').any(|part| part.starts_with('.'))
}

/// Every folder above a path, the nearest first.
pub(crate) fn ancestors(path: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(folder_of(path)), |folder| {
        (!folder.is_empty()).then(|| folder_of(folder))
    })
}
