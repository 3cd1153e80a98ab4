//! Requests that wait until threads have come to rest: nothing new begins on them meanwhile, and what is under
//! way goes on and is heard of.

use std::collections::VecDeque;
use std::time::Duration;

use super::effect::{Effect, Prepared, Ticket};
use super::refusals::busy_error;
use super::routing::{Claimed, Router};
use crate::interceptors::thread;
use crate::wire::Frame;

/// A host that has servers reloaded waits this long for turns under way to end.
const AT_REST_WITHIN: Duration = Duration::from_secs(30);

/// A request that waits for threads.
#[derive(Debug)]
pub(super) struct Draining {
    claimed: Claimed,
    threads: Vec<String>,
    /// What the host has sent since and would begin something on them.
    held: VecDeque<Frame>,
}

impl Router {
    /// Lets a request wait until these threads are at rest, or until [`Self::on_late`].
    pub(super) fn drain(
        &mut self,
        claimed: Claimed,
        threads: Vec<String>,
        effects: &mut Vec<Effect>,
    ) {
        let ticket = claimed.ticket;
        let held = VecDeque::new();
        let draining = Draining {
            claimed,
            threads,
            held,
        };
        self.draining.insert(ticket, draining);
        effects.push(Effect::Late {
            ticket,
            after: AT_REST_WITHIN,
        });
    }

    /// Holds a frame that would begin something on a thread that is to come to rest. It comes back if none is.
    pub(super) fn hold_while_draining(&mut self, frame: Frame) -> Result<(), Frame> {
        if self.draining.is_empty() || !thread::begins_something(frame.method()) {
            return Err(frame);
        }
        let Some(thread) = thread::named_in_params(&frame) else {
            return Err(frame);
        };
        let mut draining = self.draining.values_mut();
        match draining.find(|draining| draining.threads.contains(&thread)) {
            Some(draining) => {
                draining.held.push_back(frame);
                Ok(())
            }
            None => Err(frame),
        }
    }

    /// Something has ended: requests whose threads are all at rest go on.
    pub(super) fn go_on_where_drained(&mut self, effects: &mut Vec<Effect>) {
        if self.draining.is_empty() {
            return;
        }
        let at_rest = |draining: &Draining| {
            let mut threads = draining.threads.iter();
            threads
                .all(|thread| !self.running.contains(thread) && !self.host_gates.is_closed(thread))
        };
        let mut tickets: Vec<Ticket> = self.draining.keys().copied().collect();
        tickets.sort();
        let ready = tickets
            .into_iter()
            .find(|ticket| self.draining.get(ticket).is_some_and(at_rest));
        let Some(draining) = ready.and_then(|ticket| self.draining.remove(&ticket)) else {
            return;
        };
        let ticket = draining.claimed.ticket;
        self.begin_rebinding(draining.claimed, draining.threads, effects);
        for frame in draining.held {
            // Its thread's gate is closed now: it waits there.
            self.on_host(frame, effects);
        }
        tracing::debug!(?ticket, "all at rest");
    }

    /// A request has waited long. If that is for threads to come to rest, it is refused. If Codex has it, what
    /// Codex says about new threads no longer waits for the answer.
    pub fn on_late(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        let Some(draining) = self.draining.remove(&ticket) else {
            let mut forwarded = self.forwarded.values_mut();
            if let Some(claimed) = forwarded.find(|claimed| claimed.ticket == ticket) {
                tracing::warn!(method = claimed.frame.method(), "Codex does not answer");
                claimed.mark.clear();
                self.open_gates_of_others(effects);
            }
            return;
        };
        let mut threads = draining.threads.iter();
        let busy = threads.find(|thread| self.running.contains(*thread));
        let busy = busy
            .or(draining.threads.first())
            .cloned()
            .unwrap_or_default();
        let answer = busy_error(&draining.claimed.frame.id(), &busy);
        effects.push(Effect::Abandoned { ticket });
        self.carry_on(draining.claimed, Prepared::Reply(answer), effects);
        for frame in draining.held {
            self.on_host(frame, effects);
        }
    }
}
