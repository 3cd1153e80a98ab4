//! Turns that are beginning, and what must not happen meanwhile.
//!
//! Codex decides what a turn may show when the turn begins, from what it knows of
//! the disk. Between the check and that moment, nothing of ours may make it look
//! at the disk again: a thread that is loaded anew does. So beginnings and
//! re-binds take turns. And that moment has to come soon: so few turns begin at
//! once, however many a host asks for, and the check is made when it is a turn's
//! turn.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use tokio::sync::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, Semaphore,
};

/// A turn that has not begun after this long was refused, or Codex is too busy to wait for.
const BEGINS_WITHIN: Duration = Duration::from_secs(5);
/// Turns that may begin at once. A beginning takes Codex a few milliseconds of one core.
const AT_ONCE: usize = 2;

/// The beginnings of one connection.
#[derive(Debug)]
pub(super) struct Beginnings {
    lock: Arc<RwLock<()>>,
    places: Arc<Semaphore>,
    under_way: Arc<DashMap<String, UnderWay>>,
    numbers: AtomicU64,
}

#[derive(Debug)]
struct UnderWay {
    number: u64,
    _entered: Entered,
}

/// A turn that may begin.
#[derive(Debug)]
pub(super) struct Entered {
    _guard: OwnedRwLockReadGuard<()>,
    /// A turn that follows on a re-bind has been waited for by all others.
    _place: Option<OwnedSemaphorePermit>,
}

impl From<OwnedRwLockWriteGuard<()>> for Entered {
    fn from(excluding: OwnedRwLockWriteGuard<()>) -> Self {
        Self {
            _guard: excluding.downgrade(),
            _place: None,
        }
    }
}

impl Default for Beginnings {
    fn default() -> Self {
        Self {
            lock: Arc::default(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            under_way: Arc::default(),
            numbers: AtomicU64::new(0),
        }
    }
}

impl Beginnings {
    /// Waits for a place, and until no re-bind is under way; none begins while this is held.
    pub(super) async fn enter(&self) -> Entered {
        // It is never closed.
        let place = self.places.clone().acquire_owned().await.ok();
        Entered {
            _guard: self.lock.clone().read_owned().await,
            _place: place,
        }
    }

    /// Waits until no turn is beginning; none begins while this is held.
    pub(super) async fn exclude(&self) -> OwnedRwLockWriteGuard<()> {
        self.lock.clone().write_owned().await
    }

    /// The request goes to Codex now: the turn is beginning until that is heard, or time is up.
    pub(super) fn begin(&self, thread: &str, entered: Entered) {
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let begun = UnderWay {
            number,
            _entered: entered,
        };
        self.under_way.insert(thread.to_owned(), begun);
        let (under_way, thread) = (self.under_way.clone(), thread.to_owned());
        tokio::spawn(async move {
            tokio::time::sleep(BEGINS_WITHIN).await;
            under_way.remove_if(&thread, |_, begun| begun.number == number);
        });
    }

    /// Whether a turn of the thread is beginning.
    pub(super) fn is_under_way(&self, thread: &str) -> bool {
        self.under_way.contains_key(thread)
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
            let entered = beginnings.enter().await;
            beginnings.begin(thread, entered);
        }
        assert!(
            beginnings.enter().now_or_never().is_none(),
            "all places are taken"
        );
        beginnings.began("a");
        assert!(beginnings.exclude().now_or_never().is_none());
        beginnings.began("b");
        let rebind = beginnings.exclude().await;
        assert!(beginnings.enter().now_or_never().is_none());
        beginnings.begin("c", rebind.into());
        let begin = tokio::time::Instant::now();
        beginnings.exclude().await;
        assert_eq!(begin.elapsed(), BEGINS_WITHIN);
    }
}
