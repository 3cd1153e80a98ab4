//! Threads that live, told anew: before a turn when something has changed underneath them, or when
//! the host wants another loadout for one.
//!
//! Codex takes a thread's config only when it loads the thread. So the thread is
//! unloaded and loaded again, with the config of now and its history as it was.

use std::sync::Arc;

use bytes::Bytes;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::method::{THREAD_CAPABILITY_UPDATE, ThreadCapabilityUpdateResult};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, Receipt};
use serde_json::{Map, Value, json};

use super::reload::{Unloaded, notice};
use super::request_handlers::{Carried, Left, Pending, Request, RequestHandlers, Stage};
use crate::bundle::Digest;
use crate::connection::RpcError;
use crate::crash_point::crash_point;
use crate::loadouts::{AppliedConfig, RootAssignment};
use crate::lowering::Lowered;
use crate::messages::initialize::UpstreamInfo;
use crate::messages::mentions::Mentions;
use crate::records::ThreadRecord;
use crate::router::{Prepared, Rebound, internal_error};
use crate::wire::{answer_frame, result_frame};

/// How often threads are told again when something changes while they are told.
const TRIES: usize = 3;

/// What is to be done once the router has closed the gates.
#[derive(Debug)]
pub(super) struct Rebind {
    /// Threads to unload, parents before children.
    pub(super) unload: Vec<String>,
    /// Threads that Codex takes to the archive with them, where it has to be done that way.
    pub(super) along: Vec<String>,
    /// What lies at a root is swapped while nobody has it loaded, and the record with it.
    pub(super) change: Option<Change>,
    /// Threads to load again, parents before children.
    pub(super) load: Vec<DesiredConfig>,
    /// What becomes of the request then.
    pub(super) then: Then,
}

/// A thread's loadout becomes another.
#[derive(Debug)]
pub(super) enum Change {
    /// This one.
    To {
        /// What lies in the store.
        loadout: Digest,
        /// The thread's record.
        record: Box<ThreadRecord>,
        /// Where it is to lie for the thread.
        place: RootAssignment,
    },
    /// None.
    Native {
        /// The thread.
        thread: String,
        /// Where nothing is to lie for it.
        place: RootAssignment,
    },
}

impl Change {
    fn thread(&self) -> &str {
        match self {
            Self::To { record, .. } => &record.thread_id,
            Self::Native { thread, .. } => thread,
        }
    }

    /// The root that was made for it.
    fn new_root(&self) -> Option<&str> {
        match self {
            Self::To {
                record,
                place: RootAssignment::New,
                ..
            } => record.loadout.root.as_deref(),
            Self::To { .. } | Self::Native { .. } => None,
        }
    }
}

/// A thread and what it is told.
#[derive(Debug)]
pub(super) struct DesiredConfig {
    pub(super) thread: String,
    pub(super) applied: AppliedConfig,
    /// `None`: nothing of ours.
    pub(super) lowered: Option<Lowered>,
    /// Why, where it keeps its loadout.
    pub(super) cause: Option<String>,
}

/// What becomes of the request that waited.
#[derive(Debug)]
pub(super) enum Then {
    /// It gives this thread something to read, and goes to Codex as it came.
    Turn(String),
    /// It goes to Codex as it came.
    Pass,
    /// It goes to Codex like this, and its answer is settled.
    Forward(Bytes, Box<Pending>),
    /// `thread/capability/update`: the receipt in force.
    Tell(Option<Box<Receipt>>),
}

impl RequestHandlers {
    /// Keeps what is to be done until the router keeps everything else away from the threads.
    pub(super) fn when_quiet(&self, carried: &mut Carried, rebind: Rebind) -> Prepared {
        let threads = rebind.unload.iter().chain(&rebind.along).cloned().collect();
        let patient = matches!(rebind.then, Then::Pass);
        carried.stage = Stage::Rebind(Box::new(rebind));
        Prepared::Rebind { threads, patient }
    }

    /// The router refused the request, or Codex did not live to answer it: nothing is bound anew for it.
    pub(super) async fn abandon(&self, mut request: Request) {
        if let Some(left) = request.payload.left.take() {
            self.tell_closed(&left.hosts, &left.thread);
        }
        let Stage::Rebind(rebind) = std::mem::take(&mut request.payload.stage) else {
            return;
        };
        let busy = LoadoutError::new(ErrorKind::ThreadBusy, "a turn is under way");
        self.note_refused_request(&request, &busy).await;
        if let Some(root) = rebind.change.as_ref().and_then(Change::new_root) {
            self.loadouts.discard_root(root.to_owned()).await;
        }
    }

