//! Systems without a queue that is always up to date: callers compare times and sizes.
//!
//! FSEvents of macOS comes on a thread of its own, a moment after the change, and nothing tells that all of it has
//! come; so has `notify`, which stands on it. A turn that begins right after a skill was added would have that skill.
//! Comparing is exact, and of 1,900 skills takes 30 to 60 ms where reading a queue takes 4.

use super::Targets;

/// Never made here.
#[derive(Debug)]
pub enum Watch {}

impl Watch {
    /// There is none on this system.
    #[must_use]
    pub fn on(_: &Targets) -> Option<Self> {
        None
    }

    /// Never asked.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        match *self {}
    }
}
