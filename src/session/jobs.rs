//! Work on what the router wants done, and what comes of it.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tracing::{Instrument, Span};

use super::request_handlers::{Carried, Request, RequestHandlers};
use super::server_status::OfServer;
use crate::loadouts::AppliedConfig;
use crate::messages::thread;
use crate::router::{Effect, Greeting, Prepared, Rebound, Router, Settled, internal_error};
use crate::wire::Frame;

/// Work that is done, on its way back to the router.
pub(super) enum Done {
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
    /// Codex gave this thread a server that it was not told to leave out.
    ServerCameIn(String),
    /// Codex knows the host again.
    Greeted,
    Nothing,
}

impl Done {
    /// Tells the router.
    pub(super) fn tell(self, router: &mut Router<'_, Carried, AppliedConfig>) {
        match self {
            Self::Prepared(request, prepared) => router.on_prepared(request, prepared),
            Self::Settled {
                request,
                answer,
                settled,
            } => router.on_settled(request, answer, settled),
            Self::Made(request) => router.on_made(request),
            Self::Rebound(request, rebound) => router.on_rebound(request, rebound),
            Self::Adopted(children) => router.on_adopted(&children),
            Self::ServerCameIn(thread) => router.on_server_came_in(thread),
            Self::Noticed(Some(notice)) => router.on_notice(notice),
            Self::Noticed(None) | Self::Greeted | Self::Nothing => {}
        }
    }
}

/// Of an effect for a request that came by the control door: its number there.
pub(super) fn control_number(effect: &Effect<Carried>) -> Option<u64> {
    match effect {
        Effect::Prepare(request) | Effect::Rebind(request) | Effect::Abandoned(request) => {
            request.control_number()
        }
        _ => None,
    }
}

/// Work under way.
pub(super) type Job = BoxFuture<'static, Done>;

/// The work that an effect takes; `None` for those that are carried out at once.
pub(super) fn job(handlers: &Arc<RequestHandlers>, effect: Effect<Carried>) -> Option<Job> {
    let handlers = handlers.clone();
    Some(match effect {
        Effect::Prepare(request) => prepare(handlers, *request),
        Effect::Settle { request, response } => settle(handlers, *request, response),
        Effect::Split(request) => split(handlers, *request),
        Effect::Rebind(request) => rebind(handlers, *request),
        Effect::Abandoned(request) => work_on(
            async move {
                handlers.abandon(*request).await;
                Done::Nothing
            },
            || Done::Nothing,
        ),
        Effect::Adopt { parent, children } => {
            let named = children.clone();
            work_on(
                async move {
                    handlers.adopt(&parent, &children).await;
                    Done::Adopted(children)
                },
                || Done::Adopted(named),
            )
        }
        Effect::Forget { thread } => work_on(
            async move {
                handlers.forget(&thread).await;
                Done::Nothing
            },
            || Done::Nothing,
        ),
        Effect::ServerStatus { thread, frame } => work_on(
            async move {
                match handlers.server_status(&thread, &frame).await {
                    OfServer::Told(notice) => Done::Noticed(notice),
                    OfServer::CameIn => Done::ServerCameIn(thread),
                }
            },
            || Done::Noticed(None),
        ),
        Effect::TurnEnded { thread } => work_on(
            async move { Done::Noticed(handlers.missing_servers(&thread).await) },
            || Done::Noticed(None),
        ),
        Effect::Connected(info) => {
            handlers.connected(info);
            work_on(
                async move {
                    handlers.bring_back_leftovers().await;
                    Done::Nothing
                },
                || Done::Nothing,
            )
        }
        Effect::ToHost(_)
        | Effect::ToControl { .. }
        | Effect::ToUpstream(_)
        | Effect::Late { .. }
        | Effect::SettingsAsked { .. }
        | Effect::ServersListed { .. }
        | Effect::Settings { .. }
        | Effect::Answered { .. }
        | Effect::CatalogMayHaveChanged => return None,
    })
}

/// Tells a Codex that runs again who the host is, as the host told the one before; what it says then, the host has
/// heard.
pub(super) fn greet(handlers: Arc<RequestHandlers>, greeting: Greeting) -> Job {
    work_on(
        async move {
            if let Err(error) = handlers.greet(&greeting).await {
                tracing::warn!(%error, "Codex does not know the host again");
            }
            Done::Greeted
        },
        || Done::Greeted,
    )
}

fn prepare(handlers: Arc<RequestHandlers>, mut request: Request) -> Job {
    let span = span("prepare", &request);
    let job = async move {
        let began = Instant::now();
        let prepared = unless_it_panics(handlers.prepare(&mut request).boxed()).await;
        handlers.has_waited(&mut request, began);
        let prepared = prepared.unwrap_or_else(|| failed(&request));
        Done::Prepared(request, prepared)
    };
    job.instrument(span).boxed()
}

fn settle(handlers: Arc<RequestHandlers>, mut request: Request, response: Frame) -> Job {
    let span = span("settle", &request);
    let job = async move {
        let began = Instant::now();
        let outcome = unless_it_panics(handlers.settle(&mut request, response).boxed()).await;
        handlers.has_waited(&mut request, began);
        match outcome {
            Some(None) => Done::Made(request),
            outcome => settled(request, outcome.flatten()),
        }
    };
    job.instrument(span).boxed()
}

fn split(handlers: Arc<RequestHandlers>, mut request: Request) -> Job {
    let span = span("split", &request);
    let job = async move {
        let began = Instant::now();
        let outcome = unless_it_panics(handlers.split_fork(&mut request).boxed()).await;
        handlers.has_waited(&mut request, began);
        settled(request, outcome)
    };
    job.instrument(span).boxed()
}

fn rebind(handlers: Arc<RequestHandlers>, mut request: Request) -> Job {
    let span = span("rebind", &request);
    let job = async move {
        let began = Instant::now();
        let rebound = unless_it_panics(handlers.rebind(&mut request).boxed()).await;
        handlers.has_waited(&mut request, began);
        let rebound = rebound.unwrap_or_else(|| Rebound::only(failed(&request)));
        Done::Rebound(request, rebound)
    };
    job.instrument(span).boxed()
}

/// Work that is for no request, and what comes of it should it panic.
fn work_on(
    work: impl Future<Output = Done> + Send + 'static,
    panicked: impl FnOnce() -> Done + Send + 'static,
) -> Job {
    async { unless_it_panics(work).await.unwrap_or_else(panicked) }.boxed()
}

/// What is logged of work on a request says which request and thread it is for; never what they say.
fn span(stage: &'static str, request: &Request) -> Span {
    let frame = &request.frame;
    let thread = || thread::named_in_params(frame).or_else(|| request.answered_thread());
    tracing::debug_span!(
        "request",
        stage,
        host = request.host().0,
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
