//! A fork that is to have another loadout than its source, split from it before the host hears of
//! it: Codex has made it with as little as can be, lets go of it, its session file is led to a root of
//! its own, and Codex loads it with its loadout. What can't be split is deleted.

use bytes::Bytes;
use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::AuditEvent;
use serde_json::{Value, json};

use super::rebind::DesiredConfig;
use super::request_handlers::{Request, RequestHandlers, Stage};
use super::settling::{refusal, with_receipt};
use crate::connection::RpcError;
use crate::crash_point::crash_point;
use crate::loadouts::AppliedConfig;
use crate::messages::thread::FORK;
use crate::records::{Happening, Lineage, LoadoutRecord, ThreadRecord};
use crate::router::{Prepared, Rebound, Settled, internal_error};
use crate::wire::Frame;

/// A fork that is to have a root of its own.
#[derive(Debug)]
pub(super) struct ForkSplit {
    /// The thread it is forked from.
    pub(super) source: String,
    /// The root.
    pub(super) root: String,
    /// Its loadout; `None`: it is native.
    pub(super) loadout: Option<LoadoutRecord>,
    /// What it is told when it is loaded again.
    pub(super) applied: AppliedConfig,
}

/// A fork that Codex has made, on its way to its own root.
#[derive(Debug)]
pub(super) struct MadeFork {
    thread: String,
    /// Codex's answer.
    response: Frame,
    split: ForkSplit,
}

impl MadeFork {
    pub(super) fn new(thread: String, response: Frame, split: ForkSplit) -> Self {
        Self {
            thread,
            response,
            split,
        }
    }
}

impl RequestHandlers {
    /// Codex refused the fork.
    pub(super) async fn never_made(&self, split: ForkSplit) {
        self.end_forking(split.root).await;
    }

    /// There is no fork that is to have this root.
    async fn end_forking(&self, root: String) {
        let ended = async {
            let records = self.loadouts.records().await?;
            Ok::<(), LoadoutError>(records.end_forking(&root).await?)
        };
        if let Err(error) = ended.await {
            tracing::warn!(%error, "the note of a fork that is none stays behind");
        }
        self.loadouts.discard_root(root).await;
    }

    /// Codex has made the fork: once it has said all it has to say about that, the router is to keep
    /// the host from hearing more.
    pub(super) async fn made(&self, fork: &MadeFork) {
        // An answer comes behind what Codex said before.
        if let Err(error) = self.is_loaded(&fork.thread).await {
            tracing::debug!(%error, "Codex may be gone");
        }
    }

    /// Gives the fork its own root, and the answer for the host.
    pub(super) async fn split_fork(&self, request: &mut Request) -> (Bytes, Settled) {
        let Stage::Made(fork) = std::mem::take(&mut request.payload.stage) else {
            return (internal_error(&request.frame.id()), Settled::Hidden);
        };
        let MadeFork {
            thread: made,
            response,
            split,
        } = *fork;
        let (source, root) = (split.source.clone(), split.root.clone());
        match self.split(&made, split).await {
            Ok(None) => (response.into_bytes(), Settled::Native),
            Ok(Some(record)) => match with_receipt(&response, &record) {
                Ok(answer) => (answer, Settled::Loadout),
                Err(error) => (refusal(&response, &error), Settled::Loadout),
            },
            Err(error) => {
                tracing::warn!(%error, made, "a fork could not be split from its source");
                self.note_refusal(FORK, Some(source), &error).await;
                self.unmake(&made, root).await;
                (refusal(&response, &error), Settled::Hidden)
            }
        }
    }

    async fn split(
        &self,
        thread: &str,
        split: ForkSplit,
    ) -> Result<Option<ThreadRecord>, LoadoutError> {
        let ForkSplit {
            source,
            root,
            loadout,
            applied,
        } = split;
        let upstream = self.upstream().await?;
        crash_point("fork: before unload");
        let unload = [thread.to_owned()];
        let (unloaded, done) = self.unload_all(&unload, &[], &upstream).await;
        done?;
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
        let records = self.loadouts.records().await?;
        match &record {
            Some(record) => {
                let cause = format!("fork of {source}, with a loadout of its own");
                records.put_thread(record, AuditEvent::Fork, &cause).await?;
            }
            None => {
                let cause = format!("fork of {source}, without a loadout");
                let happening = Happening::new(AuditEvent::Fork, cause).to_thread(thread);
                self.loadouts.note(happening).await;
            }
        }
        records.end_forking(&root).await?;
        crash_point("fork: after record");
        let lowered = match &record {
            Some(record) => {
                let plan = &record.loadout.plan;
                let catalog = self.catalog_with(plan, &upstream, &applied.cwd).await?;
                Some(
                    self.loadouts
                        .lowered_at_load(&record.loadout, &catalog, &upstream)?,
                )
            }
            None => None,
        };
        let told = DesiredConfig {
            thread: thread.to_owned(),
            applied,
            lowered,
            cause: None,
        };
        // The host hears of it by the answer.
        let mut unheard = Rebound::only(Prepared::Reply(Bytes::new()));
        self.load(told, &unloaded, &upstream, &mut unheard).await?;
        Ok(record)
    }

    /// A fork that has its source's root and should not is no thread of anybody's.
    async fn unmake(&self, thread: &str, root: String) {
        let named = json!({ "threadId": thread });
        let deleted: Result<Value, RpcError> = self.rpc.ask("thread/delete", &named).await;
        self.applied.remove(thread);
        self.forget(thread).await;
        match deleted {
            Ok(_) => self.end_forking(root).await,
            // Its root stays for whoever finds it: the note, or its record, leads there.
            Err(error) => tracing::warn!(%error, thread, "a fork that failed could not be deleted"),
        }
    }
}
