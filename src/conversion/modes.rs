//! Who can read a bundle: nobody who can't read what it was made from.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// What the owner's own files are by default, where the user's mask allows it.
const FILE: u32 = 0o644;
const PROGRAM: u32 = 0o755;
const FOLDER: u32 = 0o755;
/// Entries that are looked at; more than a plugin has that is converted.
const ENTRIES: usize = 50_000;

/// The rights that a plugin's files and folders give.
#[derive(Debug)]
pub struct Modes {
    source: Option<PathBuf>,
    /// What every file gives: the rights of what is made of several.
    of_all: u32,
}

impl Modes {
    /// Those of a bundle that is made of nothing on disk.
    #[must_use]
    pub fn any() -> Self {
        Self {
            source: None,
            of_all: 0o777,
        }
    }

    /// Those of a plugin's folder.
    #[must_use]
    pub fn of(source: &Path) -> Self {
        let mut of_all = 0o777;
        let mut folders = vec![source.to_owned()];
        let mut entries = 0;
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
                entries += 1;
                let Ok(found) = entry.metadata() else {
                    continue;
                };
                if found.is_dir() && entry.file_name() != ".git" && entries < ENTRIES {
                    folders.push(entry.path());
                } else if found.is_file() {
                    of_all &= mode(&found);
                }
            }
        }
        Self {
            source: Some(source.to_owned()),
            of_all,
        }
    }

    /// Makes a file of the bundle, and what it is to be written to.
    pub(super) fn create(&self, place: &Path, name: &str, is_program: bool) -> io::Result<File> {
        let widest = if is_program { PROGRAM } else { FILE };
        let readable = self.of_source(name).unwrap_or(self.of_all) & 0o444;
        // Who can read it can run it.
        let allowed = readable | (readable >> 2) | 0o700;
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(widest & allowed);
        }
        #[cfg(not(unix))]
        let _ = (widest, allowed);
        options.open(place)
    }

    /// Makes a folder of the bundle, unless it is there.
    pub(super) fn create_folder(&self, place: &Path, name: &str) -> io::Result<()> {
        let allowed = self.of_source(name).unwrap_or(0o777);
        let mut builder = fs::DirBuilder::new();
        #[cfg(unix)]
        {
            use std::os::unix::fs::DirBuilderExt;
            builder.mode(FOLDER & (allowed | 0o700));
        }
        #[cfg(not(unix))]
        let _ = allowed;
        match builder.create(place) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// What the source gives at this path, if anything lies there.
    fn of_source(&self, name: &str) -> Option<u32> {
        let found = self.source.as_ref()?.join(name).metadata().ok()?;
        Some(mode(&found))
    }
}

#[cfg(unix)]
fn mode(found: &fs::Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt;
    found.mode() & 0o777
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    0o777
}
