//! What Codex says of a thread's MCP servers, held against the receipt.
//!
//! Codex tells of each server as it starts it, right after it has answered the request that loads the thread. (It
//! could also be asked, but `mcpServerStatus/list` starts every server anew for its answer: 3 s where one takes
//! 3 s, 0.169.)

use std::sync::Arc;

use bytes::Bytes;
use codex_loadout_protocol::receipt::Warning;
use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde::Deserialize;

use super::reload::notice;
use super::request_handlers::RequestHandlers;
use crate::lowering::CodexFeatures;
use crate::resolver::Scope;
use crate::wire::Frame;

#[derive(Deserialize)]
struct Message {
    params: ServerStatus,
}

#[derive(Deserialize)]
struct ServerStatus {
    name: String,
    status: String,
}

impl RequestHandlers {
    /// Codex has told of a server of a thread with a loadout. Gives what the host is told about that.
    pub(crate) async fn server_status(&self, thread: &str, told: &Frame) -> Option<Bytes> {
        let Message { params } = serde_json::from_slice(told.bytes()).ok()?;
        self.applied.change(thread, |applied| {
            if let Some(heard) = &mut applied.servers_heard {
                heard.insert(params.name.clone());
            }
        });
        let applied = self.applied.get(thread)?;
        let receipt = &applied.loadout.receipt;
        let mut listed = receipt.mcp_servers.iter();
        let Some(server) = listed.find(|server| server.name == params.name) else {
            // What an administrator forces on it is under `managed`.
            if applied.loadout.plan.host_servers != Scope::All && receipt.managed.is_empty() {
                self.unload_with_stranger(thread, &params.name).await;
            }
            return None;
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
        self.warn(thread, warning?).await
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
            None => Some(notice(thread, Some(loadout.receipt.clone()))),
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
        match self.leave(thread).await {
            Ok(subscribers) => self.tell_closed(&subscribers, thread),
            Err(error) => tracing::error!(%error, thread, "not unloaded"),
        }
        // Should it live on, it is told everything anew before its next turn.
        self.applied.change(thread, |applied| applied.config = None);
        self.note_refusal("an MCP server", Some(thread.to_owned()), &error)
            .await;
    }
}
