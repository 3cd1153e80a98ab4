//! What takes time for one claimed request: asking Codex, reading folders, writing records.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Instant;

use bytes::Bytes;
use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::AuditEvent;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::fork_split::{ForkSplit, MadeFork};
use super::process::{Attached, CodexProcess};
use super::rebind::Rebind;
use super::subscribers::Subscribers;
use super::thread_locks::ThreadLock;
use crate::catalog::CatalogCache;
use crate::connection::{FrameWriter, RpcClient, RpcError};
use crate::control::{Context, Control, HostConnection};
use crate::crash_point::crash_point;
use crate::loadouts::{AppliedConfig, AppliedConfigs, LaunchCarriers, Loadouts};
use crate::messages::initialize::{self, UpstreamInfo};
use crate::messages::thread;
use crate::metrics::AddedLatency;
use crate::records::{Happening, LoadoutRecord, ThreadRecord};
use crate::router::{self, Greeting, Prepared, RequestKind};
use crate::threads::HostId;
use crate::wire::{Frame, answer_frame};

/// What a claimed request carries with it from one stage to the next, until it is answered.
#[derive(Debug, Default)]
pub(crate) struct Carried {
    /// The thread that it has to itself.
    pub(super) lock: Option<ThreadLock>,
    /// What is to be done for it next.
    pub(super) stage: Stage,
    /// What it has waited for this program.
    pub(super) added: Option<AddedLatency>,
    /// A resume as Codex got it, until it is answered.
    pub(super) resume: Option<Bytes>,
    /// Other hosts that have left its thread, and come back once the request has loaded it.
    pub(super) left: Option<Left>,
}

/// Hosts that have left a thread for a request.
#[derive(Debug)]
pub(super) struct Left {
    pub(super) thread: String,
    pub(super) hosts: Subscribers,
    /// What the request opens it with.
    pub(super) params: Map<String, Value>,
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

/// Handles the claimed requests of one host.
#[derive(Debug)]
pub(crate) struct RequestHandlers {
    /// The host.
    pub(super) id: HostId,
    /// What it shares with others.
    pub(super) process: Arc<CodexProcess>,
    /// Where it hears what is said past the router.
    writer: FrameWriter,
    pub(super) loadouts: Arc<Loadouts>,
    pub(super) rpc: Arc<RpcClient>,
    pub(super) catalogs: Arc<CatalogCache>,
    pub(super) upstream: watch::Sender<Option<UpstreamInfo>>,
    pub(super) control: Control,
    /// What the loaded threads were told.
    pub(super) applied: Arc<AppliedConfigs>,
    /// What is said of all threads of this process.
    pub(super) launch: Arc<LaunchCarriers>,
    /// What the host calls itself.
    pub(super) host: Arc<OnceLock<String>>,
    /// Whether Codex was asked for its experimental API: a thread's root takes it.
    pub(super) experimental: OnceLock<bool>,
    /// What Codex has told the host of servers lately, with the thread that it was asked for.
    pub(super) listed: Mutex<Vec<(Option<String>, Frame)>>,
}

/// What is made durable when Codex has said yes, and what the thread was told.
#[derive(Debug)]
pub(super) enum Pending {
    /// A new thread with a loadout of its own, by a start or a fork.
    Start(LoadoutRecord, AppliedConfig, AuditEvent),
    /// The same thread with its loadout or another one; nothing applied: it stays loaded, and as it was
    /// told before.
    Resume(ThreadRecord, Option<AppliedConfig>, AuditEvent),
    /// The same thread without one.
    Drop { thread_id: String },
    /// A new thread with its source's loadout.
    Fork {
        source: String,
        loadout: LoadoutRecord,
        applied: AppliedConfig,
    },
    /// A new thread with another loadout than its source's, or none.
    ForkSplit(Box<ForkSplit>),
}

impl Pending {
    /// Whether the thread has another loadout from then on.
    fn changes_loadout(&self) -> bool {
        match self {
            Self::Resume(record, ..) => record.loadout.list_is_due,
            Self::Drop { .. } => true,
            Self::Start(..) | Self::Fork { .. } | Self::ForkSplit(_) => false,
        }
    }
}

impl RequestHandlers {
    /// The handlers of a host whose connection to Codex `rpc` asks on.
    #[must_use]
    pub(crate) fn new(
        process: Arc<CodexProcess>,
        id: HostId,
        rpc: Arc<RpcClient>,
        writer: FrameWriter,
    ) -> Self {
        let (upstream, watching) = watch::channel(None);
        let (loadouts, catalogs) = (process.loadouts.clone(), process.catalogs.clone());
        let (applied, launch) = (process.applied.clone(), process.launch.clone());
        let host = Arc::<OnceLock<String>>::default();
        let control = Control::new(Context {
            loadouts: loadouts.clone(),
            upstream: Arc::new(HostConnection {
                rpc: rpc.clone(),
                upstream: watching,
            }),
            updates: None,
            catalogs: catalogs.clone(),
            applied: applied.clone(),
            launch: launch.clone(),
            codex: process.codex.clone(),
            host: host.clone(),
        });
        Self {
            id,
            process,
            writer,
            loadouts,
            rpc,
            catalogs,
            upstream,
            control,
            applied,
            launch,
            host,
            experimental: OnceLock::new(),
            listed: Mutex::default(),
        }
    }

