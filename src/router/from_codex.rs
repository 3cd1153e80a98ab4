//! What Codex says, and what the host hears of it and when.

use std::collections::VecDeque;

use bytes::Bytes;

use super::effect::{Effect, Settled, Ticket};
use super::refusals::{gone_error, unheard_error};
use super::routing::{Router, Settling};
use crate::interceptors::experimental::{self, Heard};
use crate::interceptors::{announcement, catalog, initialize, thread};
use crate::wire::{Frame, FrameKind, Id};

impl Router {
    /// Codex sent a frame.
    pub fn on_upstream(&mut self, frame: Frame, effects: &mut Vec<Effect>) {
        match frame.kind() {
            FrameKind::Response => self.on_answer(frame, effects),
            FrameKind::Request | FrameKind::Notification => {
                if let Some(frame) = self.as_heard(frame, effects) {
                    self.on_message(frame, effects);
                }
            }
            FrameKind::Malformed => effects.push(Effect::ToHost(frame.into_bytes())),
        }
    }

    /// A message without what only those get who asked for the experimental API, where only we did.
    fn as_heard(&self, frame: Frame, effects: &mut Vec<Effect>) -> Option<Frame> {
        if !self.hides_experimental {
            return Some(frame);
        }
        match experimental::heard(&frame) {
            Heard::Whole => Some(frame),
            Heard::Edited(bytes) => Some(Frame::parse(bytes)),
            Heard::Nothing => None,
            Heard::Unanswered => {
                effects.push(Effect::ToUpstream(unheard_error(&frame.id())));
                None
            }
        }
    }

    fn on_answer(&mut self, frame: Frame, effects: &mut Vec<Effect>) {
        if let Some(number) = self.own_number(frame.id_json()) {
            effects.push(Effect::Answered {
                number,
                response: frame,
            });
            return;
        }
        let expected = self.forwarded.len() + self.beginning.len();
        if self.initialize.is_none() && expected == 0 {
            effects.push(Effect::ToHost(frame.into_bytes()));
            return;
        }
        let id = frame.id();
        if let Some(thread) = self.beginning.remove(&id) {
            if thread::is_refused(&frame) {
                self.running.remove(&thread);
                effects.push(Effect::ToHost(frame.into_bytes()));
                self.go_on_where_drained(effects);
                return;
            }
        } else if self.initialize.as_ref() == Some(&id) {
            self.initialize = None;
            if let Some(info) = initialize::upstream_info(&frame) {
                effects.push(Effect::Connected(info));
            }
        } else if let Some(claimed) = self.forwarded.remove(&id) {
            let thread = thread::named_in_result(&frame);
            let makes_a_thread = claimed.kind.makes_a_thread();
            let mut before = 0;
            if let (Some(thread), true) = (&thread, makes_a_thread) {
                self.reveal_gates.close(thread);
                before = self.reveal_gates.waiting(thread);
            }
            self.settling.insert(
                claimed.ticket,
                Settling {
                    held: claimed.thread,
                    thread,
                    makes_a_thread,
                    before,
                },
            );
            effects.push(Effect::Settle {
                ticket: claimed.ticket,
                response: frame,
            });
            self.open_gates_of_others(effects);
            return;
        }
        effects.push(Effect::ToHost(frame.into_bytes()));
    }

    /// Once no request that makes a thread is on its way, a gate that was closed
    /// on suspicion belongs to a thread that somebody else made.
    pub(super) fn open_gates_of_others(&mut self, effects: &mut Vec<Effect>) {
        if self.is_making() {
            return;
        }
        for thread in self.reveal_gates.threads() {
            let ours = self
                .settling
                .values()
                .any(|settling| settling.thread.as_ref() == Some(&thread));
            if !ours && !self.loaded.contains(&thread) {
                let waiting = self.reveal_gates.open(&thread);
                self.pass_on(waiting, effects);
            }
        }
    }

    /// Codex has made a fork that is to be set apart from its source, and has said so: of what comes
    /// now, the host hears nothing.
    pub fn on_made(&mut self, ticket: Ticket, effects: &mut Vec<Effect>) {
        if let Some(settling) = self.settling.get(&ticket) {
            self.quiet.extend(settling.thread.clone());
            effects.push(Effect::SetApart { ticket });
        }
    }

