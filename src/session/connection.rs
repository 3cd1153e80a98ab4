//! The loop: all hosts of one Codex process.
//!
//! It never waits for anything but the next event. Events go through the router one after the other, so that what
//! is true of a thread has one order, whichever hosts have it open.

use std::collections::BTreeMap;
use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::process::Child;

use super::changes::{self, Changes};
use super::control::{ControlRequest, ControlRequests};
use super::control_door::ControlDoor;
use super::host_session::{Arrived, HostSession, Reading, Side};
use super::jobs::Done;
use super::process::CodexProcess;
use super::request_handlers::{Carried, RequestHandlers};
use super::signals::{Signals, forward};
use crate::connection::{Door, Upstream};
use crate::loadouts::AppliedConfig;
use crate::messages::{initialize, thread};
use crate::router::{Effect, Host, Hosts, Router};
use crate::threads::HostId;
use crate::wire::Frame;

/// Stands between one host and a Codex on pipes until the Codex has ended.
///
/// # Errors
/// What the system says when the end of Codex can't be waited for.
pub(crate) async fn run(
    process: Arc<CodexProcess>,
    host: Door,
    upstream: Upstream,
) -> io::Result<ExitStatus> {
    let Upstream {
        mut child,
        stdin,
        stdout,
    } = upstream;
    process.metrics.presence.codex_started(child.id());
    let _control = ControlDoor::open(&process);
    let mut session = Session::new(process);
    let id = session.next_id();
    session.add(id, host, Door::of_lines(stdout, stdin), EndsWith::Codex);
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

async fn wait(child: &mut Child, signals: &mut Signals) -> io::Result<ExitStatus> {
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
    pub(super) effects: Vec<(HostId, Effect<Carried>)>,
    pub(super) hosts: BTreeMap<HostId, HostSession>,
    /// How many hosts there have been.
    count: u64,
    pub(super) reading: FuturesUnordered<Reading>,
    /// Work under way, and for which host. It is done right here, so that nothing has to be woken for it.
    pub(super) jobs: FuturesUnordered<BoxFuture<'static, (HostId, Done)>>,
    /// Requests that wait for something, and until when.
    pub(super) waiting: FuturesUnordered<BoxFuture<'static, (HostId, u64)>>,
    /// End when everything was written to hosts that are no more.
    pub(super) written: FuturesUnordered<BoxFuture<'static, ()>>,
    /// Hosts that have lost their connection to Codex and may get another.
    pub(super) lost: Vec<HostId>,
    /// Looks for changes as long as a host uses what is ours.
    pub(super) changes: Option<Changes>,
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

    /// One more host, and what its connection ends with.
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
