//! Events go through the router, and what comes of them is carried out.

use futures_util::FutureExt;

use super::changes::Changes;
use super::connection::Session;
use super::jobs::{control_number, job};
use super::request_handlers::Carried;
use crate::loadouts::AppliedConfig;
use crate::records::asked_by;
use crate::router::{Effect, Router};
use crate::threads::HostId;

/// Room for this many effects is kept from one batch of messages to the next: making it anew costs more than the routing.
const EFFECTS_KEPT: usize = 512;

impl Session {
    /// Takes events of a host through the router, and carries out what comes of them.
    pub(super) fn route(
        &mut self,
        host: HostId,
        events: impl FnOnce(&mut Router<'_, Carried, AppliedConfig>),
    ) {
        let mut effects = std::mem::take(&mut self.effects);
        self.process.applied.with_threads(|threads| {
            self.of_router.route(host, threads, &mut effects, events);
        });
        for kind in self.of_router.newly_refused() {
            self.process.metrics.happenings.refused(kind);
        }
        // Almost always all are for one host.
        let mut last = host;
        for (host, effect) in effects.drain(..) {
            if host != last {
                self.write_queued(last);
                last = host;
            }
            self.carry_out(host, effect);
        }
        self.write_queued(last);
        effects.shrink_to(EFFECTS_KEPT);
        self.effects = effects;
    }

    fn write_queued(&self, host: HostId) {
        if let Some(session) = self.hosts.get(&host) {
            session.host.write_queued();
            session.codex.write_queued();
        }
    }

    fn carry_out(&mut self, host: HostId, effect: Effect<Carried>) {
        let Some(session) = self.hosts.get_mut(&host) else {
            return;
        };
        match effect {
            Effect::ToHost(frame) => session.host.queue(frame),
            Effect::ToControl { number, answer } => self.control.answer(number, answer),
            Effect::ToUpstream(frame) => session.queue_for_codex(frame),
            Effect::Answered { number, response } => session.rpc.answered(number, response),
            Effect::SettingsAsked { thread, frame } => {
                session.handlers.settings_asked(&thread, &frame);
            }
            Effect::ServersListed { thread, answer } => {
                session.handlers.servers_listed(thread, answer);
            }
            Effect::Settings { thread, frame } => session.handlers.settings_of(&thread, &frame),
            Effect::CatalogMayHaveChanged => session.handlers.catalog_may_have_changed(),
            Effect::Late { number, after } => {
                let late = tokio::time::sleep(after).map(move |()| (host, number));
                self.waiting.push(late.boxed());
            }
            work => {
                if self.changes.is_none() && self.of_router.any_uses_extension() {
                    self.changes = Some(Changes::watch(self.process.loadouts.clone()));
                }
                let actor = match control_number(&work) {
                    Some(number) => self.control.actor(number),
                    None => session.handlers.actor(),
                };
                if let Some(job) = job(&session.handlers, work) {
                    session.jobs += 1;
                    let job = asked_by(actor, job);
                    self.jobs.push(job.map(move |done| (host, done)).boxed());
                }
            }
        }
    }
}
