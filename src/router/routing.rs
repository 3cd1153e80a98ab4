//! The router.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use codex_loadout_protocol::method;
use codex_loadout_protocol::selection::FIELD;

use super::draining::Draining;
use super::effect::{Effect, Prepared, Rebound, RequestKind, Ticket};
use super::gates::Gates;
use super::refusals::{
    busy_error, experimental_error, list_of_params_error, misplaced_error, unreadable_error,
};
use crate::interceptors::thread::{self, Presence};
use crate::interceptors::{catalog, experimental, initialize};
use crate::wire::{Frame, FrameKind, Id, is_read_by_codex};

/// What Codex says of new threads waits this long for the answer to a request that makes one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);

/// The state of one host's connection.
#[derive(Debug)]
pub struct Router {
    /// How the JSON text of our own ids begins.
    pub(super) own_ids: String,
    /// Whether the host asked for experimental API.
    pub(super) experimental: bool,
    pub(super) initialize: Option<Id>,
    pub(super) tickets: u64,
    /// Claimed requests that are being prepared.
    pub(super) preparing: HashMap<Ticket, Claimed>,
    /// Claimed requests that Codex has.
    pub(super) forwarded: HashMap<Id, Claimed>,
    /// Claimed requests that Codex answered and that are not durable yet.
    pub(super) settling: HashMap<Ticket, Settling>,
    pub(super) host_gates: Gates,
    pub(super) reveal_gates: Gates,
    /// Threads of this connection that have a loadout.
    pub(super) loaded: HashSet<String>,
    /// Those of them that have a turn under way, or are about to; none where Codex is not to say when turns begin
    /// and end.
    pub(super) running: HashSet<String>,
    /// Whether the host lets Codex say when turns begin and end.
    pub(super) hears_turns: bool,
    /// Whether the host lets Codex say how servers start.
    pub(super) hears_servers: bool,
    /// Requests that begin a turn and that Codex has not answered yet, with their thread.
    pub(super) beginning: HashMap<Id, String>,
    /// Requests that wait until threads are at rest.
    pub(super) draining: HashMap<Ticket, Draining>,
    /// Requests that wait for threads to be bound anew.
    pub(super) rebinding: HashMap<Ticket, Rebinding>,
    /// Threads of which the host hears nothing for the moment.
    pub(super) quiet: HashSet<String>,
    /// Forks without a loadout: their sources may have one, and did not spawn them.
    pub(super) native_forks: HashSet<String>,
    /// Whether the host has used a method or field of ours: others get no notification of ours.
    pub(super) acquainted: bool,
    /// Whether a start that says nothing may get a loadout all the same.
    pub(super) may_be_chosen: bool,
    /// Whether a host that asks for no experimental API is to get loadouts all the same.
    pub(super) may_be_carried: bool,
    /// Whether only we asked for it: what comes of it is kept from the host.
    pub(super) hides_experimental: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Claimed {
    pub(super) ticket: Ticket,
    pub(super) kind: RequestKind,
    pub(super) frame: Frame,
    /// The thread whose host gate it closed.
    pub(super) thread: Option<String>,
    /// Threads that sort behind this may be the one it makes.
    pub(super) mark: String,
}

#[derive(Debug)]
pub(super) struct Rebinding {
    pub(super) claimed: Claimed,
    pub(super) threads: Vec<String>,
}

#[derive(Debug)]
pub(super) struct Settling {
    pub(super) thread: Option<String>,
    /// The thread whose host gate is closed until then.
    pub(super) held: Option<String>,
    pub(super) makes_a_thread: bool,
    /// How many of the frames at the reveal gate came before the answer.
    pub(super) before: usize,
}

impl Router {
    /// A router for a new connection. `own_ids` begins every id of our own
    /// requests, and nothing a host would ever use.
    #[must_use]
    pub fn new(own_ids: &str) -> Self {
        Self {
            own_ids: format!("\"{own_ids}"),
            experimental: false,
            initialize: None,
            tickets: 0,
            preparing: HashMap::new(),
            forwarded: HashMap::new(),
            settling: HashMap::new(),
            host_gates: Gates::default(),
            reveal_gates: Gates::default(),
            loaded: HashSet::new(),
            running: HashSet::new(),
            hears_turns: true,
            hears_servers: true,
            beginning: HashMap::new(),
            draining: HashMap::new(),
            rebinding: HashMap::new(),
            quiet: HashSet::new(),
            native_forks: HashSet::new(),
            acquainted: false,
            may_be_chosen: false,
            may_be_carried: false,
            hides_experimental: false,
        }
    }

