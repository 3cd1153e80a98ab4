//! A request of the control door: it is worked on as if a host had sent it, on that host's connection to Codex.

use codex_loadout_protocol::ErrorKind;

use super::Router;
use super::effect::Effect;
use super::refusals::{Busy, busy_error};
use super::request::{Request, RequestKind};
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
        self.host.claimed += 1;
        self.host.worked_on += 1;
        let claimed = self.host.claimed;
        let mut request = Request::new(self.host.id, claimed, RequestKind::Update, frame, thread);
        request.by_control = Some(number);
        self.push(Effect::Prepare(Box::new(request)));
    }
}
