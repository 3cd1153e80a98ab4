//! The loop.

use std::panic::AssertUnwindSafe;
use std::process::ExitStatus;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Child;

use super::work::Work;
use crate::connection::{Asker, Inbox, Outbox, Upstream, write_frames};
use crate::interceptors::{initialize, thread};
use crate::router::{
    Effect, Prepared, Rebound, RequestKind, Router, Settled, Ticket, internal_error,
};
use crate::wire::{Frame, Id};

/// Work that is done, on its way back to the router.
enum Done {
    Prepared(Ticket, Prepared),
    Settled {
        ticket: Ticket,
        answer: Bytes,
        settled: Settled,
    },
    Made(Ticket),
    Noticed(Option<Bytes>),
    Adopted(Vec<String>),
    Rebound(Ticket, Rebound),
    Forgotten,
}

/// Stands between a host and a Codex until the Codex has ended.
///
/// # Errors
/// What the system says when the end of Codex can't be waited for.
pub async fn run<R, W>(
    host_input: R,
    host_output: W,
    upstream: Upstream,
    work: impl FnOnce(Arc<Asker>) -> Work,
) -> std::io::Result<ExitStatus>
where
    R: AsyncRead + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
{
    let Upstream {
        mut child,
        stdin,
        stdout,
    } = upstream;
    let (host, host_written) = write_frames(host_output);
    let (codex, _) = write_frames(stdin);
    let own_ids = format!("codex-loadout/{}/", uuid::Uuid::new_v4().simple());
    let asker = Arc::new(Asker::new(own_ids.clone(), codex.clone()));
    let mut session = Session {
        router: Router::new(&own_ids),
        host,
        codex,
        work: Arc::new(work(asker.clone())),
        asker,
        jobs: FuturesUnordered::new(),
        waiting: FuturesUnordered::new(),
    };
    let mut from_host = Inbox::new(host_input);
    let mut from_codex = Inbox::new(stdout);
    let mut host_open = true;
    let mut codex_open = true;
    let mut signals = Signals::new()?;
    while codex_open || !session.jobs.is_empty() {
        let codex_has_room = session.codex.has_room();
        let host_has_room = session.host.has_room();
        tokio::select! {
            batch = from_host.next(), if host_open && codex_has_room => match batch {
                Some(frames) => session.on_host(frames),
                None => host_open = false,
            },
            batch = from_codex.next(), if codex_open && host_has_room => match batch {
                Some(frames) => session.on_codex(frames),
                None => {
                    codex_open = false;
                    session.asker.upstream_gone();
                }
            },
            Some(done) = session.jobs.next(), if !session.jobs.is_empty() => session.on_done(done),
            Some(ticket) = session.waiting.next(), if !session.waiting.is_empty() => session.on_late(ticket),
            () = session.codex.room(), if !codex_has_room => {}
            () = session.host.room(), if !host_has_room => {}
            signal = signals.next() => signals::forward(&child, signal),
        }
        if session.host.is_closed() {
            // A host that takes nothing more is gone, whatever it may still send.
            host_open = false;
        }
        if !host_open && session.router.all_forwarded() {
            session.codex.close();
        }
    }
    session.finish();
    // The writer may be stuck on a host that does not read: Codex's end is what counts.
    let status = wait(&mut child, &mut signals).await?;
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), host_written).await;
    Ok(status)
}

async fn wait(child: &mut Child, signals: &mut Signals) -> std::io::Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status,
            signal = signals.next() => signals::forward_to(child.id(), signal),
        }
    }
}

struct Session {
    router: Router,
    host: Outbox,
    codex: Outbox,
    work: Arc<Work>,
    asker: Arc<Asker>,
    /// Work under way. It is done right here, so that nothing has to be woken for it.
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Requests that wait for something, and until when.
    waiting: FuturesUnordered<BoxFuture<'static, Ticket>>,
}

impl Session {
    fn on_host(&mut self, frames: Vec<Frame>) {
        let mut effects = Vec::with_capacity(frames.len());
        for frame in frames {
            self.look_around(&frame);
            self.router.on_host(frame, &mut effects);
        }
        self.carry_out(effects);
    }

