//! What every part of one plugin's conversion looks at.

use std::collections::BTreeMap;

use crate::discovery::ancestors;
use crate::names::Names;
use crate::options::Options;
use crate::source::{Plugin, Source};
use crate::target::Target;

/// What every part of one plugin's conversion looks at.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The plugin's files.
    pub(crate) source: &'a Source,
    /// Its declared parts.
    pub(crate) plugin: &'a Plugin,
    /// What was asked for.
    pub(crate) options: &'a Options,
    /// The platform it is converted for.
    pub(crate) target: &'a dyn Target,
    /// What texts can refer to: this plugin's own parts, and its neighbours'.
    pub(crate) names: &'a Names,
    /// Files and folders that lie elsewhere in the bundle than in the source: new path by old one.
    pub(crate) moved: &'a BTreeMap<String, String>,
}

/// Where a file or folder of the source lies in the bundle: the nearest that is moved takes along what is in it.
pub(crate) fn relocated(moved: &BTreeMap<String, String>, path: &str) -> String {
    let above = std::iter::once(path).chain(ancestors(path));
    for folder in above {
        if let Some(new) = moved.get(folder) {
            return format!("{new}{}", path.get(folder.len()..).unwrap_or_default());
        }
    }
    path.to_owned()
}
