//! Paths that manifests declare.

use super::Finder;
use super::manifests::Declared;
use crate::paths::join;
use crate::report::{Code, Finding, Kind};

/// What a declared path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of the plugin.
    File(String),
    /// A folder with files in it; empty for the plugin's root.
    Folder(String),
}

impl Finder<'_> {
    /// Where a declared path leads. What leads out of the plugin is accounted for as a part that is lost.
    pub(super) fn place(&mut self, declared: &Declared<'_>, kind: Kind) -> Option<Place> {
        let Some(text) = declared.value.as_str() else {
            self.ignored(declared.at(), kind.as_str(), "a path");
            return None;
        };
        let inside = text
            .strip_prefix("${CLAUDE_PLUGIN_ROOT}")
            .map_or(text, |rest| rest.strip_prefix('/').unwrap_or(rest));
        let path = (!inside.starts_with('/'))
            .then(|| join("", inside))
            .flatten();
        let Some(path) = path else {
            self.drop(
                kind,
                text,
                declared.at(),
                Code::PathOutsidePlugin,
                "its path leads out of the plugin",
            );
            return None;
        };
        if self.has(&path) {
            return Some(Place::File(path));
        }
        if self.source.tree.under(&path).next().is_some() {
            return Some(Place::Folder(path));
        }
        self.found.findings.push(Finding::new(
            Code::PathMissing,
            declared.at(),
            format!("`{text}` is not there"),
        ));
        None
    }
}
