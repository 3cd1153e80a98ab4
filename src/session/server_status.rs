//! What Codex says of a thread's MCP servers, held against the receipt.
//!
//! Codex tells of each server as it starts it, right after it has answered the request that loads the thread. (It
//! could also be asked, but `mcpServerStatus/list` starts every server anew for its answer: 3 s where one takes
//! 3 s, 0.169.)

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde::Deserialize;
use serde_json::{Value, json};

use super::reload::{LOOK_EVERY, notice};
use super::request_handlers::RequestHandlers;
use crate::loadouts::AppliedConfig;
use crate::lowering::CodexFeatures;
use crate::messages::thread;
use crate::resolver::Scope;
use crate::threads::ThreadState;
use crate::wire::Frame;

/// A `turn/start` is answered within milliseconds, before the servers of its thread have started (Codex 0.169).
const ANSWERED_WITHIN: Duration = Duration::from_secs(2);
/// A turn that is interrupted ends within milliseconds.
const ENDED_WITHIN: Duration = Duration::from_millis(500);

#[derive(Deserialize)]
struct Message {
    params: ServerStatus,
}

#[derive(Deserialize)]
struct ServerStatus {
    name: String,
    status: String,
}

/// What comes of what Codex has told of a server.
#[derive(Debug)]
pub(crate) enum OfServer {
    /// What hosts are told, if anything.
    Told(Option<Bytes>),
    /// The thread is not to have it, and was not told to leave it out: it is of later.
    CameIn,
}

impl RequestHandlers {
    /// Codex has told of a server of a thread with a loadout.
    pub(crate) async fn server_status(&self, thread: &str, told: &Frame) -> OfServer {
        let nothing = OfServer::Told(None);
        let Ok(Message { params }) = serde_json::from_slice(told.bytes()) else {
            return nothing;
        };
        self.applied.change(thread, |applied| {
            if let Some(heard) = &mut applied.servers_heard {
                heard.insert(params.name.clone());
            }
        });
        let Some(applied) = self.applied.get(thread) else {
            return nothing;
        };
        let receipt = &applied.loadout.receipt;
        let mut listed = receipt.mcp_servers.iter();
        let Some(server) = listed.find(|server| server.name == params.name) else {
            // What an administrator forces on it is under `managed`.
            if applied.loadout.plan.host_servers == Scope::All || !receipt.managed.is_empty() {
                return nothing;
            }
            // Codex starts new servers of its config at once when somebody reloads them (0.169), past us, too.
            self.applied
                .change(thread, |applied| applied.servers_reload = true);
            if !self.is_now(thread, has_turn) && self.is_untold(&applied).await {
                return OfServer::CameIn;
            }
            self.unload_with_stranger(thread, &params.name).await;
            return nothing;
        };
        let warning = match params.status.as_str() {
            "failed" => {
                let message = format!(
                    "MCP server `{}` did not start; Codex's own notification says why",
                    server.name
                );
                Some(Warning::new("serverFailed", message))
            }
            "ready" => self.look_at_tools(thread, &server.name).await,
            _ => None,
        };
        OfServer::Told(match warning {
            Some(warning) => self.warn(thread, warning).await,
            None => None,
        })
    }

    /// Whether this is so of a thread now.
    fn is_now(&self, thread: &str, so: impl Fn(&ThreadState<AppliedConfig>) -> bool) -> bool {
        self.applied.with_threads(|threads| threads.is(thread, so))
    }

    /// Whether a thread would be told more now than it was.
    async fn is_untold(&self, applied: &AppliedConfig) -> bool {
        self.catalog_may_have_changed();
        let lowered = async {
            let upstream = self.upstream().await?;
            let plan = &applied.loadout.plan;
            let catalog = self.catalog_with(plan, &upstream, &applied.cwd).await?;
            self.lowered_now(applied, &catalog, &upstream).await
        };
        let lowered = lowered.await;
        lowered.is_ok_and(|lowered| !applied.untold(&lowered.config).is_empty())
    }

    /// A turn of a thread with a loadout has ended: Codex has told of every server that it starts. Gives what the
    /// host is told about those of the receipt that are not among them.
    pub(crate) async fn missing_servers(&self, thread: &str) -> Option<Bytes> {
        let upstream = self.upstream().await.ok()?;
        if !CodexFeatures::of(upstream.version).tells_of_one_server {
            return None;
        }
        let mut heard = None;
        self.applied
            .change(thread, |applied| heard = applied.servers_heard.take());
        let heard = heard?;
        let receipt = &self.applied.get(thread)?.loadout.receipt;
        let servers = receipt.mcp_servers.iter().map(|server| &server.name);
        let missing: Vec<&str> = servers
            .filter(|name| !heard.contains(*name))
            .map(String::as_str)
            .collect();
        if missing.is_empty() {
            return None;
        }
        let message = format!("Codex did not start MCP server `{}`", missing.join("`, `"));
        self.warn(thread, Warning::new("serverNotStarted", message))
            .await
    }

