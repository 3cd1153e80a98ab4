//! A thread out of Codex and in again, its history and settings as they were.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use codex_loadout_protocol::audit::AuditEvent;
use codex_loadout_protocol::method::{THREAD_CAPABILITY_UPDATED, ThreadCapabilityUpdated};
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError, Receipt};
use serde_json::{Map, Value, json};

use super::process::Attached;
use super::rebind::DesiredConfig;
use super::request_handlers::RequestHandlers;
use super::subscribers::Subscribers;
use crate::connection::{RpcClient, RpcError};
use crate::control;
use crate::crash_point::crash_point;
use crate::loadouts::{AppliedConfig, INSTRUCTIONS, instructions, merge_config};
use crate::lowering::CodexFeatures;
use crate::messages::initialize::UpstreamInfo;
use crate::messages::thread;
use crate::records::{Happening, ThreadRecord, session_file, writer_lock};
use crate::resolver;
use crate::router::Rebound;

/// Codex unloads an idle thread within milliseconds; one that takes this long is kept by somebody else.
const UNLOADED_WITHIN: Duration = Duration::from_secs(3);
/// How long to wait before a refused thread is loaded again; twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_millis(20);
/// The longest such wait.
const GIVE_UP_AFTER: Duration = Duration::from_millis(200);
/// How often to look whether it has.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(1);

/// Threads that Codex has let go of.
#[derive(Debug, Default)]
pub(super) struct Unloaded(BTreeMap<String, Subscribers>);

impl Unloaded {
    pub(super) fn has(&self, thread: &str) -> bool {
        self.0.contains_key(thread)
    }

    /// The hosts that had a thread open.
    pub(super) fn subscribers(&self, thread: &str) -> &[Arc<Attached>] {
        self.0.get(thread).map_or(&[], Vec::as_slice)
    }
}

/// Threads that are unloaded with one of them.
#[derive(Debug, Default)]
pub(super) struct Family {
    /// Those that are loaded, parents before children.
    pub(super) unload: Vec<String>,
    /// Those that Codex takes to the archive with them.
    pub(super) along: Vec<String>,
    /// Of those that are loaded, what the children are told when they are loaded again.
    pub(super) load: Vec<DesiredConfig>,
}

impl RequestHandlers {
    /// What has to be unloaded so that a thread is. Where that takes the archive, Codex takes along
    /// what the thread spawned.
    pub(super) async fn unloaded_with(
        &self,
        thread: &str,
        upstream: &UpstreamInfo,
    ) -> Result<Family, LoadoutError> {
        let mut family = Family::default();
        if self.is_loaded(thread).await? {
            family.unload.push(thread.to_owned());
        } else {
            self.check_nobody_has(thread, upstream).await?;
        }
        if family.unload.is_empty() || CodexFeatures::of(upstream.version).unload_on_unsubscribe {
            return Ok(family);
        }
        for child in self.applied.family(thread).into_iter().skip(1) {
            if let Some(applied) = self.applied.get(&child)
                && self.is_loaded(&child).await?
            {
                let cause = format!("unloaded with {thread}");
                let told = self
                    .desired_as_it_is(&child, Arc::unwrap_or_clone(applied), cause, upstream)
                    .await?;
                family.load.push(told);
                family.unload.push(child);
            }
        }
        family.along = self.taken_along(&family.unload, upstream).await?;
        Ok(family)
    }

    /// A thread that another Codex has loaded can't be told anything else here.
    async fn check_nobody_has(
        &self,
        thread: &str,
        upstream: &UpstreamInfo,
    ) -> Result<(), LoadoutError> {
        let (home, id) = (upstream.codex_home.clone(), thread.to_owned());
        let held = tokio::task::spawn_blocking(move || writer_lock::is_held(&home, &id)).await;
        if !held.unwrap_or(false) {
            return Ok(());
        }
        let message = format!("another Codex has thread `{thread}` loaded");
        Err(LoadoutError::new(ErrorKind::ThreadBusy, message)
            .with_hint("Close the thread there, or send the request there.")
            .with_items(vec![ErrorItem::named(thread)]))
    }

