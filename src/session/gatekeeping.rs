//! Who answers at the gate: the look at a turn that has begun, or, where nobody looks, what Codex wrote
//! down of the turn.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use codex_loadout_protocol::{ErrorItem, ErrorKind, LoadoutError};
use dashmap::DashMap;
use tokio::sync::oneshot;

use super::work::Work;
use crate::crash_point::crash_point;
use crate::gate::{Question, Shown, Verdict, shown};
use crate::loadouts::Binding;
use crate::lowering::{has_gate, summary};
use crate::selections::session_file;

/// What a turn shows stands in the session file before the hook runs (0.144 to 0.169); longer than this
/// nobody waits for it.
const WRITTEN_WITHIN: Duration = Duration::from_secs(2);
/// How often to look again at what will be there in a moment.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// The looks of one connection, by thread.
#[derive(Debug, Default)]
pub(super) struct Looks(DashMap<String, Look>);

#[derive(Debug)]
struct Look {
    turn: String,
    /// Takes the question; gone when none is waited for.
    takes: Option<oneshot::Sender<Question>>,
}

/// A look at a turn whose question is to come. The look ends when this goes.
#[derive(Debug)]
pub(super) struct Expected {
    looks: Arc<Looks>,
    thread: String,
    asked: oneshot::Receiver<Question>,
}

impl Expected {
    /// The question; `None` if the turn goes on without one.
    pub(super) async fn question(&mut self) -> Option<Question> {
        (&mut self.asked).await.ok()
    }

    /// The turn is not to go on: whoever asks, or has asked, is held.
    pub(super) fn hold(&mut self) {
        self.asked.close();
        // Dropped, it is answered so.
        let _ = self.asked.try_recv();
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.looks.0.remove(&self.thread);
    }
}

impl Looks {
    fn expect(self: &Arc<Self>, thread: &str, turn: &str) -> Expected {
        let (takes, asked) = oneshot::channel();
        let look = Look {
            turn: turn.to_owned(),
            takes: Some(takes),
        };
        self.0.insert(thread.to_owned(), look);
        Expected {
            looks: self.clone(),
            thread: thread.to_owned(),
            asked,
        }
    }

    /// The turn was seen to run: it does not wait at the gate.
    fn expect_none(&self, thread: &str) {
        if let Some(mut look) = self.0.get_mut(thread) {
            look.takes = None;
        }
    }

    fn expect_no_more(&self) {
        for mut look in self.0.iter_mut() {
            look.takes = None;
        }
    }

    /// Hands a question over to the look at its turn. It comes back if nobody looks.
    async fn hand_over(
        &self,
        mut question: Question,
        is_beginning: impl Fn(&str) -> bool,
    ) -> Option<Question> {
        loop {
            let look = self.0.get_mut(&question.thread);
            let looked_at = match look.filter(|look| look.turn == question.turn) {
                Some(mut look) => match look.takes.take() {
                    Some(takes) => {
                        // A look that holds takes none: dropped, the question is answered so.
                        drop(takes.send(question));
                        return None;
                    }
                    // The look is just ending.
                    None => true,
                },
                None => false,
            };
            // That the turn has begun may not be heard yet.
            if !looked_at && !is_beginning(&question.thread) {
                return Some(question);
            }
            question = wait(question).await;
        }
    }
}

async fn wait(question: Question) -> Question {
    tokio::time::sleep(LOOK_EVERY).await;
    question
}

/// Why a turn may not go on.
#[derive(Debug)]
pub(super) struct Objection {
    pub(super) error: LoadoutError,
    /// Whether a turn that is begun anew may go on.
    pub(super) begin_anew: bool,
}

impl Objection {
    fn for_good(error: LoadoutError) -> Self {
        Self {
            error,
            begin_anew: false,
        }
    }
}

fn not_known(thread: &str) -> LoadoutError {
    let message = format!("a turn of thread `{thread}` began, and its loadout is not known here");
    LoadoutError::new(ErrorKind::LoadoutLost, message)
        .with_hint("Resume the thread, then begin the turn again.")
}

fn unreadable(thread: &str) -> LoadoutError {
    let message =
        format!("Codex's session file of thread `{thread}` does not say what its turn shows");
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
        .with_hint("`codex-loadout doctor` shows what holds on this Codex.")
}