    /// A claimed request's answer is durable, and this is what the host gets.
    pub fn on_settled(
        &mut self,
        ticket: Ticket,
        answer: Bytes,
        settled: Settled,
        effects: &mut Vec<Effect>,
    ) {
        let Some(mut settling) = self.settling.remove(&ticket) else {
            return;
        };
        let held = settling.held.take();
        self.settled(settling, answer, settled, effects);
        if let Some(thread) = held {
            self.open_host_gate(&thread, effects);
        }
    }

    fn settled(
        &mut self,
        settling: Settling,
        answer: Bytes,
        settled: Settled,
        effects: &mut Vec<Effect>,
    ) {
        let Some(thread) = settling.thread else {
            effects.push(Effect::ToHost(answer));
            return;
        };
        self.quiet.remove(&thread);
        match settled {
            Settled::Loadout => {
                self.loaded.insert(thread.clone());
            }
            Settled::Native => {
                self.loaded.remove(&thread);
                if settling.makes_a_thread {
                    self.native_forks.insert(thread.clone());
                }
            }
            // It stays quiet: its end may be told later.
            Settled::Hidden => {
                self.quiet.insert(thread.clone());
                self.reveal_gates.open(&thread);
                effects.push(Effect::ToHost(answer));
                return;
            }
        }
        if !settling.makes_a_thread {
            effects.push(Effect::ToHost(answer));
            return;
        }
        let mut waiting = self.reveal_gates.open(&thread);
        let after = waiting.split_off(settling.before.min(waiting.len()));
        self.pass_on(waiting, effects);
        effects.push(Effect::ToHost(answer));
        self.pass_on(after, effects);
    }

    pub(super) fn on_message(&mut self, frame: Frame, effects: &mut Vec<Effect>) {
        if frame.method() == thread::SERVER_STATUS
            && let Some(thread) = self.loaded_named_in(&frame)
        {
            let frame = frame.clone();
            effects.push(Effect::ServerStatus { thread, frame });
        }
        if !self.quiet.is_empty() && self.is_unheard(&frame) && !self.is_loud(&frame) {
            return;
        }
        let making = self.is_making();
        let frame = if making || !self.reveal_gates.is_empty() {
            match thread::named_in_params(&frame) {
                Some(thread) => {
                    if making && self.may_be_new(&thread) {
                        self.reveal_gates.close(&thread);
                    }
                    match self.reveal_gates.hold(&thread, frame) {
                        Ok(()) => return,
                        Err(frame) => frame,
                    }
                }
                None => frame,
            }
        } else {
            frame
        };
        if catalog::is_changed_by(frame.method()) {
            effects.push(Effect::CatalogMayHaveChanged);
        }
        self.follow(&frame, effects);
        if frame.method() == thread::DELETED {
            if let Some(thread) = thread::named_in_params(&frame) {
                effects.push(Effect::Forget { thread });
            }
        } else if !self.loaded.is_empty()
            && let Some(announcement) = announcement::read(&frame)
            && self.adopt(announcement, &frame, effects)
        {
            return;
        }
        let ended = frame.method() == thread::TURN_COMPLETED;
        effects.push(Effect::ToHost(frame.into_bytes()));
        if ended {
            self.go_on_where_drained(effects);
        }
    }

    /// Something is to be told about a thread, to a host that uses what is ours.
    pub fn on_notice(&mut self, notice: Bytes, effects: &mut Vec<Effect>) {
        if self.acquainted {
            effects.push(Effect::ToHost(notice));
        }
    }

    /// Whether Codex has begun a turn by itself on a thread that is bound anew, just before or as soon as it
    /// was loaded: from here on, it is heard of.
    fn is_loud(&mut self, frame: &Frame) -> bool {
        if frame.method() != thread::TURN_STARTED {
            return false;
        }
        let Some(thread) = thread::named_in_params(frame) else {
            return false;
        };
        let mut rebinding = self.rebinding.values();
        rebinding.any(|rebinding| rebinding.threads.contains(&thread)) && self.quiet.remove(&thread)
    }

    /// Whether a frame tells of what is done with a thread behind the host's back. The servers of a fork
    /// start but once, and that it hears of, with the fork itself.
    fn is_unheard(&self, frame: &Frame) -> bool {
        frame.kind() == FrameKind::Notification
            && thread::named_in_params(frame).is_some_and(|thread| {
                let of_fork = self.reveal_gates.is_closed(&thread);
                self.quiet.contains(&thread)
                    && !(of_fork && frame.method() == thread::SERVER_STATUS)
            })
    }