    /// Makes Codex let go of threads, which keep their history; tells those it let go of.
    pub(super) async fn unload_all(
        &self,
        unload: &[String],
        along: &[String],
        upstream: &UpstreamInfo,
    ) -> (Unloaded, Result<(), LoadoutError>) {
        let mut unloaded = Unloaded::default();
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
            match done {
                Ok(subscribers) => unloaded.0.insert(thread.clone(), subscribers),
                Err(error) => return (unloaded, Err(error)),
            };
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
        let records = self.loadouts.records().await?;
        for thread in along {
            records.begin_unloading(thread).await?;
        }
        Ok(())
    }

    /// Whether a thread goes by itself once nobody is subscribed; one that Codex has not written down
    /// yet would be gone for good.
    async fn goes_when_unsubscribed(&self, thread: &str, upstream: &UpstreamInfo) -> bool {
        // A native thread is told nothing that makes it go.
        let is_told = self.applied.get(thread).is_some();
        if !CodexFeatures::of(upstream.version).unload_on_unsubscribe || !is_told {
            return false;
        }
        let (home, id) = (upstream.codex_home.clone(), thread.to_owned());
        let found =
            tokio::task::spawn_blocking(move || session_file::find(&home, &id).is_some()).await;
        found.unwrap_or(false)
    }

    async fn unsubscribe(&self, thread: &str) -> Result<Subscribers, LoadoutError> {
        let subscribers = self.leave(thread).await?;
        self.wait_until_unloaded(thread, &subscribers).await?;
        Ok(subscribers)
    }

    /// Archiving unloads, and writes down. It is noted, so that nobody finds the thread in the archive
    /// after a crash.
    async fn through_the_archive(&self, thread: &str) -> Result<Subscribers, LoadoutError> {
        let named = json!({ "threadId": thread });
        let records = self.loadouts.records().await?;
        records.begin_unloading(thread).await?;
        let others = self.others_leave(thread).await;
        let archived: Result<Value, RpcError> = self.rpc.ask("thread/archive", &named).await;
        crash_point("rebind: in the archive");
        let back: Result<Value, RpcError> = self.rpc.ask("thread/unarchive", &named).await;
        records.end_unloading(thread).await?;
        if let Err(error) = archived {
            tracing::debug!(%error, thread, "not unloaded");
            self.come_back(&others, &named_alone(thread)).await;
            return Err(cannot_unload(thread));
        }
        if let Err(error) = back {
            // 0.144 says so of a thread without a turn, and has it back all the same.
            tracing::debug!(%error, thread, "unarchived with an error");
        }
        self.wait_until_unloaded(thread, &others).await?;
        Ok(self.itself().into_iter().chain(others).collect())
    }

    /// Codex before 0.169 archives with a thread all that it ever spawned, and brings back none of it.
    pub(super) async fn taken_along(
        &self,
        threads: &[String],
        upstream: &UpstreamInfo,
    ) -> Result<Vec<String>, LoadoutError> {
        if CodexFeatures::of(upstream.version).unload_on_unsubscribe {
            return Ok(Vec::new());
        }
        let mut along = self.loadouts.spawned_by(threads).await?;
        along.retain(|thread| !threads.contains(thread));
        Ok(along)
    }

    async fn wait_until_unloaded(
        &self,
        thread: &str,
        subscribers: &[Arc<Attached>],
    ) -> Result<(), LoadoutError> {
        if self.is_unloaded_soon(thread).await? {
            return Ok(());
        }
        // So that they go on hearing of it.
        self.come_back(subscribers, &named_alone(thread)).await;
        Err(LoadoutError::new(
            ErrorKind::ThreadBusy,
            format!("thread `{thread}` is kept loaded by another connection"),
        )
        .with_hint("Close the thread there, then send the request again.")
        .with_items(vec![ErrorItem::named(thread)]))
    }

