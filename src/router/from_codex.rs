//! What Codex says, and what the host hears of it and when.

use std::collections::VecDeque;

use bytes::Bytes;

use super::Router;
use super::effect::{Effect, Settled};
use super::refusals::{gone_error, unheard_error};
use super::request::Request;
use crate::messages::experimental::{self, Heard};
use crate::messages::{announcement, catalog, initialize, thread};
use crate::threads::{HostId, Muted, Waiting};
use crate::wire::{Frame, FrameKind};

/// What of a thread with a loadout is kept in mind.
pub(super) const FOLLOWED: [&str; 5] = [
    thread::TURN_STARTED,
    thread::TURN_COMPLETED,
    thread::SETTINGS_UPDATED,
    thread::CLOSED,
    thread::DELETED,
];

impl<P: Default, A> Router<'_, P, A> {
    /// Codex sent a frame.
    pub(crate) fn on_upstream(&mut self, frame: Frame) {
        if self.goes_on_unread(&frame) {
            return self.push(Effect::ToHost(frame.into_bytes()));
        }
        match frame.kind() {
            FrameKind::Response => self.on_answer(frame),
            FrameKind::Request | FrameKind::Notification => {
                if let Some(frame) = self.as_heard(frame) {
                    self.on_message(frame);
                }
            }
            FrameKind::Malformed => self.push(Effect::ToHost(frame.into_bytes())),
        }
    }

    /// Whether nothing can come of a frame. Most of what Codex says are pieces of output, and no thread waits for anything.
    fn goes_on_unread(&self, frame: &Frame) -> bool {
        let method = frame.method_that_comes_first();
        method.is_some_and(thread::is_piece_of_output)
            && !self.host.hides_experimental
            && !self.threads.any_is_muted()
            && !self.threads.any_is_hidden()
            && !self.is_making()
    }

    /// A message without what only those get who asked for the experimental API, where only we did.
    fn as_heard(&mut self, frame: Frame) -> Option<Frame> {
        if !self.host.hides_experimental {
            return Some(frame);
        }
        match experimental::heard(&frame) {
            Heard::Whole => Some(frame),
            Heard::Edited(bytes) => Some(Frame::new(bytes)),
            Heard::Nothing => {
                // It counts all the same.
                self.follow(&frame);
                None
            }
            Heard::Unanswered => {
                let answer = unheard_error(&frame.id());
                self.push(Effect::ToUpstream(answer));
                None
            }
        }
    }

    fn on_answer(&mut self, frame: Frame) {
        if let Some(number) = self.host.own_number(frame.id_json()) {
            self.push(Effect::Answered {
                number,
                response: frame,
            });
            return;
        }
        let host = &mut *self.host;
        let is_expected = host.initialize.is_some()
            || !host.forwarded.is_empty()
            || !host.beginning.is_empty()
            || !host.listing.is_empty()
            || host.outlives.is_some();
        if !is_expected {
            self.push(Effect::ToHost(frame.into_bytes()));
            return;
        }
        let id = frame.id();
        host.has_answer(&id, &frame);
        if let Some(thread) = host.beginning.remove(&id) {
            let turn = match thread::is_refused(&frame) {
                true => None,
                false => Some(thread::turn_of(&frame).unwrap_or_default()),
            };
            let begun = turn.is_some();
            self.threads.change(&thread, |it| it.turns.answered(turn));
            self.push(Effect::ToHost(frame.into_bytes()));
            if !begun {
                self.go_on_where_drained();
            }
            return;
        } else if host.initialize.as_ref() == Some(&id) {
            host.initialize = None;
            if let Some(info) = initialize::upstream_info(&frame) {
                self.push(Effect::Connected(info));
            }
        } else if let Some(thread) = host.listing.remove(&id) {
            let answer = frame.clone();
            self.push(Effect::ServersListed { thread, answer });
        } else if let Some(mut request) = host.forwarded.remove(&id) {
            request.has_answer(&frame);
            if let Some(thread) = &request.answered
                && thread::is_in_turn(frame.bytes())
            {
                host.in_turn.insert(thread.clone());
            }
            if let (Some(thread), true) = (&request.answered, request.kind.makes_a_thread()) {
                self.threads.hide(thread, true);
                request.before_answer = self.threads.hidden_frames(thread);
            }
            self.push(Effect::Settle {
                request: Box::new(request),
                response: frame,
            });
            self.reveal_others();
            return;
        }
        self.push(Effect::ToHost(frame.into_bytes()));
    }

    /// Once no request that makes a thread is on its way, a thread that was hidden on suspicion is one that somebody
    /// else made.
    pub(super) fn reveal_others(&mut self) {
        if self.is_making() {
            return;
        }
        for thread in self.threads.hidden(true) {
            let waiting = self.threads.reveal(&thread);
            self.pass_on(waiting);
        }
    }

    /// Codex has made a fork that is to be split from its source, and has said so: of what comes now, the host
    /// hears nothing.
    pub(crate) fn on_made(&mut self, request: Request<P>) {
        if let Some(thread) = &request.answered {
            self.threads.change(thread, |it| {
                it.muted = Some(Muted::WhileSplit);
                it.goal_is_untold = true;
            });
        }
        self.push(Effect::Split(Box::new(request)));
    }

    /// A claimed request's answer is durable, and this is what the host gets.
    pub(crate) fn on_settled(&mut self, mut request: Request<P>, answer: Bytes, settled: Settled) {
        let held = request.holds.take();
        self.end(&request);
        self.settled(&request, answer, settled);
        // What it carries ends before others go on.
        drop(request);
        if let Some(thread) = held {
            self.release(&thread);
        }
    }

    fn settled(&mut self, request: &Request<P>, answer: Bytes, settled: Settled) {
        let Some(thread) = &request.answered else {
            self.push(Effect::ToHost(answer));
            return;
        };
        let makes_a_thread = request.kind.makes_a_thread();
        self.threads.change(thread, |it| {
            it.muted = (settled == Settled::Hidden).then_some(Muted::ForGood);
            match settled {
                Settled::Loadout => it.has_loadout = true,
                Settled::Native => {
                    it.has_loadout = false;
                    it.is_native_fork |= makes_a_thread;
                }
                Settled::Hidden => {}
            }
        });
        match settled {
            Settled::Hidden => drop(self.threads.reveal(thread)),
            Settled::Loadout | Settled::Native => self.host.opens(thread),
        }
        if settled == Settled::Hidden || !makes_a_thread {
            self.push(Effect::ToHost(answer));
            return;
        }
        let mut waiting = self.threads.reveal(thread);
        let after = waiting.split_off(request.before_answer.min(waiting.len()));
        self.pass_on(waiting);
        self.push(Effect::ToHost(answer));
        self.pass_on(after);
    }

    pub(super) fn on_message(&mut self, frame: Frame) {
        let making = self.is_making();
        let (muted, hidden) = (self.threads.any_is_muted(), self.threads.any_is_hidden());
        if frame.method() == thread::SERVER_STATUS
            && let Some(thread) = self.loaded_named_in(&frame)
        {
            let frame = frame.clone();
            self.push(Effect::ServerStatus { thread, frame });
        }
        if self.is_goal_of_fork(&frame) {
            return;
        }
        if muted && self.is_unheard(&frame) && !self.is_loud(&frame) {
            self.forget_deleted(&frame);
            return;
        }
        let frame = if making || hidden {
            match thread::named_in_params(&frame) {
                Some(thread) => {
                    if making && self.may_be_new(&thread) {
                        self.threads.hide(&thread, false);
                    }
                    if self.threads.is_hidden(&thread) && self.leaves_out(&frame) {
                        return;
                    }
                    match self.threads.hide_frame(&thread, self.host.id, frame) {
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
            self.push(Effect::CatalogMayHaveChanged);
        }
        self.follow(&frame);
        self.forget_deleted(&frame);
        if frame.method() == thread::DELETED {
            if let Some(thread) = thread::named_in_params(&frame) {
                self.push(Effect::Forget { thread });
            }
        } else if self.threads.any_has_loadout()
            && let Some(announcement) = announcement::read(&frame)
            && self.adopt(announcement, &frame)
        {
            return;
        }
        let ended = frame.method() == thread::TURN_COMPLETED;
        self.push(Effect::ToHost(frame.into_bytes()));
        if ended {
            self.go_on_where_drained();
        }
    }

    /// Nothing more is heard of a thread that is gone for good.
    fn forget_deleted(&mut self, frame: &Frame) {
        if frame.method() == thread::DELETED
            && let Some(thread) = thread::named_in_params(frame)
        {
            // It is told to every host, at a moment of its own.
            let is_alone = self.others.is_empty();
            self.threads.change(&thread, |it| {
                it.is_native_fork = false;
                if is_alone || it.muted != Some(Muted::ForGood) {
                    it.muted = None;
                }
            });
        }
    }

    /// Something is to be told about a thread, to each host that uses what is ours: as Codex tells all of them how
    /// a thread is.
    pub(crate) fn on_notice(&mut self, notice: Bytes) {
        let told = self.all_hosts().filter(|host| host.uses_extension);
        let told: Vec<HostId> = told.map(|host| host.id).collect();
        let effects = told.into_iter();
        let effects = effects.map(|host| (host, Effect::ToHost(notice.clone())));
        self.effects.extend(effects);
    }

    /// Whether a frame says that a fork which was split from its source has no goal, for the first time.
    fn is_goal_of_fork(&mut self, frame: &Frame) -> bool {
        let method = frame.method();
        if method != thread::GOAL_CLEARED && method != thread::GOAL_UPDATED {
            return false;
        }
        let Some(thread) = thread::named_in_params(frame) else {
            return false;
        };
        let is_untold = self.threads.is(&thread, |it| it.goal_is_untold);
        if is_untold {
            self.threads.change(&thread, |it| it.goal_is_untold = false);
        }
        is_untold && method == thread::GOAL_CLEARED
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
        self.threads.change(&thread, |it| {
            let is_rebound = it.muted == Some(Muted::WhileRebound);
            if is_rebound {
                it.muted = None;
            }
            is_rebound
        })
    }

    /// Whether a frame tells of what is done with a thread behind the host's back. The servers of a fork
    /// start but once, and that it hears of, with the fork itself. The end of a turn that others have heard of
    /// already is news to it.
    fn is_unheard(&self, frame: &Frame) -> bool {
        frame.kind() == FrameKind::Notification
            && thread::named_in_params(frame).is_some_and(|thread| {
                let of_fork = self.threads.is_hidden(&thread);
                let is_late = self.host.in_turn.contains(&thread);
                let is_muted = self.threads.is(&thread, |it| match it.muted {
                    Some(Muted::WhileRebound) => !is_late,
                    muted => muted.is_some(),
                });
                is_muted && !(of_fork && frame.method() == thread::SERVER_STATUS)
            })
    }

    /// Keeps in mind what a thread with a loadout is about.
    fn follow(&mut self, frame: &Frame) {
        let method = frame.method();
        if !FOLLOWED.contains(&method) {
            return;
        }
        let Some(thread) = self.loaded_named_in(frame) else {
            return;
        };
        match method {
            thread::TURN_STARTED => {
                self.host.in_turn.insert(thread.clone());
                if self.host.hears_turns {
                    let turn = thread::turn_of(frame).unwrap_or_default();
                    self.threads.change(&thread, |it| it.turns.started(turn));
                }
            }
            thread::TURN_COMPLETED => {
                self.host.in_turn.remove(&thread);
                let turn = thread::turn_of(frame).unwrap_or_default();
                self.threads.change(&thread, |it| it.turns.completed(turn));
                if self.host.hears_servers {
                    self.push(Effect::TurnEnded { thread });
                }
            }
            thread::SETTINGS_UPDATED => self.push(Effect::Settings {
                thread,
                frame: frame.clone(),
            }),
            _ => {
                self.host.in_turn.remove(&thread);
                self.host.closes(&thread);
                if method == thread::CLOSED && self.is_open_elsewhere(&thread) {
                    // Who has opened it since hears for itself when that ends.
                    return;
                }
                self.threads.change(&thread, |it| {
                    it.has_loadout = false;
                    it.turns.end();
                    it.applied = None;
                });
            }
        }
    }

    /// Whether a request that makes a thread is on its way, and not for too long.
    fn is_making(&self) -> bool {
        let mut forwarded = self.all_hosts().flat_map(|host| host.forwarded.values());
        forwarded.any(|claimed| claimed.kind.makes_a_thread() && !claimed.mark.is_empty())
    }

    /// Thread ids are UUIDs v7: their text sorts by the time they were made.
    fn may_be_new(&self, thread: &str) -> bool {
        !self.has_loadout(thread)
            && self
                .all_hosts()
                .flat_map(|host| host.forwarded.values())
                .any(|claimed| {
                    claimed.kind.makes_a_thread()
                        && thread.len() == claimed.mark.len()
                        && thread > claimed.mark.as_str()
                })
    }

    /// Holds the frame that announces new children of a thread with a loadout.
    fn adopt(&mut self, found: announcement::Announcement, frame: &Frame) -> bool {
        if !self.has_loadout(&found.parent) {
            return false;
        }
        let (hidden, known): (Vec<String>, Vec<String>) = found
            .children
            .into_iter()
            .filter(|child| !self.threads.is(child, |it| it.is_native_fork))
            .partition(|child| !self.has_loadout(child));
        let children = hidden;
        for child in &children {
            self.threads.hide(child, true);
            self.threads.change(child, |it| it.has_loadout = true);
        }
        // Another host may have heard of them first.
        let mut waited_for = children.iter().chain(&known);
        let Some(child) = waited_for.find(|child| self.threads.is_hidden(child)) else {
            return false;
        };
        let host = self.host.id;
        let held = self.threads.hide_frame(child, host, frame.clone()).is_ok();
        if !children.is_empty() {
            self.push(Effect::Adopt {
                parent: found.parent,
                children,
            });
        }
        held
    }

    /// The loadouts of spawned threads are durable.
    pub(crate) fn on_adopted(&mut self, children: &[String]) {
        for child in children {
            let waiting = self.threads.reveal(child);
            self.pass_on(waiting);
        }
    }

    /// Sends on what waited, as if it came now: it may announce more.
    fn pass_on(&mut self, waiting: VecDeque<Waiting>) {
        for (host, frame) in waiting {
            self.with_host(host, |router| router.on_message(frame));
        }
    }

    /// Codex is gone and our own work is done: every claimed request of the host's that Codex still had gets its
    /// one answer. What it had unclaimed goes unanswered, as it would without us, where the host ends with Codex.
    pub(crate) fn on_upstream_gone(&mut self) {
        self.give_up_requests();
        // What waited on suspicion waits for nobody now; unless the host alone has left.
        let hidden = match self.others.is_empty() {
            true => self.threads.hidden(false),
            false => Vec::new(),
        };
        for thread in hidden {
            for (host, frame) in self.threads.reveal(&thread) {
                self.with_host(host, |router| {
                    router.push(Effect::ToHost(frame.into_bytes()))
                });
            }
        }
        self.tell_what_is_gone();
    }

    /// Codex is gone, and our own work may go on: what Codex still had, and what waited for threads to come to rest, gets
    /// its one answer. The work may wait for what these requests carry.
    pub(crate) fn give_up_requests(&mut self) {
        let forwarded = self.host.forwarded.drain();
        let mut lost: Vec<Request<P>> = forwarded.map(|(_, request)| request).collect();
        lost.sort_by_key(|request| request.number);
        for mut request in lost {
            self.end(&request);
            self.push(Effect::ToHost(gone_error(&request.frame.id())));
            let held = request.holds.take();
            self.push(Effect::Abandoned(Box::new(request)));
            if let Some(thread) = held {
                // Others may have Codex still.
                self.release(&thread);
            }
        }
        self.end_draining();
    }
}
