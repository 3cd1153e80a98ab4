//! One at a time: requests that read or change which loadout a thread has.
//!
//! The router keeps those apart that name the thread by its id. One that names it
//! by its path comes past it, and a fork has its source's root before it is on
//! record. So each such request has the thread to itself until what came of it is
//! on record.

use std::sync::Arc;

use dashmap::DashMap;
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::router::Ticket;

/// The threads of one connection, and who has them.
#[derive(Debug, Default)]
pub(super) struct Alone {
    threads: DashMap<String, Arc<Mutex<()>>>,
    requests: DashMap<Ticket, OwnedMutexGuard<()>>,
}

impl Alone {
    /// Waits until nobody has the thread; it is had until the guard goes.
    pub(super) async fn with(&self, thread: &str) -> OwnedMutexGuard<()> {
        let turn = self.threads.entry(thread.to_owned()).or_default().clone();
        turn.lock_owned().await
    }

    /// As [`Self::with`], for a request, until that is done.
    pub(super) async fn begin(&self, ticket: Ticket, thread: &str) {
        let guard = self.with(thread).await;
        self.requests.insert(ticket, guard);
    }

    /// A request is done, whatever came of it; one that never began is no error.
    pub(super) fn done(&self, ticket: Ticket) {
        self.requests.remove(&ticket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt;

    #[tokio::test]
    async fn a_thread_is_had_by_one_until_that_is_done() {
        let alone = Alone::default();
        alone.begin(Ticket(1), "t").await;
        alone.begin(Ticket(2), "other").await;
        assert!(alone.with("t").now_or_never().is_none());
        alone.done(Ticket(1));
        alone.done(Ticket(1));
        assert!(alone.with("t").now_or_never().is_some());
    }
}
