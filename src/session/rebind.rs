//! Threads that live, told anew: before a turn when something has changed underneath them, or when
//! the host wants another loadout for one.
//!
//! Codex takes a thread's config only when it loads the thread. So the thread is
//! unloaded and loaded again, with the config of now and its history as it was.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use codex_loadout_protocol::method::{
    THREAD_CAPABILITY_UPDATED, ThreadCapabilityUpdateResult, ThreadCapabilityUpdated,
};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, Receipt};
use serde_json::{Map, Value, json};

use super::work::{Pending, Work};
use crate::bundle::Digest;
use crate::catalog::Catalog;
use crate::connection::AskError;
use crate::crash_point::crash_point;
use crate::interceptors::initialize::UpstreamInfo;
use crate::loadouts::{Binding, cwd_of, merge_config, read_params};
use crate::lowering::{Levers, Lowered};
use crate::router::{Prepared, Rebound, Ticket};
use crate::selections::{LoadoutRecord, ThreadRecord, session_file};
use crate::wire::{Frame, Id, answer_frame};

/// Codex unloads an idle thread within milliseconds; one that takes this long is kept by somebody else.
const UNLOADED_WITHIN: Duration = Duration::from_secs(3);
/// How often threads are told again when something changes while they are told.
const TRIES: usize = 3;
/// How often to look whether it has.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// What is to be done once the router has closed the gates.
#[derive(Debug)]
pub(super) struct Rebind {
    /// The request that waits for it.
    pub(super) request: Id,
    /// Threads to unload, parents before children.
    pub(super) unload: Vec<String>,
    /// Threads that Codex takes to the archive with them, where it has to be done that way.
    pub(super) along: Vec<String>,
    /// What lies at a root is swapped while nobody has it loaded, and the record with it.
    pub(super) change: Option<Change>,
    /// Threads to load again, parents before children.
    pub(super) load: Vec<Told>,
    /// What becomes of the request then.
    pub(super) then: Then,
}

/// A thread's loadout becomes another.
#[derive(Debug)]
pub(super) enum Change {
    /// This one; it lies in the store under the digest.
    To(Digest, Box<ThreadRecord>),
    /// None.
    Native {
        /// The thread.
        thread: String,
        /// Its root.
        root: Option<String>,
    },
}

/// A thread and what it is told.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) thread: String,
    pub(super) binding: Binding,
    /// `None`: nothing of ours.
    pub(super) lowered: Option<Lowered>,
}

/// What becomes of the request that waited.
#[derive(Debug)]
pub(super) enum Then {
    /// It begins a turn of this thread, and goes to Codex as it came.
    Turn(String, Bytes),
    /// It goes to Codex like this, and its answer is settled.
    Forward(Bytes, Box<Pending>),
    /// `thread/capability/update`: the receipt in force.
    Tell(Option<Box<Receipt>>),
}

impl Work {
    /// Whether a turn may begin as things are; if not, what has to be told to which threads first.
    pub(super) async fn before_turn(
        &self,
        ticket: Ticket,
        frame: &Frame,
    ) -> Result<Prepared, LoadoutError> {
        let params = read_params(frame)?;
        let pass = || Prepared::Pass(frame.bytes().clone());
        let Some(thread) = params.get_string("threadId") else {
            return Ok(pass());
        };
        let upstream = self.upstream().await?;
        let cwd = cwd_of(&params);
        if cwd.is_some() {
            self.bindings
                .change(&thread, |binding| binding.next_cwd.clone_from(&cwd));
        }
        let entered = self.beginnings.enter().await;
        let stale = self.stale(&thread, &upstream).await?;
        if stale.is_empty() {
            self.beginnings.begin(&thread, entered);
            return Ok(pass());
        }
        drop(entered);
        let threads: Vec<String> = stale.iter().map(|told| told.thread.clone()).collect();
        tracing::info!(?threads, "something has changed underneath: bound anew");
        let rebind = Rebind {
            request: frame.id(),
            along: self.taken_along(&threads, &upstream).await?,
            unload: threads,
            change: None,
            load: stale,
            then: Then::Turn(thread, frame.bytes().clone()),
        };
        Ok(self.when_quiet(ticket, rebind))
    }

