//! Installed plugins as bundles, converted once as long as their folders stay as they are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use codex_loadout_converter::is_made_for_claude;
use dashmap::DashMap;

use super::conversion::{ConversionInput, convert};
use super::model::{Conversion, Parts};
use crate::materializer::{Limits, Stamp, read_tree_within, stamp};

/// Folders that are remembered at once: a user has far fewer plugins.
const FOLDERS: usize = 1024;

/// Conversions by folder.
#[derive(Debug, Default)]
pub(super) struct Conversions {
    known: DashMap<PathBuf, (Stamp, Option<Conversion>)>,
}

impl Conversions {
    /// What becomes of a plugin's folder; `None` if it was not made for Claude. Blocking: it reads files.
    pub(super) fn of(
        &self,
        root: &Path,
        within: &Path,
        input: &ConversionInput,
    ) -> Option<Conversion> {
        let before = match stamp(root, within, Limits::default()) {
            Ok(stamp) => stamp,
            Err(error) => return Some(Conversion::Failed(vec![error.to_string()])),
        };
        if let Some(known) = self.known.get(root)
            && known.0 == before
        {
            return known.1.clone();
        }
        let conversion = conversion(root, within, input);
        if before.is_settled(SystemTime::now()) {
            if self.known.len() >= FOLDERS {
                self.known.clear();
            }
            self.known
                .insert(root.to_owned(), (before, conversion.clone()));
        }
        conversion
    }
}

fn conversion(root: &Path, within: &Path, input: &ConversionInput) -> Option<Conversion> {
    let tree = match read_tree_within(root, within, Limits::default()) {
        Ok(tree) => tree,
        Err(error) => return Some(Conversion::Failed(vec![error.to_string()])),
    };
    is_made_for_claude(&tree).then(|| match convert(tree, input) {
        Ok(converted) => Conversion::Done(Arc::new(Parts::of(&converted))),
        Err(reasons) => Conversion::Failed(reasons),
    })
}
