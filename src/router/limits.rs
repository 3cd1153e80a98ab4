//! What a host may have under way at once, and what is kept of what Codex says. What goes beyond has an answer at once, and nothing of it is kept.

use codex_loadout_protocol::ErrorKind;

use super::Router;
use super::effect::Effect;
use super::from_codex::FOLLOWED;
use super::refusals::{overloaded_error, taken_id_error};
use super::request::Request;
use crate::messages::announcement;
use crate::wire::{Frame, FrameKind};

/// Claimed requests that are under way, at most.
const CLAIMED: usize = 1024;
/// Bytes that are kept of what a host has sent, at most, and of what Codex has said of threads that are hidden. A
/// frame that is alone may be larger.
#[cfg(not(test))]
const BYTES: usize = 64 * 1024 * 1024;
#[cfg(test)]
pub(super) const BYTES: usize = 256 * 1024;

impl<P: Default, A> Router<'_, P, A> {
    /// Answers a request with the id of a claimed one that has no answer yet: nobody could tell whose answer is
    /// whose.
    pub(super) fn refuses_for_its_id(&mut self, frame: &Frame) -> bool {
        let host = &*self.host;
        let none = host.under_way.is_empty() && host.beginning.is_empty();
        if none || frame.kind() != FrameKind::Request {
            return false;
        }
        let id = frame.id();
        let is_taken = host.under_way.contains_key(&id) || host.beginning.contains_key(&id);
        if is_taken {
            self.refuse(ErrorKind::InvalidSelection, taken_id_error(&id));
        }
        is_taken
    }

    /// Notes a request that is about to be claimed; or answers it, where it is one too many.
    pub(super) fn may_begin(&mut self, frame: &Frame) -> bool {
        if self.host.under_way.len() >= CLAIMED || !self.has_room(frame) {
            let answer = overloaded_error(&frame.id());
            self.refuse(ErrorKind::ThreadBusy, answer);
            return false;
        }
        let kept = frame.bytes().len();
        self.host.under_way.insert(frame.id(), kept);
        true
    }

    /// The host has its answer, or Codex gives it.
    pub(super) fn end(&mut self, request: &Request<P>) {
        self.host.under_way.remove(&request.frame.id());
    }

    /// Whether there is no room for a frame that would have to wait: a request is answered then, and what wants no
    /// answer goes on at once.
    pub(super) fn cannot_wait(&mut self, frame: &Frame) -> bool {
        if self.has_room(frame) {
            return false;
        }
        match frame.kind() {
            FrameKind::Request => {
                self.refuse(ErrorKind::ThreadBusy, overloaded_error(&frame.id()));
            }
            _ => self.push(Effect::ToUpstream(frame.bytes().clone())),
        }
        true
    }

    /// Whether there is no room for a frame of Codex's that would have to wait until its thread's loadout is on disk:
    /// it is left out then, and a request is answered. What tells of turns and of children is never left out.
    pub(super) fn leaves_out(&mut self, frame: &Frame) -> bool {
        let kept = self.threads.hidden_bytes();
        if kept == 0
            || kept + frame.bytes().len() <= BYTES
            || FOLLOWED.contains(&frame.method())
            || announcement::read(frame).is_some()
        {
            return false;
        }
        tracing::warn!(method = frame.method(), "left out: too much waits already");
        if frame.kind() == FrameKind::Request {
            self.push(Effect::ToUpstream(overloaded_error(&frame.id())));
        }
        true
    }

    fn has_room(&self, frame: &Frame) -> bool {
        let claimed: usize = self.host.under_way.values().sum();
        let kept = self.host.held.bytes + claimed;
        kept == 0 || kept + frame.bytes().len() <= BYTES
    }
}
