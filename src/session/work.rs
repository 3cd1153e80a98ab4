//! What takes time for one claimed request: asking Codex, reading folders, writing records.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::method::THREAD_CAPABILITY_PROVE;
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use dashmap::DashMap;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::beginnings::Beginnings;
use super::rebind::{Change, Rebind, Then};
use crate::catalog::{Catalog, CatalogCache};
use crate::connection::{Asker, UpstreamCommand};
use crate::control::Control;
use crate::crash_point::crash_point;
use crate::interceptors::initialize::UpstreamInfo;
use crate::interceptors::thread::{self, Presence};
use crate::loadouts::{Binding, Bindings, Loadouts, Recorded, catalog_for, cwd_of, read_params};
use crate::proof::{Subject, prove};
use crate::router::{Prepared, RequestKind, Ticket};
use crate::selections::{Lineage, LoadoutRecord, ThreadRecord, session_file};
use crate::wire::{Frame, RawObject, answer_frame, insert_into_result, replace_params};

/// A Codex and its arguments.
#[derive(Debug, Clone)]
pub struct CodexCommand {
    /// Which one.
    pub command: UpstreamCommand,
    /// `app-server` and what the host gave with it.
    pub arguments: Vec<OsString>,
}

/// The work of one connection.
#[derive(Debug)]
pub struct Work {
    pub(super) loadouts: Arc<Loadouts>,
    pub(super) asker: Arc<Asker>,
    catalogs: Arc<CatalogCache>,
    upstream: watch::Sender<Option<UpstreamInfo>>,
    control: Control,
    /// The Codex this connection runs on, for another one of the same kind.
    codex: CodexCommand,
    /// What becomes of a request when Codex has answered it.
    pending: DashMap<Ticket, Pending>,
    /// What is to be done for a request once the threads it concerns are quiet.
    pub(super) rebinds: DashMap<Ticket, Rebind>,
    /// What the loaded threads were told.
    pub(super) bindings: Arc<Bindings>,
    pub(super) beginnings: Beginnings,
    getting_ready: Mutex<Option<AbortHandle>>,
}

/// Codex is busy with a new thread for a while after it has answered (about 20 ms, 0.169).
const QUIET: Duration = Duration::from_millis(30);

/// What is made durable when Codex has said yes, and what the thread was told.
#[derive(Debug)]
pub(super) enum Pending {
    /// A new thread with this loadout.
    Start(LoadoutRecord, Binding),
    /// The same thread with this loadout; no binding: it stays loaded, and as it was told before.
    Resume(ThreadRecord, Option<Binding>),
    /// The same thread without one.
    Drop { thread_id: String },
    /// A new thread with its source's loadout.
    Fork {
        source: String,
        loadout: LoadoutRecord,
        binding: Binding,
    },
}

impl Work {
    /// The work of a connection that asks Codex through `asker`.
    #[must_use]
    pub fn new(loadouts: Arc<Loadouts>, asker: Arc<Asker>, codex: CodexCommand) -> Self {
        let (upstream, watching) = watch::channel(None);
        let catalogs = Arc::<CatalogCache>::default();
        let bindings = Arc::<Bindings>::default();
        let control = Control::new(
            loadouts.clone(),
            asker.clone(),
            catalogs.clone(),
            bindings.clone(),
            watching,
        );
        Self {
            loadouts,
            asker,
            catalogs,
            upstream,
            control,
            codex,
            pending: DashMap::new(),
            rebinds: DashMap::new(),
            bindings,
            beginnings: Beginnings::default(),
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
    pub async fn prepare(&self, ticket: Ticket, kind: RequestKind, frame: Frame) -> Prepared {
        let prepared = match kind {
            RequestKind::Own if frame.method() == THREAD_CAPABILITY_PROVE => {
                self.prove(&frame).await
            }
            RequestKind::Own => return Prepared::Reply(self.control.answer(&frame).await),
            RequestKind::Start => self.start(ticket, &frame).await,
            RequestKind::Resume => self.resume(ticket, &frame).await,
            RequestKind::Fork => self.fork(ticket, &frame).await,
            RequestKind::Turn => self.before_turn(ticket, &frame).await,
            RequestKind::Update => self.update(ticket, &frame).await,
        };
        prepared.unwrap_or_else(|error| {
            tracing::info!(method = frame.method(), kind = error.kind.as_str(), %error, "refused");
            Prepared::Reply(answer_frame(
                &frame.id(),
                "error",
                &error.to_json_rpc().to_string(),
            ))
        })
    }

    /// `thread/capability/prove`: on another Codex, so that the host's hears nothing of it.
    async fn prove(&self, frame: &Frame) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let cwd = cwd_of(&params);
        let subject = match (params.get_string("threadId"), requested(&params)?) {
            (Some(thread), None) => Subject::Thread(thread, cwd),
            (None, Some(selection)) => {
                let cwd = cwd.map_or_else(own_cwd, Ok)?;
                Subject::Selection(Box::new(selection), cwd)
            }
            _ => {
                return Err(LoadoutError::new(
                    ErrorKind::InvalidSelection,
                    "either a thread or a selection is proven",
                )
                .with_hint("Send `threadId` or `capabilitySelection`, and not both.")
                .with_items(vec![ErrorItem::named("threadId"), ErrorItem::named(FIELD)]));
            }
        };
        let CodexCommand { command, arguments } = &self.codex;
        let proof = prove(&self.loadouts, command, arguments, subject).await?;
        let proof = serde_json::to_string(&proof).unwrap_or_default();
        Ok(Prepared::Reply(answer_frame(&frame.id(), "result", &proof)))
    }

    async fn start(&self, ticket: Ticket, frame: &Frame) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let Some(selection) = requested(&params)? else {
            return without_field(frame);
        };
        let upstream = self.upstream().await?;
        let cwd = cwd_of(&params).map_or_else(own_cwd, Ok)?;
        let catalog = self.catalog_for(&selection, &upstream, &cwd).await?;
        let launch = self
            .loadouts
            .start(frame, selection, &catalog, &upstream)
            .await?;
        Ok(self.forward(
            ticket,
            launch.request,
            Pending::Start(launch.record, launch.binding),
        ))
    }