    /// Waits until Codex has let go of a thread that every host has left; whether it has.
    pub(super) async fn is_unloaded_soon(&self, thread: &str) -> Result<bool, LoadoutError> {
        let deadline = Instant::now() + UNLOADED_WITHIN;
        while self.is_loaded(thread).await? {
            if Instant::now() > deadline {
                return Ok(false);
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        Ok(true)
    }

    /// Loads a thread with what it is told now; its settings are what they were.
    pub(super) async fn load(
        &self,
        told: DesiredConfig,
        unloaded: &Unloaded,
        upstream: &UpstreamInfo,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        let thread = told.thread.clone();
        let subscribers = unloaded.subscribers(&thread);
        if subscribers.is_empty() && CodexFeatures::of(upstream.version).unload_on_unsubscribe {
            // Nobody has it open, so that it would go again, and whoever loads it would hear of it until then.
            self.applied.remove(&thread);
            return Ok(());
        }
        let loaded = self.load_for(told, subscribers, upstream, rebound).await;
        if loaded.is_err() {
            self.tell_closed(subscribers, &thread);
        }
        loaded
    }

    async fn load_for(
        &self,
        told: DesiredConfig,
        subscribers: &[Arc<Attached>],
        upstream: &UpstreamInfo,
        rebound: &mut Rebound,
    ) -> Result<(), LoadoutError> {
        // It may be that only others have it open.
        let (rpc, others) = match subscribers {
            [first, others @ ..] => (&first.rpc, others),
            [] => (&self.rpc, subscribers),
        };
        let DesiredConfig {
            thread,
            mut applied,
            lowered,
            cause,
        } = told;
        if let Some(now) = self.applied.get(&thread).map(Arc::unwrap_or_clone) {
            // Codex may have told more since the gates were closed.
            applied.cwd = now.cwd;
            applied.next_cwd = now.next_cwd;
            applied.settings = now.settings;
            applied.servers_reload = now.servers_reload;
        }
        let of_host = applied.host_params.get("config").map(Value::to_string);
        let of_host = of_host.unwrap_or_default();
        let config = match &lowered {
            Some(lowered) => {
                let healed = self.loadouts.bring_back(&applied.loadout).await?;
                self.loadouts.note_healed(Some(&thread), &healed).await;
                self.lead_to_root(&thread, &applied.loadout, upstream)
                    .await?;
                merge_config(&of_host, lowered)?
            }
            None => of_host,
        };
        let mut params = applied.host_params.clone();
        let said = match &lowered {
            Some(lowered) => instructions(&applied.loadout, lowered),
            None => None,
        };
        if let Some(said) = said.or_else(|| applied.loadout.host_instructions.clone()) {
            params.insert(INSTRUCTIONS.to_owned(), said.into());
        }
        params.insert("threadId".to_owned(), json!(thread));
        params.insert("cwd".to_owned(), json!(applied.cwd));
        // Nobody reads them, and Codex warns the host of what it did not ask for.
        params.insert("excludeTurns".to_owned(), json!(true));
        match serde_json::from_str(&config) {
            Ok(config) => params.insert("config".to_owned(), config),
            Err(_) => params.remove("config"),
        };
        if lowered.is_some() {
            // What Codex says of the thread while it loads it is said of this loadout.
            applied.servers_heard = Some(BTreeSet::new());
            applied.config = lowered.as_ref().map(|lowered| lowered.config.clone());
            self.applied.set(&thread, applied.clone());
        }
        if let Err(error) = resume_with(rpc, &params).await {
            self.applied.remove(&thread);
            return Err(error.into());
        }
        if let Some(settings) = applied.settings.as_ref().and_then(Value::as_object) {
            let settings = settings_to_send(&thread, settings);
            let _: Value = rpc.ask("thread/settings/update", &settings).await?;
        }
        // What Codex has to say about it was said before it answers this.
        let _: Value = rpc.ask("thread/loaded/list", &json!({})).await?;
        self.come_back(others, &params).await;
        tracing::debug!(thread, version = %upstream.version, "bound anew");
        if let Some(lowered) = lowered {
            if applied.loadout.list_is_due {
                if let Some(list) = &lowered.skill_list {
                    self.show_list(&thread, list).await?;
                }
                let noted = async {
                    let records = self.loadouts.records().await?;
                    let shown = |record: &mut ThreadRecord| record.loadout.list_is_due = false;
                    Ok::<(), LoadoutError>(records.change_thread(&thread, shown).await?)
                };
                match noted.await {
                    Ok(()) => Arc::make_mut(&mut applied.loadout).list_is_due = false,
                    // The loadout is on record and in force: refusing it now would be untrue.
                    Err(error) => tracing::warn!(%error, thread, "its list is shown once more"),
                }
            }
            if let Some(cause) = cause {
                let happening = Happening::new(AuditEvent::Rebind, cause)
                    .to_thread(&thread)
                    .with_digest(&applied.loadout.receipt.digest);
                self.loadouts.note(happening).await;
            }
            rebound
                .notices
                .push(Box::pin(self.notice_now(&thread, &applied)).await);
            rebound.bound.push(thread.clone());
            applied.checked = None;
            // What was reloaded meanwhile is looked for before the next turn.
            let now = self.applied.get(&thread);
            applied.servers_reload = now.as_ref().is_some_and(|now| now.servers_reload);
            applied.servers_heard = now.and_then(|now| now.servers_heard.clone());
            self.applied.set(&thread, applied);
        }
        Ok(())
    }

    /// What a host is told of a thread's receipt in force: whether hooks are trusted, it says of now.
    pub(super) async fn notice_now(&self, thread: &str, applied: &AppliedConfig) -> Bytes {
        let mut receipt = applied.loadout.receipt.clone().into_inner();
        let catalog = async {
            let upstream = self.upstream().await?;
            let plan = &applied.loadout.plan;
            self.catalog_with(plan, &upstream, &applied.cwd).await
        };
        match catalog.await {
            Ok(catalog) => receipt.hooks = resolver::hooks(&applied.loadout.plan, &catalog),
            Err(error) => tracing::debug!(%error, thread, "told with the trust of before"),
        }
        notice(thread, Some(receipt))
    }

    /// Brings back from Codex's archive what somebody put there to unload it, and did not live to.
    pub(crate) async fn bring_back_leftovers(&self) {
        if !self.process.is_to_bring_back() {
            return;
        }
        let brought = async {
            match self.loadouts.existing_records().await? {
                Some(records) => self.bring_back(records.unloading().await?).await,
                None => Ok(()),
            }
        };
        if let Err(error) = brought.await {
            tracing::warn!(%error, "what was left unfinished may stay so");
        }
    }

    async fn bring_back(&self, threads: Vec<String>) -> Result<(), LoadoutError> {
        let records = self.loadouts.records().await?;
        for thread in threads {
            let named = json!({ "threadId": thread });
            // It may not be there: then there is nothing to bring back.
            let back: Result<Value, RpcError> = self.rpc.ask("thread/unarchive", &named).await;
            tracing::debug!(thread, back = back.is_ok(), "taken back from the archive");
            records.end_unloading(&thread).await?;
        }
        Ok(())
    }

    /// Whether Codex has the thread loaded.
    pub(super) async fn is_loaded(&self, thread: &str) -> Result<bool, LoadoutError> {
        control::is_loaded(thread, &self.rpc).await
    }
}

/// A config file that is just being written makes Codex refuse for a moment, and so does a thread that is closing.
pub(super) async fn resume_with(
    rpc: &RpcClient,
    params: &Map<String, Value>,
) -> Result<Value, RpcError> {
    let params = Value::Object(params.clone());
    let mut wait = AGAIN_AFTER;
    loop {
        match rpc.ask(thread::RESUME, &params).await {
            Err(RpcError::Refused { .. }) if wait < GIVE_UP_AFTER => {
                tokio::time::sleep(wait).await;
                wait *= 2;
            }
            answer => return answer,
        }
    }
}

fn named_alone(thread: &str) -> Map<String, Value> {
    Map::from_iter([("threadId".to_owned(), json!(thread))])
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

/// What a host is told of a thread that has this receipt from now on, or no loadout.
pub(super) fn notice(thread: &str, receipt: Option<Receipt>) -> Bytes {
    let params = ThreadCapabilityUpdated {
        thread_id: thread.to_owned(),
        capability_selection: receipt,
    };
    let notice = json!({ "method": THREAD_CAPABILITY_UPDATED, "params": params });
    Bytes::from(notice.to_string())
}

fn cannot_unload(thread: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        format!("something has changed underneath thread `{thread}`, and this Codex can't be told before its first turn"),
    )
    .with_hint("Start a new thread with the same selection, or use Codex 0.169 or newer.")
    .with_items(vec![ErrorItem::named(thread)])
}