    /// Puts a warning into the receipt in force.
    async fn warn(&self, thread: &str, warning: Warning) -> Option<Bytes> {
        let mut receipt = None;
        self.applied.change(thread, |applied| {
            if !applied.loadout.receipt.warnings.contains(&warning) {
                Arc::make_mut(&mut applied.loadout)
                    .receipt
                    .warnings
                    .push(warning);
                receipt = Some(applied.loadout.clone());
            }
        });
        let loadout = receipt?;
        let applied = self.applied.get(thread);
        let kept = async {
            let records = self.loadouts.records().await?;
            let warnings = &loadout.receipt.warnings;
            let warn = |record: &mut crate::records::ThreadRecord| {
                record.loadout.receipt.warnings.clone_from(warnings);
            };
            Ok::<(), LoadoutError>(records.change_thread(thread, warn).await?)
        };
        if let Err(error) = kept.await {
            tracing::warn!(%error, thread, "a warning is not on record");
        }
        match applied {
            Some(applied) => Some(self.notice_now(thread, &applied).await),
            None => Some(notice(thread, Some(loadout.receipt.clone().into_inner()))),
        }
    }

    /// Ends the turn that has begun, or is about to: Codex lets go of a thread only when it is idle, and where it does so
    /// between a `turn/start` and its answer, it never gives one, nor to what comes after (0.169). Servers start before the
    /// model is asked, so it is not asked.
    async fn end_turn(&self, thread: &str) {
        let is_asked_for = |it: &ThreadState<AppliedConfig>| it.turns.are_asked_for();
        self.while_it_is(thread, is_asked_for, ANSWERED_WITHIN)
            .await;
        let under_way = self.applied.with_threads(|threads| {
            let turns = &threads.get(thread)?.turns;
            turns.under_way().map(str::to_owned)
        });
        let Some(turn) = under_way.filter(|turn| !turn.is_empty()) else {
            return;
        };
        let turn = json!({ "threadId": thread, "turnId": turn });
        match self.rpc.ask::<Value>(thread::INTERRUPT, &turn).await {
            // So that hosts hear of its end. Of one that has not quite begun, Codex says nothing.
            Ok(_) => {
                self.while_it_is(thread, has_turn, ENDED_WITHIN).await;
            }
            // It may have ended by itself.
            Err(error) => tracing::debug!(%error, "the turn is not interrupted"),
        }
    }

    /// Waits while this holds for a thread, so long at most.
    async fn while_it_is(
        &self,
        thread: &str,
        holds: impl Fn(&ThreadState<AppliedConfig>) -> bool,
        at_most: Duration,
    ) {
        let deadline = Instant::now() + at_most;
        while self.is_now(thread, &holds) && Instant::now() < deadline {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A server that is not of the loadout: Codex lets go of the thread, and no turn of it begins.
    async fn unload_with_stranger(&self, thread: &str, server: &str) {
        let message = format!(
            "Codex starts MCP server `{server}` for thread `{thread}`, which is not of its loadout"
        );
        let error = LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
            .with_hint("`codex-loadout doctor` shows what holds on this Codex.")
            .with_items(vec![ErrorItem::named(server)]);
        tracing::error!(%error, "the thread is unloaded");
        self.end_turn(thread).await;
        if self.applied.get(thread).is_none() {
            // It is gone.
            return;
        }
        self.note_refusal("an MCP server", Some(thread.to_owned()), &error)
            .await;
        match self.leave(thread).await {
            Ok(subscribers) => {
                // Who hears of it may open it at once: what Codex says of its end has to come before.
                let unloaded = self.is_unloaded_soon(thread).await;
                tracing::debug!(?unloaded, thread, "left by every host");
                self.tell_closed(&subscribers, thread);
            }
            Err(error) => tracing::error!(%error, thread, "not unloaded"),
        }
        // Should it live on, it is told everything anew before its next turn.
        self.applied.change(thread, |applied| applied.config = None);
    }
}

/// Whether a turn is under way, or about to be.
fn has_turn(thread: &ThreadState<AppliedConfig>) -> bool {
    thread.turns.are_under_way()
}