    /// Whether a loadout may come by another way than the field, which takes the experimental API of Codex. It counts
    /// for an `initialize` that is yet to come.
    pub fn set_may_be_carried(&mut self, may_be: bool) {
        self.may_be_carried = may_be;
    }

    /// Whether a start that says nothing may get a loadout all the same: by the launch line, the environment or a
    /// binding.
    pub fn set_may_be_chosen(&mut self, may_be: bool) {
        self.may_be_chosen = may_be;
    }

    /// Whether no request of the host's still has to go to Codex.
    #[must_use]
    pub fn all_forwarded(&self) -> bool {
        let waiting = !self.host_gates.is_empty();
        let under_way = !self.rebinding.is_empty() || !self.draining.is_empty();
        self.preparing.is_empty() && !under_way && !waiting
    }

    /// The host sent a frame.
    pub fn on_host(&mut self, frame: Frame, effects: &mut Vec<Effect>) {
        let frame = if self.host_gates.is_empty() {
            frame
        } else {
            let gated = thread::named_in_params(&frame);
            match gated.map(|thread| self.host_gates.hold(&thread, frame.clone())) {
                Some(Ok(())) => return,
                Some(Err(_)) | None => frame,
            }
        };
        if frame.kind() != FrameKind::Request {
            effects.push(Effect::ToUpstream(frame.into_bytes()));
            return;
        }
        let frame = match self.hold_while_draining(frame) {
            Ok(()) => return,
            Err(frame) => frame,
        };
        if self.hides_experimental
            && let Some(asked) = experimental::asked_for(&frame)
        {
            let refused = experimental_error(&frame.id(), &asked);
            effects.push(Effect::ToHost(refused));
            return;
        }
        if let Some(refused) = misplaced_error(&frame) {
            effects.push(Effect::ToHost(refused));
            return;
        }
        match frame.method() {
            initialize::METHOD => {
                self.experimental = initialize::wants_experimental_api(&frame);
                let hears = |method| !initialize::opts_out_of(&frame, method);
                self.hears_turns = hears(thread::TURN_STARTED) && hears(thread::TURN_COMPLETED);
                self.hears_servers = hears(thread::SERVER_STATUS);
                self.initialize = Some(frame.id());
                let mut request = frame.bytes().clone();
                if self.may_be_carried
                    && !self.experimental
                    && let Some(asking) = experimental::asking(&frame)
                {
                    self.hides_experimental = true;
                    request = asking;
                }
                effects.push(Effect::ToUpstream(request));
            }
            thread::START
                if self.may_be_chosen
                    || thread::selection(&frame).is_some()
                    || thread::has_own_config(&frame) =>
            {
                self.claim(RequestKind::Start, frame, effects)
            }
            thread::RESUME => self.claim(RequestKind::Resume, frame, effects),
            thread::FORK => self.claim(RequestKind::Fork, frame, effects),
            method::THREAD_CAPABILITY_UPDATE => self.claim(RequestKind::Update, frame, effects),
            own if method::METHODS.contains(&own) => self.claim(RequestKind::Own, frame, effects),
            // Whose it is can't be said, so what it may show can't be.
            turn if thread::gives_to_read(turn)
                && !self.loaded.is_empty()
                && thread::has_list_of_params(&frame) =>
            {
                effects.push(Effect::ToHost(list_of_params_error(&frame.id())));
            }
            turn if thread::gives_to_read(turn) && self.loaded_named_in(&frame).is_some() => {
                self.claim(RequestKind::Turn, frame, effects)
            }
            // Whether its root can be seen there is to be known before.
            thread::SETTINGS_UPDATE
                if self.loaded_named_in(&frame).is_some() && thread::names_environments(&frame) =>
            {
                self.claim(RequestKind::Turn, frame, effects)
            }
            reload if catalog::reloads_servers(reload) && !self.loaded.is_empty() => {
                effects.push(Effect::CatalogMayHaveChanged);
                self.claim(RequestKind::ServersReload, frame, effects)
            }
            other => {
                if other == thread::SETTINGS_UPDATE
                    && let Some(thread) = self.loaded_named_in(&frame)
                {
                    let frame = frame.clone();
                    effects.push(Effect::SettingsAsked { thread, frame });
                }
                if catalog::is_changed_by(other) {
                    effects.push(Effect::CatalogMayHaveChanged);
                }
                effects.push(Effect::ToUpstream(frame.into_bytes()));
            }
        }
    }

