//! A folder as a tree, and the cheap sign that it is still the same.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use codex_loadout_files::{BoundedReadError, is_executable, read_at_most};

use super::error::ReadError;
use super::walk::{Found, Limits, walk};
use crate::bundle::{Digest, Tree, TreeFile};
use crate::freshness::{Names, Targets};

/// A file may be written again within the resolution of its time stamps, unseen. Nothing younger is
/// taken for settled.
const SETTLED_AFTER: Duration = Duration::from_secs(1);

/// Reads a folder. If it is itself a link, what it leads to is read; links
/// inside are resolved, and refused where they lead out.
///
/// # Errors
/// [`ReadError`], naming the file, folder or link.
pub(crate) fn read_tree(root: &Path, limits: Limits) -> Result<Tree, ReadError> {
    read_tree_within(root, root, limits)
}

/// Reads a folder of a larger one: links may lead anywhere in that.
///
/// # Errors
/// As [`read_tree`].
pub(crate) fn read_tree_within(
    root: &Path,
    within: &Path,
    limits: Limits,
) -> Result<Tree, ReadError> {
    let mut tree = Tree::default();
    walk(root, within, limits, &mut |found| {
        if let Found::File {
            name,
            path,
            metadata,
        } = found
        {
            // It may have been made another file since it was looked at.
            let bytes = read_at_most(path, limits.bytes).map_err(|error| match error {
                BoundedReadError::Unreadable(source) => ReadError::unreadable(path)(source),
                BoundedReadError::TooLong { limit } => ReadError::TooLarge {
                    path: path.to_owned(),
                    limit: format!("{limit} bytes"),
                },
            })?;
            let executable = is_executable(&metadata);
            tree.insert(
                name,
                TreeFile {
                    bytes: bytes.into(),
                    executable,
                },
            );
        }
        Ok(())
    })?;
    Ok(tree)
}

/// What a folder looked like from outside: names, sizes, times and inodes of its files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    digest: Digest,
    newest: Option<SystemTime>,
}

impl Stamp {
    /// Whether an equal stamp later means equal content: nothing was changed just now.
    #[must_use]
    pub(crate) fn is_settled(&self, now: SystemTime) -> bool {
        let Some(newest) = self.newest else {
            return true;
        };
        now.duration_since(newest)
            .is_ok_and(|age| age >= SETTLED_AFTER)
    }
}

/// Takes a folder's stamp without reading a file.
///
/// # Errors
/// As [`read_tree`].
pub(crate) fn stamp(root: &Path, within: &Path, limits: Limits) -> Result<Stamp, ReadError> {
    let mut files = Vec::new();
    let mut newest = None;
    walk(root, within, limits, &mut |found| {
        if let Found::File { name, metadata, .. } = found {
            newest = newest.max(metadata.modified().ok()).max(changed(&metadata));
            files.push(format!("{name}\0{}", facts(&metadata)));
        }
        Ok(())
    })?;
    files.sort();
    Ok(Stamp {
        digest: Digest::of_parts(files.iter().map(String::as_bytes)),
        newest,
    })
}

/// Everything in a folder that a change of its tree would show at.
///
/// # Errors
/// As [`read_tree_within`].
pub(crate) fn watched_folders(
    root: &Path,
    within: &Path,
    limits: Limits,
) -> Result<Targets, ReadError> {
    let mut targets = Targets::default();
    // If the folder is reached by a link, another one may be put in its place.
    if let (Some(above), Some(name)) = (root.parent(), root.file_name()) {
        targets.folder(
            above.to_owned(),
            Names::One(name.to_string_lossy().into_owned()),
        );
    }
    walk(root, within, limits, &mut |found| {
        match found {
            Found::Folder(folder) => targets.folder(folder.to_owned(), Names::All),
            // A link's target may lie in a folder that is not walked otherwise.
            Found::File { path, .. } => targets.file(path.to_owned()),
        }
        Ok(())
    })?;
    Ok(targets)
}

/// The time of the last change of content or inode: unlike the time of modification, nobody can set it back.
#[cfg(unix)]
fn changed(metadata: &fs::Metadata) -> Option<SystemTime> {
    use std::os::unix::fs::MetadataExt;
    let seconds = u64::try_from(metadata.ctime()).ok()?;
    let nanoseconds = u32::try_from(metadata.ctime_nsec()).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::new(seconds, nanoseconds))
}

#[cfg(not(unix))]
fn changed(_: &fs::Metadata) -> Option<SystemTime> {
    None
}

#[cfg(unix)]
fn facts(metadata: &fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt;
    format!(
        "{} {} {}.{} {}.{} {}",
        metadata.ino(),
        metadata.len(),
        metadata.mtime(),
        metadata.mtime_nsec(),
        metadata.ctime(),
        metadata.ctime_nsec(),
        metadata.mode()
    )
}

