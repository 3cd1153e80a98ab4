//! Hosts leave, or have no Codex any more.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::StreamExt;
use tokio::task::JoinHandle;

use super::connection::Session;
use crate::threads::HostId;

/// What is left to be written to a host when all is over is waited for this long: it may not read any more.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

impl Session {
    /// Ends what has come to an end for a host.
    pub(super) fn look_after(&mut self, host: HostId) {
        let Some(session) = self.hosts.get_mut(&host) else {
            return;
        };
        if session.host.is_closed() {
            // A host that takes nothing more is gone, whatever it may still send.
            session.host_open = false;
        }
        let (host_open, codex_open) = (session.host_open, session.codex_open);
        if codex_open {
            if !host_open {
                self.let_go(host);
            }
            return;
        }
        if session.jobs > 0 {
            self.route(host, |router| router.give_up_requests());
            return;
        }
        let mut outlives = false;
        self.route(host, |router| outlives = router.outlives_codex());
        let session = self.hosts.get_mut(&host);
        match session.and_then(|session| session.away.as_mut()) {
            // It may get another connection.
            Some(away) if outlives && host_open => {
                if !std::mem::replace(&mut away.is_known, true) {
                    self.lost.push(host);
                }
            }
            _ => self.end(host),
        }
    }

    /// A host has left: its connection to Codex is closed once nothing of it is under way.
    fn let_go(&mut self, host: HostId) {
        let mut may_leave = false;
        self.route(host, |router| may_leave = router.may_leave());
        if let Some(session) = self.hosts.get(&host)
            && may_leave
        {
            session.codex.close();
        }
    }

    /// A host has no Codex any more, and gets none.
    pub(super) fn end(&mut self, host: HostId) {
        let is_without = self.hosts.get(&host).is_some_and(|it| !it.codex_open);
        if is_without {
            self.route(host, |router| router.on_upstream_gone());
            self.remove(host);
        }
    }

    fn remove(&mut self, host: HostId) {
        if let Some(mut session) = self.hosts.remove(&host) {
            session.host.close();
            self.control.lose(host);
            self.written
                .extend(session.host_written.take().map(|it| written(it).boxed()));
        }
        let process = self.process.clone();
        process.metrics.presence.host_left(host);
        process
            .applied
            .with_threads(|threads| self.of_router.remove(host, threads));
        if !self.of_router.any_uses_extension() {
            self.changes = None;
        }
    }

    /// Waits until hosts that are no more were told everything, if they listen.
    pub(super) async fn all_written(mut self) {
        while self.written.next().await.is_some() {}
    }
}

/// Waits until everything was written to a host. One that neither reads nor leaves gets no more, and its connection ends.
async fn written(mut writing: JoinHandle<()>) {
    if tokio::time::timeout(WRITTEN_WITHIN, &mut writing)
        .await
        .is_err()
    {
        writing.abort();
    }
}
