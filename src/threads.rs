//! What is true of each thread of one Codex process, whoever is connected: one struct in one map.
//!
//! The router keeps a thread's queues and its turn here, the request handlers what was applied to it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::wire::Frame;

/// One host of a Codex process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct HostId(pub(crate) u64);

/// A frame that waits, and the host that sent it or is to get it.
pub(crate) type Waiting = (HostId, Frame);

/// The turns of a thread. Each host that has it open is told of them at a moment of its own, so that one is told
/// of a turn's end when another has begun the next. A turn whose id is not known is `""`.
#[derive(Debug, Default)]
pub(crate) struct Turns {
    /// Requests that Codex may begin one for, and has not answered yet.
    asked_for: usize,
    under_way: Option<String>,
    ended: Option<String>,
}

impl Turns {
    /// Whether one is under way, or about to be.
    #[must_use]
    pub(crate) fn are_under_way(&self) -> bool {
        self.asked_for > 0 || self.under_way.is_some()
    }

    /// Whether Codex has yet to answer a request that may begin one.
    #[must_use]
    pub(crate) fn are_asked_for(&self) -> bool {
        self.asked_for > 0
    }

    /// The one that is under way.
    #[must_use]
    pub(crate) fn under_way(&self) -> Option<&str> {
        self.under_way.as_deref()
    }

    /// A request that begins one goes to Codex.
    pub(crate) fn ask(&mut self) {
        self.asked_for += 1;
    }

    /// Codex has answered such a request, with the turn's id unless it refused; or will not answer it any more.
    pub(crate) fn answered(&mut self, turn: Option<String>) {
        self.asked_for = self.asked_for.saturating_sub(1);
        if let Some(turn) = turn {
            self.started(turn);
        }
    }

    /// A host was told that one has begun.
    pub(crate) fn started(&mut self, turn: String) {
        if !self.has_ended(&turn) {
            self.under_way = Some(turn);
        }
    }

    /// A host was told that one has ended.
    pub(crate) fn completed(&mut self, turn: String) {
        if !self.has_ended(&turn) {
            self.under_way = None;
            self.ended = Some(turn);
        }
    }

    /// The thread is no longer loaded.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    fn has_ended(&self, turn: &str) -> bool {
        !turn.is_empty() && self.ended.as_deref() == Some(turn)
    }
}

/// Why hosts hear nothing of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Muted {
    /// It is unloaded and loaded again with another config. A turn that Codex begins on it is heard of.
    WhileRebound,
    /// It is a fork that is split from its source, and no thread of any host's yet.
    WhileSplit,
    /// It was a fork that could not be split. Its end may be told later.
    ForGood,
}

/// One thread. `A` is what was applied to it, which is nothing to the router.
#[derive(Debug)]
pub(crate) struct ThreadState<A> {
    /// Whether it has a loadout.
    pub has_loadout: bool,
    /// What Codex was sent for it; `None` where Codex has not loaded it with a loadout.
    pub applied: Option<Arc<A>>,
    /// Its turns.
    pub turns: Turns,
    /// Whether hosts hear nothing of it for the moment.
    pub muted: Option<Muted>,
    /// Whether it is a fork without a loadout: its source may have one, and did not spawn it.
    pub is_native_fork: bool,
    /// Whether it is a fork that was split from its source, and Codex has yet to say that it has no goal: it says so
    /// of each thread that is loaded, and of a fork as a host sees one, never.
    pub goal_is_untold: bool,
    /// What hosts have sent on it and Codex does not get yet.
    from_hosts: Option<VecDeque<Waiting>>,
    /// What Codex has said of it and hosts do not get yet.
    unrevealed: Option<Unrevealed>,
}

#[derive(Debug, Default)]
struct Unrevealed {
    frames: VecDeque<Waiting>,
    bytes: usize,
    /// Whether it is known to be a thread whose loadout is not on disk yet, and not only suspected.
    is_certain: bool,
}

impl<A> Default for ThreadState<A> {
    fn default() -> Self {
        Self {
            has_loadout: false,
            applied: None,
            turns: Turns::default(),
            muted: None,
            is_native_fork: false,
            goal_is_untold: false,
            from_hosts: None,
            unrevealed: None,
        }
    }
}

impl<A> ThreadState<A> {
    fn hidden_bytes(&self) -> usize {
        let unrevealed = self.unrevealed.as_ref();
        unrevealed.map_or(0, |unrevealed| unrevealed.bytes)
    }

    /// Whether nothing is known of it that one never heard of would not have.
    fn is_nothing(&self) -> bool {
        let flags = self.has_loadout || self.turns.are_under_way() || self.is_native_fork;
        let queues = self.from_hosts.is_some() || self.unrevealed.is_some();
        !flags && !queues && self.applied.is_none() && self.muted.is_none()
    }
}

/// All threads that something is known of.
#[derive(Debug)]
pub(crate) struct Threads<A> {
    states: HashMap<String, ThreadState<A>>,
    counts: Counts,
}

