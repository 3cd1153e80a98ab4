//! The loop: all hosts of one Codex process.
//!
//! It never waits for anything but the next event. Events go through the router one after the other, so that what
//! is true of a thread has one order, whichever hosts have it open.

use std::collections::BTreeMap;
use std::process::ExitStatus;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::process::Child;
use tokio::task::JoinHandle;

use super::changes::{self, Changes};
use super::control::{ControlRequest, ControlRequests};
use super::control_door::ControlDoor;
use super::host_session::{Arrived, HostSession, Reading, Side};
use super::jobs::{Done, control_number, job};
use super::process::CodexProcess;
use super::request_handlers::{Carried, RequestHandlers};
use super::signals::{Signals, forward};
use crate::connection::{Door, Upstream};
use crate::loadouts::AppliedConfig;
use crate::messages::{initialize, thread};
use crate::records::asked_by;
use crate::router::{Effect, Host, Hosts, Router};
use crate::threads::HostId;
use crate::wire::Frame;

/// What is left to be written to a host when all is over is waited for this long: it may not read any more.
pub(super) const WRITTEN_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

/// Room for this many effects is kept from one batch of messages to the next: making it anew costs more than the routing.
const EFFECTS_KEPT: usize = 512;

/// Stands between one host and a Codex on pipes until the Codex has ended.
///
/// # Errors
/// What the system says when the end of Codex can't be waited for.
pub(crate) async fn run(
    process: Arc<CodexProcess>,
    host: Door,
    upstream: Upstream,
) -> std::io::Result<ExitStatus> {
    let Upstream {
        mut child,
        stdin,
        stdout,
    } = upstream;
    let codex = Door::of_lines(stdout, stdin);
    process.metrics.presence.codex_started(child.id());
    let _control = ControlDoor::open(&process);
    let mut session = Session::new(process);
    let id = session.next_id();
    session.add(id, host, codex, EndsWith::Codex);
    let mut signals = Signals::new()?;
    while !session.hosts.is_empty() {
        tokio::select! {
            () = session.next() => {}
            signal = signals.next() => forward(child.id(), signal),
        }
    }
    // The writer may be stuck on a host that does not read: Codex's end is what counts.
    let status = wait(&mut child, &mut signals).await?;
    session.all_written().await;
    Ok(status)
}

async fn wait(child: &mut Child, signals: &mut Signals) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.next() => forward(child.id(), signal),
        }
    }
}

/// What a host's connection ends with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EndsWith {
    /// Its Codex, as without us.
    Codex,
    /// Its own end: when its Codex ends, it is told, and goes on with the next.
    Itself,
}

/// The hosts of one Codex process.
pub(super) struct Session {
    pub(super) process: Arc<CodexProcess>,
    pub(super) of_router: Hosts<Carried>,
    /// What the router wants done; empty but while it is carried out.
    effects: Vec<(HostId, Effect<Carried>)>,
    pub(super) hosts: BTreeMap<HostId, HostSession>,
    /// How many hosts there have been.
    count: u64,
    pub(super) reading: FuturesUnordered<Reading>,
    /// Work under way, and for which host. It is done right here, so that nothing has to be woken for it.
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, (HostId, Done)>>,
    /// Requests that wait for something, and until when.
    waiting: FuturesUnordered<BoxFuture<'static, (HostId, u64)>>,
    /// End when everything was written to hosts that are no more.
    written: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Hosts that have lost their connection to Codex and may get another.
    pub(super) lost: Vec<HostId>,
    /// Looks for changes as long as a host uses what is ours.
    changes: Option<Changes>,
    /// What comes by the control door.
    pub(super) control: ControlRequests,
}

impl Session {
    pub(super) fn new(process: Arc<CodexProcess>) -> Self {
        Self {
            control: process.control.requests(),
            process,
            of_router: Hosts::default(),
            effects: Vec::new(),
            hosts: BTreeMap::new(),
            count: 0,
            reading: FuturesUnordered::new(),
            jobs: FuturesUnordered::new(),
            waiting: FuturesUnordered::new(),
            written: FuturesUnordered::new(),
            lost: Vec::new(),
            changes: None,
        }
    }

    /// What the next host is called.
    pub(super) fn next_id(&mut self) -> HostId {
        self.count += 1;
        HostId(self.count)
    }

