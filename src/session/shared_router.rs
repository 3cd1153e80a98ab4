//! The router, for all who read: the loop, and the thread that reads from a Codex on pipes.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::process::CodexProcess;
use super::request_handlers::Carried;
use crate::loadouts::AppliedConfig;
use crate::router::{Effect, Hosts, Router};
use crate::threads::HostId;

/// What the router wants done, in order, and for which host.
pub(super) type Effects = Vec<(HostId, Effect<Carried>)>;

/// One router, and what it knows of the hosts.
pub(super) struct SharedRouter {
    routing: Mutex<Routing>,
    process: Arc<CodexProcess>,
}

/// Whoever routes keeps this until all that comes of it is done or on its way: effects have one order.
#[derive(Default)]
pub(super) struct Routing {
    pub(super) hosts: Hosts<Carried>,
    /// What the thread has left to the loop, which carries it out before it routes again.
    pub(super) left: Effects,
}

impl SharedRouter {
    /// One without hosts.
    pub(super) fn new(process: Arc<CodexProcess>) -> Self {
        Self {
            routing: Mutex::default(),
            process,
        }
    }

    /// Begins to route.
    pub(super) fn begin(&self) -> MutexGuard<'_, Routing> {
        self.routing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes events of a host through the router.
    pub(super) fn route(
        &self,
        routing: &mut Routing,
        host: HostId,
        effects: &mut Effects,
        events: impl FnOnce(&mut Router<'_, Carried, AppliedConfig>),
    ) {
        let hosts = &mut routing.hosts;
        let applied = &self.process.applied;
        applied.with_threads(|threads| hosts.route(host, threads, effects, events));
        for kind in hosts.newly_refused() {
            self.process.metrics.happenings.refused(kind);
        }
    }

    /// Counts what has come from Codex.
    pub(super) fn received(&self, messages: usize, bytes: usize) {
        let metrics = &self.process.metrics;
        metrics.received(crate::metrics::Sender::Codex, messages, bytes);
    }
}
