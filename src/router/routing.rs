//! What the host sends, and what becomes of the requests that are claimed.

use std::time::Duration;

use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{ErrorKind, method};

use super::Router;
use super::effect::{Effect, Prepared, Rebound};
use super::host::Greeting;
use super::refusals::{
    Busy, busy_error, experimental_error, list_of_params_error, misplaced_error,
    not_initialized_error, unreadable_error,
};
use super::request::{AskedBy, Request, RequestKind};
use crate::messages::thread::{self, Presence};
use crate::messages::{catalog, experimental, initialize, servers};
use crate::threads::{Muted, Waiting};
use crate::wire::{Frame, FrameKind, is_read_by_codex};

/// What Codex says of new threads waits this long for the answer to a request that makes one.
const ANSWERED_WITHIN: Duration = Duration::from_secs(60);
/// Questions for servers whose answers are looked at.
const LISTED_AT_ONCE: usize = 64;

impl<P: Default, A> Router<'_, P, A> {
    /// Whether nothing of the host's still has to go to Codex.
    #[must_use]
    pub(crate) fn all_forwarded(&self) -> bool {
        let id = self.host.id;
        let waits = self.draining.iter().any(|it| it.request.host == id);
        self.host.worked_on == 0 && self.host.held.frames == 0 && !waits
    }

    /// Whether a host that has left may be let go of: what Codex answers to a claimed request of its own is recorded,
    /// though nobody hears of it.
    #[must_use]
    pub(crate) fn may_leave(&self) -> bool {
        let is_owed = self.outlives_codex() && !self.host.forwarded.is_empty();
        self.all_forwarded() && !is_owed
    }

    /// The host sent a frame that nothing can come of, for it is no request and no thread is held: it goes on unread.
    /// Any other is given back.
    pub(crate) fn pass_on_unread(&mut self, frame: Frame) -> Option<Frame> {
        if self.threads.any_is_held() || !frame.is_surely_without_id() {
            return Some(frame);
        }
        self.push(Effect::ToUpstream(frame.into_bytes()));
        None
    }

    /// The host sent a frame.
    pub(crate) fn on_host(&mut self, frame: Frame) {
        if self.refuses_for_its_id(&frame) {
            return;
        }
        let held = match self.threads.any_is_held() {
            true => thread::named_in_params(&frame).filter(|thread| self.threads.is_held(thread)),
            false => None,
        };
        let frame = match held {
            Some(_) if self.cannot_wait(&frame) => return,
            Some(thread) => {
                let bytes = frame.bytes().len();
                match self.threads.hold_frame(&thread, self.host.id, frame) {
                    Ok(()) => return self.host.held.add(bytes),
                    Err(frame) => frame,
                }
            }
            None => frame,
        };
        if frame.kind() != FrameKind::Request {
            self.push(Effect::ToUpstream(frame.into_bytes()));
            return;
        }
        let frame = match self.hold_while_draining(frame) {
            Ok(()) => return,
            Err(frame) => frame,
        };
        if self.host.hides_experimental
            && let Some(asked) = experimental::asked_for(&frame)
        {
            let refused = experimental_error(&frame.id(), &asked);
            self.push(Effect::ToHost(refused));
            return;
        }
        if let Some(refused) = misplaced_error(&frame) {
            self.refuse(ErrorKind::InvalidSelection, refused);
            return;
        }
        match frame.method() {
            initialize::METHOD => {
                self.host.greeted = true;
                self.host.experimental = initialize::wants_experimental_api(&frame);
                let hears = |method| !initialize::opts_out_of(&frame, method);
                self.host.hears_turns =
                    hears(thread::TURN_STARTED) && hears(thread::TURN_COMPLETED);
                self.host.hears_servers = hears(thread::SERVER_STATUS);
                self.host.initialize = Some(frame.id());
                let mut request = frame.bytes().clone();
                if self.host.may_be_carried
                    && !self.host.experimental
                    && let Some(asking) = experimental::asking(&frame)
                {
                    self.host.hides_experimental = true;
                    request = asking;
                }
                self.is_to_be_answered(&frame);
                if let Some(outlives) = &mut self.host.outlives {
                    outlives.greeting.get_or_insert_with(|| Greeting {
                        by_host: frame,
                        sent: request.clone(),
                    });
                }
                self.push(Effect::ToUpstream(request));
            }
            thread::START
                if self.host.may_be_chosen
                    || thread::selection(&frame).is_some()
                    || thread::has_own_config(&frame) =>
            {
                self.claim(RequestKind::Start, frame);
            }
            thread::RESUME => self.claim(RequestKind::Resume, frame),
            thread::FORK => self.claim(RequestKind::Fork, frame),
            method::THREAD_CAPABILITY_UPDATE => self.claim(RequestKind::Update, frame),
            own if method::METHODS.contains(&own) => self.claim(RequestKind::Own, frame),
            // Whose it is can't be said, so what it may show can't be.
            turn if thread::gives_to_read(turn)
                && thread::has_list_of_params(&frame)
                && self.threads.any_has_loadout() =>
            {
                self.refuse(
                    ErrorKind::InvalidSelection,
                    list_of_params_error(&frame.id()),
                );
            }
            turn if thread::gives_to_read(turn) && self.loaded_named_in(&frame).is_some() => {
                self.claim(RequestKind::Turn, frame);
            }
            // Whether its root can be seen there is to be known before.
            thread::SETTINGS_UPDATE
                if self.loaded_named_in(&frame).is_some() && thread::names_environments(&frame) =>
            {
                self.claim(RequestKind::Turn, frame);
            }
            reload if catalog::reloads_servers(reload) && self.threads.any_has_loadout() => {
                self.push(Effect::CatalogMayHaveChanged);
                self.claim(RequestKind::ServersReload, frame);
            }
            other => {
                if other == thread::SETTINGS_UPDATE
                    && let Some(thread) = self.loaded_named_in(&frame)
                {
                    let frame = frame.clone();
                    self.push(Effect::SettingsAsked { thread, frame });
                }
                if catalog::is_changed_by(other) {
                    self.push(Effect::CatalogMayHaveChanged);
                }
                if other == servers::LIST && self.host.listing.len() < LISTED_AT_ONCE {
                    let thread = thread::named_in_params(&frame);
                    self.host.listing.insert(frame.id(), thread);
                }
                self.is_to_be_answered(&frame);
                self.push(Effect::ToUpstream(frame.into_bytes()));
            }
        }
    }

    fn claim(&mut self, kind: RequestKind, frame: Frame) {
        let is_read = is_read_by_codex(&frame);
        if !is_read || !self.host.greeted {
            // What Codex won't answer, or refuses, it does not carry out: nothing is kept for it.
            let ours = match kind {
                RequestKind::Start => {
                    thread::selection(&frame).is_some() || thread::has_own_config(&frame)
                }
                RequestKind::Update | RequestKind::Own => true,
                RequestKind::Resume
                | RequestKind::Fork
                | RequestKind::Turn
                | RequestKind::ServersReload => false,
            };
            match ours {
                true if is_read => self.push(Effect::ToHost(not_initialized_error(&frame.id()))),
                true => self.refuse(ErrorKind::InvalidSelection, unreadable_error(&frame.id())),
                false => self.push(Effect::ToUpstream(frame.bytes().clone())),
            }
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
        if !self.host.experimental && changes {
            let asked = format!("{}.{FIELD}", frame.method());
            let refused = experimental_error(&frame.id(), &asked);
            self.push(Effect::ToHost(refused));
            return;
        }
        if !self.may_begin(&frame) {
            return;
        }
        let own = matches!(kind, RequestKind::Update | RequestKind::Own);
        self.host.uses_extension |= own || presence.is_some() || thread::has_own_config(&frame);
        let holds = match kind {
            RequestKind::Start | RequestKind::Own | RequestKind::ServersReload => None,
            RequestKind::Resume | RequestKind::Fork | RequestKind::Turn | RequestKind::Update => {
                thread::named_in_params(&frame)
            }
        };
        if let Some(thread) = &holds {
            self.threads.hold(thread);
        }
        self.prepare(kind, frame, holds, AskedBy::Host);
    }

    /// Has it worked out what becomes of a request; its thread, if it is to be held, is.
    pub(super) fn prepare(
        &mut self,
        kind: RequestKind,
        frame: Frame,
        holds: Option<String>,
        asked_by: AskedBy,
    ) {
        self.host.claimed += 1;
        self.host.worked_on += 1;
        let (host, number) = (self.host.id, self.host.claimed);
        let request = Request::new(host, number, kind, frame, holds, asked_by);
        self.push(Effect::Prepare(Box::new(request)));
    }

    /// It is worked out what becomes of a claimed request.
    pub(crate) fn on_prepared(&mut self, mut request: Request<P>, prepared: Prepared) {
        self.host.worked_on -= 1;
        let (threads, patient) = match prepared {
            Prepared::Rebind { threads, patient } => (threads, patient),
            other => return self.proceed(request, other),
        };
        let busy = threads.iter().find(|thread| {
            let by_others = self.threads.is_held(thread) && request.holds.as_ref() != Some(*thread);
            by_others || self.threads.is(thread, |it| it.turns.are_under_way())
        });
        let busy = busy.cloned();
        request.rebinds = threads;
        match busy {
            Some(_) if patient => self.drain(request),
            Some(busy) => self.refuse_busy(request, &busy),
            None => self.begin_rebinding(request),
        }
    }

    pub(super) fn begin_rebinding(&mut self, request: Request<P>) {
        for thread in &request.rebinds {
            self.threads.hold(thread);
            self.threads
                .change(thread, |it| it.muted = Some(Muted::WhileRebound));
        }
        self.host.worked_on += 1;
        self.push(Effect::Rebind(Box::new(request)));
    }

    /// Threads were bound anew, or could not be.
    pub(crate) fn on_rebound(&mut self, mut request: Request<P>, rebound: Rebound) {
        self.host.worked_on -= 1;
        let threads = std::mem::take(&mut request.rebinds);
        for thread in &threads {
            self.threads.change(thread, |it| it.muted = None);
        }
        for thread in &rebound.bound {
            self.threads.change(thread, |it| it.has_loadout = true);
        }
        for thread in &rebound.dropped {
            self.threads.change(thread, |it| it.has_loadout = false);
        }
        for notice in rebound.notices {
            self.on_notice(notice);
        }
        let own = request.holds.clone();
        self.proceed(request, rebound.then);
        for thread in threads
            .iter()
            .filter(|thread| own.as_ref() != Some(*thread))
        {
            self.release(thread);
        }
    }

    /// Carries on with a request; what the host has sent on its thread since goes on behind it.
    fn proceed(&mut self, mut request: Request<P>, prepared: Prepared) {
        let held = request.holds.take();
        if !matches!(prepared, Prepared::Forward { .. }) {
            self.end(&request);
        }
        match prepared {
            Prepared::Pass(_) if request.asked_by == AskedBy::Nobody => {}
            Prepared::Pass(bytes) => {
                let begins = thread::begins_turn(request.frame.method());
                if let (true, Some(thread)) = (begins && self.host.hears_turns, &held) {
                    // From here on Codex may begin it at any moment.
                    self.threads.change(thread, |it| it.turns.ask());
                    let id = request.frame.id();
                    self.host.beginning.insert(id, thread.clone());
                }
                self.is_to_be_answered(&request.frame);
                self.push(Effect::ToUpstream(bytes));
            }
            Prepared::Forward {
                request: bytes,
                mark,
                holds,
            } => {
                self.push(Effect::ToUpstream(bytes));
                request.mark = mark;
                if request.kind.makes_a_thread() {
                    self.push(Effect::Late {
                        number: request.number,
                        after: ANSWERED_WITHIN,
                    });
                }
                if holds {
                    request.holds = held;
                    self.host.forwarded.insert(request.frame.id(), request);
                    return;
                }
                self.host.forwarded.insert(request.frame.id(), request);
            }
            Prepared::Reply(answer) => self.answer(&request, answer),
            // Asked for once already: what it found then still holds.
            Prepared::Rebind { .. } => {
                let answer = busy_error(&request.frame.id(), "", Busy::Elsewhere);
                self.refused.push(ErrorKind::ThreadBusy);
                self.answer(&request, answer);
            }
        }
        if let Some(thread) = held {
            self.release(&thread);
        }
    }

    /// A frame has waited long enough.
    pub(super) fn go_on_with(&mut self, (host, frame): Waiting) {
        self.with_host(host, |router| {
            router.host.held.remove(frame.bytes().len());
            router.on_host(frame);
        });
    }

    /// What hosts have sent on a thread waits no longer.
    pub(super) fn release(&mut self, thread: &str) {
        for waiting in self.threads.release(thread) {
            self.go_on_with(waiting);
        }
        self.go_on_where_drained();
    }

    /// The thread with a loadout that a frame names.
    pub(super) fn loaded_named_in(&self, frame: &Frame) -> Option<String> {
        if !self.threads.any_has_loadout() {
            return None;
        }
        thread::named_in_params(frame).filter(|it| self.has_loadout(it))
    }

    pub(super) fn has_loadout(&self, thread: &str) -> bool {
        self.threads.is(thread, |it| it.has_loadout)
    }
}