fn came_in(what: &str, items: Vec<ErrorItem>) -> LoadoutError {
    let message = format!("{what} came in while the turn began");
    LoadoutError::new(ErrorKind::ThreadBusy, message)
        .with_hint("Send it again: what is new is kept out before the next turn.")
        .with_items(items)
}

pub(super) fn still_in_the_history(thread: &str) -> LoadoutError {
    let message = format!("a turn of thread `{thread}` that was ended is in its history still");
    LoadoutError::new(ErrorKind::ThreadBusy, message)
        .with_hint("Send the request again when the thread is idle.")
}

impl Work {
    /// A turn has begun and is looked at: what is asked of it at the gate, if its thread has one, is for
    /// that look.
    pub(super) fn expect_question(&self, thread: &str, turn: &str) -> Option<Expected> {
        let binding = self.bindings.get(thread)?;
        let gated = binding.config.as_ref().is_some_and(has_gate);
        gated.then(|| self.looks.expect(thread, turn))
    }

    /// A turn that is looked at was seen to run.
    pub fn turn_goes_on(&self, thread: &str) {
        self.looks.expect_none(thread);
    }

    /// Codex is gone: no turn of it will ask.
    pub fn nobody_asks(&self) {
        self.looks.expect_no_more();
    }

    /// Sees to it that a question is answered. A turn that nobody looks at and that ends here is taken
    /// out of the history, if nothing of the host's reaches its thread meanwhile; else before the next one.
    pub async fn judge(&self, question: Question, may_undo: bool) {
        let is_beginning = |thread: &str| self.beginnings.is_under_way(thread);
        let Some(question) = self.looks.hand_over(question, is_beginning).await else {
            return;
        };
        let Err(objection) = self.permit(&question).await else {
            question.answer(Verdict::Go);
            return;
        };
        let (thread, turn) = (question.thread.clone(), question.turn.clone());
        self.hold(&thread, &turn).await;
        question.answer(Verdict::Hold);
        crash_point("gate: held");
        if may_undo {
            // Not before Codex has told the host why it ends.
            self.wait_until_idle(&thread).await;
            if let Err(error) = self.take_back(&thread).await {
                tracing::warn!(%error, thread, "a turn that was ended stays in the history");
            }
        }
        self.note_refusal("a turn", Some(thread), &objection.error)
            .await;
    }

    /// A turn is ended: no other one may go on before it is out of the history, whoever sees to that.
    pub(super) async fn hold(&self, thread: &str, turn: &str) {
        self.must_be_taken_back(thread.to_owned(), turn.to_owned());
        let noted = async {
            let selections = self.loadouts.selections().await?;
            selections.begin_holding(thread, turn).await?;
            Ok::<(), LoadoutError>(())
        };
        if let Err(error) = noted.await {
            tracing::error!(%error, thread, "that a turn was ended can't be noted");
        }
    }

    /// An earlier turn of the thread takes this one with it.
    pub(super) fn must_be_taken_back(&self, thread: String, turn: String) {
        self.held.entry(thread).or_insert(turn);
    }

    /// Whether a turn may go on.
    pub(super) async fn permit(&self, question: &Question) -> Result<(), Objection> {
        let thread = &question.thread;
        if self.held.contains_key(thread) {
            return Err(Objection::for_good(still_in_the_history(thread)));
        }
        let Some(file) = &question.session_file else {
            // An ephemeral thread, or a trial's.
            return Ok(());
        };
        let binding = self.binding_of(question, file).await;
        let binding = binding.ok_or_else(|| Objection::for_good(not_known(thread)))?;
        let reloaded = self.reloaded(&binding).await;
        let reloaded = reloaded.map_err(Objection::for_good)?;
        if !reloaded.is_empty() {
            tracing::info!(thread, ?reloaded, "a turn would have more");
            return Err(Objection {
                error: came_in(&summary(&reloaded), Vec::new()),
                begin_anew: true,
            });
        }
        let mut shown = self.shown(question, file, &binding).await?;
        shown.retain(|name| !binding.loadout.may_show(name));
        if shown.is_empty() {
            return Ok(());
        }
        tracing::info!(thread, ?shown, "a turn would show more");
        // Codex may know of a skill whose file is gone again: it is kept out by its name from here on.
        let begin_anew = !shown.is_subset(&binding.kept_out);
        self.bindings.change(thread, |binding| {
            binding.kept_out.extend(shown.iter().cloned());
            binding.checked = None;
        });
        Err(Objection {
            error: came_in(
                "skills that are not of the loadout",
                shown.into_iter().map(ErrorItem::named).collect(),
            ),
            begin_anew,
        })
    }

