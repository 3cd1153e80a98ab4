//! Forks: with their source's loadout, or with one of their own.
//!
//! Codex gives a fork its source's root. One that is to have another loadout is
//! set apart before the host hears of it: Codex makes it with as little as can be,
//! lets go of it, its session file is led to a root of its own, and Codex loads it
//! with its loadout. It runs no turn before that is done, and what can't be set
//! apart is deleted.

use bytes::Bytes;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::selection::FIELD;
use codex_loadout_protocol::{CapabilitySelection, ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Value, json};

use super::opening::{own_cwd, requested, source_thread, without_field};
use super::rebind::Told;
use super::settling::{refusal, with_receipt};
use super::work::{Pending, Work};
use crate::connection::AskError;
use crate::crash_point::crash_point;
use crate::interceptors::initialize::UpstreamInfo;
use crate::interceptors::thread;
use crate::loadouts::{
    Binding, Place, Recorded, cwd_of, is_prediction, read_params, resumable_params,
};
use crate::lowering::MergeMode;
use crate::router::{Prepared, Rebound, Settled, Ticket};
use crate::selections::{Happening, Lineage, LoadoutRecord, ThreadRecord};
use crate::wire::{Frame, Id, RawObject};

/// A fork that is to have a root of its own.
#[derive(Debug)]
pub(super) struct Apart {
    source: String,
    /// The root.
    root: String,
    /// Its loadout; `None`: it is native.
    loadout: Option<LoadoutRecord>,
    /// What it is told when it is loaded again.
    binding: Binding,
}

/// A fork that Codex has made, on its way to its own root.
#[derive(Debug)]
pub(super) struct MadeFork {
    thread: String,
    /// Codex's answer.
    response: Frame,
    apart: Apart,
}

impl Work {
    pub(super) async fn fork(
        &self,
        ticket: Ticket,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let upstream = self.upstream().await?;
        let Some(source) = source_thread(&params) else {
            return Ok(Prepared::Pass(frame.bytes().clone()));
        };
        self.alone.begin(ticket, &source).await;
        let recorded = self
            .loadouts
            .recorded(&source, &upstream.codex_home)
            .await?;
        let asked = thread::selection(frame);
        let record = match (recorded, asked) {
            (Recorded::Native, None) => return Ok(Prepared::Pass(frame.bytes().clone())),
            (Recorded::Native, Some(_)) => None,
            (Recorded::Loadout(record), _) => Some(*record),
        };
        if let Some(record) = &record
            && self.bindings.get(&source).is_none()
        {
            self.lead_to_root(&source, &record.loadout, &upstream)
                .await?;
        }
        match (record, asked) {
            (Some(record), None) => {
                let catalog = self.catalog_of_thread(&upstream, &params, &record).await?;
                let launch = self
                    .loadouts
                    .again(frame, &source, record.loadout, &catalog, &upstream)
                    .await?;
                let pending = Pending::Fork {
                    source,
                    loadout: launch.record,
                    binding: launch.binding,
                };
                Ok(self.forward(ticket, launch.request, pending))
            }
            (record, _) => {
                let wish = Wish {
                    frame,
                    selection: requested(&params)?,
                    params,
                };
                match record {
                    Some(record) if record.loadout.root.is_some() => {
                        self.fork_apart(ticket, wish, record, &upstream).await
                    }
                    record => self.fork_of_rootless(ticket, wish, record, &upstream).await,
                }
            }
        }
    }

    /// A fork of a thread without a root has none either, and its loadout has to do without.
    async fn fork_of_rootless(
        &self,
        ticket: Ticket,
        wish: Wish<'_>,
        record: Option<ThreadRecord>,
        upstream: &UpstreamInfo,
    ) -> Result<Prepared, LoadoutError> {
        let Some(selection) = wish.selection else {
            return without_field(wish.frame);
        };
        let cwd = match &record {
            Some(record) => self.cwd_of_thread(&wish.params, record).await,
            None => cwd_of(&wish.params).map_or_else(own_cwd, Ok)?,
        };
        let catalog = self.catalog_for(&selection, upstream, &cwd).await?;
        let (launch, _) = self
            .loadouts
            .anew(wish.frame, selection, Place::Nowhere, &catalog, upstream)
            .await?;
        // It inherits nothing: the loadout is its own.
        let pending = Pending::Start(launch.record, launch.binding, AuditEvent::Fork);
        Ok(self.forward(ticket, launch.request, pending))
    }

