//! The second look at a turn, when it has begun and before the model is asked.

use std::time::{Duration, Instant};

use codex_loadout_protocol::LoadoutError;
use serde_json::{Value, json};

use super::work::Work;
use crate::connection::AskError;
use crate::router::{Prepared, RequestKind, Ticket};
use crate::wire::Frame;

/// An interrupted turn ends within milliseconds; its history can't be changed before.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait before the history is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

impl Work {
    /// Whether a turn that has begun began as things are. If not, it is undone, and the request is
    /// prepared anew.
    pub async fn look_again(
        &self,
        ticket: Ticket,
        request: Frame,
        started: &Frame,
    ) -> Option<Prepared> {
        let named: Value = serde_json::from_slice(started.bytes()).ok()?;
        let params = &named["params"];
        let thread = params["threadId"].as_str()?;
        let turn = params["turn"]["id"].as_str()?;
        match self.is_stale(thread).await {
            Ok(false) => return None,
            Ok(true) => {}
            // It can't be known whether the turn is right.
            Err(error) => tracing::warn!(%error, thread, "the second look failed"),
        }
        if let Err(error) = self.undo(thread, turn).await {
            tracing::warn!(%error, thread, "a turn that was interrupted stays in the history");
        }
        Some(self.prepare(ticket, RequestKind::Turn, request).await)
    }

    async fn is_stale(&self, thread: &str) -> Result<bool, LoadoutError> {
        let upstream = self.upstream().await?;
        let stale = self.stale_of(vec![thread.to_owned()], &upstream).await?;
        Ok(!stale.is_empty())
    }

    /// Interrupts a turn and takes it out of the history: else what it would have shown would stand
    /// there (seen on 0.163 and 0.169).
    async fn undo(&self, thread: &str, turn: &str) -> Result<(), LoadoutError> {
        tracing::info!(
            thread,
            turn,
            "something has changed while the turn began: it is begun anew"
        );
        let named = json!({ "threadId": thread, "turnId": turn });
        let interrupted: Result<Value, AskError> = self.asker.ask("turn/interrupt", &named).await;
        if let Err(error) = interrupted {
            tracing::debug!(%error, thread, "not interrupted");
        }
        let before = json!({ "threadId": thread, "beforeTurnId": turn });
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            let reverted: Result<Value, AskError> = self.asker.ask("thread/revert", &before).await;
            match reverted {
                // It may be ending still.
                Err(AskError::Refused { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                reverted => return Ok(reverted.map(|_| ())?),
            }
        }
    }
}
