//! What a root was made for, beside the root: `roots/<uuid>.json`.
//!
//! Codex's session file leads from a thread to its root, and this file from the
//! root to the loadout. So a thread is found again whose record is missing, be it
//! that nobody lived to write it or that the whole database is gone. It is
//! written before Codex is asked for the thread.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use codex_loadout_files::{BoundedReadError, read_at_most};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::needed::LoadoutNeeds;
use super::record::LoadoutRecord;

/// The shape of the file.
const FORMAT: u32 = 1;
/// A selection is at most as long as a request, and its plan is not much longer.
const LIMIT: u64 = 256 * 1024 * 1024;

#[derive(Serialize, Deserialize)]
struct RootFile<T> {
    format: u32,
    /// `null`: the host took the thread back to native.
    loadout: Option<T>,
    /// Where a native thread's session file lies. Of a loadout, that says so.
    #[serde(default, rename = "codexHome", skip_serializing_if = "Option::is_none")]
    codex_home: Option<PathBuf>,
}

/// What is written down of a root.
#[derive(Debug, PartialEq)]
pub enum Purpose {
    /// It was made for this loadout.
    Loadout(Box<LoadoutRecord>),
    /// Its thread went back to native.
    Native,
}

/// A root's file can't be read.
#[derive(Debug, thiserror::Error)]
pub enum RootFileError {
    /// The system refuses.
    #[error("`{path}` can't be read or written: {source}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// It is not in a shape that this version reads.
    #[error("`{path}` is not in a shape that this version reads: {reason}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Where reading stopped.
        reason: String,
    },
}

/// Writes what a root is made for. Blocking.
///
/// # Errors
/// [`RootFileError::Unusable`]; then what was there before is still there.
pub fn write(roots: &Path, root: &str, loadout: &LoadoutRecord) -> Result<(), RootFileError> {
    let file = RootFile {
        format: FORMAT,
        loadout: Some(loadout),
        codex_home: None,
    };
    write_file(roots, root, &file)
}

/// Writes that a root's thread, one of this Codex's, went back to native. Blocking.
///
/// # Errors
/// As [`write`].
pub fn write_native(roots: &Path, root: &str, codex_home: &Path) -> Result<(), RootFileError> {
    let file = RootFile::<&LoadoutRecord> {
        format: FORMAT,
        loadout: None,
        codex_home: Some(codex_home.to_owned()),
    };
    write_file(roots, root, &file)
}

fn write_file(
    roots: &Path,
    root: &str,
    file: &RootFile<&LoadoutRecord>,
) -> Result<(), RootFileError> {
    let path = place(roots, root);
    let text = serde_json::to_vec(file);
    // A temporary file is its owner's alone, as this one must be: it holds definitions of MCP servers.
    let written = text.map_err(io::Error::from).and_then(|text| {
        let mut file = NamedTempFile::new_in(roots)?;
        file.write_all(&text)?;
        file.persist(&path).map_err(|error| error.error).map(|_| ())
    });
    written.map_err(|source| RootFileError::Unusable { path, source })
}

/// What a root was made for; `None` if nothing is kept of it. Blocking.
///
/// # Errors
/// [`RootFileError`], naming the file.
pub fn read(roots: &Path, root: &str) -> Result<Option<Purpose>, RootFileError> {
    let file = read_as::<LoadoutRecord>(roots, root)?;
    Ok(file.map(|file| match file.loadout {
        Some(loadout) => Purpose::Loadout(Box::new(loadout)),
        None => Purpose::Native,
    }))
}

/// What the loadout needs that a root was made for, if there is one; and of which Codex its thread is, if that is
/// known. Blocking.
///
/// # Errors
/// [`RootFileError`], naming the file.
pub fn needs(
    roots: &Path,
    root: &str,
) -> Result<(Option<LoadoutNeeds>, Option<PathBuf>), RootFileError> {
    let Some(file) = read_as::<LoadoutNeeds>(roots, root)? else {
        return Ok((None, None));
    };
    let of_loadout = file.loadout.as_ref().map(|needs| needs.codex_home.clone());
    let codex_home = of_loadout.or(file.codex_home);
    Ok((file.loadout, codex_home))
}

/// A root's file; `None` if there is none.
fn read_as<T: DeserializeOwned>(
    roots: &Path,
    root: &str,
) -> Result<Option<RootFile<T>>, RootFileError> {
    let path = place(roots, root);
    let text = match read_at_most(&path, LIMIT) {
        Ok(text) => text,
        Err(BoundedReadError::Unreadable(error)) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(None);
        }
        Err(error) => {
            let source = io::Error::other(error);
            return Err(RootFileError::Unusable { path, source });
        }
    };
    match serde_json::from_slice::<RootFile<T>>(&text) {
        Ok(file) if file.format == FORMAT => Ok(Some(file)),
        Ok(file) => Err(RootFileError::Unreadable {
            path,
            reason: format!("it has format {}", file.format),
        }),
        Err(error) => Err(RootFileError::Unreadable {
            path,
            reason: error.to_string(),
        }),
    }
}

/// Removes it; one that is not there is no error. Blocking.
///
/// # Errors
/// [`RootFileError::Unusable`].
pub fn remove(roots: &Path, root: &str) -> Result<(), RootFileError> {
    let path = place(roots, root);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            Err(RootFileError::Unusable { path, source })
        }
        _ => Ok(()),
    }
}

/// Whether it is there.
#[must_use]
pub fn exists(roots: &Path, root: &str) -> bool {
    place(roots, root).is_file()
}

fn place(roots: &Path, root: &str) -> PathBuf {
    roots.join(format!("{root}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::record::tests::loadout;

    #[test]
    fn what_is_written_is_read_until_it_is_removed() {
        let roots = tempfile::tempdir().unwrap();
        assert!(read(roots.path(), "r").unwrap().is_none());
        let loadout = loadout(7);
        write(roots.path(), "r", &loadout).unwrap();
        let (needs, codex_home) = needs(roots.path(), "r").unwrap();
        assert!(needs.is_some());
        assert_eq!(codex_home.as_ref(), Some(&loadout.codex_home));
        let kept = Purpose::Loadout(Box::new(loadout));
        assert_eq!(read(roots.path(), "r").unwrap(), Some(kept));
        write_native(roots.path(), "r", Path::new("/h")).unwrap();
        let (needs, codex_home) = super::needs(roots.path(), "r").unwrap();
        assert!(needs.is_none());
        assert_eq!(codex_home.as_deref(), Some(Path::new("/h")));
        assert_eq!(read(roots.path(), "r").unwrap(), Some(Purpose::Native));
        remove(roots.path(), "r").unwrap();
        remove(roots.path(), "r").unwrap();
        assert!(read(roots.path(), "r").unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let roots = tempfile::tempdir().unwrap();
        for text in ["", "{}", r#"{"format":2,"loadout":null}"#] {
            fs::write(place(roots.path(), "r"), text).unwrap();
            let error = read(roots.path(), "r").unwrap_err();
            assert!(error.to_string().contains("r.json"), "{error}");
        }
        assert!(write(&roots.path().join("none"), "r", &loadout(1)).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_read_it() {
        use std::os::unix::fs::PermissionsExt;
        let roots = tempfile::tempdir().unwrap();
        write(roots.path(), "r", &loadout(1)).unwrap();
        let mode = fs::metadata(place(roots.path(), "r"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777;
        assert_eq!(mode, 0o600);
    }
}
