//! Requests that no host has sent: those of the control door, and our own. Each is worked on as if a host had sent it, on
//! that host's connection to Codex.

use bytes::Bytes;
use codex_loadout_protocol::ErrorKind;
use serde_json::json;

use super::Router;
use super::effect::Effect;
use super::refusals::{Busy, busy_error};
use super::request::{AskedBy, RequestKind};
use crate::messages::thread;
use crate::wire::Frame;

impl<P: Default, A> Router<'_, P, A> {
    /// A client of the control door wants another loadout for a thread.
    pub(crate) fn on_control(&mut self, number: u64, frame: Frame) {
        let thread = thread::named_in_params(&frame);
        // It is no host's, and does not wait with those of hosts.
        if let Some(busy) = thread.as_ref().filter(|it| self.threads.is_held(it)) {
            let answer = busy_error(&frame.id(), busy, Busy::Elsewhere);
            self.refused.push(ErrorKind::ThreadBusy);
            self.push(Effect::ToControl { number, answer });
            return;
        }
        if let Some(thread) = &thread {
            self.threads.hold(thread);
        }
        self.prepare(
            RequestKind::Update,
            frame,
            thread,
            AskedBy::ControlDoor(number),
        );
    }

    /// Codex gave a loaded thread a server that it was not told to leave out: it is told anew, as before a turn. Where
    /// something is under way on it, what that is looks for itself, or has been too early.
    pub(crate) fn on_server_came_in(&mut self, thread: String) {
        let is_busy = self.threads.is(&thread, |it| it.turns.are_under_way());
        if is_busy || self.threads.is_held(&thread) || !self.has_loadout(&thread) {
            return;
        }
        self.threads.hold(&thread);
        let (id, named) = (&self.host.own_ids, json!(thread));
        let frame = format!(r#"{{"id":{id}","method":"","params":{{"threadId":{named}}}}}"#);
        let frame = Frame::new(Bytes::from(frame));
        self.prepare(RequestKind::Turn, frame, Some(thread), AskedBy::Nobody);
    }
}
