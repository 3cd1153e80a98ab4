//! Changes to a text: each replaces a piece of the original.

use std::collections::BTreeMap;
use std::ops::Range;

/// Changes that don't overlap: of two that would, the first asked for wins.
#[derive(Debug, Default)]
pub(super) struct Edits {
    /// End and replacement by start.
    pieces: BTreeMap<usize, (usize, String)>,
}

impl Edits {
    /// Asks for a change; `false` if another one has the place already.
    pub(super) fn replace(&mut self, range: Range<usize>, new: impl Into<String>) -> bool {
        if !self.is_free(range.clone()) {
            return false;
        }
        self.pieces.insert(range.start, (range.end, new.into()));
        true
    }

    /// Whether no change touches a place yet. Nothing is free of itself: an empty range is never changed.
    pub(super) fn is_free(&self, range: Range<usize>) -> bool {
        !range.is_empty()
            && self
                .pieces
                .range(..range.end)
                .next_back()
                .is_none_or(|(_, (end, _))| *end <= range.start)
    }

    /// The text with all changes made.
    pub(super) fn apply(&self, text: &str) -> Edited {
        let mut edited = Edited {
            text: String::with_capacity(text.len()),
            steps: Vec::with_capacity(2 * self.pieces.len()),
        };
        let mut done = 0;
        for (start, (end, new)) in &self.pieces {
            edited.text.push_str(&text[done..*start]);
            edited.steps.push((edited.text.len(), *start));
            edited.text.push_str(new);
            edited.steps.push((edited.text.len(), *end));
            done = *end;
        }
        edited.text.push_str(&text[done..]);
        edited
    }
}

/// A text after its changes, and the way back.
#[derive(Debug)]
pub(super) struct Edited {
    /// The new text.
    pub(super) text: String,
    /// Where a piece of the new text begins, and where it comes from.
    steps: Vec<(usize, usize)>,
}

impl Edited {
    /// The place in the original text that a place in the new one comes from.
    pub(super) fn origin(&self, at: usize) -> usize {
        let step = self.steps.partition_point(|(new, _)| *new <= at);
        match step.checked_sub(1) {
            None => at,
            // Even steps are replacements: all of one comes from its start.
            Some(index) if index % 2 == 0 => self.steps[index].1,
            Some(index) => self.steps[index].1 + at - self.steps[index].0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_change_wins_and_all_lead_back() {
        let mut edits = Edits::default();
        assert!(edits.replace(2..4, "XYZ"));
        assert!(!edits.replace(3..5, "no"));
        assert!(!edits.replace(0..9, "no"));
        assert!(!edits.replace(2..4, "no"));
        assert!(!edits.replace(7..7, "no"));
        assert!(edits.replace(4..5, ""));
        assert!(edits.replace(0..2, "_"));
        let edited = edits.apply("abcdefgh");
        assert_eq!(edited.text, "_XYZfgh");
        let origins: Vec<usize> = (0..=7).map(|at| edited.origin(at)).collect();
        assert_eq!(origins, [0, 2, 2, 2, 5, 6, 7, 8]);
    }
}
