//! One sync of a folder for all that was put into it until then: where many put something in at once, each sync of its
//! own would wait for the disk once more.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::error::StoreError;
use super::publish::sync_folder;

/// What was put into a folder, and how much of it is on disk.
#[derive(Debug, Default)]
pub(super) struct SharedSync {
    put: AtomicU64,
    on_disk: Mutex<u64>,
}

impl SharedSync {
    /// Something was put into the folder; it is on disk when this returns.
    pub(super) fn sync(&self, folder: &Path) -> Result<(), StoreError> {
        let number = self.put.fetch_add(1, Ordering::SeqCst) + 1;
        let mut on_disk = self.on_disk.lock().unwrap_or_else(PoisonError::into_inner);
        if *on_disk < number {
            // All of these are in it by now.
            let put = self.put.load(Ordering::SeqCst);
            sync_folder(folder)?;
            *on_disk = put;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sync_of_another_has_covered_needs_none() {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedSync::default();
        shared.sync(folder.path()).unwrap();
        // Another one has synced after this one's was put in.
        *shared.on_disk.lock().unwrap() = 2;
        let gone = folder.path().join("gone");
        shared.sync(&gone).unwrap();
        assert!(shared.sync(&gone).is_err(), "the next one is synced");
        assert_eq!(*shared.on_disk.lock().unwrap(), 2);
    }
}
