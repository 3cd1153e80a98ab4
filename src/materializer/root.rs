//! A thread's root: a link of its own, so that what it leads to can change for this thread alone.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use uuid::Uuid;

use super::error::StoreError;

/// Names a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct RootId(Uuid);

impl RootId {
    pub(super) fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl fmt::Display for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.hyphenated(), f)
    }
}

impl FromStr for RootId {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::try_parse(text).map(Self)
    }
}

#[cfg(unix)]
pub(super) fn link(target: &Path, place: &Path) -> Result<(), StoreError> {
    std::os::unix::fs::symlink(target, place).map_err(StoreError::at(place))
}

#[cfg(not(unix))]
pub(super) fn link(_: &Path, place: &Path) -> Result<(), StoreError> {
    Err(StoreError::NoLinks(place.to_owned()))
}