    async fn resume(&self, ticket: Ticket, frame: &Frame) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let upstream = self.upstream().await?;
        let Some(thread_id) = source_thread(&params) else {
            return Ok(Prepared::Pass(frame.bytes().clone()));
        };
        let recorded = self
            .loadouts
            .recorded(&thread_id, &upstream.codex_home)
            .await;
        let selection = requested(&params)?;
        if thread::selection(frame).is_none() {
            // No field: the recorded loadout, or Codex's own way.
            return match recorded? {
                Recorded::Native => Ok(Prepared::Pass(frame.bytes().clone())),
                Recorded::Loadout(record) => {
                    let catalog = self.catalog_of_thread(&upstream, &params, &record).await?;
                    let ThreadRecord {
                        lineage,
                        inherited_from,
                        loadout,
                        ..
                    } = *record;
                    let launch = self
                        .loadouts
                        .again(frame, loadout, &catalog, &upstream)
                        .await?;
                    let binding = self.unless_loaded(&thread_id, launch.binding).await?;
                    let record = ThreadRecord {
                        thread_id,
                        lineage,
                        inherited_from,
                        loadout: launch.record,
                    };
                    Ok(self.forward(ticket, launch.request, Pending::Resume(record, binding)))
                }
            };
        }
        let Standing { before, root } = self.standing(recorded, &thread_id, &upstream).await?;
        if before.is_none() && root.is_none() && selection.is_none() {
            return without_field(frame);
        }
        if let Some(root) = &root {
            self.root_must_be_its_own(&thread_id, root).await?;
        }
        let unload: Vec<String> = match self.is_loaded(&thread_id).await? {
            true => vec![thread_id.clone()],
            false => Vec::new(),
        };
        let (change, request, pending) = match selection {
            None => {
                let mut params = params;
                params.remove(FIELD);
                let request = replace_params(frame.bytes(), &params)?;
                let thread = thread_id.clone();
                (
                    Change::Native { thread, root },
                    request,
                    Pending::Drop { thread_id },
                )
            }
            Some(selection) => {
                let cwd = match &before {
                    Some(record) => self.cwd_of_thread(&params, record).await,
                    None => cwd_of(&params).map_or_else(own_cwd, Ok)?,
                };
                let catalog = self.catalog_for(&selection, &upstream, &cwd).await?;
                let (launch, loadout) = self
                    .loadouts
                    .anew(frame, selection, root, &catalog, &upstream)
                    .await?;
                let record = renewed(thread_id, before, launch.record);
                (
                    Change::To(loadout, Box::new(record.clone())),
                    launch.request,
                    Pending::Resume(record, Some(launch.binding)),
                )
            }
        };
        let rebind = Rebind {
            request: frame.id(),
            unload,
            // A thread whose root is its own has spawned none.
            along: Vec::new(),
            change: Some(change),
            load: Vec::new(),
            then: Then::Forward(request, Box::new(pending)),
        };
        Ok(self.when_quiet(ticket, rebind))
    }

    /// What a thread has that is to get another loadout. One that is lost may be replaced or dropped:
    /// the host says so.
    pub(super) async fn standing(
        &self,
        recorded: Result<Recorded, LoadoutError>,
        thread_id: &str,
        upstream: &UpstreamInfo,
    ) -> Result<Standing, LoadoutError> {
        match recorded {
            Ok(Recorded::Loadout(record)) => Ok(Standing {
                root: record.loadout.root.clone(),
                before: Some(*record),
            }),
            Ok(Recorded::Native) => Ok(Standing::default()),
            Err(error) if error.kind == ErrorKind::LoadoutLost => {
                let root = self.loadouts.root_of(thread_id, &upstream.codex_home);
                Ok(Standing {
                    before: None,
                    root: root.await?,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Codex silently ignores the config of a resume of a thread that is loaded: that stays bound as it was.
    async fn unless_loaded(
        &self,
        thread_id: &str,
        binding: Binding,
    ) -> Result<Option<Binding>, LoadoutError> {
        if !self.is_loaded(thread_id).await? {
            return Ok(Some(binding));
        }
        if self.bindings.get(thread_id).is_some() {
            // Whether Codex moves it to this folder is heard later.
            self.bindings.change(thread_id, |known| {
                known.next_cwd = (known.cwd != binding.cwd).then(|| binding.cwd.clone());
            });
            return Ok(None);
        }
        Ok(Some(Binding {
            config: None,
            ..binding
        }))
    }

    async fn fork(&self, ticket: Ticket, frame: &Frame) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let upstream = self.upstream().await?;
        let Some(source) = source_thread(&params) else {
            return Ok(Prepared::Pass(frame.bytes().clone()));
        };
        let recorded = self
            .loadouts
            .recorded(&source, &upstream.codex_home)
            .await?;
        let presence = thread::selection(frame);
        let selection = requested(&params)?;
        match (recorded, presence, selection) {
            (Recorded::Native, None, _) => Ok(Prepared::Pass(frame.bytes().clone())),
            (Recorded::Native, Some(Presence::Null), _) => without_field(frame),
            (Recorded::Loadout(record), None, _) => {
                let catalog = self.catalog_of_thread(&upstream, &params, &record).await?;
                let launch = self
                    .loadouts
                    .again(frame, record.loadout, &catalog, &upstream)
                    .await?;
                Ok(self.forward(
                    ticket,
                    launch.request,
                    Pending::Fork {
                        source,
                        loadout: launch.record,
                        binding: launch.binding,
                    },
                ))
            }
            (Recorded::Native, Some(Presence::Given), Some(selection)) => {
                let cwd = cwd_of(&params).map_or_else(own_cwd, Ok)?;
                let catalog = self.catalog_for(&selection, &upstream, &cwd).await?;
                let (launch, _) = self
                    .loadouts
                    .anew(frame, selection, None, &catalog, &upstream)
                    .await?;
                Ok(self.forward(
                    ticket,
                    launch.request,
                    Pending::Fork {
                        source,
                        loadout: launch.record,
                        binding: launch.binding,
                    },
                ))
            }
            (Recorded::Loadout(_) | Recorded::Native, ..) => Err(LoadoutError::new(
                ErrorKind::UnsupportedUpstream,
                "a fork shares its source's root on Codex, so it can't have another loadout",
            )
            .with_hint("Fork without `capabilitySelection`, or start a new thread with it.")),
        }
    }

    pub(super) fn forward(&self, ticket: Ticket, request: Bytes, pending: Pending) -> Prepared {
        crash_point("forward");
        self.pending.insert(ticket, pending);
        Prepared::Forward {
            request,
            mark: uuid::Uuid::now_v7().to_string(),
        }
    }

    /// Codex answered: records what it made, and gives the answer for the host and whether the
    /// thread has a loadout.
    pub async fn settle(&self, ticket: Ticket, response: Frame) -> (Bytes, bool) {
        let Some((_, pending)) = self.pending.remove(&ticket) else {
            return (response.into_bytes(), false);
        };
        let Some(thread_id) = thread::named_in_result(&response) else {
            // Codex refused; a root that was made for nobody goes.
            if let Pending::Start(loadout, _) = pending {
                self.loadouts.discard(loadout).await;
            }
            return (response.into_bytes(), false);
        };
        crash_point("answer: before record");
        let recorded = self.record(&thread_id, pending).await;
        crash_point("answer: after record");
        match recorded {
            Ok(None) => (response.into_bytes(), false),
            Ok(Some(record)) => match with_receipt(&response, &record) {
                Ok(answer) => (answer, true),
                Err(error) => (refusal(&response, &error), true),
            },
            Err(error) => {
                tracing::error!(%error, thread_id, "a loadout could not be recorded");
                // A thread whose loadout is not on disk is never shown to the host.
                let unload = json!({ "threadId": thread_id });
                let _: Result<serde_json::Value, _> =
                    self.asker.ask("thread/unsubscribe", &unload).await;
                (refusal(&response, &error), false)
            }
        }
    }

    async fn record(
        &self,
        thread_id: &str,
        pending: Pending,
    ) -> Result<Option<ThreadRecord>, LoadoutError> {
        let selections = self.loadouts.selections().await?;
        match pending {
            Pending::Start(loadout, binding) => {
                let record = ThreadRecord {
                    thread_id: thread_id.to_owned(),
                    lineage: Lineage::Started,
                    inherited_from: None,
                    loadout,
                };
                selections.put_thread(&record).await?;
                self.bindings.set(thread_id, binding);
                self.prepare_for_the_next(&record.loadout);
                Ok(Some(record))
            }
            Pending::Resume(record, binding) => {
                selections.put_thread(&record).await?;
                if let Some(mut binding) = binding {
                    binding.parent.clone_from(&spawned_by(&record));
                    self.bindings.set(thread_id, binding);
                }
                Ok(Some(record))
            }
            Pending::Drop { thread_id } => {
                selections.delete_thread(&thread_id).await?;
                self.bindings.remove(&thread_id);
                Ok(None)
            }
            Pending::Fork {
                source,
                loadout,
                binding,
            } => {
                let record = self
                    .loadouts
                    .inherit(thread_id, Lineage::Forked, &source, loadout)
                    .await?;
                self.bindings.set(thread_id, binding);
                Ok(Some(record))
            }
        }
    }

    /// Once no thread was started for a moment, gets ready for more of the last kind.
    fn prepare_for_the_next(&self, model: &LoadoutRecord) {
        let (loadouts, model) = (self.loadouts.clone(), model.clone());
        let next = tokio::spawn(async move {
            tokio::time::sleep(QUIET).await;
            loadouts.make_spares(model).await;
        });
        let before = self
            .getting_ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(next.abort_handle());
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Records the loadouts of spawned threads.
    pub async fn adopt(&self, parent: &str, children: &[String]) {
        crash_point("spawn: before record");
        let adopted = async {
            let selections = self.loadouts.selections().await?;
            if let Some(record) = selections.thread(parent).await? {
                for child in children {
                    self.loadouts
                        .inherit(child, Lineage::Spawned, parent, record.loadout.clone())
                        .await?;
                    if let Some(of_parent) = self.bindings.get(parent) {
                        self.bindings.set(child, of_child(of_parent, parent));
                    }
                }
            }
            Ok::<(), LoadoutError>(())
        };
        if let Err(error) = adopted.await {
            // It runs with its parent's loadout all the same, and its session file names the root.
            tracing::error!(%error, parent, "the loadout of a spawned thread could not be recorded");
        }
    }

    /// Removes the record of a thread that is gone for good.
    pub async fn forget(&self, thread_id: &str) {
        let forgotten = async {
            self.loadouts
                .selections()
                .await?
                .delete_thread(thread_id)
                .await?;
            Ok::<(), LoadoutError>(())
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, thread_id, "the record of a deleted thread stays behind");
        }
    }

    pub(super) async fn upstream(&self) -> Result<UpstreamInfo, LoadoutError> {
        Control::wait_for_upstream(self.upstream.subscribe()).await
    }

    pub(super) async fn catalog(
        &self,
        upstream: &UpstreamInfo,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        Ok(self
            .catalogs
            .get(&self.asker, &upstream.codex_home, cwd)
            .await?)
    }

    /// The catalog that a selection is resolved on.
    pub(super) async fn catalog_for(
        &self,
        selection: &CapabilitySelection,
        upstream: &UpstreamInfo,
        cwd: &Path,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        let home = &upstream.codex_home;
        catalog_for(selection, &self.catalogs, &self.asker, home, cwd).await
    }

    async fn catalog_of_thread(
        &self,
        upstream: &UpstreamInfo,
        params: &RawObject<'_>,
        record: &ThreadRecord,
    ) -> Result<Arc<Catalog>, LoadoutError> {
        let cwd = self.cwd_of_thread(params, record).await;
        self.catalog(upstream, &cwd).await
    }

    /// The folder a thread will have: the request's, else the one Codex keeps for it, else the recorded one.
    pub(super) async fn cwd_of_thread(
        &self,
        params: &RawObject<'_>,
        record: &ThreadRecord,
    ) -> PathBuf {
        #[derive(Deserialize)]
        struct Answer {
            thread: Thread,
        }
        #[derive(Deserialize)]
        struct Thread {
            cwd: PathBuf,
        }
        if let Some(cwd) = cwd_of(params) {
            return cwd;
        }
        let question = json!({ "threadId": record.thread_id });
        match self.asker.ask::<Answer>("thread/read", &question).await {
            Ok(answer) => answer.thread.cwd,
            Err(error) => {
                tracing::debug!(%error, "the recorded folder is used");
                record.loadout.cwd.clone()
            }
        }
    }

    /// Swapping what lies at a root changes every thread that has it.
    pub(super) async fn root_must_be_its_own(
        &self,
        thread: &str,
        root: &str,
    ) -> Result<(), LoadoutError> {
        let threads = self
            .loadouts
            .selections()
            .await?
            .threads_of_root(root)
            .await?;
        let others = threads.into_iter().filter(|other| other != thread);
        let sharing: Vec<ErrorItem> = others.map(ErrorItem::named).collect();
        if sharing.is_empty() {
            return Ok(());
        }
        Err(LoadoutError::new(ErrorKind::UnsupportedUpstream, "this thread shares its root with its forks or children, so its loadout can't change alone")
            .with_hint("Start a new thread with the selection.")
            .with_items(sharing))
    }
}

/// What a thread has that is to get another loadout.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// Its record.
    pub(super) before: Option<ThreadRecord>,
    /// Its root, also if its record is lost.
    pub(super) root: Option<String>,
}

/// A thread's record with another loadout.
pub(super) fn renewed(
    thread_id: String,
    before: Option<ThreadRecord>,
    loadout: LoadoutRecord,
) -> ThreadRecord {
    let (lineage, inherited_from) = before.map_or((Lineage::Started, None), |record| {
        (record.lineage, record.inherited_from)
    });
    ThreadRecord {
        thread_id,
        lineage,
        inherited_from,
        loadout,
    }
}

/// A spawned thread has its parent's config; what the host said of the parent, it did not say of the child.
fn of_child(of_parent: Binding, parent: &str) -> Binding {
    let mut binding = of_parent;
    binding.host_params.retain(|field, _| field == "config");
    binding.settings = None;
    binding.parent = Some(parent.to_owned());
    binding
}

fn spawned_by(record: &ThreadRecord) -> Option<String> {
    let spawned = record.lineage == Lineage::Spawned;
    record.inherited_from.clone().filter(|_| spawned)
}

/// The selection in a request; `None` if it is `null` or not there.
fn requested(params: &RawObject<'_>) -> Result<Option<CapabilitySelection>, LoadoutError> {
    match params.get(FIELD) {
        None | Some("null") => Ok(None),
        Some(text) => CapabilitySelection::from_json(text).map(Some),
    }
}

/// The thread that is resumed or forked: by id, or by the path of its session file.
fn source_thread(params: &RawObject<'_>) -> Option<String> {
    // Codex takes the path where both are given.
    let by_path = params
        .get_string("path")
        .map(PathBuf::from)
        .and_then(|path| {
            session_file::read_meta(&path)
                .ok()
                .map(|meta| meta.thread_id)
        });
    by_path.or_else(|| params.get_string("threadId").filter(|id| !id.is_empty()))
}

/// The request without the field: native.
fn without_field(frame: &Frame) -> Result<Prepared, LoadoutError> {
    let mut params = read_params(frame)?;
    params.remove(FIELD);
    Ok(Prepared::Pass(replace_params(frame.bytes(), &params)?))
}

fn own_cwd() -> Result<PathBuf, LoadoutError> {
    std::env::current_dir().map_err(|error| {
        LoadoutError::new(
            ErrorKind::InvalidSelection,
            format!("the request has no `cwd`, and Codex's own folder can't be found: {error}"),
        )
        .with_hint("Send an absolute `cwd`.")
    })
}

fn with_receipt(response: &Frame, record: &ThreadRecord) -> Result<Bytes, LoadoutError> {
    let receipt =
        serde_json::to_string(&record.loadout.receipt).unwrap_or_else(|_| "null".to_owned());
    Ok(insert_into_result(response.bytes(), FIELD, &receipt)?)
}

fn refusal(response: &Frame, error: &LoadoutError) -> Bytes {
    answer_frame(&response.id(), "error", &error.to_json_rpc().to_string())
}
