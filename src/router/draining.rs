//! Requests that wait until threads have come to rest: nothing new begins on them meanwhile, and what is under
//! way goes on and is heard of.

use std::collections::VecDeque;
use std::time::Duration;

use super::Router;
use super::effect::Effect;
use super::refusals::{Busy, busy_error};
use super::request::Request;
use crate::messages::thread;
use crate::wire::Frame;

/// A host that has servers reloaded waits this long for turns under way to end.
const AT_REST_WITHIN: Duration = Duration::from_secs(30);

/// A request that waits for threads.
#[derive(Debug)]
pub(super) struct Draining<P> {
    request: Request<P>,
    /// What the host has sent since and would begin something on them.
    held: VecDeque<Frame>,
}

impl<P> Draining<P> {
    /// Bytes of what the host has sent since.
    pub(super) fn held_bytes(&self) -> usize {
        self.held.iter().map(|frame| frame.bytes().len()).sum()
    }
}

impl<P: Default, A> Router<'_, P, A> {
    /// Lets a request wait until the threads it rebinds are at rest, or until [`Self::on_late`].
    pub(super) fn drain(&mut self, request: Request<P>) {
        self.effects.push(Effect::Late {
            number: request.number,
            after: AT_REST_WITHIN,
        });
        let held = VecDeque::new();
        self.host.draining.push(Draining { request, held });
    }

    /// Takes a frame that would begin something on a thread that is to come to rest. It comes back if none is.
    pub(super) fn hold_while_draining(&mut self, frame: Frame) -> Result<(), Frame> {
        if self.host.draining.is_empty() || !thread::begins_something(frame.method()) {
            return Err(frame);
        }
        let Some(thread) = thread::named_in_params(&frame) else {
            return Err(frame);
        };
        let mut draining = self.host.draining.iter();
        let is_about = |draining: &Draining<P>| draining.request.rebinds.contains(&thread);
        let Some(at) = draining.position(is_about) else {
            return Err(frame);
        };
        if !self.cannot_wait(&frame) {
            self.host.draining[at].held.push_back(frame);
        }
        Ok(())
    }

    /// Something has ended: the oldest request whose threads are all at rest goes on.
    pub(super) fn go_on_where_drained(&mut self) {
        let at_rest = |draining: &Draining<P>| {
            let mut threads = draining.request.rebinds.iter();
            threads.all(|thread| {
                !self.threads.is(thread, |it| it.has_turn) && !self.threads.is_held(thread)
            })
        };
        let Some(at) = self.host.draining.iter().position(at_rest) else {
            return;
        };
        let draining = self.host.draining.remove(at);
        self.begin_rebinding(draining.request);
        for frame in draining.held {
            // Its thread is held now: it waits there.
            self.on_host(frame);
        }
    }

    /// The request of this number has waited long. If that is for threads to come to rest, it is refused. If Codex
    /// has it, what Codex says about new threads no longer waits for the answer.
    pub(crate) fn on_late(&mut self, number: u64) {
        let mut draining = self.host.draining.iter();
        let Some(at) = draining.position(|draining| draining.request.number == number) else {
            let mut forwarded = self.host.forwarded.values_mut();
            if let Some(request) = forwarded.find(|request| request.number == number) {
                tracing::warn!(method = request.frame.method(), "Codex does not answer");
                request.mark.clear();
                self.reveal_others();
            }
            return;
        };
        let Draining { request, held } = self.host.draining.remove(at);
        let mut threads = request.rebinds.iter();
        let busy = threads.find(|thread| self.threads.is(thread, |it| it.has_turn));
        let busy = busy.or(request.rebinds.first()).cloned();
        self.refuse_busy(request, &busy.unwrap_or_default());
        for frame in held {
            self.on_host(frame);
        }
    }

    /// Refuses a request for which a thread would have to be bound anew that has a turn under way.
    pub(super) fn refuse_busy(&mut self, request: Request<P>, busy: &str) {
        let why = match self.threads.is(busy, |it| it.has_turn) {
            true => Busy::in_turn(request.kind),
            false => Busy::Elsewhere,
        };
        let answer = busy_error(&request.frame.id(), busy, why);
        self.effects.push(Effect::ToHost(answer));
        self.end(&request);
        let holds = request.holds.clone();
        self.effects.push(Effect::Abandoned(request));
        if let Some(thread) = holds {
            self.release(&thread);
        }
    }
}