    /// Tells threads anew; the router keeps everything else away from them meanwhile.
    pub(super) async fn rebind(&self, request: &mut Request) -> Rebound {
        let id = request.frame.id();
        let Stage::Rebind(rebind) = std::mem::take(&mut request.payload.stage) else {
            return Rebound::only(Prepared::Reply(internal_error(&id)));
        };
        match self.carry_out(request, *rebind).await {
            Ok(rebound) => rebound,
            Err(error) => {
                tracing::warn!(%error, "threads could not be bound anew");
                self.note_refused_request(request, &error).await;
                let error = error.to_json_rpc().to_string();
                Rebound::only(Prepared::Reply(answer_frame(&id, "error", &error)))
            }
        }
    }

    async fn carry_out(
        &self,
        request: &mut Request,
        rebind: Rebind,
    ) -> Result<Rebound, LoadoutError> {
        let upstream = self.upstream().await?;
        if let Err(error) = self.check_at_rest(&rebind.unload).await {
            if let Some(root) = rebind.change.as_ref().and_then(Change::new_root) {
                self.loadouts.discard_root(root.to_owned()).await;
            }
            return Err(error);
        }
        crash_point("rebind: before unload");
        let (unloaded, mut done) = self
            .unload_all(&rebind.unload, &rebind.along, &upstream)
            .await;
        crash_point("rebind: after unload");
        let mut rebound = Rebound::only(Prepared::Reply(Bytes::new()));
        let mut load = rebind.load;
        let changed = rebind
            .change
            .as_ref()
            .map(|change| change.thread().to_owned());
        if let Some(change) = rebind.change {
            let thread = change.thread().to_owned();
            let new_root = change.new_root().map(str::to_owned);
            if done.is_ok() {
                // What goes to Codex first is on record when Codex has said yes.
                let durable = matches!(rebind.then, Then::Tell(_));
                done = self.change(change, durable, &upstream, &mut rebound).await;
            }
            if done.is_err() {
                // It goes on with what it had, in all parts.
                self.as_before(&thread, &mut load, &upstream).await;
                if let Some(root) = new_root {
                    self.loadouts.discard_root(root).await;
                }
            }
        }
        crash_point("rebind: after change");
        // Those that went are brought back also if others did not go.
        let loaded = self
            .load_all(load, &unloaded, &upstream, &mut rebound)
            .await;
        done = done.and(loaded);
        crash_point("rebind: after load");
        if let Then::Forward(bytes, _) = &rebind.then {
            // The request itself loads it, for its host alone.
            let left = changed.and_then(|thread| self.left(&unloaded, thread, bytes));
            if done.is_err()
                && let Some(left) = &left
            {
                self.tell_closed(&left.hosts, &left.thread);
            }
            request.payload.left = left;
        }
        done?;
        rebound.then = match rebind.then {
            Then::Turn(thread) => {
                let mentions = Mentions::of(&request.frame);
                self.tell_again(&thread, mentions, &rebind.unload, &mut rebound, &upstream)
                    .await?;
                Prepared::Pass(request.frame.bytes().clone())
            }
            Then::Pass => Prepared::Pass(request.frame.bytes().clone()),
            Then::Forward(bytes, pending) => self.forward(&mut request.payload, bytes, *pending),
            Then::Tell(receipt) => {
                let result = ThreadCapabilityUpdateResult {
                    capability_selection: receipt.map(|receipt| *receipt),
                };
                let id = request.frame.id();
                let answer = result_frame(&id, &result);
                Prepared::Reply(answer.unwrap_or_else(|_| internal_error(&id)))
            }
        };
        Ok(rebound)
    }

    /// The other hosts that have left a thread for a request that loads it.
    fn left(&self, unloaded: &Unloaded, thread: String, request: &Bytes) -> Option<Left> {
        #[derive(serde::Deserialize)]
        struct Message {
            params: Map<String, Value>,
        }
        let hosts = Self::without(unloaded.subscribers(&thread), self.id);
        let Message { params } = serde_json::from_slice(request).ok()?;
        (!hosts.is_empty()).then_some(Left {
            thread,
            hosts,
            params,
        })
    }

    /// Something may have changed again while the threads were loaded.
    async fn tell_again(
        &self,
        thread: &str,
        mentions: Option<Mentions>,
        gated: &[String],
        rebound: &mut Rebound,
        upstream: &UpstreamInfo,
    ) -> Result<(), LoadoutError> {
        for _ in 0..TRIES {
            let stale = self.stale(thread, mentions.as_ref(), upstream).await?;
            if stale.is_empty() {
                return Ok(());
            }
            let threads: Vec<String> = stale.iter().map(|told| told.thread.clone()).collect();
            if threads.iter().any(|thread| !gated.contains(thread)) {
                break;
            }
            let along = self.taken_along(&threads, upstream).await?;
            let (unloaded, done) = self.unload_all(&threads, &along, upstream).await;
            rebound.notices.clear();
            let loaded = self.load_all(stale, &unloaded, upstream, rebound).await;
            done.and(loaded)?;
        }
        Err(LoadoutError::new(
            ErrorKind::ThreadBusy,
            format!("what lies underneath thread `{thread}` changes faster than it can be told"),
        )
        .with_hint("Send the request again.")
        .with_items(vec![ErrorItem::named(thread)]))
    }

