//! The router.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::Bytes;
use codex_loadout_protocol::error::ORIGIN;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, method, selection};

use super::effect::{Effect, Prepared, Rebound, RequestKind, Ticket};
use super::gates::Gates;
use crate::interceptors::thread::Presence;
use crate::interceptors::{announcement, catalog, initialize, thread};
use crate::wire::{Frame, FrameKind, Id, answer_frame};

/// JSON-RPC's code for an invalid request; Codex uses it for every refusal of its own.
const INVALID_REQUEST: i64 = -32600;
/// JSON-RPC's code for an internal error.
const INTERNAL_ERROR: i64 = -32603;

/// The state of one host's connection.
#[derive(Debug)]
pub struct Router {
    /// How the JSON text of our own ids begins.
    own_ids: String,
    /// Whether the host asked for experimental API.
    experimental: bool,
    initialize: Option<Id>,
    tickets: u64,
    /// Claimed requests that are being prepared.
    preparing: HashMap<Ticket, Claimed>,
    /// Claimed requests that Codex has.
    forwarded: HashMap<Id, Claimed>,
    /// Claimed requests that Codex answered and that are not durable yet.
    settling: HashMap<Ticket, Settling>,
    host_gates: Gates,
    reveal_gates: Gates,
    /// Threads of this connection that have a loadout.
    loaded: HashSet<String>,
    /// Those of them that have a turn under way.
    running: HashSet<String>,
    /// Requests that wait for threads to be bound anew.
    rebinding: HashMap<Ticket, Rebinding>,
    /// Threads of which the host hears nothing for the moment.
    quiet: HashSet<String>,
    /// Whether the host has used a method or field of ours: others get no notification of ours.
    acquainted: bool,
}

#[derive(Debug)]
struct Claimed {
    ticket: Ticket,
    kind: RequestKind,
    frame: Frame,
    /// The thread whose host gate it closed.
    thread: Option<String>,
    /// Threads that sort behind this may be the one it makes.
    mark: String,
}

#[derive(Debug)]
struct Rebinding {
    claimed: Claimed,
    threads: Vec<String>,
}

