//! The second look at a turn, when it has begun and before the model is asked.

use std::time::{Duration, Instant};

use codex_loadout_protocol::LoadoutError;
use serde_json::{Value, json};

use super::gatekeeping::Expected;
use super::work::Work;
use crate::connection::AskError;
use crate::gate::Verdict;
use crate::router::{Prepared, RequestKind, Ticket};
use crate::wire::Frame;

/// An interrupted turn ends within milliseconds; its history can't be changed before.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How long to wait before the history is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(5);

/// A turn that has begun.
#[derive(Debug)]
pub struct Began {
    thread: String,
    turn: String,
    expected: Option<Expected>,
}

impl Work {
    /// What `turn/started` says; from here on, who asks at the gate asks the look at this turn.
    pub fn began(&self, started: &Frame) -> Option<Began> {
        let named: Value = serde_json::from_slice(started.bytes()).ok()?;
        let params = &named["params"];
        let thread = params["threadId"].as_str()?.to_owned();
        let turn = params["turn"]["id"].as_str()?.to_owned();
        let expected = self.expect_question(&thread, &turn);
        Some(Began {
            thread,
            turn,
            expected,
        })
    }

    /// Whether a turn that has begun began as things are. If not, it is undone, and the request is
    /// prepared anew.
    pub async fn look_again(
        &self,
        ticket: Ticket,
        request: Frame,
        began: Began,
    ) -> Option<Prepared> {
        let Began {
            thread,
            turn,
            mut expected,
        } = began;
        let (thread, turn) = (thread.as_str(), turn.as_str());
        match self.is_stale(thread).await {
            Ok(false) => match &mut expected {
                Some(expected) => {
                    let question = expected.question().await?;
                    if self.newcomers(&question).await.is_empty() {
                        question.answer(Verdict::Go);
                        return None;
                    }
                    question.answer(Verdict::Hold);
                }
                None => return None,
            },
            Ok(true) => {}
            // It can't be known whether the turn is right.
            Err(error) => tracing::warn!(%error, thread, "the second look failed"),
        }
        if let Some(expected) = &mut expected {
            expected.hold();
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