    fn claim(&mut self, kind: RequestKind, frame: Frame, effects: &mut Vec<Effect>) {
        if !is_read_by_codex(&frame) {
            // What Codex won't answer, it does not carry out: nothing is kept for it.
            let says_something =
                || thread::selection(&frame).is_some() || thread::has_own_config(&frame);
            let ours = match kind {
                RequestKind::Start => says_something(),
                RequestKind::Update | RequestKind::Own => true,
                RequestKind::Resume
                | RequestKind::Fork
                | RequestKind::Turn
                | RequestKind::ServersReload => false,
            };
            effects.push(match ours {
                true => Effect::ToHost(unreadable_error(&frame.id())),
                false => Effect::ToUpstream(frame.into_bytes()),
            });
            return;
        }
        let presence = match kind {
            RequestKind::Start | RequestKind::Resume | RequestKind::Fork => {
                thread::selection(&frame)
            }
            _ => None,
        };
        let changes = match kind {
            // It drops what a thread has.
            RequestKind::Resume | RequestKind::Fork => presence.is_some(),
            RequestKind::Update => true,
            _ => presence == Some(Presence::Given),
        };
        if !self.experimental && changes {
            let asked = format!("{}.{FIELD}", frame.method());
            effects.push(Effect::ToHost(experimental_error(&frame.id(), &asked)));
            return;
        }
        let own = matches!(kind, RequestKind::Update | RequestKind::Own);
        self.acquainted |= own || presence.is_some() || thread::has_own_config(&frame);
        let thread = match kind {
            RequestKind::Start | RequestKind::Own | RequestKind::ServersReload => None,
            RequestKind::Resume | RequestKind::Fork | RequestKind::Turn | RequestKind::Update => {
                thread::named_in_params(&frame)
            }
        };
        if let Some(thread) = &thread {
            self.host_gates.close(thread);
        }
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let claimed = Claimed {
            ticket,
            kind,
            frame: frame.clone(),
            thread,
            mark: String::new(),
        };
        self.preparing.insert(ticket, claimed);
        effects.push(Effect::Prepare {
            ticket,
            kind,
            frame,
        });
    }

    /// A claimed request was prepared.
    pub fn on_prepared(&mut self, ticket: Ticket, prepared: Prepared, effects: &mut Vec<Effect>) {
        if let Some(claimed) = self.preparing.remove(&ticket) {
            self.carry_on(claimed, prepared, effects);
        }
    }

