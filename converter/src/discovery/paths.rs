//! Paths that manifests declare.

use super::Finder;
use super::manifests::Declared;
use crate::paths::join;
use crate::report::{Code, Kind};

/// What a declared path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum DeclaredPath {
    /// A file of the plugin.
    File(String),
    /// A folder with files in it; empty for the plugin's root.
    Folder(String),
}

impl Finder<'_> {
    /// Where a declared path leads. What leads out of the plugin or to nothing is accounted for as a part that is lost.
    pub(super) fn place(&mut self, declared: &Declared<'_>, kind: Kind) -> Option<DeclaredPath> {
        let Some(text) = declared.value.as_str() else {
            self.ignored(declared.at(), kind.as_str(), "a path");
            return None;
        };
        self.place_of(text, declared, kind, text)
    }

    /// The same for a part that has a name beside its path, and is no folder.
    pub(super) fn file_of(
        &mut self,
        name: &str,
        declared: &Declared<'_>,
        kind: Kind,
    ) -> Option<String> {
        let Some(path) = declared.value.as_str() else {
            let reason = "it is neither a path nor a definition";
            let code = Code::ManifestValueIgnored;
            self.drop(kind, name, declared.at(), code, reason);
            return None;
        };
        match self.place_of(path, declared, kind, name)? {
            DeclaredPath::File(file) => Some(file),
            DeclaredPath::Folder(_) => {
                let reason = format!("its path `{path}` leads to a folder, not to a file");
                self.drop(kind, name, declared.at(), Code::PathMissing, &reason);
                None
            }
        }
    }

    fn place_of(
        &mut self,
        text: &str,
        declared: &Declared<'_>,
        kind: Kind,
        name: &str,
    ) -> Option<DeclaredPath> {
        let inside = text
            .strip_prefix("${CLAUDE_PLUGIN_ROOT}")
            .map_or(text, |rest| rest.strip_prefix('/').unwrap_or(rest));
        let path = (!inside.starts_with('/'))
            .then(|| join("", inside))
            .flatten();
        let Some(path) = path else {
            self.drop(
                kind,
                name,
                declared.at(),
                Code::PathOutsidePlugin,
                "its path leads out of the plugin",
            );
            return None;
        };
        if self.has(&path) {
            return Some(DeclaredPath::File(path));
        }
        if self.source.tree.under(&path).next().is_some() {
            return Some(DeclaredPath::Folder(path));
        }
        let reason = format!("its path `{text}` leads to nothing");
        self.drop(kind, name, declared.at(), Code::PathMissing, &reason);
        None
    }
}