    /// Keeps what is to be done until the router has closed the gates.
    pub(super) fn when_quiet(&self, ticket: Ticket, rebind: Rebind) -> Prepared {
        let threads = rebind.unload.iter().chain(&rebind.along).cloned().collect();
        self.rebinds.insert(ticket, rebind);
        Prepared::Rebind { threads }
    }

    /// The thread and those it spawned, as far as they are not kept to their loadout as things are.
    async fn stale(
        &self,
        thread: &str,
        upstream: &UpstreamInfo,
    ) -> Result<Vec<Told>, LoadoutError> {
        let mut stale = Vec::new();
        for member in self.bindings.family(thread) {
            let Some(binding) = self.bindings.get(&member) else {
                continue;
            };
            self.loadouts.check_snapshots(&binding.loadout).await?;
            let catalog = self.catalog(upstream, &binding.cwd).await?;
            if binding.next_cwd.is_none() && is_checked(&binding, &catalog) {
                continue;
            }
            let mut lowered = self
                .loadouts
                .told_now(&binding.loadout, &catalog, upstream)?;
            if let Some(next) = &binding.next_cwd {
                let there = self.catalog(upstream, next).await?;
                let there = self.loadouts.told_now(&binding.loadout, &there, upstream)?;
                lowered.and(there);
            }
            if binding.covers(&lowered.config) {
                if binding.next_cwd.is_none() {
                    self.bindings
                        .change(&member, |binding| binding.checked = Some(catalog));
                }
                continue;
            }
            stale.push(Told {
                thread: member,
                binding,
                lowered: Some(lowered),
            });
        }
        Ok(stale)
    }

    /// The id of a request that waits for a re-bind.
    #[must_use]
    pub fn waiting_for_rebind(&self, ticket: Ticket) -> Id {
        let waiting = self.rebinds.get(&ticket);
        waiting.map_or_else(|| Id::from_json("null"), |rebind| rebind.request.clone())
    }

    /// The router refused the request: nothing is bound anew for it.
    pub fn abandon(&self, ticket: Ticket) {
        self.rebinds.remove(&ticket);
    }

    /// The host asks for other settings; Codex tells later whether it agrees, and the next turn may
    /// begin before that is heard.
    pub fn settings_asked(&self, thread: &str, request: &Frame) {
        let cwd = read_params(request).ok().and_then(|params| cwd_of(&params));
        if cwd.is_some() {
            self.bindings
                .change(thread, |binding| binding.next_cwd = cwd);
        }
    }

    /// Codex told a thread's settings.
    pub fn settings_of(&self, thread: &str, notification: &Frame) {
        let Ok(message) = serde_json::from_slice::<Value>(notification.bytes()) else {
            return;
        };
        let settings = message["params"]["threadSettings"].clone();
        self.bindings.change(thread, |binding| {
            if let Some(cwd) = settings["cwd"].as_str() {
                binding.cwd = PathBuf::from(cwd);
                binding.next_cwd = None;
            }
            binding.settings = Some(settings);
        });
    }

    /// A turn has begun.
    pub fn turn_began(&self, thread: &str) {
        self.beginnings.began(thread);
    }

    /// A thread is no longer loaded.
    pub fn unloaded(&self, thread: &str) {
        self.bindings.remove(thread);
    }

    /// Tells threads anew; the router keeps everything else away from them meanwhile.
    pub async fn rebind(&self, ticket: Ticket) -> Rebound {
        let Some((_, rebind)) = self.rebinds.remove(&ticket) else {
            let then = Prepared::Reply(Bytes::new());
            return Rebound::only(then);
        };
        let request = rebind.request.clone();
        match self.carry_out(ticket, rebind).await {
            Ok(rebound) => rebound,
            Err(error) => {
                tracing::warn!(%error, "threads could not be bound anew");
                let error = error.to_json_rpc().to_string();
                Rebound::only(Prepared::Reply(answer_frame(&request, "error", &error)))
            }
        }
    }

