//! Frames that wait for something that is under way on their thread.

use std::collections::{HashMap, VecDeque};

use crate::wire::Frame;

/// Frames in waiting, by thread.
#[derive(Debug, Default)]
pub(super) struct Gates {
    closed: HashMap<String, VecDeque<Frame>>,
}

impl Gates {
    /// Makes frames on a thread wait. Closing a closed gate changes nothing.
    pub(super) fn close(&mut self, thread: &str) {
        if !self.closed.contains_key(thread) {
            self.closed.insert(thread.to_owned(), VecDeque::new());
        }
    }

    /// Takes the frame if its thread's gate is closed.
    pub(super) fn hold(&mut self, thread: &str, frame: Frame) -> Result<(), Frame> {
        match self.closed.get_mut(thread) {
            Some(waiting) => {
                waiting.push_back(frame);
                Ok(())
            }
            None => Err(frame),
        }
    }

    /// Whether frames on a thread wait.
    pub(super) fn is_closed(&self, thread: &str) -> bool {
        self.closed.contains_key(thread)
    }

    /// Opens a gate and gives what waited, in order.
    pub(super) fn open(&mut self, thread: &str) -> VecDeque<Frame> {
        self.closed.remove(thread).unwrap_or_default()
    }

    /// How many frames wait at a gate.
    pub(super) fn waiting(&self, thread: &str) -> usize {
        self.closed.get(thread).map_or(0, VecDeque::len)
    }

    /// The threads whose gate is closed, sorted.
    pub(super) fn threads(&self) -> Vec<String> {
        let mut threads: Vec<String> = self.closed.keys().cloned().collect();
        threads.sort();
        threads
    }

    pub(super) fn is_empty(&self) -> bool {
        self.closed.is_empty()
    }
}