    /// A fork with another loadout than its source's, or without one.
    async fn fork_apart(
        &self,
        ticket: Ticket,
        wish: Wish<'_>,
        source: ThreadRecord,
        upstream: &UpstreamInfo,
    ) -> Result<Prepared, LoadoutError> {
        check_can_be_apart(&wish.params)?;
        let cwd = self.cwd_of_thread(&wish.params, &source).await;
        let catalog = match &wish.selection {
            Some(selection) => self.catalog_for(selection, upstream, &cwd).await?,
            None => self.catalog(upstream, &cwd).await?,
        };
        let bare = |mode| self.loadouts.bare(wish.frame, mode, &catalog, upstream);
        let (request, apart) = match wish.selection {
            Some(selection) => {
                let (launch, _) = self
                    .loadouts
                    .anew(wish.frame, selection, Place::New, &catalog, upstream)
                    .await?;
                let request = bare(MergeMode::of(launch.record.plan.mode))?;
                let apart = Apart {
                    source: source.thread_id.clone(),
                    root: launch.record.root.clone().unwrap_or_default(),
                    loadout: Some(launch.record),
                    binding: launch.binding,
                };
                (request, apart)
            }
            None => {
                let request = bare(MergeMode::Open)?;
                let apart = Apart {
                    source: source.thread_id.clone(),
                    root: self.loadouts.new_empty_root().await?,
                    loadout: None,
                    binding: Binding {
                        config: None,
                        loadout: source.loadout.into(),
                        host_params: resumable_params(&wish.params),
                        checked: None,
                        cwd,
                        next_cwd: None,
                        settings: None,
                        parent: None,
                    },
                };
                (request, apart)
            }
        };
        // So that whoever comes after a crash knows which root it was to have.
        let mark = uuid::Uuid::now_v7().to_string();
        let selections = self.loadouts.selections().await?;
        selections
            .begin_forking(&apart.root, &source.thread_id, &mark)
            .await?;
        Ok(self.forward(ticket, request, Pending::Apart(Box::new(apart))))
    }

    /// Codex refused the fork.
    pub(super) async fn never_made(&self, apart: Apart) {
        self.end_forking(apart.root).await;
    }

    /// There is no fork that is to have this root.
    async fn end_forking(&self, root: String) {
        let ended = async {
            let selections = self.loadouts.selections().await?;
            Ok::<(), LoadoutError>(selections.end_forking(&root).await?)
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the note of a fork that is none stays behind");
        }
        self.loadouts.discard_root(root).await;
    }

    /// Codex has made the fork: once it has said all it has to say about that, the router is to keep
    /// the host from hearing more.
    pub(super) async fn made(&self, ticket: Ticket, fork: MadeFork) {
        // An answer comes behind what Codex said before.
        if let Err(error) = self.is_loaded(&fork.thread).await {
            tracing::debug!(%error, "Codex may be gone");
        }
        self.made_forks.insert(ticket, fork);
    }

    /// The id of the request that made a fork.
    #[must_use]
    pub fn forked_by(&self, ticket: Ticket) -> Id {
        let made = self.made_forks.get(&ticket);
        made.map_or_else(|| Id::from_json("null"), |fork| fork.response.id())
    }

