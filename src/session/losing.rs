//! Codex ends, and its hosts go on with the next.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;

use super::connection::Session;
use super::host_session::Side;
use super::jobs::greet;
use crate::connection::{CodexCommand, Door};
use crate::threads::{HostId, Threads};

/// What Codex has said before its end is read within this time, unless a host does not take it.
const READ_WITHIN: Duration = Duration::from_secs(1);
/// What is worked on for hosts when Codex ends is waited for this long.
const WORKED_ON_WITHIN: Duration = Duration::from_secs(10);

impl Session {
    /// Hosts that have lost their connection to Codex since this was last asked.
    pub(super) fn newly_lost(&mut self) -> Vec<HostId> {
        std::mem::take(&mut self.lost)
    }

    /// How Codex is started.
    pub(super) fn codex(&self) -> &CodexCommand {
        &self.process.codex
    }

    /// All hosts.
    pub(super) fn ids(&self) -> Vec<HostId> {
        self.hosts.keys().copied().collect()
    }

    /// Tells a host something.
    pub(super) fn tell(&self, host: HostId, message: Bytes) {
        if let Some(session) = self.hosts.get(&host) {
            session.host.send(message);
        }
    }

    /// Codex has ended: each request of a host's has one answer, and nothing is known of threads any more.
    pub(super) async fn lose_codex(&mut self) {
        let read = async {
            while self.hosts.values().any(|session| session.codex_open) {
                self.next().await;
            }
        };
        if tokio::time::timeout(READ_WITHIN, read).await.is_err() {
            tracing::debug!("a host does not take what Codex has said last");
        }
        for (id, session) in &mut self.hosts {
            session.lose_codex();
            if let Some(away) = &mut session.away {
                // It gets the next one.
                away.is_known = true;
            }
            self.control.lose(*id);
            self.process.detach(*id);
        }
        // None of it can come to anything, and what it holds is to be let go of. What has waited behind it goes on, and
        // comes to nothing as well.
        let worked_off = async {
            let mut is_first = true;
            loop {
                let works = self.hosts.values().any(|session| session.jobs > 0);
                while self.hosts.values().any(|session| session.jobs > 0) {
                    for host in self.ids() {
                        self.route(host, |router| router.give_up_requests());
                    }
                    self.next().await;
                }
                for host in self.ids() {
                    self.route(host, |router| router.on_upstream_gone());
                }
                if !works && !std::mem::take(&mut is_first) {
                    return;
                }
            }
        };
        if tokio::time::timeout(WORKED_ON_WITHIN, worked_off)
            .await
            .is_err()
        {
            tracing::warn!("work for a Codex that has ended goes on");
        }
        for host in self.ids() {
            self.route(host, |router| router.on_upstream_gone());
            if let Some(away) = self.hosts.get_mut(&host).and_then(|it| it.away.as_mut()) {
                // It was for the Codex that has ended, and has its answer.
                away.to_codex.clear();
            }
            let has_left = self.hosts.get(&host).is_some_and(|it| !it.host_open);
            if has_left {
                self.end(host);
            }
        }
        self.lost.clear();
        self.process.catalogs.forget();
        self.process.applied.with_threads(Threads::lose_all);
    }

    /// A host is connected to the next Codex: first that is told who the host is.
    pub(super) fn attach_again(&mut self, host: HostId, codex: Door) {
        let greeting = self.of_router.greeting(host);
        let Some(session) = self.hosts.get_mut(&host) else {
            return codex.writer.close();
        };
        session.has_codex(&self.process, codex.writer);
        self.reading.push(session.read(Side::Codex, codex.reader));
        match greeting {
            Some(greeting) => {
                session.jobs += 1;
                let greeted = greet(session.handlers.clone(), greeting);
                self.jobs
                    .push(greeted.map(move |done| (host, done)).boxed());
            }
            None => self.go_on(host),
        }
    }

    /// What has waited for Codex goes on.
    pub(super) fn go_on(&mut self, host: HostId) {
        let Some(session) = self.hosts.get_mut(&host) else {
            return;
        };
        let Some(away) = session.away.take_if(|_| session.codex_open) else {
            return;
        };
        for frame in away.to_codex {
            session.codex.send(frame);
        }
        if let Some(arrived) = away.arrived {
            self.on_arrived(arrived);
        }
    }

    /// All hosts are let go of.
    pub(super) fn end_all(&mut self) {
        for host in self.ids() {
            if let Some(session) = self.hosts.get_mut(&host) {
                session.codex.close();
                session.lose_codex();
            }
            self.end(host);
        }
    }
}
