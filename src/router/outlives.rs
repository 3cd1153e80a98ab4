//! A host that goes on when Codex ends: what it is told then.

use super::Router;
use super::draining::Draining;
use super::effect::Effect;
use super::host::{Host, Outlives};
use super::refusals::gone_error;
use crate::messages::thread;
use crate::wire::{Frame, Id};

impl<P> Host<P> {
    /// It has this thread open from here on.
    pub(super) fn opens(&mut self, thread: &str) {
        if let Some(Outlives { open, .. }) = &mut self.outlives {
            open.insert(thread.to_owned());
        }
    }

    /// It has it open no more.
    pub(super) fn closes(&mut self, thread: &str) {
        if let Some(Outlives { open, .. }) = &mut self.outlives {
            open.remove(thread);
        }
    }

    fn has_open(&self, thread: &str) -> bool {
        let outlives = self.outlives.as_ref();
        outlives.is_some_and(|it| it.open.contains(thread))
    }

    /// Codex has answered a request of its own.
    pub(super) fn has_answer(&mut self, id: &Id, answer: &Frame) {
        let Some(Outlives {
            unanswered, open, ..
        }) = &mut self.outlives
        else {
            return;
        };
        if unanswered.remove(id) == Some(true) {
            open.extend(thread::named_in_result(answer));
        }
    }
}

impl<P: Default, A> Router<'_, P, A> {
    /// Whether another host has this thread open, as far as it has heard.
    pub(super) fn is_open_elsewhere(&self, thread: &str) -> bool {
        self.others.iter().any(|other| other.has_open(thread))
    }

    /// A request goes to Codex that is not claimed: where the host outlives Codex, it has an answer all the same.
    pub(super) fn is_to_be_answered(&mut self, request: &Frame) {
        let method = request.method();
        if method == thread::UNSUBSCRIBE
            && self.host.outlives.is_some()
            && let Some(thread) = thread::named_in_params(request)
        {
            self.host.closes(&thread);
        }
        let Some(Outlives { unanswered, .. }) = &mut self.host.outlives else {
            return;
        };
        let opens = [thread::START, thread::RESUME, thread::FORK].contains(&method);
        unanswered.insert(request.id(), opens);
    }

    /// Requests of the host that wait for threads to come to rest: none will.
    pub(super) fn end_draining(&mut self) {
        let host = self.host.id;
        while let Some(at) = self.draining.iter().position(|it| it.request.host == host) {
            let Draining { request, held } = self.draining.remove(at);
            let gone = gone_error(&request.frame.id());
            self.push(Effect::ToHost(gone));
            self.end(&request);
            let own = request.holds.clone();
            self.push(Effect::Abandoned(Box::new(request)));
            for waiting in held {
                self.go_on_with(waiting);
            }
            if let Some(thread) = own {
                self.release(&thread);
            }
        }
    }

    /// Codex has ended, and the host goes on, or the host has left: each of its requests has its one answer, and it is
    /// told that its threads are no longer loaded, in Codex's own words.
    pub(super) fn tell_what_is_gone(&mut self) {
        let Some(outlives) = &mut self.host.outlives else {
            return;
        };
        let unanswered = std::mem::take(&mut outlives.unanswered);
        let open = std::mem::take(&mut outlives.open);
        self.host.initialize = None;
        self.host.in_turn.clear();
        self.host.listing.clear();
        let mut unanswered: Vec<Id> = unanswered.into_keys().collect();
        unanswered.sort();
        for id in unanswered {
            self.push(Effect::ToHost(gone_error(&id)));
        }
        for thread in std::mem::take(&mut self.host.beginning).into_values() {
            self.threads.change(&thread, |it| it.turns.answered(None));
        }
        for thread in open {
            // Where only the host leaves, it stays loaded for those that have it open, too.
            if !self.is_open_elsewhere(&thread) {
                self.threads.change(&thread, |it| {
                    it.has_loadout = false;
                    it.turns.end();
                    it.applied = None;
                });
            }
            self.push(Effect::ToHost(thread::closed(&thread)));
        }
    }
}