/// How many threads have what is asked at every frame: where none has, no frame has to be looked into.
#[derive(Debug, Default)]
struct Counts {
    with_loadout: usize,
    held: usize,
    hidden: usize,
    muted: usize,
    /// Not threads, but bytes of what Codex has said of them.
    hidden_bytes: usize,
}

impl Counts {
    fn add<A>(&mut self, state: &ThreadState<A>) {
        self.with_loadout += usize::from(state.has_loadout);
        self.held += usize::from(state.from_hosts.is_some());
        self.hidden += usize::from(state.unrevealed.is_some());
        self.muted += usize::from(state.muted.is_some());
        self.hidden_bytes += state.hidden_bytes();
    }

    fn subtract<A>(&mut self, state: &ThreadState<A>) {
        self.with_loadout -= usize::from(state.has_loadout);
        self.held -= usize::from(state.from_hosts.is_some());
        self.hidden -= usize::from(state.unrevealed.is_some());
        self.muted -= usize::from(state.muted.is_some());
        self.hidden_bytes -= state.hidden_bytes();
    }
}

impl<A> Default for Threads<A> {
    fn default() -> Self {
        Self {
            states: HashMap::new(),
            counts: Counts::default(),
        }
    }
}

impl<A> Threads<A> {
    /// What is known of a thread.
    #[must_use]
    pub(crate) fn get(&self, thread: &str) -> Option<&ThreadState<A>> {
        self.states.get(thread)
    }

    /// Whether something holds of a thread; of one that nothing is known of, nothing does.
    #[must_use]
    pub(crate) fn is(&self, thread: &str, holds: impl Fn(&ThreadState<A>) -> bool) -> bool {
        self.get(thread).is_some_and(holds)
    }

    /// Changes what is known of a thread. One that nothing is left to know of takes no room.
    pub(crate) fn change<T>(
        &mut self,
        thread: &str,
        change: impl FnOnce(&mut ThreadState<A>) -> T,
    ) -> T {
        let mut state = self.states.remove(thread).unwrap_or_default();
        self.counts.subtract(&state);
        let changed = change(&mut state);
        self.counts.add(&state);
        if !state.is_nothing() {
            self.states.insert(thread.to_owned(), state);
        }
        changed
    }

