//! Files at paths that somebody else chose: opened without waiting, read up to a limit.
//!
//! A path that a host or a user's folder names may be a FIFO, a device or a file without end. Opening a FIFO
//! blocks until somebody writes to it, and reading a device never ends. So the file is opened without
//! blocking, and what was opened is looked at, not the path: nothing can be swapped in between.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read};
use std::path::Path;

/// A file can't be read within its limit.
#[derive(Debug, thiserror::Error)]
pub enum BoundedReadError {
    /// It can't be opened or read, or is no regular file.
    #[error(transparent)]
    Unreadable(#[from] io::Error),
    /// It is longer than was allowed.
    #[error("it has more than {limit} bytes")]
    TooLong {
        /// What was allowed, in bytes.
        limit: u64,
    },
}

/// Opens a regular file to read it. Never waits for a writer; links are followed. Blocking, as disks are.
///
/// # Errors
/// What the system says, or [`io::ErrorKind::InvalidInput`] for what is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    open_regular_with(path, File::options().read(true))
}

/// The same with options of the caller's, to write for example.
///
/// # Errors
/// As [`open_regular`].
pub fn open_regular_with(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        // Reads of a regular file are as ever: the flag means something for what is refused below only.
        // O_CLOEXEC is always set by the standard library.
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    let file = options.open(path)?;
    if file.metadata()?.is_file() {
        Ok(file)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is not a regular file",
        ))
    }
}

/// Reads a whole regular file that has at most this many bytes. Blocking.
///
/// # Errors
/// [`BoundedReadError`]; a file that is too long is not read to its end.
pub fn read_at_most(path: &Path, limit: u64) -> Result<Vec<u8>, BoundedReadError> {
    read_open_at_most(open_regular(path)?, limit)
}

/// The same of a file that [`open_regular`] opened.
///
/// # Errors
/// As [`read_at_most`].
pub fn read_open_at_most(file: File, limit: u64) -> Result<Vec<u8>, BoundedReadError> {
    if file.metadata()?.len() > limit {
        return Err(BoundedReadError::TooLong { limit });
    }
    let mut bytes = Vec::new();
    // It may grow while it is read, and files of /proc have no length.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(BoundedReadError::TooLong { limit });
    }
    Ok(bytes)
}

/// Whether somebody may run the file; never on Windows, where no bit says it.
#[must_use]
pub fn is_executable(metadata: &Metadata) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        metadata.permissions().mode() & 0o111 != 0
    }
    #[cfg(not(unix))]
    {
        let _ = metadata;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_counts_for_files_that_tell_their_length_and_for_those_that_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "four").unwrap();
        assert_eq!(read_at_most(&path, 4).unwrap(), b"four");
        let too_long = |path: &Path, limit| {
            let error = read_at_most(path, limit).unwrap_err();
            assert!(matches!(error, BoundedReadError::TooLong { .. }), "{error}");
        };
        too_long(&path, 3);
        // Sparse: it takes no room on the disk and would take all memory.
        File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_len(1 << 40)
            .unwrap();
        too_long(&path, 1 << 20);
        #[cfg(target_os = "linux")]
        too_long(Path::new("/proc/self/status"), 8);
        let missing = read_at_most(&folder.path().join("none"), 4).unwrap_err();
        let BoundedReadError::Unreadable(missing) = missing else {
            panic!("{missing}");
        };
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_regular_file_is_refused_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let fifo = folder.path().join("fifo");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.unwrap().success());
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/zero", &link).unwrap();
        for path in [&fifo, &link, &folder.path().to_owned()] {
            // In a thread of its own: a FIFO would hold this one for good.
            let (tell, told) = std::sync::mpsc::channel();
            let opened = path.clone();
            std::thread::spawn(move || tell.send(open_regular(&opened).map(|_| ())));
            let error = told
                .recv_timeout(std::time::Duration::from_secs(10))
                .unwrap_or_else(|_| panic!("`{}` was waited for", path.display()))
                .unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path:?}");
        }
    }
}