    pub(super) fn carry_on(
        &mut self,
        claimed: Claimed,
        prepared: Prepared,
        effects: &mut Vec<Effect>,
    ) {
        let ticket = claimed.ticket;
        let Prepared::Rebind { threads, patient } = prepared else {
            self.proceed(claimed, prepared, effects);
            return;
        };
        let own_gate = claimed.thread.clone();
        let busy = threads.iter().find(|thread| {
            let gated = self.host_gates.is_closed(thread) && own_gate.as_ref() != Some(*thread);
            gated || self.running.contains(*thread)
        });
        if busy.is_some() && patient {
            self.drain(claimed, threads, effects);
            return;
        }
        if let Some(busy) = busy {
            let answer = busy_error(&claimed.frame.id(), busy);
            effects.push(Effect::Abandoned { ticket });
            self.proceed(claimed, Prepared::Reply(answer), effects);
            return;
        }
        self.begin_rebinding(claimed, threads, effects);
    }

    pub(super) fn begin_rebinding(
        &mut self,
        claimed: Claimed,
        threads: Vec<String>,
        effects: &mut Vec<Effect>,
    ) {
        let ticket = claimed.ticket;
        for thread in &threads {
            self.host_gates.close(thread);
            self.quiet.insert(thread.clone());
        }
        self.rebinding
            .insert(ticket, Rebinding { claimed, threads });
        effects.push(Effect::Rebind { ticket });
    }

    /// Threads were bound anew, or could not be.
    pub fn on_rebound(&mut self, ticket: Ticket, rebound: Rebound, effects: &mut Vec<Effect>) {
        let Some(Rebinding { claimed, threads }) = self.rebinding.remove(&ticket) else {
            return;
        };
        for thread in &threads {
            self.quiet.remove(thread);
        }
        self.loaded.extend(rebound.bound);
        for thread in &rebound.dropped {
            self.loaded.remove(thread);
        }
        if self.acquainted {
            effects.extend(rebound.notices.into_iter().map(Effect::ToHost));
        }
        let own_gate = claimed.thread.clone();
        self.proceed(claimed, rebound.then, effects);
        for thread in threads
            .iter()
            .filter(|thread| own_gate.as_ref() != Some(*thread))
        {
            self.open_host_gate(thread, effects);
        }
    }

    /// Carries on with a request; its gate opens.
    fn proceed(&mut self, mut claimed: Claimed, prepared: Prepared, effects: &mut Vec<Effect>) {
        let gate = claimed.thread.clone();
        match prepared {
            Prepared::Pass(request) => {
                let begins = thread::begins_turn(claimed.frame.method());
                if let (true, Some(thread)) = (begins && self.hears_turns, &claimed.thread) {
                    // From here on Codex may begin it at any moment.
                    self.running.insert(thread.clone());
                    self.beginning.insert(claimed.frame.id(), thread.clone());
                }
                effects.push(Effect::ToUpstream(request));
            }
            Prepared::Forward {
                request,
                mark,
                holds,
            } => {
                effects.push(Effect::ToUpstream(request));
                claimed.mark = mark;
                if claimed.kind.makes_a_thread() {
                    effects.push(Effect::Late {
                        ticket: claimed.ticket,
                        after: ANSWERED_WITHIN,
                    });
                }
                if holds {
                    self.forwarded.insert(claimed.frame.id(), claimed);
                    return;
                }
                claimed.thread = None;
                self.forwarded.insert(claimed.frame.id(), claimed);
            }
            Prepared::Reply(answer) => effects.push(Effect::ToHost(answer)),
            // Asked for once already: what it found then still holds.
            Prepared::Rebind { .. } => {
                effects.push(Effect::ToHost(busy_error(&claimed.frame.id(), "")));
            }
        }
        if let Some(thread) = gate {
            self.open_host_gate(&thread, effects);
        }
    }

    /// What the host has sent on a thread waits no longer.
    pub(super) fn open_host_gate(&mut self, thread: &str, effects: &mut Vec<Effect>) {
        for frame in self.host_gates.open(thread) {
            self.on_host(frame, effects);
        }
        self.go_on_where_drained(effects);
    }

    /// The thread with a loadout that a frame names.
    pub(super) fn loaded_named_in(&self, frame: &Frame) -> Option<String> {
        if self.loaded.is_empty() {
            return None;
        }
        thread::named_in_params(frame).filter(|thread| self.loaded.contains(thread))
    }
}