    /// One more host.
    pub(super) fn add(&mut self, id: HostId, host: Door, codex: Door, ends_with: EndsWith) {
        let process = &self.process;
        let session = HostSession::new(id, process, host.writer, host.written, codex.writer);
        let of_router = Host::new(id, &session.own_ids);
        self.of_router.add(match ends_with {
            EndsWith::Codex => of_router,
            EndsWith::Itself => of_router.that_outlives_codex(),
        });
        process.metrics.host_came();
        process.metrics.presence.host_came(id);
        self.reading.push(session.read(Side::Host, host.reader));
        self.reading.push(session.read(Side::Codex, codex.reader));
        self.hosts.insert(id, session);
    }

    /// Waits for the next event, and deals with it.
    pub(super) async fn next(&mut self) {
        let host = tokio::select! {
            Some(arrived) = self.reading.next() => match arrived {
                Some(arrived) => self.on_arrived(arrived),
                None => return,
            },
            Some((host, done)) = self.jobs.next() => self.on_done(host, done),
            Some((host, number)) = self.waiting.next() => {
                self.route(host, |router| router.on_late(number));
                host
            }
            Some(_) = self.written.next() => return,
            request = self.control.next() => return self.on_control(request),
            () = Changes::next(&mut self.changes) => return self.tell_of_changes(),
            else => return std::future::pending().await,
        };
        self.look_after(host);
    }

    pub(super) fn on_arrived(&mut self, arrived: Arrived) -> HostId {
        let host = arrived.host;
        let Some(session) = self.hosts.get_mut(&host) else {
            return host;
        };
        match (arrived.side, &mut session.away) {
            (Side::Host, Some(away)) if arrived.frames.is_some() => {
                away.arrived = Some(arrived);
                return host;
            }
            (Side::Codex, _) if arrived.connection != session.connection || !session.codex_open => {
                return host;
            }
            _ => {}
        }
        let Arrived {
            side,
            reader,
            frames,
            ..
        } = arrived;
        let handlers = session.handlers.clone();
        if let Some(frames) = &frames {
            let bytes = frames.iter().map(|frame| frame.bytes().len()).sum();
            let metrics = &self.process.metrics;
            metrics.received(side.into(), frames.len(), bytes);
        }
        match (side, frames) {
            (Side::Host, Some(frames)) => self.route(host, |router| {
                for frame in frames {
                    if let Some(frame) = router.pass_on_unread(frame) {
                        look_around(&handlers, router, &frame);
                        router.on_host(frame);
                    }
                }
            }),
            (Side::Codex, Some(frames)) => self.route(host, |router| {
                let frames = frames.into_iter();
                frames.for_each(|frame| router.on_upstream(frame));
            }),
            (Side::Host, None) => {
                session.host_open = false;
                return host;
            }
            (Side::Codex, None) => {
                session.lose_codex();
                self.process.detach(host);
                return host;
            }
        }
        if let Some(session) = self.hosts.get(&host) {
            self.reading.push(session.read(side, reader));
        }
        host
    }

    fn on_done(&mut self, host: HostId, done: Done) -> HostId {
        if let Some(session) = self.hosts.get_mut(&host) {
            session.jobs -= 1;
        }
        match done {
            Done::Greeted => self.go_on(host),
            done => self.route(host, |router| done.tell(router)),
        }
        host
    }

    /// A client of the control door wants another loadout for a thread: any host that may have loadouts can ask for
    /// it, whichever have the thread open.
    fn on_control(&mut self, request: ControlRequest) {
        let mut hosts = self.hosts.values();
        let host = hosts
            .find(|host| host.codex_open && self.of_router.can_have_loadouts(host.id))
            .map(|host| host.id);
        if let Some((host, number, frame)) = self.control.begin(request, host) {
            self.route(host, |router| router.on_control(number, frame));
        }
    }

    /// Tells all hosts that use what is ours that something else can be selected.
    fn tell_of_changes(&mut self) {
        if let Some(host) = self.hosts.keys().next().copied() {
            self.route(host, |router| router.on_notice(changes::notice()));
        }
    }

    /// Ends what has come to an end for a host.
    fn look_after(&mut self, host: HostId) {
        let Some(session) = self.hosts.get_mut(&host) else {
            return;
        };
        if session.host.is_closed() {
            // A host that takes nothing more is gone, whatever it may still send.
            session.host_open = false;
        }
        let (host_open, codex_open) = (session.host_open, session.codex_open);
        if codex_open {
            if !host_open {
                self.let_go(host);
            }
            return;
        }
        if session.jobs > 0 {
            return;
        }
        let mut outlives = false;
        self.route(host, |router| outlives = router.outlives_codex());
        let session = self.hosts.get_mut(&host);
        match session.and_then(|session| session.away.as_mut()) {
            // It may get another connection.
            Some(away) if outlives && host_open => {
                if !std::mem::replace(&mut away.is_known, true) {
                    self.lost.push(host);
                }
            }
            _ => self.end(host),
        }
    }

