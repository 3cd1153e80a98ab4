//! What is said where a loadout can't be brought back.

use codex_loadout_protocol::{ErrorKind, LoadoutError};

use crate::materializer::RootId;

/// The root that a record names.
pub(super) fn parse_root(text: &str) -> Result<RootId, LoadoutError> {
    text.parse()
        .map_err(|_| lost("its record names a root that is no id"))
}

/// The thread's loadout is lost, and why.
pub(super) fn lost(why: &str) -> LoadoutError {
    LoadoutError::new(
        ErrorKind::LoadoutLost,
        format!("the thread's loadout can't be brought back: {why}"),
    )
    .with_hint("Send a new `capabilitySelection`, or `null` to go on without a loadout.")
}
