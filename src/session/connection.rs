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
use tracing::{Instrument, Span};

use super::request_handlers::{Carried, Request, RequestHandlers};
use crate::connection::{FrameReader, FrameWriter, RpcClient, Upstream, write_frames};
use crate::loadouts::AppliedConfig;
use crate::messages::{initialize, thread};
use crate::router::{Effect, Host, Prepared, Rebound, Router, Settled, internal_error};
use crate::wire::Frame;

/// Work that is done, on its way back to the router.
enum Done {
    Prepared(Request, Prepared),
    Settled {
        request: Request,
        answer: Bytes,
        settled: Settled,
    },
    Made(Request),
    Rebound(Request, Rebound),
    Adopted(Vec<String>),
    Noticed(Option<Bytes>),
    Nothing,
}

/// Stands between a host and a Codex until the Codex has ended.
///
/// # Errors
/// What the system says when the end of Codex can't be waited for.
pub(crate) async fn run<R, W>(
    host_input: R,
    host_output: W,
    upstream: Upstream,
    handlers: impl FnOnce(Arc<RpcClient>) -> RequestHandlers,
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
    let rpc = Arc::new(RpcClient::new(own_ids.clone(), codex.clone()));
    let mut session = Session {
        of_host: Host::new(&own_ids),
        host,
        codex,
        handlers: Arc::new(handlers(rpc.clone())),
        rpc,
        jobs: FuturesUnordered::new(),
        waiting: FuturesUnordered::new(),
    };
    let mut from_host = FrameReader::new(host_input);
    let mut from_codex = FrameReader::new(stdout);
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
                    session.rpc.upstream_gone();
                }
            },
            Some(done) = session.jobs.next(), if !session.jobs.is_empty() => session.on_done(done),
            Some(number) = session.waiting.next(), if !session.waiting.is_empty() => session.on_late(number),
            () = session.codex.room(), if !codex_has_room => {}
            () = session.host.room(), if !host_has_room => {}
            signal = signals.next() => signals::forward(&child, signal),
        }
        if session.host.is_closed() {
            // A host that takes nothing more is gone, whatever it may still send.
            host_open = false;
        }
        if !host_open && session.all_forwarded() {
            session.codex.close();
        }
    }
    session.finish();
    // The writer may be stuck on a host that does not read: Codex's end is what counts.
    let status = wait(&mut child, &mut signals).await?;
    let _ = tokio::time::timeout(std::time::Duration::from_secs(5), host_written).await;
    Ok(status)
}

/// What the router has to know from elsewhere before it sees this frame.
fn look_around(handlers: &RequestHandlers, host: &mut Host<Carried>, frame: &Frame) {
    match frame.method() {
        initialize::METHOD => host.set_may_be_carried(handlers.introduced(frame)),
        thread::START => host.set_may_be_chosen(handlers.may_be_chosen()),
        _ => {}
    }
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
    of_host: Host<Carried>,
    host: FrameWriter,
    codex: FrameWriter,
    handlers: Arc<RequestHandlers>,
    rpc: Arc<RpcClient>,
    /// Work under way. It is done right here, so that nothing has to be woken for it.
    jobs: FuturesUnordered<BoxFuture<'static, Done>>,
    /// Requests that wait for something, and until when.
    waiting: FuturesUnordered<BoxFuture<'static, u64>>,
}

impl Session {
    fn on_host(&mut self, frames: Vec<Frame>) {
        let handlers = self.handlers.clone();
        self.route(|router| {
            for frame in frames {
                look_around(&handlers, router.host, &frame);
                router.on_host(frame);
            }
        });
    }

    fn on_codex(&mut self, frames: Vec<Frame>) {
        self.route(|router| {
            frames
                .into_iter()
                .for_each(|frame| router.on_upstream(frame))
        });
    }

    fn on_late(&mut self, number: u64) {
        self.route(|router| router.on_late(number));
    }

    fn on_done(&mut self, done: Done) {
        self.route(|router| match done {
            Done::Prepared(request, prepared) => router.on_prepared(request, prepared),
            Done::Settled {
                request,
                answer,
                settled,
            } => router.on_settled(request, answer, settled),
            Done::Made(request) => router.on_made(request),
            Done::Rebound(request, rebound) => router.on_rebound(request, rebound),
            Done::Adopted(children) => router.on_adopted(&children),
            Done::Noticed(Some(notice)) => router.on_notice(notice),
            Done::Noticed(None) | Done::Nothing => {}
        });
    }

    fn all_forwarded(&mut self) -> bool {
        let mut all = false;
        self.route(|router| all = router.all_forwarded());
        all
    }