    async fn carry_out(&self, ticket: Ticket, rebind: Rebind) -> Result<Rebound, LoadoutError> {
        let upstream = self.upstream().await?;
        let excluding = self.beginnings.exclude().await;
        crash_point("rebind: before unload");
        let (unloaded, mut done) = self
            .unload_all(&rebind.unload, &rebind.along, &upstream)
            .await;
        crash_point("rebind: after unload");
        let mut rebound = Rebound::only(Prepared::Reply(Bytes::new()));
        if done.is_ok()
            && let Some(change) = rebind.change
        {
            // What goes to Codex first is on record when Codex has said yes.
            let durable = matches!(rebind.then, Then::Tell(_));
            done = self.change(change, durable, &mut rebound).await;
        }
        crash_point("rebind: after change");
        // Those that went are brought back also if others did not go.
        let loaded = self
            .load_all(rebind.load, &unloaded, &upstream, &mut rebound)
            .await;
        done = done.and(loaded);
        crash_point("rebind: after load");
        done?;
        rebound.then = match rebind.then {
            Then::Turn(thread, bytes) => {
                self.tell_again(&thread, &rebind.unload, &mut rebound, &upstream)
                    .await?;
                self.beginnings.begin(&thread, excluding.downgrade());
                Prepared::Pass(bytes)
            }
            Then::Forward(request, pending) => self.forward(ticket, request, *pending),
            Then::Tell(receipt) => {
                let result = ThreadCapabilityUpdateResult {
                    capability_selection: receipt.map(|receipt| *receipt),
                };
                let result = serde_json::to_string(&result).unwrap_or_default();
                Prepared::Reply(answer_frame(&rebind.request, "result", &result))
            }
        };
        Ok(rebound)
    }

