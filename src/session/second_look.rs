//! The second look at a turn, when it has begun and before the model is asked.

use std::time::{Duration, Instant};

use codex_loadout_protocol::LoadoutError;
use serde_json::{Value, json};

use super::gatekeeping::{Expected, still_in_the_history};
use super::work::Work;
use crate::connection::AskError;
use crate::gate::Verdict;
use crate::router::{Prepared, RequestKind, Ticket};
use crate::wire::{Frame, answer_frame};

/// An interrupted turn ends within milliseconds on a machine that has nothing else to do; its history
/// can't be changed before.
const ENDS_WITHIN: Duration = Duration::from_secs(10);
/// How long to wait before the history is tried again.
const AGAIN_AFTER: Duration = Duration::from_millis(5);
/// How Codex 0.157 to 0.169 say that a turn is not in the history.
const NO_SUCH_TURN: &str = "turn not found";

/// A turn that has begun.
#[derive(Debug)]
pub struct Began {
    thread: String,
    turn: String,
    expected: Option<Expected>,
}

/// The thread and the turn of `turn/started`.
pub(super) fn named_in(started: &Frame) -> Option<(String, String)> {
    let message: Value = serde_json::from_slice(started.bytes()).ok()?;
    let params = &message["params"];
    let thread = params["threadId"].as_str()?.to_owned();
    let turn = params["turn"]["id"].as_str()?.to_owned();
    Some((thread, turn))
}

impl Work {
    /// What `turn/started` says; from here on, who asks at the gate asks the look at this turn.
    pub fn began(&self, started: &Frame) -> Option<Began> {
        let (thread, turn) = named_in(started)?;
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
        let mut asked = None;
        let mut objection = None;
        match self.is_stale(thread).await {
            Ok(false) => {
                let Some(expected) = &mut expected else {
                    return None;
                };
                let question = expected.question().await?;
                match self.permit(&question).await {
                    Ok(()) => {
                        question.answer(Verdict::Go);
                        return None;
                    }
                    Err(found) => objection = Some(found),
                }
                asked = Some(question);
            }
            Ok(true) => {}
            // It can't be known whether the turn is right.
            Err(error) => tracing::warn!(%error, thread, "the second look failed"),
        }
        tracing::info!(
            thread,
            turn,
            "something has changed while the turn began: it ends"
        );
        self.hold(thread, turn).await;
        match asked {
            Some(question) => question.answer(Verdict::Hold),
            None => {
                if let Some(expected) = &mut expected {
                    expected.hold();
                }
                self.interrupt(thread, turn).await;
            }
        }
        let taken_back = self.take_back(thread).await.err();
        let for_good = objection.filter(|objection| !objection.begin_anew);
        if let Some(error) = taken_back.or(for_good.map(|objection| objection.error)) {
            self.note_refusal(request.method(), Some(thread.to_owned()), &error)
                .await;
            let error = error.to_json_rpc().to_string();
            return Some(Prepared::Reply(answer_frame(
                &request.id(),
                "error",
                &error,
            )));
        }
        Some(self.prepare(ticket, RequestKind::Turn, request).await)
    }

    pub(super) async fn is_stale(&self, thread: &str) -> Result<bool, LoadoutError> {
        let upstream = self.upstream().await?;
        let stale = self.stale_of(vec![thread.to_owned()], &upstream).await?;
        Ok(!stale.is_empty())
    }

    pub(super) async fn interrupt(&self, thread: &str, turn: &str) {
        let named = json!({ "threadId": thread, "turnId": turn });
        let interrupted: Result<Value, AskError> = self.asker.ask("turn/interrupt", &named).await;
        if let Err(error) = interrupted {
            tracing::debug!(%error, thread, "not interrupted");
        }
    }

    /// Waits until a turn that is ending has ended, for a while: other hooks of the thread may run still. Whether
    /// it has.
    pub(super) async fn wait_until_idle(&self, thread: &str) -> bool {
        let named = json!({ "threadId": thread });
        let deadline = Instant::now() + ENDS_WITHIN;
        while Instant::now() < deadline {
            let read: Result<Value, AskError> = self.asker.ask("thread/read", &named).await;
            let status = read.map(|mut read| read["thread"]["status"]["type"].take());
            if !status.is_ok_and(|status| status == "active") {
                return true;
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
        false
    }

    /// Takes a turn of a thread that was ended out of the history, if there is one: else what it would have
    /// shown would stand there (seen on 0.163 and 0.169).
    ///
    /// # Errors
    /// `threadBusy` if Codex does not let go of it in time. No turn goes on then.
    pub(super) async fn take_back(&self, thread: &str) -> Result<(), LoadoutError> {
        let Some(turn) = self.held.get(thread).map(|turn| turn.clone()) else {
            return Ok(());
        };
        let before = json!({ "threadId": thread, "beforeTurnId": turn });
        let deadline = Instant::now() + ENDS_WITHIN;
        loop {
            let reverted: Result<Value, AskError> = self.asker.ask("thread/revert", &before).await;
            match reverted {
                Ok(_) => {
                    self.taken_back(thread).await;
                    return Ok(());
                }
                // Two may be at it.
                Err(_) if !self.held.contains_key(thread) => return Ok(()),
                // It may be ending still.
                Err(AskError::Refused { .. }) if Instant::now() < deadline => {
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                // Somebody took it out and did not live to say so.
                Err(AskError::Refused { message, .. }) if message.starts_with(NO_SUCH_TURN) => {
                    self.taken_back(thread).await;
                    return Ok(());
                }
                Err(error) => {
                    tracing::warn!(%error, thread, "a turn that was ended stays in the history");
                    return Err(still_in_the_history(thread));
                }
            }
        }
    }

    async fn taken_back(&self, thread: &str) {
        self.held.remove(thread);
        let noted = async {
            self.loadouts
                .selections()
                .await?
                .end_holding(thread)
                .await?;
            Ok::<(), LoadoutError>(())
        };
        if let Err(error) = noted.await {
            tracing::warn!(%error, thread, "a turn is taken out of the history once more later");
        }
    }
}
