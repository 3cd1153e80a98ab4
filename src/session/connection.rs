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
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::changes::{self, Changes};
use super::control::{ControlRequest, ControlRequests};
use super::control_door::ControlDoor;
use super::host_session::{Arrived, HostSession, Reading, Side};
use super::jobs::Done;
use super::pipe_reader::{PipeReader, Routed};
use super::process::CodexProcess;
use super::request_handlers::{Carried, RequestHandlers};
use super::shared_router::{Effects, SharedRouter};
use super::signals::{Signals, forward};
use crate::connection::{Door, Upstream, write_lines};
use crate::loadouts::AppliedConfig;
use crate::messages::{initialize, thread};
use crate::router::{Host, Router};
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
    session.add_to_pipes(host, stdin, stdout)?;
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

/// The hosts of one Codex process.
pub(super) struct Session {
    pub(super) process: Arc<CodexProcess>,
    pub(super) router: Arc<SharedRouter>,
    /// What the router wants done; empty but while it is carried out.
    pub(super) effects: Effects,
    pub(super) hosts: BTreeMap<HostId, HostSession>,
    /// How many hosts there have been.
    count: u64,
    pub(super) reading: FuturesUnordered<Reading>,
    /// Reads from a Codex on pipes.
    pub(super) pipe_reader: Option<PipeReader>,
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
            router: Arc::new(SharedRouter::new(process.clone())),
            process,
            effects: Vec::new(),
            hosts: BTreeMap::new(),
            count: 0,
            reading: FuturesUnordered::new(),
            pipe_reader: None,
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

    /// One more host, on a connection to Codex of its own. It stays when Codex ends, is told, and goes on with the next.
    pub(super) fn add(&mut self, id: HostId, host: Door, codex: Door) {
        let session = HostSession::new(id, &self.process, host.writer, host.written, codex.writer);
        let reading = [
            session.read(Side::Host, host.reader),
            session.read(Side::Codex, codex.reader),
        ];
        self.reading.extend(reading);
        let of_router = Host::new(id, &session.own_ids).that_outlives_codex();
        self.admit(session, of_router);
    }

    /// The one host of a Codex on pipes. Its connection ends with Codex, as without us.
    fn add_to_pipes(
        &mut self,
        host: Door,
        stdin: ChildStdin,
        stdout: ChildStdout,
    ) -> io::Result<()> {
        let id = self.next_id();
        let (codex, _) = write_lines(stdin);
        let session = HostSession::new(id, &self.process, host.writer, host.written, codex);
        self.reading.push(session.read(Side::Host, host.reader));
        let router = self.router.clone();
        let ends = (session.host.clone(), session.codex.clone());
        let of_router = Host::new(id, &session.own_ids);
        self.admit(session, of_router);
        self.pipe_reader = Some(PipeReader::start(id, router, ends, stdout)?);
        Ok(())
    }

    fn admit(&mut self, session: HostSession, of_router: Host<Carried>) {
        let id = session.id;
        self.router.begin().hosts.add(of_router);
        self.process.metrics.host_came();
        self.process.metrics.presence.host_came(id);
        self.hosts.insert(id, session);
    }

    /// Waits for the next event, and deals with it.
    pub(super) async fn next(&mut self) {
        let host = tokio::select! {
            Some(arrived) = self.reading.next() => match arrived {
                Some(arrived) => self.on_arrived(arrived),
                None => return,
            },
            routed = PipeReader::next(&mut self.pipe_reader) => self.on_routed(routed),
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
                self.host_has_left(host);
                return host;
            }
            (Side::Codex, None) => {
                self.has_lost_codex(host);
                return host;
            }
        }
        if let Some(session) = self.hosts.get(&host) {
            self.reading.push(session.read(side, reader));
        }
        host
    }

    /// What Codex has said on its pipes was taken through the router, and something of it is left to be done; or it says
    /// nothing more.
    fn on_routed(&mut self, (host, routed): (HostId, Option<Routed>)) -> HostId {
        match routed {
            Some(routed) => {
                self.route(host, |_| {});
                routed.is_carried_out();
            }
            None => {
                self.pipe_reader = None;
                self.has_lost_codex(host);
            }
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
        let routing = self.router.begin();
        let mut hosts = self.hosts.values();
        let host = hosts
            .find(|host| host.codex_open && routing.hosts.can_have_loadouts(host.id))
            .map(|host| host.id);
        drop(routing);
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