    /// A host has left: its connection to Codex is closed once nothing of it is under way.
    fn let_go(&mut self, host: HostId) {
        let mut may_leave = false;
        self.route(host, |router| may_leave = router.may_leave());
        if let Some(session) = self.hosts.get(&host)
            && may_leave
        {
            session.codex.close();
        }
    }

    /// A host has no Codex any more, and gets none.
    pub(super) fn end(&mut self, host: HostId) {
        let is_without = self.hosts.get(&host).is_some_and(|it| !it.codex_open);
        if is_without {
            self.route(host, |router| router.on_upstream_gone());
            self.remove(host);
        }
    }

    fn remove(&mut self, host: HostId) {
        if let Some(mut session) = self.hosts.remove(&host) {
            session.host.close();
            self.control.lose(host);
            self.written
                .extend(session.host_written.take().map(|it| written(it).boxed()));
        }
        let process = self.process.clone();
        process.metrics.presence.host_left(host);
        process
            .applied
            .with_threads(|threads| self.of_router.remove(host, threads));
        if !self.of_router.any_uses_extension() {
            self.changes = None;
        }
    }

    /// Waits until hosts that are no more were told everything, if they listen.
    pub(super) async fn all_written(mut self) {
        while self.written.next().await.is_some() {}
    }

    /// Takes events of a host through the router, and carries out what comes of them.
    pub(super) fn route(
        &mut self,
        host: HostId,
        events: impl FnOnce(&mut Router<'_, Carried, AppliedConfig>),
    ) {
        let mut effects = std::mem::take(&mut self.effects);
        self.process.applied.with_threads(|threads| {
            self.of_router.route(host, threads, &mut effects, events);
        });
        for kind in self.of_router.newly_refused() {
            self.process.metrics.happenings.refused(kind);
        }
        for (host, effect) in effects.drain(..) {
            self.carry_out(host, effect);
        }
        effects.shrink_to(EFFECTS_KEPT);
        self.effects = effects;
    }

    fn carry_out(&mut self, host: HostId, effect: Effect<Carried>) {
        let Some(session) = self.hosts.get_mut(&host) else {
            return;
        };
        match effect {
            Effect::ToHost(frame) => session.host.send(frame),
            Effect::ToControl { number, answer } => self.control.answer(number, answer),
            Effect::ToUpstream(frame) => session.send_to_codex(frame),
            Effect::Answered { number, response } => session.rpc.answered(number, response),
            Effect::SettingsAsked { thread, frame } => {
                session.handlers.settings_asked(&thread, &frame);
            }
            Effect::ServersListed { thread, answer } => {
                session.handlers.servers_listed(thread, answer);
            }
            Effect::Settings { thread, frame } => session.handlers.settings_of(&thread, &frame),
            Effect::CatalogMayHaveChanged => session.handlers.catalog_may_have_changed(),
            Effect::Late { number, after } => {
                let late = tokio::time::sleep(after).map(move |()| (host, number));
                self.waiting.push(late.boxed());
            }
            work => {
                if self.changes.is_none() && self.of_router.any_uses_extension() {
                    self.changes = Some(Changes::watch(self.process.loadouts.clone()));
                }
                let actor = match control_number(&work) {
                    Some(number) => self.control.actor(number),
                    None => session.handlers.actor(),
                };
                if let Some(job) = job(&session.handlers, work) {
                    session.jobs += 1;
                    let job = asked_by(actor, job);
                    self.jobs.push(job.map(move |done| (host, done)).boxed());
                }
            }
        }
    }
}

/// Waits until everything was written to a host. One that neither reads nor leaves gets no more, and its connection ends.
async fn written(mut writing: JoinHandle<()>) {
    if tokio::time::timeout(WRITTEN_WITHIN, &mut writing)
        .await
        .is_err()
    {
        writing.abort();
    }
}

/// What the router has to know from elsewhere before it sees this frame of the host's.
fn look_around(
    handlers: &RequestHandlers,
    router: &mut Router<'_, Carried, AppliedConfig>,
    frame: &Frame,
) {
    match frame.method() {
        initialize::METHOD => {
            let may_be = handlers.introduced(frame);
            router.introduce_host(|host| host.set_may_be_carried(may_be));
        }
        thread::START => {
            let may_be = handlers.may_be_chosen();
            router.introduce_host(|host| host.set_may_be_chosen(may_be));
        }
        _ => {}
    }
}
