//! Before a turn that goes on with a goal: Codex begins it when the one before has ended, and nothing can end it
//! before the model is asked. So what has changed is looked for where Codex waits last.

use codex_loadout_protocol::LoadoutError;
use serde_json::{Value, json};

use super::work::Work;
use crate::connection::AskError;
use crate::gate::{Question, Verdict};
use crate::interceptors::thread::{GOAL_ACTIVE, GOAL_SET};

impl Work {
    /// A turn ends. If something has changed underneath its thread and a goal would go on, that is paused, and
    /// the thread is given when it is idle: the goal is to go on when the thread is bound anew.
    pub async fn before_goal_goes_on(&self, question: Question) -> Option<String> {
        let thread = question.thread.clone();
        let paused = self.must_wait(&thread).await && self.pause_goal(&thread).await;
        question.answer(Verdict::Go);
        if !paused {
            return None;
        }
        tracing::info!(thread, "something has changed underneath: its goal waits");
        self.wait_until_idle(&thread).await;
        Some(thread)
    }

    /// Whether the next turn must not begin as things are.
    async fn must_wait(&self, thread: &str) -> bool {
        let stale = self.is_stale(thread).await;
        stale.unwrap_or_else(|error: LoadoutError| {
            tracing::warn!(%error, thread, "whether the next turn keeps to the loadout is not known");
            true
        })
    }

    /// Pauses the thread's goal; whether there was one to go on with.
    async fn pause_goal(&self, thread: &str) -> bool {
        let named = json!({ "threadId": thread });
        let goal: Result<Value, AskError> = self.asker.ask("thread/goal/get", &named).await;
        // A Codex without goals knows no such request.
        if !goal.is_ok_and(|found| found["goal"]["status"] == GOAL_ACTIVE) {
            return false;
        }
        let pause = json!({ "threadId": thread, "status": "paused" });
        let paused: Result<Value, AskError> = self.asker.ask(GOAL_SET, &pause).await;
        if let Err(error) = &paused {
            tracing::error!(%error, thread, "a goal goes on although something has changed");
        }
        paused.is_ok()
    }
}