    /// Something may have changed again while the threads were loaded.
    async fn tell_again(
        &self,
        thread: &str,
        gated: &[String],
        rebound: &mut Rebound,
        upstream: &UpstreamInfo,
    ) -> Result<(), LoadoutError> {
        for _ in 0..TRIES {
            let stale = self.stale(thread, upstream).await?;
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

    /// Loads those again that were unloaded.
    async fn load_all(
        &self,
        load: Vec<Told>,
        unloaded: &[String],
        upstream: &UpstreamInfo,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        let mut done = Ok(());
        for told in load {
            if unloaded.contains(&told.thread) {
                let loaded = self.load(told, upstream, rebound).await;
                done = done.and(loaded);
            }
        }
        done
    }

    async fn change(
        &self,
        change: Change,
        durable: bool,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        let selections = self.loadouts.selections().await?;
        match change {
            Change::To(loadout, record) => {
                self.loadouts.point_root(loadout, &record.loadout).await?;
                crash_point("rebind: after the root");
                if durable {
                    selections.put_thread(&record).await?;
                }
            }
            Change::Native { thread, root } => {
                if let Some(root) = root {
                    self.loadouts.empty_root(root).await?;
                }
                if durable {
                    selections.delete_thread(&thread).await?;
                    self.bindings.remove(&thread);
                    rebound.notices.push(notice(&thread, None));
                    rebound.dropped.push(thread);
                }
            }
        }
        Ok(())
    }

    /// Makes Codex let go of threads, which keep their history; tells those it let go of.
    async fn unload_all(
        &self,
        unload: &[String],
        along: &[String],
        upstream: &UpstreamInfo,
    ) -> (Vec<String>, Result<(), LoadoutError>) {
        let mut unloaded = Vec::new();
        let mut archived = false;
        if let Err(error) = self.note_along(along).await {
            return (unloaded, Err(error));
        }
        // Children first: what they were spawned by still is when they go.
        for thread in unload.iter().rev() {
            let done = match self.goes_when_unsubscribed(thread, upstream).await {
                true => self.unsubscribe(thread).await,
                false => {
                    archived = true;
                    self.through_the_archive(thread).await
                }
            };
            if done.is_err() {
                return (unloaded, done);
            }
            unloaded.push(thread.clone());
        }
        let back = match archived {
            true => {
                self.bring_back(along.iter().chain(unload).cloned().collect())
                    .await
            }
            false => Ok(()),
        };
        (unloaded, back)
    }

    async fn note_along(&self, along: &[String]) -> Result<(), LoadoutError> {
        let selections = self.loadouts.selections().await?;
        for thread in along {
            selections.begin_unloading(thread).await?;
        }
        Ok(())
    }

    /// Whether a thread goes by itself once nobody is subscribed; one that Codex has not written down
    /// yet would be gone for good.
    async fn goes_when_unsubscribed(&self, thread: &str, upstream: &UpstreamInfo) -> bool {
        if !Levers::of(upstream.version).unload_on_unsubscribe {
            return false;
        }
        let (home, id) = (upstream.codex_home.clone(), thread.to_owned());
        let found =
            tokio::task::spawn_blocking(move || session_file::find(&home, &id).is_some()).await;
        found.unwrap_or(false)
    }

    async fn unsubscribe(&self, thread: &str) -> Result<(), LoadoutError> {
        let named = json!({ "threadId": thread });
        let _: Value = self.asker.ask("thread/unsubscribe", &named).await?;
        self.wait_until_unloaded(thread).await
    }

    /// Archiving unloads, and writes down. It is noted, so that nobody finds the thread in the archive
    /// after a crash.
    async fn through_the_archive(&self, thread: &str) -> Result<(), LoadoutError> {
        let named = json!({ "threadId": thread });
        let selections = self.loadouts.selections().await?;
        selections.begin_unloading(thread).await?;
        let archived: Result<Value, AskError> = self.asker.ask("thread/archive", &named).await;
        crash_point("rebind: in the archive");
        let back: Result<Value, AskError> = self.asker.ask("thread/unarchive", &named).await;
        selections.end_unloading(thread).await?;
        if let Err(error) = archived {
            tracing::debug!(%error, thread, "not unloaded");
            return Err(cannot_unload(thread));
        }
        if let Err(error) = back {
            // 0.144 says so of a thread without a turn, and has it back all the same.
            tracing::debug!(%error, thread, "unarchived with an error");
        }
        self.wait_until_unloaded(thread).await
    }

    /// Codex before 0.169 archives with a thread all that it ever spawned, and brings back none of it.
    pub(super) async fn taken_along(
        &self,
        threads: &[String],
        upstream: &UpstreamInfo,
    ) -> Result<Vec<String>, LoadoutError> {
        if Levers::of(upstream.version).unload_on_unsubscribe {
            return Ok(Vec::new());
        }
        let mut along = self.loadouts.spawned_by(threads).await?;
        along.retain(|thread| !threads.contains(thread));
        Ok(along)
    }

    async fn wait_until_unloaded(&self, thread: &str) -> Result<(), LoadoutError> {
        let deadline = Instant::now() + UNLOADED_WITHIN;
        while self.is_loaded(thread).await? {
            if Instant::now() > deadline {
                // So that the host goes on hearing of it.
                let named = json!({ "threadId": thread });
                let _: Result<Value, AskError> = self.asker.ask("thread/resume", &named).await;
                return Err(LoadoutError::new(
                    ErrorKind::ThreadBusy,
                    format!("thread `{thread}` is kept loaded by another connection"),
                )
                .with_hint("Close the thread there, then send the request again.")
                .with_items(vec![ErrorItem::named(thread)]));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(())
    }

    /// Loads a thread with what it is told now; its settings are what they were.
    async fn load(
        &self,
        told: Told,
        upstream: &UpstreamInfo,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        let Told {
            thread,
            mut binding,
            lowered,
        } = told;
        if let Some(now) = self.bindings.get(&thread) {
            // Codex may have told more since the gates were closed.
            binding.cwd = now.cwd;
            binding.next_cwd = now.next_cwd;
            binding.settings = now.settings;
        }
        let of_host = binding.host_params.get("config").map(Value::to_string);
        let of_host = of_host.unwrap_or_default();
        let config = match &lowered {
            Some(lowered) => {
                let loadouts = self.loadouts.clone();
                let loadout = binding.loadout.clone();
                let restored =
                    tokio::task::spawn_blocking(move || loadouts.restore(&loadout)).await;
                restored.unwrap_or_else(|_| Ok(Vec::new()))?;
                merge_config(&of_host, lowered)?
            }
            None => of_host,
        };
        let mut params = binding.host_params.clone();
        params.insert("threadId".to_owned(), json!(thread));
        params.insert("cwd".to_owned(), json!(binding.cwd));
        match serde_json::from_str(&config) {
            Ok(config) => params.insert("config".to_owned(), config),
            Err(_) => params.remove("config"),
        };
        let loaded: Result<Value, AskError> = self
            .asker
            .ask("thread/resume", &Value::Object(params))
            .await;
        if let Err(error) = loaded {
            self.bindings.remove(&thread);
            return Err(error.into());
        }
        if let Some(settings) = binding.settings.as_ref().and_then(Value::as_object) {
            let settings = settings_to_send(&thread, settings);
            let _: Value = self.asker.ask("thread/settings/update", &settings).await?;
        }
        // What Codex has to say about it was said before it answers this.
        self.is_loaded(&thread).await?;
        tracing::debug!(thread, version = %upstream.version, "bound anew");
        if let Some(lowered) = lowered {
            rebound
                .notices
                .push(notice(&thread, Some(&binding.loadout)));
            rebound.bound.push(thread.clone());
            binding.config = Some(lowered.config);
            binding.checked = None;
            self.bindings.set(&thread, binding);
        }
        Ok(())
    }

    /// Brings back from Codex's archive what somebody put there to unload it, and did not live to.
    pub async fn bring_back_leftovers(&self) {
        let brought = async {
            match self.loadouts.existing_selections().await? {
                Some(selections) => self.bring_back(selections.unloading().await?).await,
                None => Ok(()),
            }
        };
        if let Err(error) = brought.await {
            tracing::warn!(%error, "threads may be left in Codex's archive");
        }
    }

    async fn bring_back(&self, threads: Vec<String>) -> Result<(), LoadoutError> {
        let selections = self.loadouts.selections().await?;
        for thread in threads {
            let named = json!({ "threadId": thread });
            // It may not be there: then there is nothing to bring back.
            let back: Result<Value, AskError> = self.asker.ask("thread/unarchive", &named).await;
            tracing::debug!(thread, back = back.is_ok(), "taken back from the archive");
            selections.end_unloading(&thread).await?;
        }
        Ok(())
    }

    /// Whether Codex has the thread loaded.
    pub(super) async fn is_loaded(&self, thread: &str) -> Result<bool, LoadoutError> {
        #[derive(serde::Deserialize)]
        struct Loaded {
            data: Vec<String>,
        }
        let loaded: Loaded = self.asker.ask("thread/loaded/list", &json!({})).await?;
        Ok(loaded.data.iter().any(|id| id == thread))
    }
}

fn is_checked(binding: &Binding, catalog: &Arc<Catalog>) -> bool {
    binding
        .checked
        .as_ref()
        .is_some_and(|checked| Arc::ptr_eq(checked, catalog))
}

/// What of a thread's settings `thread/settings/update` takes back (Codex 0.144 to 0.169).
fn settings_to_send(thread: &str, settings: &Map<String, Value>) -> Value {
    let with_profile = settings
        .get("activePermissionProfile")
        .is_some_and(|profile| !profile.is_null());
    let mut update = Map::new();
    update.insert("threadId".to_owned(), json!(thread));
    for field in [
        "cwd",
        "approvalPolicy",
        "approvalsReviewer",
        "sandboxPolicy",
        "model",
        "effort",
        "serviceTier",
        "summary",
        "personality",
        "multiAgentMode",
        "collaborationMode",
    ] {
        // A permission profile comes back with the host's own request.
        if field == "sandboxPolicy" && with_profile {
            continue;
        }
        if let Some(value) = settings.get(field).filter(|value| !value.is_null()) {
            update.insert(field.to_owned(), value.clone());
        }
    }
    Value::Object(update)
}

fn notice(thread: &str, loadout: Option<&Arc<LoadoutRecord>>) -> Bytes {
    let params = ThreadCapabilityUpdated {
        thread_id: thread.to_owned(),
        capability_selection: loadout.map(|loadout| loadout.receipt.clone()),
    };
    let notice = json!({ "method": THREAD_CAPABILITY_UPDATED, "params": params });
    Bytes::from(format!("{notice}\n"))
}

fn cannot_unload(thread: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        format!("something has changed underneath thread `{thread}`, and this Codex can't be told before its first turn"),
    )
    .with_hint("Start a new thread with the same selection, or use Codex 0.169 or newer.")
    .with_items(vec![ErrorItem::named(thread)])
}
