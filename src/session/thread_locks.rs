//! One at a time: requests that read or change which loadout a thread has.
//!
//! The router keeps those apart that name the thread by its id. One that names it
//! by its path comes past it, and a fork has its source's root before it is on
//! record. So each such request has the thread to itself until what came of it is
//! on record: it carries the lock, which ends with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// A thread that one request, or one piece of work, has to itself. It ends when this goes.
pub(super) type ThreadLock = OwnedMutexGuard<()>;

/// Who has which thread.
#[derive(Debug, Default)]
pub(super) struct ThreadLocks {
    locks: Mutex<HashMap<String, Weak<AsyncMutex<()>>>>,
}

impl ThreadLocks {
    /// Waits until nobody has the thread.
    pub(super) async fn lock(&self, thread: &str) -> ThreadLock {
        self.of(thread).lock_owned().await
    }

    fn of(&self, thread: &str) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(thread).and_then(Weak::upgrade) {
            return lock;
        }
        // Those that nobody has, or waits for, take no room.
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::default();
        locks.insert(thread.to_owned(), Arc::downgrade(&lock));
        lock
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_thread_is_had_by_one_and_takes_no_room_when_it_is_had_by_nobody() {
        let locks = ThreadLocks::default();
        let lock = locks.lock("t").await;
        let _other = locks.lock("other").await;
        assert!(locks.lock("t").now_or_never().is_none());
        drop(lock);
        assert!(locks.lock("t").now_or_never().is_some());
        drop(locks.lock("u").await);
        assert_eq!(locks.locks.lock().unwrap().len(), 2);
    }
}
