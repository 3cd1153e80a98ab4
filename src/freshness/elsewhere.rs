//! Systems without a queue that is always up to date.

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