    /// All of them, in no order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&String, &ThreadState<A>)> {
        self.states.iter()
    }

    /// All that were applied to threads, to be changed.
    pub(crate) fn applied_mut(&mut self) -> impl Iterator<Item = &mut Arc<A>> {
        let states = self.states.values_mut();
        states.filter_map(|state| state.applied.as_mut())
    }

    /// Codex has ended: none is loaded any more. What hosts have sent still waits for whoever holds it up.
    pub(crate) fn lose_all(&mut self) {
        for (thread, lost) in std::mem::take(self).states {
            self.change(&thread, |state| state.from_hosts = lost.from_hosts);
        }
    }

    /// Whether any thread has a loadout.
    #[must_use]
    pub(crate) fn any_has_loadout(&self) -> bool {
        self.counts.with_loadout > 0
    }

    /// Whether what hosts send on any thread waits.
    #[must_use]
    pub(crate) fn any_is_held(&self) -> bool {
        self.counts.held > 0
    }

    /// Whether what Codex says of any thread waits.
    #[must_use]
    pub(crate) fn any_is_hidden(&self) -> bool {
        self.counts.hidden > 0
    }

    /// Whether hosts hear nothing of any thread.
    #[must_use]
    pub(crate) fn any_is_muted(&self) -> bool {
        self.counts.muted > 0
    }

    /// Whether what hosts send on a thread waits.
    #[must_use]
    pub(crate) fn is_held(&self, thread: &str) -> bool {
        self.is(thread, |state| state.from_hosts.is_some())
    }

    /// What hosts send on a thread waits from here on. Holding a held one changes nothing.
    pub(crate) fn hold(&mut self, thread: &str) {
        self.change(thread, |state| {
            state.from_hosts.get_or_insert_default();
        });
    }

    /// Takes a frame of a host's if those on its thread wait.
    ///
    /// # Errors
    /// The frame, where they do not.
    pub(crate) fn hold_frame(
        &mut self,
        thread: &str,
        host: HostId,
        frame: Frame,
    ) -> Result<(), Frame> {
        let state = self.states.get_mut(thread);
        match state.and_then(|state| state.from_hosts.as_mut()) {
            Some(waiting) => {
                waiting.push_back((host, frame));
                Ok(())
            }
            None => Err(frame),
        }
    }

    /// What hosts send on a thread waits no longer; gives what waited, in order.
    pub(crate) fn release(&mut self, thread: &str) -> VecDeque<Waiting> {
        let waiting = self.change(thread, |state| state.from_hosts.take());
        waiting.unwrap_or_default()
    }

    /// What Codex says of a thread waits from here on, since it may be, or is, one whose loadout is not on disk.
    pub(crate) fn hide(&mut self, thread: &str, is_certain: bool) {
        self.change(thread, |state| {
            let unrevealed = state.unrevealed.get_or_insert_default();
            unrevealed.is_certain |= is_certain;
        });
    }

    /// Whether what Codex says of a thread waits.
    #[must_use]
    pub(crate) fn is_hidden(&self, thread: &str) -> bool {
        self.is(thread, |state| state.unrevealed.is_some())
    }

    /// Takes a frame of Codex's if those on its thread wait.
    ///
    /// # Errors
    /// The frame, where they do not.
    pub(crate) fn hide_frame(
        &mut self,
        thread: &str,
        host: HostId,
        frame: Frame,
    ) -> Result<(), Frame> {
        let state = self.states.get_mut(thread);
        match state.and_then(|state| state.unrevealed.as_mut()) {
            Some(unrevealed) => {
                unrevealed.bytes += frame.bytes().len();
                self.counts.hidden_bytes += frame.bytes().len();
                unrevealed.frames.push_back((host, frame));
                Ok(())
            }
            None => Err(frame),
        }
    }

    /// Bytes of what Codex has said of all threads that are hidden.
    #[must_use]
    pub(crate) fn hidden_bytes(&self) -> usize {
        self.counts.hidden_bytes
    }

    /// How many frames of Codex's wait on a thread.
    #[must_use]
    pub(crate) fn hidden_frames(&self, thread: &str) -> usize {
        let unrevealed = self.get(thread).and_then(|state| state.unrevealed.as_ref());
        unrevealed.map_or(0, |unrevealed| unrevealed.frames.len())
    }

    /// What Codex says of a thread waits no longer; gives what waited, in order.
    pub(crate) fn reveal(&mut self, thread: &str) -> VecDeque<Waiting> {
        let unrevealed = self.change(thread, |state| state.unrevealed.take());
        unrevealed.map_or_else(VecDeque::new, |unrevealed| unrevealed.frames)
    }

    /// Threads that are hidden, sorted; `only_suspected`: those of which nothing more is known.
    #[must_use]
    pub(crate) fn hidden(&self, only_suspected: bool) -> Vec<String> {
        let states = self.states.iter();
        let mut hidden: Vec<String> = states
            .filter(|(_, state)| {
                let unrevealed = state.unrevealed.as_ref();
                unrevealed.is_some_and(|hidden| !only_suspected || !hidden.is_certain)
            })
            .map(|(thread, _)| thread.clone())
            .collect();
        hidden.sort();
        hidden
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    const HOST: HostId = HostId(1);

    #[test]
    fn frames_wait_in_order_and_what_nothing_is_known_of_takes_no_room() {
        let frame = |text: &'static str| Frame::new(Bytes::from_static(text.as_bytes()));
        let mut threads = Threads::<()>::default();
        assert!(threads.hold_frame("t", HOST, frame("1")).is_err());
        threads.hold("t");
        threads.hold("t");
        assert!(threads.hold_frame("t", HOST, frame("1")).is_ok());
        assert!(threads.hold_frame("t", HOST, frame("2")).is_ok());
        threads.hide("t", false);
        threads.hide("u", true);
        assert_eq!(threads.hidden(true), ["t"]);
        assert_eq!(threads.hidden(false), ["t", "u"]);
        assert!(threads.hide_frame("t", HOST, frame("3")).is_ok());
        assert_eq!((threads.hidden_frames("t"), threads.hidden_bytes()), (1, 1));
        let texts = |frames: VecDeque<Waiting>| {
            let frames = frames.into_iter();
            frames
                .map(|(_, frame)| frame.into_bytes())
                .collect::<Vec<_>>()
        };
        threads.change("t", |state| state.has_loadout = true);
        threads.lose_all();
        assert!(!threads.any_has_loadout() && !threads.any_is_hidden());
        assert_eq!(texts(threads.release("t")), ["1", "2"]);
        threads.hide("t", false);
        assert!(threads.hide_frame("t", HOST, frame("3")).is_ok());
        assert_eq!(texts(threads.reveal("t")), ["3"]);
        threads.reveal("u");
        assert_eq!(threads.hidden_bytes(), 0);
        assert!(!threads.any_is_held() && !threads.any_is_hidden());
        threads.change("t", |state| state.has_loadout = true);
        threads.change("t", |state| state.muted = Some(Muted::ForGood));
        assert!(threads.any_has_loadout() && threads.any_is_muted());
        threads.change("t", |state| *state = ThreadState::default());
        assert!(!threads.any_has_loadout() && !threads.any_is_muted());
        assert_eq!(threads.iter().count(), 0);
    }

    #[test]
    fn the_end_of_a_turn_that_another_host_hears_late_ends_no_other_turn() {
        let mut turns = Turns::default();
        turns.ask();
        assert!(turns.are_under_way());
        turns.answered(Some("1".to_owned()));
        turns.started("1".to_owned());
        turns.completed("1".to_owned());
        assert!(!turns.are_under_way());
        turns.ask();
        turns.answered(Some("2".to_owned()));
        for late in ["1", "1"] {
            turns.started(late.to_owned());
            turns.completed(late.to_owned());
            turns.started("2".to_owned());
        }
        assert!(turns.are_under_way());
        turns.completed("2".to_owned());
        turns.started("2".to_owned());
        assert!(!turns.are_under_way());
        turns.ask();
        turns.answered(None);
        assert!(!turns.are_under_way());
    }
}