    /// Takes events through the router, and carries out what comes of them.
    fn route(&mut self, events: impl FnOnce(&mut Router<'_, Carried, AppliedConfig>)) {
        let mut effects = Vec::new();
        self.handlers.applied.with_threads(|threads| {
            events(&mut Router {
                host: &mut self.of_host,
                threads,
                effects: &mut effects,
            });
        });
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Vec<Effect<Carried>>) {
        for effect in effects {
            match effect {
                Effect::ToHost(frame) => self.host.send(frame),
                Effect::ToUpstream(frame) => self.codex.send(frame),
                Effect::Prepare(request) => self.prepare(request),
                Effect::Settle { request, response } => self.settle(request, response),
                Effect::Split(request) => self.split(request),
                Effect::Rebind(request) => self.rebind(request),
                Effect::Abandoned(request) => self.work_on(
                    |handlers| async move {
                        handlers.abandon(request).await;
                        Done::Nothing
                    },
                    || Done::Nothing,
                ),
                Effect::Late { number, after } => {
                    let late = tokio::time::sleep(after).map(move |()| number);
                    self.waiting.push(late.boxed());
                }
                Effect::Adopt { parent, children } => {
                    let named = children.clone();
                    self.work_on(
                        |handlers| async move {
                            handlers.adopt(&parent, &children).await;
                            Done::Adopted(children)
                        },
                        || Done::Adopted(named),
                    );
                }
                Effect::Forget { thread } => self.work_on(
                    |handlers| async move {
                        handlers.forget(&thread).await;
                        Done::Nothing
                    },
                    || Done::Nothing,
                ),
                Effect::SettingsAsked { thread, frame } => {
                    self.handlers.settings_asked(&thread, &frame);
                }
                Effect::ServerStatus { thread, frame } => self.work_on(
                    |handlers| async move { Done::Noticed(handlers.server_status(&thread, &frame).await) },
                    || Done::Noticed(None),
                ),
                Effect::ServersListed { thread, answer } => {
                    self.handlers.servers_listed(thread, answer);
                }
                Effect::TurnEnded { thread } => self.work_on(
                    |handlers| async move { Done::Noticed(handlers.missing_servers(&thread).await) },
                    || Done::Noticed(None),
                ),
                Effect::Settings { thread, frame } => self.handlers.settings_of(&thread, &frame),
                Effect::Answered { number, response } => self.rpc.answered(number, response),
                Effect::CatalogMayHaveChanged => self.handlers.catalog_may_have_changed(),
                Effect::Connected(info) => {
                    self.handlers.connected(info);
                    self.work_on(
                        |handlers| async move {
                            handlers.bring_back_leftovers().await;
                            Done::Nothing
                        },
                        || Done::Nothing,
                    );
                }
            }
        }
    }

    fn prepare(&self, mut request: Request) {
        let (handlers, span) = (self.handlers.clone(), span("prepare", &request));
        let job = async move {
            let prepared = unless_it_panics(handlers.prepare(&mut request).boxed()).await;
            let prepared = prepared.unwrap_or_else(|| failed(&request));
            Done::Prepared(request, prepared)
        };
        self.push(job.instrument(span));
    }

    fn settle(&self, mut request: Request, response: Frame) {
        let (handlers, span) = (self.handlers.clone(), span("settle", &request));
        let job = async move {
            match unless_it_panics(handlers.settle(&mut request, response).boxed()).await {
                Some(None) => Done::Made(request),
                outcome => settled(request, outcome.flatten()),
            }
        };
        self.push(job.instrument(span));
    }

    fn split(&self, mut request: Request) {
        let (handlers, span) = (self.handlers.clone(), span("split", &request));
        let job = async move {
            let outcome = unless_it_panics(handlers.split_fork(&mut request).boxed()).await;
            settled(request, outcome)
        };
        self.push(job.instrument(span));
    }

    fn rebind(&self, mut request: Request) {
        let (handlers, span) = (self.handlers.clone(), span("rebind", &request));
        let job = async move {
            let rebound = unless_it_panics(handlers.rebind(&mut request)).await;
            let rebound = rebound.unwrap_or_else(|| Rebound::only(failed(&request)));
            Done::Rebound(request, rebound)
        };
        self.push(job.instrument(span));
    }

    /// Starts work that is for no request, and says what comes of it should it panic.
    fn work_on<F: Future<Output = Done> + Send + 'static>(
        &self,
        job: impl FnOnce(Arc<RequestHandlers>) -> F,
        panicked: impl FnOnce() -> Done + Send + 'static,
    ) {
        let job = job(self.handlers.clone());
        self.push(async { unless_it_panics(job).await.unwrap_or_else(panicked) });
    }

    fn push(&self, job: impl Future<Output = Done> + Send + 'static) {
        self.jobs.push(job.boxed());
    }

    fn finish(&mut self) {
        self.route(|router| router.on_upstream_gone());
        self.host.close();
    }
}

/// What is logged of work on a request says which request and thread it is for; never what they say.
fn span(stage: &'static str, request: &Request) -> Span {
    let frame = &request.frame;
    let thread = || thread::named_in_params(frame).or_else(|| request.answered_thread());
    tracing::debug_span!(
        "request",
        stage,
        method = frame.method(),
        id = frame.id_json(),
        thread = thread()
    )
}

/// Should work panic, no host waits for ever and no other thread's traffic ends.
async fn unless_it_panics<T>(work: impl Future<Output = T>) -> Option<T> {
    AssertUnwindSafe(work).catch_unwind().await.ok()
}

fn failed(request: &Request) -> Prepared {
    Prepared::Reply(internal_error(&request.frame.id()))
}

/// What is settled; `None` where that failed: the thread may have a loadout, and is taken for one that has.
fn settled(request: Request, outcome: Option<(Bytes, Settled)>) -> Done {
    let failed = || (internal_error(&request.frame.id()), Settled::Loadout);
    let (answer, settled) = outcome.unwrap_or_else(failed);
    Done::Settled {
        request,
        answer,
        settled,
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