    /// The host said who it is; tells whether a loadout may come by another way than the field.
    pub(crate) fn introduced(&self, initialize: &Frame) -> bool {
        // A second `initialize` is refused by Codex.
        if let Some(name) = initialize::host_name(initialize) {
            self.process.metrics.presence.host_is(self.id, &name);
            let _ = self.host.set(name);
        }
        let may_be_carried = self.loadouts.may_be_carried(&self.launch);
        let experimental = may_be_carried || initialize::wants_experimental_api(initialize);
        let _ = self.experimental.set(experimental);
        may_be_carried
    }

    /// Who asks, as the audit says it.
    pub(super) fn actor(&self) -> Option<Arc<str>> {
        self.host.get().map(|name| Arc::from(name.as_str()))
    }

    /// Tells a Codex that runs again who the host is.
    pub(super) async fn greet(&self, greeting: &Greeting) -> Result<(), RpcError> {
        self.introduced(&greeting.by_host);
        let sent = serde_json::from_slice::<Value>(&greeting.sent).unwrap_or_default();
        let answer: initialize::Answer = self.rpc.ask(initialize::METHOD, &sent["params"]).await?;
        if let Some(info) = answer.info() {
            self.connected(info);
        }
        self.rpc
            .say(Bytes::from_static(b"{\"method\":\"initialized\"}"));
        Ok(())
    }

    /// Whether a start that says nothing may get a loadout all the same.
    #[must_use]
    pub(crate) fn may_be_chosen(&self) -> bool {
        self.loadouts.may_be_chosen(&self.launch)
    }

    /// Codex answered `initialize`.
    pub(crate) fn connected(&self, info: UpstreamInfo) {
        self.process.attach(Attached {
            id: self.id,
            rpc: self.rpc.clone(),
            info: info.clone(),
            writer: self.writer.clone(),
        });
        let version = info.version.to_string();
        self.process.metrics.presence.codex_is(version);
        self.upstream.send_replace(Some(info));
    }

    /// Something was said that may change what there is.
    pub(crate) fn catalog_may_have_changed(&self) {
        self.catalogs.forget();
    }

    /// A claimed request has waited since then.
    pub(super) fn has_waited(&self, request: &mut Request, since: Instant) {
        let kind = request.kind.as_str();
        let added = &mut request.payload.added;
        added
            .get_or_insert_with(|| self.process.metrics.added_latency(kind))
            .add(since.elapsed());
    }

    /// Works out what to do with a claimed request.
    pub(super) async fn prepare(&self, request: &mut Request) -> Prepared {
        let (frame, kind) = (request.frame.clone(), request.kind);
        let carried = &mut request.payload;
        let prepared = match kind {
            RequestKind::Own => return Prepared::Reply(self.control.answer(&frame).await),
            RequestKind::Start => self.start(carried, &frame).await,
            RequestKind::Resume => self.resume(carried, &frame).await,
            RequestKind::Fork => Box::pin(self.fork(carried, &frame)).await,
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
        if let Pending::Resume(record, Some(applied), _) = &pending {
            // What Codex says of the thread while it loads it is said of this loadout.
            self.applied.set(&record.thread_id, applied.clone());
        }
        if matches!(pending, Pending::Resume(..) | Pending::Drop { .. }) {
            carried.resume = Some(request.clone());
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