    /// What the router has to know from elsewhere before it sees this frame.
    fn look_around(&mut self, frame: &Frame) {
        match frame.method() {
            initialize::METHOD => {
                let may_be_carried = self.work.introduced(frame);
                self.router.set_may_be_carried(may_be_carried);
            }
            thread::START => {}
            _ => return,
        }
        self.router.set_may_be_chosen(self.work.may_be_chosen());
    }

    fn on_codex(&mut self, frames: Vec<Frame>) {
        let mut effects = Vec::with_capacity(frames.len());
        for frame in frames {
            self.router.on_upstream(frame, &mut effects);
        }
        self.carry_out(effects);
    }

    fn on_late(&mut self, ticket: Ticket) {
        let mut effects = Vec::new();
        self.router.on_late(ticket, &mut effects);
        self.carry_out(effects);
    }

    fn on_done(&mut self, done: Done) {
        let mut effects = Vec::new();
        match done {
            Done::Prepared(ticket, prepared) => {
                if !matches!(prepared, Prepared::Forward { .. } | Prepared::Rebind { .. }) {
                    self.work.done(ticket);
                }
                self.router.on_prepared(ticket, prepared, &mut effects);
            }
            Done::Settled {
                ticket,
                answer,
                settled,
            } => {
                self.work.done(ticket);
                self.router
                    .on_settled(ticket, answer, settled, &mut effects);
            }
            Done::Made(ticket) => self.router.on_made(ticket, &mut effects),
            Done::Noticed(notice) => {
                if let Some(notice) = notice {
                    self.router.on_notice(notice, &mut effects);
                }
            }
            Done::Adopted(children) => self.router.on_adopted(&children, &mut effects),
            Done::Rebound(ticket, rebound) => {
                if !matches!(rebound.then, Prepared::Forward { .. }) {
                    self.work.done(ticket);
                }
                self.router.on_rebound(ticket, rebound, &mut effects);
            }
            Done::Forgotten => {}
        }
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::ToHost(frame) => self.host.send(frame),
                Effect::ToUpstream(frame) => self.codex.send(frame),
                Effect::Prepare {
                    ticket,
                    kind,
                    frame,
                } => self.prepare(ticket, kind, frame),
                Effect::Settle { ticket, response } => {
                    let failed = settling_failed(ticket, &response.id());
                    self.work_on(failed, |work| async move {
                        match work.settle(ticket, response).await {
                            Some((answer, settled)) => Done::Settled {
                                ticket,
                                answer,
                                settled,
                            },
                            None => Done::Made(ticket),
                        }
                    });
                }
                Effect::SetApart { ticket } => {
                    let failed = settling_failed(ticket, &self.work.forked_by(ticket));
                    self.work_on(failed, |work| async move {
                        let (answer, settled) = work.set_apart(ticket).await;
                        Done::Settled {
                            ticket,
                            answer,
                            settled,
                        }
                    });
                }
                Effect::Adopt { parent, children } => {
                    let named = children.clone();
                    self.work_on(
                        || Done::Adopted(named),
                        |work| async move {
                            work.adopt(&parent, &children).await;
                            Done::Adopted(children)
                        },
                    );
                }
                Effect::Forget { thread } => {
                    self.work_on(
                        || Done::Forgotten,
                        |work| async move {
                            work.forget(&thread).await;
                            Done::Forgotten
                        },
                    );
                }
                Effect::Rebind { ticket } => {
                    let id = self.work.waiting_for_rebind(ticket);
                    let failed = move || {
                        let then = Prepared::Reply(internal_error(&id));
                        Done::Rebound(ticket, Rebound::only(then))
                    };
                    self.work_on(failed, |work| async move {
                        Done::Rebound(ticket, work.rebind(ticket).await)
                    });
                }
                Effect::Late { ticket, after } => {
                    let late = tokio::time::sleep(after).map(move |()| ticket);
                    self.waiting.push(late.boxed());
                }
                Effect::Abandoned { ticket } => {
                    self.work.done(ticket);
                    self.work_on(
                        || Done::Forgotten,
                        |work| async move {
                            work.abandon(ticket).await;
                            Done::Forgotten
                        },
                    );
                }
                Effect::SettingsAsked { thread, frame } => {
                    self.work.settings_asked(&thread, &frame);
                }
                Effect::ServerStatus { thread, frame } => self.work_on(
                    || Done::Noticed(None),
                    |work| async move { Done::Noticed(work.server_status(&thread, &frame).await) },
                ),
                Effect::TurnEnded { thread } => self.work_on(
                    || Done::Noticed(None),
                    |work| async move { Done::Noticed(work.missing_servers(&thread).await) },
                ),
                Effect::Settings { thread, frame } => self.work.settings_of(&thread, &frame),
                Effect::Unloaded { thread } => self.work.unloaded(&thread),
                Effect::Answered { number, response } => self.asker.answered(number, response),
                Effect::CatalogMayHaveChanged => self.work.catalog_may_have_changed(),
                Effect::Connected(info) => {
                    self.work.connected(info);
                    self.work_on(
                        || Done::Forgotten,
                        |work| async move {
                            work.bring_back_leftovers().await;
                            Done::Forgotten
                        },
                    );
                }
            }
        }
    }

    fn prepare(&self, ticket: Ticket, kind: RequestKind, frame: Frame) {
        let id = frame.id();
        let failed = move || Done::Prepared(ticket, Prepared::Reply(internal_error(&id)));
        self.work_on(failed, |work| async move {
            Done::Prepared(ticket, work.prepare(ticket, kind, frame).await)
        });
    }

    /// Starts work. Should it panic, `failed` says what becomes of the request, so that no host waits
    /// for ever and no other thread's traffic ends.
    fn work_on<F>(
        &self,
        failed: impl FnOnce() -> Done + Send + 'static,
        job: impl FnOnce(Arc<Work>) -> F,
    ) where
        F: Future<Output = Done> + Send + 'static,
    {
        let job = AssertUnwindSafe(job(self.work.clone())).catch_unwind();
        self.jobs
            .push(job.map(|done| done.unwrap_or_else(|_| failed())).boxed());
    }

    fn finish(&mut self) {
        let mut effects = Vec::new();
        self.router.on_upstream_gone(&mut effects);
        self.carry_out(effects);
        self.host.close();
    }
}