    /// Gives the fork its own root, and the answer for the host.
    pub async fn set_apart(&self, ticket: Ticket) -> (Bytes, Settled) {
        let Some((_, fork)) = self.made_forks.remove(&ticket) else {
            return (Bytes::new(), Settled::Hidden);
        };
        let MadeFork {
            thread: made,
            response,
            apart,
        } = fork;
        let (source, root) = (apart.source.clone(), apart.root.clone());
        match self.lead_apart(&made, apart).await {
            Ok(None) => (response.into_bytes(), Settled::Native),
            Ok(Some(record)) => match with_receipt(&response, &record) {
                Ok(answer) => (answer, Settled::Loadout),
                Err(error) => (refusal(&response, &error), Settled::Loadout),
            },
            Err(error) => {
                tracing::warn!(%error, made, "a fork could not be set apart from its source");
                self.note_refusal(thread::FORK, Some(source), &error).await;
                self.unmake(&made, root).await;
                (refusal(&response, &error), Settled::Hidden)
            }
        }
    }

    async fn lead_apart(
        &self,
        thread: &str,
        apart: Apart,
    ) -> Result<Option<ThreadRecord>, LoadoutError> {
        let Apart {
            source,
            root,
            loadout,
            binding,
        } = apart;
        let upstream = self.upstream().await?;
        let _excluding = self.beginnings.exclude().await;
        crash_point("fork: before unload");
        let unload = [thread.to_owned()];
        let (_, unloaded) = self.unload_all(&unload, &[], &upstream).await;
        unloaded?;
        crash_point("fork: after unload");
        let home = &upstream.codex_home;
        self.loadouts.give_root(thread, home, &root).await?;
        let record = loadout.map(|loadout| ThreadRecord {
            thread_id: thread.to_owned(),
            // It inherits nothing: the loadout is its own.
            lineage: Lineage::Started,
            inherited_from: None,
            loadout,
        });
        let selections = self.loadouts.selections().await?;
        match &record {
            Some(record) => {
                let cause = format!("fork of {source}, with a loadout of its own");
                selections
                    .put_thread(record, AuditEvent::Fork, &cause)
                    .await?;
            }
            None => {
                let cause = format!("fork of {source}, without a loadout");
                let happening = Happening::new(AuditEvent::Fork, cause).to_thread(thread);
                self.loadouts.note(happening).await;
            }
        }
        selections.end_forking(&root).await?;
        crash_point("fork: after record");
        let lowered = match &record {
            Some(record) => {
                let catalog = self.catalog(&upstream, &binding.cwd).await?;
                Some(
                    self.loadouts
                        .told_now(&record.loadout, &catalog, &upstream)?,
                )
            }
            None => None,
        };
        let told = Told {
            thread: thread.to_owned(),
            binding,
            lowered,
            cause: None,
        };
        // The host hears of it by the answer.
        let mut unheard = Rebound::only(Prepared::Reply(Bytes::new()));
        self.load(told, &upstream, &mut unheard).await?;
        Ok(record)
    }

    /// A fork that has its source's root and should not is no thread of anybody's.
    async fn unmake(&self, thread: &str, root: String) {
        let named = json!({ "threadId": thread });
        let deleted: Result<Value, AskError> = self.asker.ask("thread/delete", &named).await;
        self.bindings.remove(thread);
        self.forget(thread).await;
        match deleted {
            Ok(_) => self.end_forking(root).await,
            // Its root stays for whoever finds it: the note, or its record, leads there.
            Err(error) => tracing::warn!(%error, thread, "a fork that failed could not be deleted"),
        }
    }
}

/// What the host wants of a fork.
struct Wish<'a> {
    frame: &'a Frame,
    params: RawObject<'a>,
    selection: Option<CapabilitySelection>,
}

/// Codex has to let go of a fork and load it again: it can't what it does not write down, nor what
/// goes on with its source's config.
fn check_can_be_apart(params: &RawObject<'_>) -> Result<(), LoadoutError> {
    let kept_in_memory = params.get("ephemeral") == Some("true");
    if !kept_in_memory && !is_prediction(params) {
        return Ok(());
    }
    Err(LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        "a fork that Codex keeps in memory has its source's root, so it can't have another loadout",
    )
    .with_hint("Fork without `capabilitySelection`, or without `ephemeral`.")
    .with_items(vec![ErrorItem::named(FIELD)]))
}

impl MadeFork {
    pub(super) fn new(thread: String, response: Frame, apart: Apart) -> Self {
        Self {
            thread,
            response,
            apart,
        }
    }
}
