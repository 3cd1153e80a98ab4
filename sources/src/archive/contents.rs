//! What was read of an archive so far. What an archive must not hold is refused where it is met.

use bytes::Bytes;

use crate::address::escaped;
use crate::error::FetchError;
use crate::limits::Limits;
use crate::place::listing::{File, Listing};
use crate::place::names;

/// A content may be so large whatever the size of its archive is.
const SMALL: u64 = 16 * 1024 * 1024;
/// No link that leads somewhere is longer.
pub(super) const LONGEST_LINK: u64 = 4096;

/// What was read so far.
pub(super) struct Contents {
    listing: Listing,
    contents: Vec<Bytes>,
    limits: Limits,
    entries: usize,
    /// Bytes that may still come out of the archive.
    left: u64,
}

impl Contents {
    /// For an archive file of `size` bytes.
    pub(super) fn new(limits: &Limits, size: u64) -> Self {
        let by_ratio = size.saturating_mul(limits.ratio).max(SMALL);
        Self {
            listing: Listing::default(),
            contents: Vec::new(),
            limits: *limits,
            entries: 0,
            left: by_ratio.min(limits.bytes),
        }
    }

    /// How many bytes may still come out of the archive.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// The name of an entry as a path; `None` for a folder, which is there when something is in it, and for what
    /// macOS adds of its own.
    pub(super) fn path(&mut self, name: &[u8]) -> Result<Option<String>, FetchError> {
        self.entries += 1;
        if self.entries > self.limits.files.saturating_mul(4) {
            return Err(FetchError::too_large("entries", self.limits.files * 4));
        }
        let name = String::from_utf8_lossy(name);
        let mut path = &*name;
        while let Some(rest) = path.strip_prefix("./") {
            path = rest;
        }
        let folder = path.strip_suffix('/');
        let path = folder.unwrap_or(path);
        // The folder that was packed.
        if matches!(path, "" | ".") && name.starts_with('.') {
            return Ok(None);
        }
        names::check(path, &self.limits)?;
        let is_left_out = folder.is_some() || path.starts_with("__MACOSX/");
        Ok((!is_left_out).then(|| path.to_owned()))
    }

    pub(super) fn add_file(
        &mut self,
        path: &str,
        bytes: Vec<u8>,
        executable: bool,
    ) -> Result<(), FetchError> {
        let size = bytes.len() as u64;
        self.left = self.left.checked_sub(size).ok_or_else(too_much)?;
        let file = File {
            number: self.contents.len(),
            size,
            executable,
        };
        self.listing.add_file(path, file)?;
        self.contents.push(bytes.into());
        Ok(())
    }

    pub(super) fn add_link(&mut self, path: &str, target: &[u8]) -> Result<(), FetchError> {
        if target.len() as u64 > LONGEST_LINK {
            return Err(refused(path, "is a link to a path that is too long"));
        }
        let target = String::from_utf8_lossy(target).into_owned();
        self.listing.add_link(path, target)
    }

    pub(super) fn into_parts(self) -> (Listing, Vec<Bytes>) {
        (self.listing, self.contents)
    }
}

/// What an entry must not be.
pub(super) fn refused(path: &str, what: &str) -> FetchError {
    FetchError::hostile(format!("`{}` {what}", escaped(path)))
}

/// More comes out of an archive than may.
pub(super) fn too_much() -> FetchError {
    let mut error = FetchError::too_large("bytes", "its files may have");
    error.message =
        "the archive's content is much larger than the archive, or than may be read".to_owned();
    error
}
