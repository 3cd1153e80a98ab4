//! Which threads have a loadout without a root, beside the database: `rootless/<thread>`, empty.
//!
//! Of any other thread with a loadout, Codex's session file names a root of ours. Of these, the record alone
//! says that they have one: while the database can't be read, they would be taken for native threads.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use uuid::Uuid;

use crate::paths::{private_file, private_folder};

const FOLDER: &str = "rootless";

/// Notes that a thread has a loadout without a root. Blocking.
pub(super) fn note(state_home: &Path, thread: &str) -> io::Result<()> {
    match place(state_home, thread) {
        Some(place) if !place.exists() => {
            private_folder(&state_home.join(FOLDER))?;
            private_file(&place).map(|_| ())
        }
        _ => Ok(()),
    }
}

/// It no longer has. Where the note stays, the thread waits for the database longer than it had to. Blocking.
pub fn forget(state_home: &Path, thread: &str) {
    if let Some(place) = place(state_home, thread)
        && let Err(error) = fs::remove_file(&place)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::warn!(%error, place = %place.display(), "left behind");
    }
}

/// The threads of which notes are older than a moment. Blocking.
pub fn noted_before(state_home: &Path, moment: SystemTime) -> Vec<String> {
    let notes = fs::read_dir(state_home.join(FOLDER)).into_iter().flatten();
    let old = notes.flatten().filter(|note| {
        let at = note.metadata().and_then(|found| found.modified());
        at.is_ok_and(|at| at < moment)
    });
    old.map(|note| note.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Whether a thread may have a loadout without a root. Blocking.
#[must_use]
pub fn may_be(state_home: &Path, thread: &str) -> bool {
    // What is no thread's id is not noted, and what can't be looked at may be.
    place(state_home, thread).is_none_or(|place| place.try_exists().unwrap_or(true))
}

fn place(state_home: &Path, thread: &str) -> Option<PathBuf> {
    let thread = Uuid::parse_str(thread).ok()?;
    Some(state_home.join(FOLDER).join(thread.to_string()))
}
