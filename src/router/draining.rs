//! Requests that wait until threads have come to rest: nothing new begins on them meanwhile, and what is under
//! way goes on and is heard of.

use std::collections::VecDeque;
use std::time::Duration;

use codex_loadout_protocol::ErrorKind;

use super::Router;
use super::effect::Effect;
use super::refusals::{Busy, busy_error};
use super::request::Request;
use crate::messages::thread;
use crate::threads::Waiting;
use crate::wire::Frame;

/// A host that has servers reloaded waits this long for turns under way to end.
const AT_REST_WITHIN: Duration = Duration::from_secs(30);

/// A request that waits for threads.
#[derive(Debug)]
pub(super) struct Draining<P> {
    pub(super) request: Request<P>,
    /// What hosts have sent since and would begin something on them.
    pub(super) held: VecDeque<Waiting>,
}

impl<P: Default, A> Router<'_, P, A> {
    /// Lets a request wait until the threads it rebinds are at rest, or until [`Self::on_late`].
    pub(super) fn drain(&mut self, request: Request<P>) {
        self.push(Effect::Late {
            number: request.number,
            after: AT_REST_WITHIN,
        });
        let held = VecDeque::new();
        self.draining.push(Draining { request, held });
    }

    /// Takes a frame that would begin something on a thread that is to come to rest. It comes back if none is.
    pub(super) fn hold_while_draining(&mut self, frame: Frame) -> Result<(), Frame> {
        if self.draining.is_empty() || !thread::begins_something(frame.method()) {
            return Err(frame);
        }
        let Some(thread) = thread::named_in_params(&frame) else {
            return Err(frame);
        };
        let mut draining = self.draining.iter();
        let is_about = |draining: &Draining<P>| draining.request.rebinds.contains(&thread);
        let Some(at) = draining.position(is_about) else {
            return Err(frame);
        };
        if !self.cannot_wait(&frame) {
            self.host.held.add(frame.bytes().len());
            self.draining[at].held.push_back((self.host.id, frame));
        }
        Ok(())
    }

    /// Something has ended: the oldest request whose threads are all at rest goes on.
    pub(super) fn go_on_where_drained(&mut self) {
        let at_rest = |draining: &Draining<P>| {
            let mut threads = draining.request.rebinds.iter();
            threads.all(|thread| {
                let has_turn = self.threads.is(thread, |it| it.turns.are_under_way());
                !has_turn && !self.threads.is_held(thread)
            })
        };
        let Some(at) = self.draining.iter().position(at_rest) else {
            return;
        };
        let Draining { request, held } = self.draining.remove(at);
        self.with_host(request.host, |router| router.begin_rebinding(request));
        for waiting in held {
            // Its thread is held now: it waits there.
            self.go_on_with(waiting);
        }
    }

    /// The host's request of this number has waited long. If that is for threads to come to rest, it is refused. If
    /// Codex has it, what Codex says about new threads no longer waits for the answer.
    pub(crate) fn on_late(&mut self, number: u64) {
        let host = self.host.id;
        let is_it = |request: &Request<P>| request.host == host && request.number == number;
        let Some(at) = self.draining.iter().position(|it| is_it(&it.request)) else {
            let mut forwarded = self.host.forwarded.values_mut();
            if let Some(request) = forwarded.find(|request| request.number == number) {
                tracing::warn!(method = request.frame.method(), "Codex does not answer");
                request.mark.clear();
                self.reveal_others();
            }
            return;
        };
        let Draining { request, held } = self.draining.remove(at);
        let mut threads = request.rebinds.iter();
        let busy = threads.find(|thread| self.threads.is(thread, |it| it.turns.are_under_way()));
        let busy = busy.or(request.rebinds.first()).cloned();
        self.refuse_busy(request, &busy.unwrap_or_default());
        for waiting in held {
            self.go_on_with(waiting);
        }
    }

    /// Refuses a request for which a thread would have to be bound anew that has a turn under way.
    pub(super) fn refuse_busy(&mut self, request: Request<P>, busy: &str) {
        let why = match self.threads.is(busy, |it| it.turns.are_under_way()) {
            true => Busy::in_turn(request.kind),
            false => Busy::Elsewhere,
        };
        let answer = busy_error(&request.frame.id(), busy, why);
        self.refused.push(ErrorKind::ThreadBusy);
        self.answer(&request, answer);
        self.end(&request);
        let holds = request.holds.clone();
        self.push(Effect::Abandoned(Box::new(request)));
        if let Some(thread) = holds {
            self.release(&thread);
        }
    }
}