    /// Keeps in mind what a thread with a loadout is about.
    fn follow(&mut self, frame: &Frame, effects: &mut Vec<Effect>) {
        let method = frame.method();
        let counts = [
            thread::TURN_STARTED,
            thread::TURN_COMPLETED,
            thread::SETTINGS_UPDATED,
            thread::CLOSED,
            thread::DELETED,
        ];
        if !counts.contains(&method) {
            return;
        }
        let Some(thread) = self.loaded_named_in(frame) else {
            return;
        };
        match method {
            thread::TURN_STARTED => {
                if self.hears_turns {
                    self.running.insert(thread);
                }
            }
            thread::TURN_COMPLETED => {
                self.running.remove(&thread);
                if self.hears_servers {
                    effects.push(Effect::TurnEnded { thread });
                }
            }
            thread::SETTINGS_UPDATED => effects.push(Effect::Settings {
                thread,
                frame: frame.clone(),
            }),
            _ => {
                self.loaded.remove(&thread);
                self.running.remove(&thread);
                effects.push(Effect::Unloaded { thread });
            }
        }
    }

    /// Whether a request that makes a thread is on its way, and not for too long.
    fn is_making(&self) -> bool {
        let mut forwarded = self.forwarded.values();
        forwarded.any(|claimed| claimed.kind.makes_a_thread() && !claimed.mark.is_empty())
    }

    /// Thread ids are UUIDs v7: their text sorts by the time they were made.
    fn may_be_new(&self, thread: &str) -> bool {
        !self.loaded.contains(thread)
            && self.forwarded.values().any(|claimed| {
                claimed.kind.makes_a_thread()
                    && thread.len() == claimed.mark.len()
                    && thread > claimed.mark.as_str()
            })
    }

    /// Holds the frame that announces new children of a thread with a loadout.
    fn adopt(
        &mut self,
        found: announcement::Announcement,
        frame: &Frame,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if !self.loaded.contains(&found.parent) {
            return false;
        }
        let children: Vec<String> = found
            .children
            .into_iter()
            .filter(|child| !self.loaded.contains(child) && !self.native_forks.contains(child))
            .collect();
        let Some(first) = children.first() else {
            return false;
        };
        for child in &children {
            self.reveal_gates.close(child);
            self.loaded.insert(child.clone());
        }
        let held = self.reveal_gates.hold(first, frame.clone()).is_ok();
        effects.push(Effect::Adopt {
            parent: found.parent,
            children,
        });
        held
    }

    /// The loadouts of spawned threads are durable.
    pub fn on_adopted(&mut self, children: &[String], effects: &mut Vec<Effect>) {
        for child in children {
            let waiting = self.reveal_gates.open(child);
            self.pass_on(waiting, effects);
        }
    }

    /// Sends on what waited, as if it came now: it may announce more.
    fn pass_on(&mut self, waiting: VecDeque<Frame>, effects: &mut Vec<Effect>) {
        for frame in waiting {
            self.on_message(frame, effects);
        }
    }

    /// Codex is gone and our own work is done: every claimed request that Codex still had gets its one
    /// answer. What it had unclaimed goes unanswered, as it would without us.
    pub fn on_upstream_gone(&mut self, effects: &mut Vec<Effect>) {
        let mut lost: Vec<(Ticket, Id)> = self
            .forwarded
            .drain()
            .map(|(id, claimed)| (claimed.ticket, id))
            .collect();
        lost.sort_by_key(|(ticket, _)| *ticket);
        for (_, id) in lost {
            effects.push(Effect::ToHost(gone_error(&id)));
        }
        // What waited on suspicion waits for nobody now.
        for thread in self.reveal_gates.threads() {
            let waiting = self.reveal_gates.open(&thread);
            let frames = waiting.into_iter().map(Frame::into_bytes);
            effects.extend(frames.map(Effect::ToHost));
        }
    }

    pub(super) fn own_number(&self, id_json: &str) -> Option<u64> {
        id_json
            .strip_prefix(self.own_ids.as_str())?
            .strip_suffix('"')?
            .parse()
            .ok()
    }
}
