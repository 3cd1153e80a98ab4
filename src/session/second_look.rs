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

/// An interrupted turn ends within milliseconds on a machine that has nothing else to do; its history can't be changed before.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
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
        let mut held = false;
        match self.is_stale(thread).await {
            Ok(false) => match &mut expected {
                Some(expected) => {
                    let question = expected.question().await?;
                    let newcomers = self.newcomers(&question).await;
                    if newcomers.is_some_and(|names| names.is_empty()) {
                        question.answer(Verdict::Go);
                        return None;
                    }
                    question.answer(Verdict::Hold);
                    held = true;
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
        tracing::info!(
            thread,
            turn,
            "something has changed while the turn began: it is begun anew"
        );
        if !held {
            self.interrupt(thread, turn).await;
        }
        self.take_back(thread, turn).await;
        Some(self.prepare(ticket, RequestKind::Turn, request).await)
    }

    async fn is_stale(&self, thread: &str) -> Result<bool, LoadoutError> {
        let upstream = self.upstream().await?;
        let stale = self.stale_of(vec![thread.to_owned()], &upstream).await?;
        Ok(!stale.is_empty())
    }

    async fn interrupt(&self, thread: &str, turn: &str) {
        let named = json!({ "threadId": thread, "turnId": turn });
        let interrupted: Result<Value, AskError> = self.asker.ask("turn/interrupt", &named).await;
        if let Err(error) = interrupted {
            tracing::debug!(%error, thread, "not interrupted");
        }
    }

    /// Waits until a turn that is ending has ended, for a while: other hooks of the thread may run still.
    pub(super) async fn wait_until_idle(&self, thread: &str) {
        let named = json!({ "threadId": thread });
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            let read: Result<Value, AskError> = self.asker.ask("thread/read", &named).await;
            let status = read.map(|mut read| read["thread"]["status"]["type"].take());
            if !status.is_ok_and(|status| status == "active") {
                return;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    /// Takes a turn that is ending out of the history: else what it would have shown would stand there
    /// (seen on 0.163 and 0.169).
    pub(super) async fn take_back(&self, thread: &str, turn: &str) {
        let before = json!({ "threadId": thread, "beforeTurnId": turn });
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            let reverted: Result<Value, AskError> = self.asker.ask("thread/revert", &before).await;
            match reverted {
                Ok(_) => return,
                // It may be ending still.
                Err(AskError::Refused { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                Err(error) => {
                    tracing::warn!(%error, thread, "a turn that was ended stays in the history");
                    return;
                }
            }
        }
    }
}
