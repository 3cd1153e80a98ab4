//! Which frame goes where, and when: a pure machine from events to effects.
//!
//! # Ordering
//! Frames keep their order in both directions, with two exceptions, each for one
//! thread only; all other threads flow meanwhile. A thread may be open at many hosts: what waits, waits for all of
//! them.
//!
//! 1. **Held.** While a claimed request on a thread (resume, fork, a turn) is being prepared, later frames on that
//!    thread wait behind it, whichever host sends them. They go on when the request goes to Codex: from there on, Codex
//!    orders. One that gives the thread another loadout holds them until that is in effect.
//! 2. **Hidden.** What Codex says about a thread that the host has not seen yet waits until that thread's loadout
//!    is on disk. Codex may speak of a new thread before it answers the request that made it; so while such a
//!    request is on its way, frames on threads younger than the request wait too.
//!
//! # Turns
//! What a turn of a thread with a loadout shows of skills, we have written ourselves. Left to look at is what
//! its input names: the request is held for that. Where Codex needs another config for threads, they are
//! unloaded and loaded again; of what Codex says about that, the host hears nothing.
//!
//! # Requests
//! A claimed [`Request`] is one value: it leaves with an [`Effect`] to be worked on, and comes back through
//! `on_prepared`, `on_rebound`, `on_made` or `on_settled`. What it carries (its lock, what is to be recorded) is
//! opaque here and ends with it. A fork that is split from its source takes that way twice: Codex is through with
//! making it (`on_made`), then it has its own root (`on_settled`).
//!
//! *Architecture invariant:* no await, lock, clock or IO.

#[cfg(any(test, fuzzing))]
mod any_order;
mod control;
mod draining;
mod effect;
mod from_codex;
mod host;
mod limits;
mod outlives;
mod refusals;
mod request;
mod routing;

#[cfg(any(test, fuzzing))]
pub(crate) use any_order::run as run_any_order;
pub(crate) use effect::{Effect, Prepared, Rebound, Settled};
pub(crate) use host::{Greeting, Host, Hosts};
pub(crate) use refusals::internal_error;
pub(crate) use request::{Request, RequestKind};

use bytes::Bytes;
use codex_loadout_protocol::ErrorKind;

use crate::threads::{HostId, Threads};
use draining::Draining;
use request::AskedBy;

/// One event's way through the router: what it changes, and what comes of it.
#[derive(Debug)]
pub(crate) struct Router<'a, P, A> {
    /// The host that the event is about.
    host: &'a mut Host<P>,
    /// The other hosts of this Codex process.
    others: &'a mut Vec<Host<P>>,
    /// Requests that wait until threads are at rest, the oldest first.
    draining: &'a mut Vec<Draining<P>>,
    /// The kinds of requests that were refused.
    refused: &'a mut Vec<ErrorKind>,
    /// What is true of threads, whoever is connected.
    threads: &'a mut Threads<A>,
    /// What is to be done, in order, and for which host.
    effects: &'a mut Vec<(HostId, Effect<P>)>,
}

impl<P, A> Router<'_, P, A> {
    /// What is known of the host from elsewhere.
    pub(crate) fn introduce_host(&mut self, introduce: impl FnOnce(&mut Host<P>)) {
        introduce(self.host);
    }

    /// Whether the host goes on when Codex ends.
    pub(crate) fn outlives_codex(&self) -> bool {
        self.host.outlives.is_some()
    }

    /// Has something done for the host.
    fn push(&mut self, effect: Effect<P>) {
        self.effects.push((self.host.id, effect));
    }

    /// Answers the host that its request is refused.
    fn refuse(&mut self, kind: ErrorKind, answer: Bytes) {
        self.refused.push(kind);
        self.push(Effect::ToHost(answer));
    }

    /// Answers a claimed request where it came from, if anywhere.
    fn answer(&mut self, request: &Request<P>, answer: Bytes) {
        match request.asked_by {
            AskedBy::Host => self.push(Effect::ToHost(answer)),
            AskedBy::ControlDoor(number) => self.push(Effect::ToControl { number, answer }),
            AskedBy::Nobody => {}
        }
    }

    /// Goes on with another host. Nothing happens where it has left.
    fn with_host(&mut self, host: HostId, work: impl FnOnce(&mut Self)) {
        if host == self.host.id {
            return work(self);
        }
        // It is looked for by its id each time: its place may have another one now.
        let place = |router: &Self| router.others.iter().position(|other| other.id == host);
        let Some(at) = place(self) else { return };
        let before = self.host.id;
        std::mem::swap(self.host, &mut self.others[at]);
        work(self);
        if let Some(at) = self.others.iter().position(|other| other.id == before) {
            std::mem::swap(self.host, &mut self.others[at]);
        }
    }

    /// This host and all others.
    fn all_hosts(&self) -> impl Iterator<Item = &Host<P>> {
        std::iter::once(&*self.host).chain(self.others.iter())
    }
}

#[cfg(test)]
mod tests;
