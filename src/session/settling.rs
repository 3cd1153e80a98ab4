//! What Codex has done is made durable before the host hears of it.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::LoadoutError;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::selection::FIELD;
use serde_json::json;

use super::fork_split::MadeFork;
use super::reload::resume_with;
use super::request_handlers::{Pending, Request, RequestHandlers, Stage};
use crate::crash_point::crash_point;
use crate::loadouts::AppliedConfig;
use crate::messages::thread;
use crate::records::{Lineage, LoadoutRecord, ThreadRecord};
use crate::router::Settled;
use crate::wire::{Frame, answer_frame, insert_into_result};

/// What was under way when a loadout could not be recorded.
const RECORDING: &str = "recording the loadout";
/// Codex is busy with a new thread for a while after it has answered (about 20 ms, 0.169).
const QUIET: Duration = Duration::from_millis(30);

impl RequestHandlers {
    /// Codex answered: records what it made, and gives the answer for the host and what the thread is
    /// to it; `None`: a fork is to be split first.
    pub(super) async fn settle(
        &self,
        request: &mut Request,
        response: Frame,
    ) -> Option<(Bytes, Settled)> {
        let response = match request.payload.resume.take() {
            Some(resume) if thread::is_closing(&response) => {
                let response = self.resume_once_closed(&resume, response).await;
                request.has_answer(&response);
                response
            }
            _ => response,
        };
        let is_loaded = request.answered_thread().is_some();
        let outcome = self.record_answer(request, response).await;
        if let Some(left) = request.payload.left.take() {
            match is_loaded {
                true => self.come_back(&left.hosts, &left.params).await,
                false => self.tell_closed(&left.hosts, &left.thread),
            }
        }
        outcome
    }

    /// A thread with a loadout goes as soon as the last host has left it. One that comes back at that moment is refused
    /// by Codex; without us the thread would be loaded still. So it waits until it can be resumed.
    async fn resume_once_closed(&self, resume: &Bytes, refused: Frame) -> Frame {
        #[derive(serde::Deserialize)]
        struct Message {
            params: serde_json::Map<String, serde_json::Value>,
        }
        let Ok(Message { params }) = serde_json::from_slice(resume) else {
            return refused;
        };
        match resume_with(&self.rpc, &params).await {
            Ok(resumed) => {
                let result = answer_frame(&refused.id(), "result", &resumed.to_string());
                Frame::new(result)
            }
            Err(error) => {
                tracing::debug!(%error, "a thread that was closing is not resumed");
                refused
            }
        }
    }

    async fn record_answer(
        &self,
        request: &mut Request,
        response: Frame,
    ) -> Option<(Bytes, Settled)> {
        let Stage::Pending(pending) = std::mem::take(&mut request.payload.stage) else {
            return Some((response.into_bytes(), Settled::Native));
        };
        let pending = *pending;
        let Some(thread_id) = thread::named_in_result(&response) else {
            // Codex refused; a root that was made for nobody goes.
            match pending {
                Pending::Start(loadout, ..) => self.loadouts.discard(loadout).await,
                Pending::ForkSplit(split) => self.never_made(*split).await,
                Pending::Resume(record, Some(_), _) => self.applied.remove(&record.thread_id),
                Pending::Resume(..) | Pending::Drop { .. } | Pending::Fork { .. } => {}
            }
            return Some((response.into_bytes(), Settled::Native));
        };
        crash_point("answer: before record");
        let recorded = match pending {
            Pending::ForkSplit(split) => {
                let fork = MadeFork::new(thread_id, response, *split);
                self.made(&fork).await;
                request.payload.stage = Stage::Made(Box::new(fork));
                return None;
            }
            Pending::Start(..)
            | Pending::Resume(..)
            | Pending::Drop { .. }
            | Pending::Fork { .. } => self.record(&thread_id, pending).await,
        };
        crash_point("answer: after record");
        Some(match recorded {
            Ok(None) => (response.into_bytes(), Settled::Native),
            Ok(Some(record)) => match with_receipt(&response, &record) {
                Ok(answer) => (answer, Settled::Loadout),
                Err(error) => (refusal(&response, &error), Settled::Loadout),
            },
            Err(error) => {
                tracing::error!(%error, thread_id, "a loadout could not be recorded");
                let thread = Some(thread_id.clone());
                self.note_refusal(RECORDING, thread, &error).await;
                // A thread whose loadout is not on disk is never shown to a host.
                if let Some(left) = request.payload.left.take() {
                    self.tell_closed(&left.hosts, &left.thread);
                }
                let unload = json!({ "threadId": thread_id });
                let _: Result<serde_json::Value, _> =
                    self.rpc.ask("thread/unsubscribe", &unload).await;
                (refusal(&response, &error), Settled::Native)
            }
        })
    }

