//! What is taken of a place, counted and looked at before it is read.

use super::names;
use crate::error::FetchError;
use crate::limits::{Limits, is_text};

/// Counts what is taken.
pub(crate) struct Intake<'a> {
    limits: &'a Limits,
    folders: usize,
    files: usize,
    bytes: u64,
    texts: u64,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Self {
            limits,
            folders: 0,
            files: 0,
            bytes: 0,
            texts: 0,
        }
    }

    /// A folder is walked, `depth` below the one that is taken.
    ///
    /// # Errors
    /// If it is one too many: links to folders of links can make many folders of a few.
    pub(crate) fn folder(&mut self, depth: usize) -> Result<(), FetchError> {
        self.folders += 1;
        if self.folders > self.limits.files {
            return Err(FetchError::too_large("folders", self.limits.files));
        }
        if depth >= self.limits.depth {
            return Err(FetchError::too_large(
                "folders in each other",
                self.limits.depth,
            ));
        }
        Ok(())
    }

    /// A file is taken.
    ///
    /// # Errors
    /// If its name may do harm, or it is too much.
    pub(crate) fn file(&mut self, path: &str, size: u64) -> Result<(), FetchError> {
        names::check(path, self.limits)?;
        self.files += 1;
        self.bytes = self.bytes.saturating_add(size);
        if is_text(path) {
            self.texts = self.texts.saturating_add(size);
        }
        let limits = self.limits;
        if self.files > limits.files {
            return Err(FetchError::too_large("files", limits.files));
        }
        if self.bytes > limits.bytes {
            return Err(FetchError::too_large("bytes", limits.bytes));
        }
        if self.texts > limits.texts {
            return Err(FetchError::too_large("bytes of texts", limits.texts));
        }
        Ok(())
    }
}
