//! Staging beside the target, and the one rename that publishes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::StoreError;
use super::root::link;
use crate::bundle::Tree;

/// Name of what is retired, inside a temporary folder: that one stays writable, so that it can be taken away.
const INNER: &str = "tree";

/// A folder under way. It goes with everything in it unless it is published: then it is moved itself. A folder around it
/// that went each time would make ext4 search for every new file's place among those that were just given up.
pub(super) struct Staged(TempDir);

impl Staged {
    /// Writes a tree.
    pub(super) fn tree(staging: &Path, tree: &Tree) -> Result<Self, StoreError> {
        let staged = Self::empty(staging)?;
        let top = staged.0.path();
        let written = write_tree(top, tree);
        if written.is_err() {
            // Read-only folders could not be taken away.
            make_writable(top);
        }
        written.map(|()| staged)
    }

    /// Writes a folder of links.
    pub(super) fn links<'a>(
        staging: &Path,
        links: impl Iterator<Item = (&'a str, PathBuf)>,
    ) -> Result<Self, StoreError> {
        let staged = Self::empty(staging)?;
        let top = staged.0.path();
        for (name, target) in links {
            link(&target, &top.join(name))?;
        }
        sync_folder(top)?;
        Ok(staged)
    }

    fn empty(staging: &Path) -> Result<Self, StoreError> {
        let folder = TempDir::new_in(staging).map_err(StoreError::at(staging))?;
        Ok(Self(folder))
    }

    /// Puts it in its place, which is on disk once the folder around it is synced. If another was faster, its copy
    /// stays: it is the same.
    pub(super) fn publish(self, place: &Path) -> Result<(), StoreError> {
        let top = self.0.path();
        // A folder that can't be written can't be moved on macOS; it is closed when it is in its place.
        match fs::rename(top, place) {
            Ok(()) => {
                // Nothing is left to be taken away.
                let _ = self.0.keep();
                close(place).map_err(StoreError::at(place))
            }
            Err(_) if place.is_dir() => {
                make_writable(top);
                Ok(())
            }
            Err(error) => {
                make_writable(top);
                Err(StoreError::at(place)(error))
            }
        }
    }
}

fn write_tree(top: &Path, tree: &Tree) -> Result<(), StoreError> {
    let mut folders = vec![top.to_owned()];
    for (name, file) in tree.iter() {
        let path = top.join(name);
        let folder = path.parent().unwrap_or(top);
        if !folders.iter().any(|made| made == folder) {
            fs::create_dir_all(folder).map_err(StoreError::at(folder))?;
            let between = folder.ancestors().take_while(|above| *above != top);
            let new: Vec<PathBuf> = between
                .filter(|above| !folders.iter().any(|made| made == above))
                .map(Path::to_owned)
                .collect();
            folders.extend(new);
        }
        write_file(&path, &file.bytes, file.executable).map_err(StoreError::at(&path))?;
    }
    // The innermost first: a closed folder takes nothing more.
    folders.sort();
    for folder in folders.iter().skip(1).rev() {
        close(folder).map_err(StoreError::at(folder))?;
    }
    sync_folder(top)
}

fn write_file(path: &Path, bytes: &[u8], executable: bool) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    set_mode(&file, if executable { 0o555 } else { 0o444 })?;
    file.sync_data()
}

/// Takes a folder out of its place, and away.
pub(super) fn retire(place: &Path, staging: &Path) -> Result<(), StoreError> {
    let folder = TempDir::new_in(staging).map_err(StoreError::at(staging))?;
    let away = folder.path().join(INNER);
    if !place.is_symlink() {
        make_writable(place);
    }
    match fs::rename(place, &away) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done.map_err(StoreError::at(place)),
    }
}

/// Moves a file or a folder, also one that nothing can be added to.
pub(super) fn move_folder(place: &Path, to: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        if place.symlink_metadata()?.is_dir() {
            // Where it lies is written in it.
            fs::set_permissions(place, fs::Permissions::from_mode(0o700))?;
        }
    }
    fs::rename(place, to)
}

/// Opens a tree's folders again, as far as that goes, so that it can be removed.
pub(super) fn make_writable(top: &Path) {
    if !top.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let _ = fs::set_permissions(top, fs::Permissions::from_mode(0o700));
    }
    for entry in fs::read_dir(top).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            make_writable(&entry.path());
        }
    }
}

#[cfg(unix)]
fn set_mode(file: &File, mode: u32) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(mode))
}

#[cfg(not(unix))]
fn set_mode(file: &File, _: u32) -> io::Result<()> {
    let mut permissions = file.metadata()?.permissions();
    permissions.set_readonly(true);
    file.set_permissions(permissions)
}

/// Nothing can be added to the folder any more.
fn close(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(folder, fs::Permissions::from_mode(0o555))?;
    }
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

/// What was put into a folder is on disk when this returns.
pub(super) fn sync_folder(folder: &Path) -> Result<(), StoreError> {
    #[cfg(unix)]
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(StoreError::at(folder))?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}
