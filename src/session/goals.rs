//! Turns that go on with a goal: Codex begins each when the one before has ended, and nothing can end it before the
//! model is asked. So what has changed is looked for where Codex waits last, and nothing of ours makes Codex look at
//! the disk from there until the turn has begun; when it has, what it shows is looked at.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use serde_json::{Value, json};

use super::second_look::named_in;
use super::work::Work;
use crate::connection::AskError;
use crate::gate::{Question, Verdict};
use crate::interceptors::thread::{GOAL_ACTIVE, GOAL_SET};
use crate::lowering::has_gate;
use crate::selections::session_file;
use crate::wire::Frame;

/// A session file is made with a thread's first turn, within milliseconds.
const MADE_WITHIN: Duration = Duration::from_secs(2);
/// How often to look for it.
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// How often to wait for a turn to end before its goal stays paused; each is ten seconds.
const IDLE_TRIES: usize = 60;

impl Work {
    /// A turn ends. If something has changed underneath its thread and a goal would go on, that is paused, and
    /// the thread is given when it is idle: the goal is to go on when the thread is bound anew. Otherwise the
    /// next turn is beginning, if `hears` that it has.
    pub async fn before_goal_goes_on(&self, question: Question, hears: bool) -> Option<String> {
        let thread = question.thread.clone();
        // From here on, the host's word that the goal is to rest counts.
        self.paused_goals.insert(thread.clone());
        if !self.has_active_goal(&thread).await {
            self.paused_goals.remove(&thread);
            question.answer(Verdict::Go);
            return None;
        }
        let entered = self.beginnings.enter().await;
        if self.must_wait(&thread).await {
            drop(entered);
            let paused = self.paused_goals.contains(&thread) && self.pause_goal(&thread).await;
            question.answer(Verdict::Go);
            if !paused {
                self.paused_goals.remove(&thread);
                return None;
            }
            tracing::info!(thread, "something has changed underneath: its goal waits");
            // Other hooks of the thread may run still.
            for _ in 0..IDLE_TRIES {
                if self.wait_until_idle(&thread).await {
                    break;
                }
            }
            return self.paused_goals.remove(&thread);
        }
        self.paused_goals.remove(&thread);
        if hears {
            self.goal_turns.insert(thread.clone());
            self.beginnings.begin(&thread, entered);
        }
        question.answer(Verdict::Go);
        None
    }

    /// A turn has begun. If it goes on with a goal and shows what is not of the loadout, it is undone as
    /// far as that goes: the model may have been asked. The thread is given when its goal is to go on.
    pub async fn look_at_goal_turn(&self, started: Frame) -> Option<String> {
        let (thread, turn) = named_in(&started)?;
        // Only threads that newcomers are kept out of, on a Codex that can undo a turn.
        let config = self.bindings.get(&thread)?.config?;
        if !has_gate(&config) {
            return None;
        }
        let file = self.session_file(&thread).await?;
        let question = Question::of_nobody(&thread, &turn, file);
        let objection = self.permit(&question).await.err()?;
        // What can't be read ends no turn here: it may begin with a compaction, and show nothing yet.
        if objection.error.kind != ErrorKind::ThreadBusy {
            return None;
        }
        tracing::info!(thread, turn, error = %objection.error, "a turn that goes on with a goal ends");
        self.paused_goals.insert(thread.clone());
        let goes_on = self.has_active_goal(&thread).await
            && self.paused_goals.contains(&thread)
            && self.pause_goal(&thread).await;
        self.hold(&thread, &turn).await;
        self.interrupt(&thread, &turn).await;
        if let Err(error) = self.take_back(&thread).await {
            tracing::warn!(%error, thread, "a turn that was ended stays in the history");
        }
        self.note_refusal("a turn", Some(thread.clone()), &objection.error)
            .await;
        self.paused_goals.remove(&thread).filter(|_| goes_on)
    }

    /// Codex's session file of a thread; with the first turn, it is only just made.
    async fn session_file(&self, thread: &str) -> Option<PathBuf> {
        let home = self.upstream().await.ok()?.codex_home;
        let deadline = Instant::now() + MADE_WITHIN;
        loop {
            let (home, id) = (home.clone(), thread.to_owned());
            let found = tokio::task::spawn_blocking(move || session_file::find(&home, &id));
            match found.await.ok()? {
                None if Instant::now() < deadline => tokio::time::sleep(LOOK_EVERY).await,
                found => return found,
            }
        }
    }

    /// None of these threads has gone on with a goal since they were found idle.
    ///
    /// # Errors
    /// `threadBusy` with the one that has.
    pub(super) async fn check_at_rest(&self, threads: &[String]) -> Result<(), LoadoutError> {
        for thread in threads {
            if !self.with_goals.contains(thread) {
                continue;
            }
            let named = json!({ "threadId": thread });
            let read: Result<Value, AskError> = self.asker.ask("thread/read", &named).await;
            if read.is_ok_and(|read| read["thread"]["status"]["type"] == "active") {
                let message = format!("thread `{thread}` has gone on with its goal");
                return Err(LoadoutError::new(ErrorKind::ThreadBusy, message)
                    .with_hint("Pause the goal, and send the request when the turn has ended.")
                    .with_items(vec![ErrorItem::named(thread)]));
            }
        }
        Ok(())
    }

    /// The host wants no more of a goal: what we paused does not go on.
    pub fn goal_rests(&self, thread: &str) {
        self.paused_goals.remove(thread);
        self.goal_turns.remove(thread);
    }

    /// Whether the turn that has begun goes on with a goal.
    pub fn goes_on_with_goal(&self, thread: &str) -> bool {
        let goes_on = self.goal_turns.remove(thread);
        goes_on.is_some_and(|thread| {
            self.with_goals.insert(thread);
            true
        })
    }

    /// Whether the next turn must not begin as things are.
    async fn must_wait(&self, thread: &str) -> bool {
        let stale = self.is_stale(thread).await;
        stale.unwrap_or_else(|error: LoadoutError| {
            tracing::warn!(%error, thread, "whether the next turn keeps to the loadout is not known");
            true
        })
    }

    async fn has_active_goal(&self, thread: &str) -> bool {
        let named = json!({ "threadId": thread });
        let goal: Result<Value, AskError> = self.asker.ask("thread/goal/get", &named).await;
        // A Codex without goals knows no such request.
        goal.is_ok_and(|found| found["goal"]["status"] == GOAL_ACTIVE)
    }

    /// Pauses the thread's goal; whether that was done.
    async fn pause_goal(&self, thread: &str) -> bool {
        let pause = json!({ "threadId": thread, "status": "paused" });
        let paused: Result<Value, AskError> = self.asker.ask(GOAL_SET, &pause).await;
        if let Err(error) = &paused {
            tracing::error!(%error, thread, "a goal goes on although something has changed");
        }
        paused.is_ok()
    }
}
