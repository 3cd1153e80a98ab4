//! Whether another Codex has a thread open: only one at a time may write a thread's session file.
//!
//! Measured on Codex 0.163.0 and 0.169.0: whoever has a thread loaded holds a lock on a file of its own for it;
//! others are refused ("already has an active writer"). Older ones have no such file, and nothing is known.

use std::fs::TryLockError;
use std::path::Path;

use codex_loadout_files::open_regular;
use uuid::Uuid;

/// The folder of the locks in Codex's home.
const FOLDER: &str = "thread-writer-locks";

/// Whether somebody holds the lock of a thread. For a thread that the own Codex has not loaded. Blocking.
#[must_use]
pub fn is_held(codex_home: &Path, thread: &str) -> bool {
    // What is no thread's id is no name of a file.
    let Ok(thread) = Uuid::parse_str(thread) else {
        return false;
    };
    let path = codex_home.join(FOLDER).join(format!("{thread}.lock"));
    let Ok(file) = open_regular(&path) else {
        return false;
    };
    // Let go of at once: it is only asked for.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;

    #[test]
    fn a_lock_that_somebody_holds_is_noticed() {
        let home = tempfile::tempdir().unwrap();
        let thread = Uuid::now_v7().to_string();
        let path = home.path().join(FOLDER).join(format!("{thread}.lock"));
        assert!(!is_held(home.path(), &thread));
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        let file = File::create(&path).unwrap();
        assert!(!is_held(home.path(), &thread), "nobody holds it");
        file.lock().unwrap();
        assert!(is_held(home.path(), &thread));
        assert!(!is_held(home.path(), "../../etc"));
        drop(file);
        assert!(!is_held(home.path(), &thread));
    }
}