    /// None of these threads has begun a turn since they were found idle: a goal or a queued message may
    /// have, and not every host lets Codex say so.
    async fn check_at_rest(&self, threads: &[String]) -> Result<(), LoadoutError> {
        for thread in threads {
            let named = json!({ "threadId": thread });
            let read: Result<Value, RpcError> = self.rpc.ask("thread/read", &named).await;
            if read.is_ok_and(|read| read["thread"]["status"]["type"] == "active") {
                let message = format!("thread `{thread}` has begun a turn by itself");
                return Err(LoadoutError::new(ErrorKind::ThreadBusy, message)
                    .with_hint("Send the request again when the turn has ended.")
                    .with_items(vec![ErrorItem::named(thread)]));
            }
        }
        Ok(())
    }

    /// Loads those again that were unloaded.
    async fn load_all(
        &self,
        load: Vec<DesiredConfig>,
        unloaded: &Unloaded,
        upstream: &UpstreamInfo,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        let mut done = Ok(());
        for told in load {
            if unloaded.has(&told.thread) {
                let loaded = self.load(told, unloaded, upstream, rebound).await;
                done = done.and(loaded);
            }
        }
        done
    }

    /// Replaces what a thread was to be told by what it was told before. What can't be found out is
    /// not loaded again.
    async fn as_before(
        &self,
        thread: &str,
        load: &mut Vec<DesiredConfig>,
        upstream: &UpstreamInfo,
    ) {
        let Some(at) = load.iter().position(|told| told.thread == thread) else {
            return;
        };
        load.remove(at);
        let Some(applied) = self.applied.get(thread) else {
            return;
        };
        let cause = "what was to be changed could not be".to_owned();
        match self
            .desired_as_it_is(thread, Arc::unwrap_or_clone(applied), cause, upstream)
            .await
        {
            Ok(told) => load.insert(at, told),
            Err(error) => tracing::warn!(%error, thread, "not loaded again"),
        }
    }

    /// A thread with its loadout, lowered onto the user's set of this moment.
    pub(super) async fn desired_as_it_is(
        &self,
        thread: &str,
        applied: AppliedConfig,
        cause: String,
        upstream: &UpstreamInfo,
    ) -> Result<DesiredConfig, LoadoutError> {
        let plan = &applied.loadout.plan;
        let catalog = self.catalog_with(plan, upstream, &applied.cwd).await?;
        let lowered = self
            .loadouts
            .lowered_at_load(&applied.loadout, &catalog, upstream)?;
        Ok(DesiredConfig {
            thread: thread.to_owned(),
            applied,
            lowered: Some(lowered),
            cause: Some(cause),
        })
    }

    async fn change(
        &self,
        change: Change,
        durable: bool,
        upstream: &UpstreamInfo,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        let (loadouts, home) = (&self.loadouts, &upstream.codex_home);
        let records = loadouts.records().await?;
        match change {
            Change::To {
                loadout,
                record,
                place,
            } => {
                let thread = &record.thread_id;
                match (&place, &record.loadout.root) {
                    (RootAssignment::New, Some(root)) => {
                        loadouts.give_root(thread, home, root).await?
                    }
                    (RootAssignment::At(root), _) => {
                        loadouts.point_root(loadout, &record.loadout).await?;
                        loadouts.lead_to_root(thread, home, root).await?;
                    }
                    _ => {}
                }
                crash_point("rebind: after the root");
                if durable {
                    let cause = THREAD_CAPABILITY_UPDATE;
                    records
                        .put_thread(&record, AuditEvent::Update, cause)
                        .await?;
                }
            }
            Change::Native { thread, place } => {
                match place {
                    RootAssignment::Nowhere => {}
                    RootAssignment::At(root) => {
                        loadouts.empty_root(root.clone(), home).await?;
                        loadouts.lead_to_root(&thread, home, &root).await?;
                    }
                    RootAssignment::New => {
                        let root = loadouts.new_empty_root(home).await?;
                        loadouts.give_root(&thread, home, &root).await?;
                    }
                }
                crash_point("rebind: after the root");
                if durable {
                    let cause = format!("{THREAD_CAPABILITY_UPDATE}: back to native");
                    records.drop_loadout(&thread, &cause).await?;
                    self.applied.remove(&thread);
                    rebound.notices.push(notice(&thread, None));
                    rebound.dropped.push(thread);
                }
            }
        }
        Ok(())
    }
}
