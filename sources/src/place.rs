//! A place that was opened: what it holds is read when it is taken.

use bytes::Bytes;
use codex_loadout_bundle::Tree;

use crate::context::FetchContext;
use crate::error::FetchError;

pub(crate) mod intake;
pub(crate) mod listing;
pub(crate) mod names;

/// A place that was opened. Paths are relative to it, `/` between the parts; the empty one is the place itself.
pub(crate) trait Place {
    /// The content of a file; `None` if there is none.
    ///
    /// # Errors
    /// If it can't be read.
    fn file(&self, path: &str, cx: &FetchContext<'_>) -> Result<Option<Bytes>, FetchError>;

    /// Whether there is such a folder.
    fn has_folder(&self, path: &str) -> bool;

    /// Everything in a folder, links resolved: they may lead anywhere at the place.
    ///
    /// # Errors
    /// If there is no such folder, a link leads out or round in a circle, a name may do harm, or it is too much.
    fn tree(&self, folder: &str, cx: &FetchContext<'_>) -> Result<Tree, FetchError>;
}

/// There is no such folder.
pub(crate) fn no_folder(folder: &str) -> FetchError {
    FetchError::new(
        crate::error::FetchErrorKind::NotFound,
        format!(
            "there is no folder `{}` there",
            crate::address::escaped(folder)
        ),
        "look at the place for its folders, and name one with `--path`",
    )
}
