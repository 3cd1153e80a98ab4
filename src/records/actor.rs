//! Who asked for what is worked on: whatever is written down meanwhile is written down with it.

use std::sync::Arc;

tokio::task_local! {
    static ACTOR: Option<Arc<str>>;
}

/// Does work that somebody has asked for: a host, the command line, or a client of the control door.
pub async fn asked_by<T>(actor: Option<Arc<str>>, work: impl Future<Output = T>) -> T {
    ACTOR.scope(actor, work).await
}

/// Who has asked for what is worked on now.
#[must_use]
pub fn actor() -> Option<Arc<str>> {
    ACTOR.try_with(Clone::clone).ok().flatten()
}
