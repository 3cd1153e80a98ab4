//! The control socket of a process that serves. There is none before there is a state folder: for a host that never
//! uses what is ours, nothing is made.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;

use super::live_bundles::LiveBundles;
use super::process::CodexProcess;
use crate::connection::ControlSocket;

/// What the host says first comes first.
const AFTER_START: Duration = Duration::from_millis(100);

/// Serves at the control socket as long as this is there.
#[derive(Debug)]
pub(super) struct ControlDoor {
    serving: JoinHandle<()>,
    /// Asks for what clients of the door could ask for.
    _live_bundles: LiveBundles,
}

impl ControlDoor {
    /// Opens it, once there is a state folder.
    pub(super) fn open(process: &Arc<CodexProcess>) -> Self {
        let live_bundles = LiveBundles::follow(process);
        let process = process.clone();
        let serving = tokio::spawn(async move {
            tokio::time::sleep(AFTER_START).await;
            process.loadouts.until_there_is_state().await;
            // It is removed when this ends, in whatever way.
            match ControlSocket::bind(process.loadouts.state_home()).await {
                Ok((_socket, listener)) => process.control_server().serve_unix(listener).await,
                Err(error) => tracing::warn!(%error, "there is no control socket"),
            }
        });
        Self {
            serving,
            _live_bundles: live_bundles,
        }
    }
}

impl Drop for ControlDoor {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
