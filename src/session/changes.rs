//! Hosts that use what is ours are told when what could be selected has changed, whichever process has changed it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::method::CAPABILITY_CHANGED;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::loadouts::Loadouts;

/// How often it is looked: it is one number of the database.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Tells of changes from the moment on that it was made.
pub(super) struct Changes {
    changed: mpsc::Receiver<()>,
    looking: JoinHandle<()>,
}

impl Changes {
    /// Begins to look.
    pub(super) fn watch(loadouts: Arc<Loadouts>) -> Self {
        let (sender, changed) = mpsc::channel(1);
        let looking = tokio::spawn(async move {
            let mut seen = None;
            while !sender.is_closed() {
                match loadouts.capability_changes().await {
                    Ok(count) => {
                        let before = seen.replace(count);
                        if before.is_some_and(|before| before != count) {
                            // One that is not read yet tells of this one, too.
                            let _ = sender.try_send(());
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "whether something has changed is not known")
                    }
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        });
        Self { changed, looking }
    }

    /// The next change, where somebody looks. Nothing is lost if the future is dropped before it is ready.
    pub(super) async fn next(changes: &mut Option<Self>) {
        match changes {
            Some(changes) => match changes.changed.recv().await {
                Some(()) => {}
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }
}

/// What a host is told.
pub(super) fn notice() -> Bytes {
    let notice = json!({ "method": CAPABILITY_CHANGED, "params": {} });
    Bytes::from(notice.to_string())
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.looking.abort();
    }
}
