//! A reader that ends where it may not go on, and remembers why.

use std::cell::RefCell;
use std::io::{self, Read};

use super::contents::too_much;
use super::unreadable;
use crate::error::FetchError;

/// Why reading ended.
#[derive(Default)]
pub(super) struct Ended(RefCell<Option<FetchError>>);

impl Ended {
    /// The error that it is for whoever fetches, of an error of reading.
    pub(super) fn because(&self, error: &dyn std::fmt::Display) -> FetchError {
        let remembered = self.0.borrow_mut().take();
        remembered.unwrap_or_else(|| unreadable(&error.to_string()))
    }
}

/// A reader that gives `left` bytes at most, and looks at each step whether to go on.
pub(super) struct Bounded<'a, R> {
    pub(super) from: R,
    pub(super) left: u64,
    pub(super) go_on: &'a dyn Fn() -> Result<(), FetchError>,
    pub(super) ended: &'a Ended,
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let may = (self.go_on)();
        let count = match may {
            Ok(()) => self.from.read(buffer)?,
            Err(error) => return Err(self.end(error)),
        };
        match self.left.checked_sub(count as u64) {
            Some(left) => self.left = left,
            None => return Err(self.end(too_much())),
        }
        Ok(count)
    }
}

impl<R> Bounded<'_, R> {
    fn end(&self, error: FetchError) -> io::Error {
        let text = error.message.clone();
        *self.ended.0.borrow_mut() = Some(error);
        io::Error::other(text)
    }
}
