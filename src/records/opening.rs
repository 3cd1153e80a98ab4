//! Before a database is opened: its folder, its file, and that nobody else opens it just then.

use std::fs::TryLockError;
use std::path::Path;
use std::time::{Duration, Instant};

use super::database::BUSY;
use crate::paths::{private_file, private_folder};

/// How long to wait between two tries for the lock.
const RETRY: Duration = Duration::from_millis(20);

/// Waits for the lock without holding up the thread: the one who has it may need this thread to go on.
pub(super) async fn take_turn(path: &Path) -> std::io::Result<std::fs::File> {
    let file = private_file(path)?;
    let deadline = Instant::now() + BUSY;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                tokio::time::sleep(RETRY).await
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The folder is its owner's alone, and so is the file: records hold definitions of MCP servers.
pub(super) fn prepare(state_home: &Path, file: &Path) -> std::io::Result<()> {
    private_folder(state_home)?;
    private_file(file).map(|_| ())
}

/// What tells a file from another at the same path.
pub(super) type FileId = (u64, u64);

#[cfg(unix)]
pub(super) fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    let found = path.metadata().ok()?;
    Some((found.dev(), found.ino()))
}

/// Elsewhere a file that is open can't be removed.
#[cfg(not(unix))]
pub(super) fn file_id(_: &Path) -> Option<FileId> {
    None
}