    async fn record(
        &self,
        thread_id: &str,
        pending: Pending,
    ) -> Result<Option<ThreadRecord>, LoadoutError> {
        let records = self.loadouts.records().await?;
        match pending {
            Pending::Start(mut loadout, applied, event) => {
                self.show_due_list(thread_id, &mut loadout).await?;
                let record = ThreadRecord {
                    thread_id: thread_id.to_owned(),
                    lineage: Lineage::Started,
                    inherited_from: None,
                    loadout,
                };
                let method = match event {
                    AuditEvent::Fork => thread::FORK,
                    _ => thread::START,
                };
                let cause = record.loadout.cause(method);
                records.put_thread(&record, event, &cause).await?;
                self.applied.set(thread_id, applied);
                if record.loadout.root.is_some() {
                    self.prepare_for_the_next(&record.loadout);
                }
                Ok(Some(record))
            }
            Pending::Resume(mut record, applied, event) => {
                self.show_due_list(thread_id, &mut record.loadout).await?;
                let cause = match event {
                    AuditEvent::Update => record.loadout.cause(thread::RESUME),
                    _ => thread::RESUME.to_owned(),
                };
                records.put_thread(&record, event, &cause).await?;
                if let Some(mut applied) = applied {
                    let now = self.applied.get(thread_id);
                    applied.servers_heard = now.and_then(|now| now.servers_heard.clone());
                    Arc::make_mut(&mut applied.loadout).list_is_due = false;
                    applied.parent.clone_from(&spawned_by(&record));
                    self.applied.set(thread_id, applied);
                }
                Ok(Some(record))
            }
            Pending::Drop { thread_id } => {
                let cause = format!("{}: back to native", thread::RESUME);
                records.drop_loadout(&thread_id, &cause).await?;
                self.applied.remove(&thread_id);
                Ok(None)
            }
            Pending::Fork {
                source,
                mut loadout,
                applied,
            } => {
                self.show_due_list(thread_id, &mut loadout).await?;
                let record = self
                    .loadouts
                    .inherit(thread_id, Lineage::Forked, &source, loadout)
                    .await?;
                self.applied.set(thread_id, applied);
                Ok(Some(record))
            }
            // Recorded when it has its root.
            Pending::ForkSplit(_) => Ok(None),
        }
    }

    /// A thread whose history shows another list of skills is shown its loadout's.
    async fn show_due_list(
        &self,
        thread: &str,
        loadout: &mut LoadoutRecord,
    ) -> Result<(), LoadoutError> {
        if !loadout.list_is_due {
            return Ok(());
        }
        let upstream = self.upstream().await?;
        let catalog = self.catalog(&upstream, &loadout.cwd).await?;
        if let Some(list) = self.loadouts.skill_list(&loadout.plan, &catalog) {
            self.show_list(thread, &list).await?;
        }
        loadout.list_is_due = false;
        Ok(())
    }

    /// Once no thread was started for a moment, gets ready for more of the last kind.
    fn prepare_for_the_next(&self, model: &LoadoutRecord) {
        let (loadouts, model) = (self.loadouts.clone(), model.clone());
        let next = tokio::spawn(async move {
            tokio::time::sleep(QUIET).await;
            loadouts.fill_root_pool(model).await;
        });
        let before = self
            .process
            .getting_ready
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(next.abort_handle());
        if let Some(before) = before {
            before.abort();
        }
    }

    /// Records the loadouts of spawned threads.
    pub(crate) async fn adopt(&self, parent: &str, children: &[String]) {
        let _lock = self.process.locks.lock(parent).await;
        crash_point("spawn: before record");
        let adopted = async {
            let records = self.loadouts.records().await?;
            if let Some(record) = records.thread(parent).await? {
                for child in children {
                    self.loadouts
                        .inherit(child, Lineage::Spawned, parent, record.loadout.clone())
                        .await?;
                    if let Some(of_parent) = self.applied.get(parent) {
                        self.applied
                            .set(child, of_child(Arc::unwrap_or_clone(of_parent), parent));
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
    pub(crate) async fn forget(&self, thread_id: &str) {
        let forgotten = async {
            self.loadouts
                .records()
                .await?
                .delete_thread(thread_id)
                .await?;
            Ok::<(), LoadoutError>(())
        };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, thread_id, "the record of a deleted thread stays behind");
        }
    }
}

/// A spawned thread has its parent's config; what the host said of the parent, it did not say of the child.
fn of_child(of_parent: AppliedConfig, parent: &str) -> AppliedConfig {
    let mut applied = of_parent;
    applied.host_params.retain(|field, _| field == "config");
    applied.settings = None;
    // Codex may have told of its servers before it told of the thread.
    applied.servers_heard = None;
    applied.parent = Some(parent.to_owned());
    applied
}

fn spawned_by(record: &ThreadRecord) -> Option<String> {
    let spawned = record.lineage == Lineage::Spawned;
    record.inherited_from.clone().filter(|_| spawned)
}

pub(super) fn with_receipt(response: &Frame, record: &ThreadRecord) -> Result<Bytes, LoadoutError> {
    let receipt =
        serde_json::to_string(&record.loadout.receipt).unwrap_or_else(|_| "null".to_owned());
    Ok(insert_into_result(response.bytes(), FIELD, &receipt)?)
}

pub(super) fn refusal(response: &Frame, error: &LoadoutError) -> Bytes {
    answer_frame(&response.id(), "error", &error.to_json_rpc().to_string())
}