/// The thread may have a loadout: it is taken for one that has.
fn settling_failed(ticket: Ticket, id: &Id) -> impl FnOnce() -> Done + Send + use<> {
    let answer = internal_error(id);
    move || Done::Settled {
        ticket,
        answer,
        settled: Settled::Loadout,
    }
}

use signals::Signals;

/// Signals that ask the proxy to end are for Codex: it ends in its own way, and we after it.
#[cfg(unix)]
mod signals {
    use rustix::process::{Pid, Signal, kill_process};
    use tokio::process::Child;
    use tokio::signal::unix::{self, SignalKind};

    pub(super) struct Signals {
        terminate: unix::Signal,
        interrupt: unix::Signal,
        hang_up: unix::Signal,
    }

    impl Signals {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self {
                terminate: unix::signal(SignalKind::terminate())?,
                interrupt: unix::signal(SignalKind::interrupt())?,
                hang_up: unix::signal(SignalKind::hangup())?,
            })
        }

        pub(super) async fn next(&mut self) -> Signal {
            tokio::select! {
                _ = self.terminate.recv() => Signal::TERM,
                _ = self.interrupt.recv() => Signal::INT,
                _ = self.hang_up.recv() => Signal::HUP,
            }
        }
    }

    pub(super) fn forward(child: &Child, signal: Signal) {
        forward_to(child.id(), signal);
    }

    pub(super) fn forward_to(id: Option<u32>, signal: Signal) {
        let pid = id
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(pid) = pid
            && let Err(error) = kill_process(pid, signal)
        {
            tracing::debug!(%error, "Codex takes no signal");
        }
    }
}

#[cfg(not(unix))]
mod signals {
    use tokio::process::Child;

    pub(super) struct Signals;

    impl Signals {
        pub(super) fn new() -> std::io::Result<Self> {
            Ok(Self)
        }

        pub(super) async fn next(&mut self) {
            std::future::pending::<()>().await;
        }
    }

    pub(super) fn forward(_: &Child, (): ()) {}

    pub(super) fn forward_to(_: Option<u32>, (): ()) {}
}