#[derive(Debug)]
struct Settling {
    thread: Option<String>,
    makes_a_thread: bool,
    /// How many of the frames at the reveal gate came before the answer.
    before: usize,
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
            rebinding: HashMap::new(),
            quiet: HashSet::new(),
            acquainted: false,
        }
    }

    /// Whether no request of the host's still has to go to Codex.
    #[must_use]
    pub fn all_forwarded(&self) -> bool {
        self.preparing.is_empty() && self.rebinding.is_empty()
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
        match frame.method() {
            initialize::METHOD => {
                self.experimental = initialize::wants_experimental_api(&frame);
                self.initialize = Some(frame.id());
                effects.push(Effect::ToUpstream(frame.into_bytes()));
            }
            thread::START if thread::selection(&frame).is_some() => {
                self.claim(RequestKind::Start, frame, effects)
            }
            thread::RESUME => self.claim(RequestKind::Resume, frame, effects),
            thread::FORK => self.claim(RequestKind::Fork, frame, effects),
            method::THREAD_CAPABILITY_UPDATE => self.claim(RequestKind::Update, frame, effects),
            own if method::METHODS.contains(&own) => self.claim(RequestKind::Own, frame, effects),
            turn if thread::begins_turn(turn) && self.loaded_named_in(&frame).is_some() => {
                self.claim(RequestKind::Turn, frame, effects)
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
        let presence = match kind {
            RequestKind::Start | RequestKind::Resume | RequestKind::Fork => {
                thread::selection(&frame)
            }
            RequestKind::Turn | RequestKind::Update | RequestKind::Own => None,
        };
        if !self.experimental && presence == Some(Presence::Given) {
            effects.push(Effect::ToHost(experimental_error(&frame)));
            return;
        }
        let own = matches!(kind, RequestKind::Update | RequestKind::Own);
        self.acquainted |= own || presence.is_some();
        let thread = match kind {
            RequestKind::Start | RequestKind::Own => None,
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
        let Some(claimed) = self.preparing.remove(&ticket) else {
            return;
        };
        let Prepared::Rebind { threads } = prepared else {
            self.proceed(claimed, prepared, effects);
            return;
        };
        let own_gate = claimed.thread.clone();
        let busy = threads.iter().find(|thread| {
            let gated = self.host_gates.is_closed(thread) && own_gate.as_ref() != Some(*thread);
            gated || self.running.contains(*thread)
        });
        if let Some(busy) = busy {
            let answer = busy_error(&claimed.frame.id(), busy);
            effects.push(Effect::Abandoned { ticket });
            self.proceed(claimed, Prepared::Reply(answer), effects);
            return;
        }
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
            Prepared::Pass(request) => effects.push(Effect::ToUpstream(request)),
            Prepared::Forward { request, mark } => {
                effects.push(Effect::ToUpstream(request));
                claimed.mark = mark;
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

    fn open_host_gate(&mut self, thread: &str, effects: &mut Vec<Effect>) {
        for frame in self.host_gates.open(thread) {
            self.on_host(frame, effects);
        }
    }

    /// The thread with a loadout that a frame names.
    fn loaded_named_in(&self, frame: &Frame) -> Option<String> {
        if self.loaded.is_empty() {
            return None;
        }
        thread::named_in_params(frame).filter(|thread| self.loaded.contains(thread))
    }

    /// Codex sent a frame.
    pub fn on_upstream(&mut self, frame: Frame, effects: &mut Vec<Effect>) {
        match frame.kind() {
            FrameKind::Response => self.on_answer(frame, effects),
            FrameKind::Request | FrameKind::Notification => self.on_message(frame, effects),
            FrameKind::Malformed => effects.push(Effect::ToHost(frame.into_bytes())),
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
        if self.initialize.is_none() && self.forwarded.is_empty() {
            effects.push(Effect::ToHost(frame.into_bytes()));
            return;
        }
        let id = frame.id();
        if self.initialize.as_ref() == Some(&id) {
            self.initialize = None;
            effects.extend(initialize::upstream_info(&frame).map(Effect::Connected));
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
    fn open_gates_of_others(&mut self, effects: &mut Vec<Effect>) {
        if self
            .forwarded
            .values()
            .any(|claimed| claimed.kind.makes_a_thread())
        {
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

    /// A claimed request's answer is durable, and this is what the host gets. `loadout` says whether
    /// the thread has one.
    pub fn on_settled(
        &mut self,
        ticket: Ticket,
        answer: Bytes,
        loadout: bool,
        effects: &mut Vec<Effect>,
    ) {
        let Some(settling) = self.settling.remove(&ticket) else {
            return;
        };
        let Some(thread) = settling.thread else {
            effects.push(Effect::ToHost(answer));
            return;
        };
        if loadout {
            self.loaded.insert(thread.clone());
        } else {
            self.loaded.remove(&thread);
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

    fn on_message(&mut self, frame: Frame, effects: &mut Vec<Effect>) {
        let making = self
            .forwarded
            .values()
            .any(|claimed| claimed.kind.makes_a_thread());
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
        if !self.quiet.is_empty()
            && frame.kind() == FrameKind::Notification
            && thread::named_in_params(&frame).is_some_and(|thread| self.quiet.contains(&thread))
        {
            return;
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
        effects.push(Effect::ToHost(frame.into_bytes()));
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
                self.running.insert(thread.clone());
                effects.push(Effect::TurnBegan { thread });
            }
            thread::TURN_COMPLETED => {
                self.running.remove(&thread);
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
            .filter(|child| !self.loaded.contains(child))
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

    fn own_number(&self, id_json: &str) -> Option<u64> {
        id_json
            .strip_prefix(self.own_ids.as_str())?
            .strip_suffix('"')?
            .parse()
            .ok()
    }
}

/// The error that Codex 0.144 to 0.169 give for an experimental field of their own.
fn experimental_error(request: &Frame) -> Bytes {
    let message = format!(
        "{}.{} requires experimentalApi capability",
        request.method(),
        selection::FIELD
    );
    let error = serde_json::json!({ "code": INVALID_REQUEST, "message": message });
    answer_frame(&request.id(), "error", &error.to_string())
}

/// A thread can be given another config only between two turns.
fn busy_error(id: &Id, thread: &str) -> Bytes {
    let error = LoadoutError::new(
        ErrorKind::ThreadBusy,
        format!("thread `{thread}` has a turn under way, and something has changed underneath it"),
    )
    .with_hint("Send the request again when its turn has ended, or interrupt it.")
    .with_items(vec![ErrorItem::named(thread)]);
    answer_frame(id, "error", &error.to_json_rpc().to_string())
}

/// The one answer to a request that Codex did not live to give.
fn gone_error(id: &Id) -> Bytes {
    let error = serde_json::json!({
        "code": INTERNAL_ERROR,
        "message": "Codex ended before it answered",
        "data": { "origin": ORIGIN },
    });
    answer_frame(id, "error", &error.to_string())
}