    /// A spawned thread's first turn begins before it is announced: it has its parent's loadout.
    /// One that Codex goes on with as soon as it is loaded may not be on record yet.
    async fn binding_of(&self, question: &Question, file: &Path) -> Option<Binding> {
        if let Some(binding) = self.bindings.get(&question.thread) {
            return Some(binding);
        }
        let file = file.to_owned();
        let meta = tokio::task::spawn_blocking(move || session_file::read_meta(&file));
        let parent = meta.await.ok()?.ok().and_then(|meta| meta.parent);
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            let of_line = [
                Some(&question.thread),
                parent.as_ref(),
                Some(&question.line),
            ];
            let found = of_line
                .into_iter()
                .flatten()
                .find_map(|thread| self.bindings.get(thread));
            if found.is_some() || Instant::now() > deadline {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn shown(
        &self,
        question: &Question,
        file: &Path,
        binding: &Binding,
    ) -> Result<BTreeSet<String>, Objection> {
        let deadline = Instant::now() + WRITTEN_WITHIN;
        loop {
            let (file, turn) = (file.to_owned(), question.turn.clone());
            let loadout = binding.loadout.clone();
            let found = tokio::task::spawn_blocking(move || {
                let names: Vec<&str> = loadout.receipt.skill_names().collect();
                shown(&file, &turn, &names)
            });
            let found = found.await;
            match found {
                Ok(Ok(Shown::Skills(skills))) => return Ok(skills),
                Ok(Ok(Shown::NotYet)) if Instant::now() < deadline => {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
                unknown => {
                    tracing::warn!(?unknown, "what a turn shows can't be read");
                    return Err(Objection::for_good(unreadable(&question.thread)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lowering::GateInput;
    use futures_util::FutureExt;

    fn question(turn: &str) -> (Question, oneshot::Receiver<Verdict>) {
        let (answer, answered) = oneshot::channel();
        let input = GateInput {
            session_id: "thread".to_owned(),
            turn_id: turn.to_owned(),
            transcript_path: None,
            event: String::new(),
        };
        (Question::new(input, answer), answered)
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_finds_the_look_at_its_turn() {
        let looks = Arc::<Looks>::default();
        let never = |_: &str| false;
        let (alone, _answered) = question("one");
        assert!(looks.hand_over(alone, never).await.is_some());

        let mut expected = looks.expect("thread", "one");
        let (other, _answered) = question("two");
        assert!(
            looks.hand_over(other, never).await.is_some(),
            "another turn"
        );
        let (asked, answered) = question("one");
        assert!(looks.hand_over(asked, never).await.is_none());
        let asked = expected.question().await.unwrap();
        asked.answer(Verdict::Go);
        assert_eq!(answered.await, Ok(Verdict::Go));
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_waits_for_the_beginning_to_be_heard() {
        let looks = Arc::<Looks>::default();
        let (asked, _answered) = question("one");
        let mut handed = Box::pin(looks.hand_over(asked, |_| true));
        assert!(handed.as_mut().now_or_never().is_none());
        let mut expected = looks.expect("thread", "one");
        assert!(handed.await.is_none());
        assert!(expected.question().await.is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_look_that_holds_holds_who_asks_and_one_that_ends_lets_others_answer() {
        let looks = Arc::<Looks>::default();
        let never = |_: &str| false;
        let mut expected = looks.expect("thread", "one");
        expected.hold();
        let (held, answered) = question("one");
        assert!(looks.hand_over(held, never).await.is_none());
        assert!(answered.await.is_err(), "dropped: held");
        drop(expected);

        let mut expected = looks.expect("thread", "one");
        let (asked, answered) = question("one");
        assert!(looks.hand_over(asked, never).await.is_none());
        expected.hold();
        assert!(answered.await.is_err(), "it had asked already");
        drop(expected);

        let mut expected = looks.expect("thread", "one");
        looks.expect_no_more();
        assert!(expected.question().await.is_none());
        drop(expected);

        let mut expected = looks.expect("thread", "one");
        looks.expect_none("thread");
        assert!(expected.question().await.is_none());
        let (asked, _answered) = question("one");
        let mut handed = Box::pin(looks.hand_over(asked, never));
        assert!(
            handed.as_mut().now_or_never().is_none(),
            "it is just ending"
        );
        drop(expected);
        assert!(handed.await.is_some());
    }
}
