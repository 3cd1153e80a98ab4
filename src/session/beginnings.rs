//! Turns that are beginning, and what must not happen meanwhile.
//!
//! Codex decides what a turn may show when the turn begins, from what it knows of
//! the disk. Between the check and that moment, nothing of ours may make it look
//! at the disk again: a thread that is loaded anew does. So beginnings and
//! re-binds take turns; beginnings go on side by side.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// A turn that has not begun after this long was refused, or Codex is too busy to wait for.
const BEGINS_WITHIN: Duration = Duration::from_secs(2);

/// The beginnings of one connection.
#[derive(Debug, Default)]
pub(super) struct Beginnings {
    lock: Arc<RwLock<()>>,
    under_way: Arc<DashMap<String, UnderWay>>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    _guard: OwnedRwLockReadGuard<()>,
}

impl Beginnings {
    /// Waits until no re-bind is under way; none begins while this is held.
    pub(super) async fn enter(&self) -> OwnedRwLockReadGuard<()> {
        self.lock.clone().read_owned().await
    }

    /// Waits until no turn is beginning; none begins while this is held.
    pub(super) async fn exclude(&self) -> OwnedRwLockWriteGuard<()> {
        self.lock.clone().write_owned().await
    }

    /// The request goes to Codex now: the turn is beginning until that is heard, or time is up.
    pub(super) fn begin(&self, thread: &str, guard: OwnedRwLockReadGuard<()>) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let begun = UnderWay {
            number,
            _guard: guard,
        };
        self.under_way.insert(thread.to_owned(), begun);
        let (under_way, thread) = (self.under_way.clone(), thread.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(BEGINS_WITHIN).await;
            under_way.remove_if(&thread, |_, begun| begun.number == number);
        });
    }

    /// The turn has begun.
    pub(super) fn began(&self, thread: &str) {
        self.under_way.remove(thread);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test(start_paused = true)]
    async fn beginnings_go_side_by_side_and_exclude_rebinds_until_heard_or_late() {
        let beginnings = Beginnings::default();
        for thread in ["a", "b"] {
            let guard = beginnings.enter().await;
            beginnings.begin(thread, guard);
        }
        beginnings.began("a");
        assert!(beginnings.exclude().now_or_never().is_none());
        beginnings.began("b");
        let rebind = beginnings.exclude().await;
        assert!(beginnings.enter().now_or_never().is_none());
        beginnings.begin("c", rebind.downgrade());
        let begin = tokio::time::Instant::now();
        beginnings.exclude().await;
        assert_eq!(begin.elapsed(), BEGINS_WITHIN);
    }
}
