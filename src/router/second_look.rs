//! A turn that has begun is looked at once more before the host hears of it.
//!
//! Codex decides what a turn may show between `turn/start` and `turn/started`,
//! milliseconds after the check; what comes to the disk in just these, and what a
//! native thread makes it find meanwhile, could be shown. It asks the model only
//! later (18 to 100 ms behind `turn/started`, Codex 0.144 to 0.169). So what Codex
//! says of the thread waits until a second look has been taken. Where that finds
//! something new, the turn is undone, unheard, and the request begins anew. Where
//! Codex waits at the gate, the look lasts until it has asked there. Codex
//! before 0.157 can't take a single turn out of the history: there is no second
//! look then.

use super::effect::{Effect, Prepared, Ticket};
use super::routing::{Claimed, Router};
use crate::interceptors::thread;
use crate::wire::{Frame, FrameKind};

/// A turn that is beginning, and what Codex has said since.
#[derive(Debug)]
pub(super) struct Look {
    claimed: Claimed,
    answered: bool,
    /// Whether the second look is being taken.
    pub(super) taken: bool,
    held: Vec<Frame>,
}

impl Router {
    /// The request goes to Codex: from here on, what that says of the thread waits.
    pub(super) fn expect_turn(&mut self, claimed: &Claimed, effects: &mut Vec<Effect>) {
        if let Some(thread) = claimed
            .thread
            .clone()
            .filter(|_| self.hears_turns && self.undoes_turns)
            && claimed.frame.method() == thread::TURN_START
        {
            if self.looks.contains_key(&thread) {
                // One turn may take both inputs: it could not be undone for one alone.
                self.let_begin(&thread, effects);
                return;
            }
            let look = Look {
                claimed: claimed.clone(),
                answered: false,
                taken: false,
                held: Vec::new(),
            };
            self.looks.insert(thread, look);
        }
    }

    /// Whether a turn of the thread is beginning that is looked at.
    #[must_use]
    pub fn looks_at(&self, thread: &str) -> bool {
        self.looks.contains_key(thread)
    }

    /// Holds Codex's answer to a request whose turn is still to begin.
    pub(super) fn hold_answer(&mut self, thread: &str, answer: Frame) -> Result<(), Frame> {
        match self.looks.get_mut(thread) {
            Some(look) if look.claimed.frame.id() == answer.id() => {
                look.answered = true;
                look.held.push(answer);
                Ok(())
            }
            _ => Err(answer),
        }
    }

    /// Holds what Codex says of a thread whose turn is beginning. What only a turn that runs says opens
    /// the way: that turn was begun by somebody else.
    pub(super) fn hold_for_look(
        &mut self,
        frame: Frame,
        effects: &mut Vec<Effect>,
    ) -> Result<(), Frame> {
        let Some(thread) = thread::named_in_params(&frame) else {
            return Err(frame);
        };
        let gated = self.host_gates.is_closed(&thread);
        let Some(look) = self.looks.get_mut(&thread) else {
            return Err(frame);
        };
        let begins = frame.method() == thread::TURN_STARTED && look.answered && !gated;
        if begins && !look.taken {
            look.taken = true;
            look.held.push(frame.clone());
            let (ticket, request) = (look.claimed.ticket, look.claimed.frame.clone());
            self.host_gates.close(&thread);
            effects.push(Effect::TurnBegan { thread });
            effects.push(Effect::SecondLook {
                ticket,
                request,
                started: frame,
            });
            return Ok(());
        }
        let of_turn = frame.kind() == FrameKind::Request
            || is_said_by_a_turn(frame.method())
            || frame.method() == thread::CLOSED;
        if !look.taken && of_turn {
            self.let_begin(&thread, effects);
            return Err(frame);
        }
        if look.taken && shows_that_it_runs(&frame) {
            effects.push(Effect::TurnGoesOn {
                thread: thread.clone(),
            });
        }
        look.held.push(frame);
        Ok(())
    }

    /// The second look was taken: nothing new, or what becomes of the request now that its turn is
    /// undone.
    pub fn on_looked(
        &mut self,
        ticket: Ticket,
        undone: Option<Prepared>,
        effects: &mut Vec<Effect>,
    ) {
        let mut looks = self.looks.iter();
        let found = looks.find(|(_, look)| look.claimed.ticket == ticket);
        let Some(thread) = found.map(|(thread, _)| thread.clone()) else {
            return;
        };
        let Some(prepared) = undone else {
            self.let_begin(&thread, effects);
            return;
        };
        let Some(look) = self.looks.remove(&thread) else {
            return;
        };
        for frame in look.held {
            let of_turn = frame.kind() == FrameKind::Response || is_about_a_turn(frame.method());
            if !of_turn {
                self.on_message(frame, effects);
            }
        }
        self.carry_on(look.claimed, prepared, effects);
    }

    /// The host hears what was held.
    pub(super) fn let_begin(&mut self, thread: &str, effects: &mut Vec<Effect>) {
        let Some(look) = self.looks.remove(thread) else {
            return;
        };
        for frame in look.held {
            match frame.kind() {
                FrameKind::Response => effects.push(Effect::ToHost(frame.into_bytes())),
                _ => self.on_message(frame, effects),
            }
        }
        if look.taken {
            self.open_host_gate(thread, effects);
        }
    }
}

/// Whether a turn is past the gate, or will never come to it. A history that is made shorter comes before.
fn shows_that_it_runs(frame: &Frame) -> bool {
    let of_turn = frame.method() == thread::TURN_COMPLETED
        || frame.method() == thread::CLOSED
        || frame.method().starts_with("item/");
    of_turn && memchr::memmem::find(frame.bytes(), b"\"contextCompaction\"").is_none()
}

/// What Codex says only when a turn runs or ends.
fn is_said_by_a_turn(method: &str) -> bool {
    method.starts_with("turn/") || method.starts_with("item/") || method == "error"
}

/// What Codex says of a turn that is undone, and nobody hears.
fn is_about_a_turn(method: &str) -> bool {
    let more = [
        "hook/",
        "thread/status/",
        "thread/tokenUsage/",
        "thread/revert",
    ];
    is_said_by_a_turn(method) || more.iter().any(|about| method.starts_with(about))
}
