//! What takes time for one claimed request: asking Codex, reading folders, writing records.

use std::ffi::OsString;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::method::THREAD_CAPABILITY_PROVE;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::alone::{ThreadLock, ThreadLocks};
use super::apart::{Apart, MadeFork};
use super::rebind::Rebind;
use crate::catalog::CatalogCache;
use crate::connection::{Asker, UpstreamCommand};
use crate::control::Control;
use crate::crash_point::crash_point;
use crate::interceptors::initialize::UpstreamInfo;
use crate::interceptors::thread;
use crate::loadouts::{AppliedConfig, AppliedConfigs, Loadouts};
use crate::router::{self, Prepared, RequestKind};
use crate::selections::{Happening, LoadoutRecord, ThreadRecord};
use crate::wire::answer_frame;

/// A Codex and its arguments.
#[derive(Debug, Clone)]
pub struct CodexCommand {
    /// Which one.
    pub command: UpstreamCommand,
    /// `app-server` and what the host gave with it.
    pub arguments: Vec<OsString>,
}

/// What a claimed request carries with it from one stage to the next, until it is answered.
#[derive(Debug, Default)]
pub struct Carried {
    /// The thread that it has to itself.
    pub(super) lock: Option<ThreadLock>,
    /// What is to be done for it next.
    pub(super) stage: Stage,
}

/// What is to be done next for a claimed request.
#[derive(Debug, Default)]
pub(super) enum Stage {
    /// To find that out.
    #[default]
    New,
    /// To bind threads anew, once the router keeps everything else away from them.
    Rebind(Box<Rebind>),
    /// To record what Codex has done, once it has.
    Pending(Box<Pending>),
    /// To split a fork that Codex has made from its source.
    Made(Box<MadeFork>),
}

/// A claimed request and what it carries.
pub(super) type Request = router::Request<Carried>;

/// The work of one connection.
#[derive(Debug)]
pub struct Work {
    pub(super) loadouts: Arc<Loadouts>,
    pub(super) asker: Arc<Asker>,
    pub(super) catalogs: Arc<CatalogCache>,
    pub(super) upstream: watch::Sender<Option<UpstreamInfo>>,
    pub(super) control: Control,
    /// The Codex this connection runs on, for another one of the same kind.
    pub(super) codex: CodexCommand,
    /// What the loaded threads were told.
    pub(super) applied: Arc<AppliedConfigs>,
    pub(super) locks: ThreadLocks,
    pub(super) getting_ready: Mutex<Option<AbortHandle>>,
}

/// What is made durable when Codex has said yes, and what the thread was told.
#[derive(Debug)]
pub(super) enum Pending {
    /// A new thread with a loadout of its own, by a start or a fork.
    Start(LoadoutRecord, AppliedConfig, AuditEvent),
    /// The same thread with its loadout or another one; no binding: it stays loaded, and as it was
    /// told before.
    Resume(ThreadRecord, Option<AppliedConfig>, AuditEvent),
    /// The same thread without one.
    Drop { thread_id: String },
    /// A new thread with its source's loadout.
    Fork {
        source: String,
        loadout: LoadoutRecord,
        binding: AppliedConfig,
    },
    /// A new thread with another loadout than its source's, or none.
    Apart(Box<Apart>),
}

impl Pending {
    /// Whether the thread has another loadout from then on.
    fn changes_loadout(&self) -> bool {
        match self {
            Self::Resume(record, ..) => record.loadout.list_is_due,
            Self::Drop { .. } => true,
            Self::Start(..) | Self::Fork { .. } | Self::Apart(_) => false,
        }
    }
}

impl Work {
    /// The work of a connection that asks Codex through `asker`.
    #[must_use]
    pub fn new(loadouts: Arc<Loadouts>, asker: Arc<Asker>, codex: CodexCommand) -> Self {
        let (upstream, watching) = watch::channel(None);
        let catalogs = Arc::<CatalogCache>::default();
        let applied = Arc::<AppliedConfigs>::default();
        let control = Control::new(
            loadouts.clone(),
            asker.clone(),
            catalogs.clone(),
            applied.clone(),
            watching,
        );
        Self {
            loadouts,
            asker,
            catalogs,
            upstream,
            control,
            codex,
            applied,
            locks: ThreadLocks::default(),
            getting_ready: Mutex::default(),
        }
    }

    /// Codex answered `initialize`.
    pub fn connected(&self, info: UpstreamInfo) {
        self.upstream.send_replace(Some(info));
    }

    /// Something was said that may change what there is.
    pub fn catalog_may_have_changed(&self) {
        self.catalogs.forget();
    }

    /// Works out what to do with a claimed request.
    pub(super) async fn prepare(&self, request: &mut Request) -> Prepared {
        let (frame, kind) = (request.frame.clone(), request.kind);
        let carried = &mut request.payload;
        let prepared = match kind {
            RequestKind::Own if frame.method() == THREAD_CAPABILITY_PROVE => {
                self.prove(&frame).await
            }
            RequestKind::Own => return Prepared::Reply(self.control.answer(&frame).await),
            RequestKind::Start => self.start(carried, &frame).await,
            RequestKind::Resume => self.resume(carried, &frame).await,
            RequestKind::Fork => self.fork(carried, &frame).await,
            RequestKind::Turn => self.before_turn(carried, &frame).await,
            RequestKind::ServersReload => self.before_servers_reload(carried, &frame).await,
            RequestKind::Update => self.update(carried, &frame).await,
        };
        match prepared {
            Ok(prepared) => prepared,
            Err(error) => {
                if kind != RequestKind::Own {
                    self.note_refused_request(request, &error).await;
                }
                let error = error.to_json_rpc().to_string();
                Prepared::Reply(answer_frame(&frame.id(), "error", &error))
            }
        }
    }

    /// Writes down that a claimed request was refused.
    pub(super) async fn note_refused_request(&self, request: &Request, error: &LoadoutError) {
        let thread = thread::named_in_params(&request.frame);
        let method = request.frame.method();
        self.note_refusal(method, thread, error).await;
    }

    /// Writes down that a request about a thread, or for a new one, was refused.
    pub(super) async fn note_refusal(
        &self,
        method: &str,
        thread: Option<String>,
        error: &LoadoutError,
    ) {
        tracing::info!(method, kind = error.kind.as_str(), %error, "refused");
        let happening = Happening::refusal(method, error);
        let happening = match thread {
            Some(thread) => happening.to_thread(thread),
            None => happening,
        };
        self.loadouts.note(happening).await;
    }

    pub(super) fn forward(
        &self,
        carried: &mut Carried,
        request: Bytes,
        pending: Pending,
    ) -> Prepared {
        crash_point("forward");
        let holds = pending.changes_loadout();
        if let Pending::Resume(record, Some(binding), _) = &pending {
            // What Codex says of the thread while it loads it is said of this loadout.
            self.applied.set(&record.thread_id, binding.clone());
        }
        carried.stage = Stage::Pending(Box::new(pending));
        Prepared::Forward {
            request,
            mark: uuid::Uuid::now_v7().to_string(),
            holds,
        }
    }

    pub(super) async fn upstream(&self) -> Result<UpstreamInfo, LoadoutError> {
        Control::wait_for_upstream(self.upstream.subscribe()).await
    }
}