#[cfg(not(unix))]
fn facts(metadata: &fs::Metadata) -> String {
    format!("{} {:?}", metadata.len(), metadata.modified().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("a/.git")).unwrap();
        fs::write(folder.path().join("a/x.txt"), "x").unwrap();
        fs::write(folder.path().join("a/.git/config"), "no").unwrap();
        folder
    }

    #[test]
    fn files_are_read_and_version_control_is_not() {
        let folder = folder();
        let tree = read_tree(folder.path(), Limits::default()).unwrap();
        assert_eq!(
            tree.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            ["a/x.txt"]
        );
    }

    #[cfg(unix)]
    #[test]
    fn links_are_resolved_inside_and_refused_outside() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = folder();
        let at = |path: &str| folder.path().join(path);
        fs::set_permissions(at("a/x.txt"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("a/x.txt", at("file-link")).unwrap();
        symlink("a", at("folder-link")).unwrap();
        let tree = read_tree(folder.path(), Limits::default()).unwrap();
        assert_eq!(
            tree.iter().map(|(path, _)| path).collect::<Vec<_>>(),
            ["a/x.txt", "file-link", "folder-link/x.txt"]
        );
        assert!(tree.get("file-link").unwrap().executable);
        for (target, why) in [
            ("/etc", "out of"),
            ("../..", "out of"),
            ("nothing", "to nothing"),
            (".", "circle"),
            ("bad", "circle"),
        ] {
            symlink(target, at("bad")).unwrap();
            let error = read_tree(folder.path(), Limits::default()).unwrap_err();
            assert!(
                error.to_string().contains(why) && error.to_string().contains("bad"),
                "{target}: {error}"
            );
            fs::remove_file(at("bad")).unwrap();
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_may_lead_anywhere_in_the_larger_folder() {
        use std::os::unix::fs::symlink;
        let folder = folder();
        let at = |path: &str| folder.path().join(path);
        fs::create_dir_all(at("p/inner")).unwrap();
        symlink("../a", at("p/shared")).unwrap();
        let read = |within: &Path| read_tree_within(&at("p"), within, Limits::default());
        let tree = read(folder.path()).unwrap();
        assert!(tree.get("shared/x.txt").is_some());
        assert!(matches!(read(&at("p")), Err(ReadError::Link { .. })));
        symlink("../..", at("p/out")).unwrap();
        assert!(matches!(read(folder.path()), Err(ReadError::Link { .. })));
    }

    #[test]
    fn folders_in_each_other_have_a_limit() {
        let folder = folder();
        let deep = |depth: usize| folder.path().join("d/".repeat(depth));
        fs::create_dir_all(deep(90)).unwrap();
        assert!(read_tree(folder.path(), Limits::default()).is_ok());
        fs::create_dir_all(deep(120)).unwrap();
        let error = read_tree(folder.path(), Limits::default()).unwrap_err();
        assert!(error.to_string().contains("in each other"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_refused_and_not_opened() {
        let folder = folder();
        let made = std::process::Command::new("mkfifo")
            .arg(folder.path().join("pipe"))
            .status()
            .unwrap();
        assert!(made.success());
        assert!(matches!(
            read_tree(folder.path(), Limits::default()),
            Err(ReadError::Special(_))
        ));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_name_that_is_not_utf8_is_refused() {
        use std::os::unix::ffi::OsStrExt;
        let folder = folder();
        File::create(folder.path().join(std::ffi::OsStr::from_bytes(b"\xff"))).unwrap();
        assert!(matches!(
            read_tree(folder.path(), Limits::default()),
            Err(ReadError::Name(_))
        ));
    }

    #[test]
    fn limits_and_missing_folders_are_told() {
        let folder = folder();
        fs::write(folder.path().join("y"), "yy").unwrap();
        let read = |files, bytes| {
            read_tree(
                folder.path(),
                Limits {
                    files,
                    bytes,
                    ..Limits::default()
                },
            )
        };
        assert!(read(2, 3).is_ok());
        assert!(matches!(read(1, 3), Err(ReadError::TooLarge { .. })));
        assert!(matches!(read(2, 2), Err(ReadError::TooLarge { .. })));
        assert!(matches!(
            read_tree(&folder.path().join("none"), Limits::default()),
            Err(ReadError::Unreadable { .. })
        ));
    }

    #[test]
    fn texts_have_a_limit_of_their_own() {
        let folder = folder();
        let big = File::create(folder.path().join("big.md")).unwrap();
        big.set_len(33 * 1024 * 1024).unwrap();
        let read = || read_tree(folder.path(), Limits::default());
        let error = read().unwrap_err().to_string();
        assert!(error.contains("bytes of texts"), "{error}");
        fs::rename(folder.path().join("big.md"), folder.path().join("big.png")).unwrap();
        assert!(read().is_ok());
    }

    #[cfg(unix)]
    #[test]
    fn links_that_multiply_folders_are_too_many() {
        let folder = tempfile::tempdir().unwrap();
        for level in 0..24 {
            let level_folder = folder.path().join(format!("l{level}"));
            fs::create_dir(&level_folder).unwrap();
            for link in ["a", "b"] {
                let below = format!("../l{}", level + 1);
                std::os::unix::fs::symlink(below, level_folder.join(link)).unwrap();
            }
        }
        fs::create_dir(folder.path().join("l24")).unwrap();
        let limits = Limits {
            files: 1000,
            bytes: 1,
            ..Limits::default()
        };
        let error = read_tree(folder.path(), limits).unwrap_err().to_string();
        assert!(error.ends_with("holds more than 1000 folders"), "{error}");
    }

    #[test]
    fn a_stamp_changes_with_the_folder_and_settles() {
        let folder = folder();
        let take = || stamp(folder.path(), folder.path(), Limits::default()).unwrap();
        let first = take();
        assert_eq!(first, take());
        assert!(!first.is_settled(SystemTime::now()));
        assert!(first.is_settled(SystemTime::now() + Duration::from_secs(3)));
        fs::write(folder.path().join("a/y.txt"), "y").unwrap();
        assert_ne!(first, take());
    }
}
