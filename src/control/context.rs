//! What the methods work on.

use std::sync::{Arc, OnceLock};

use codex_loadout_protocol::LoadoutError;
use tokio::sync::watch;

use super::answer::wait_for_upstream;
use crate::catalog::CatalogCache;
use crate::connection::{CodexCommand, RpcClient};
use crate::loadouts::{AppliedConfigs, LaunchCarriers, Loadouts};
use crate::messages::initialize::UpstreamInfo;

/// What the methods work on.
#[derive(Debug)]
pub(crate) struct Context {
    /// The loadouts of the user.
    pub loadouts: Arc<Loadouts>,
    /// Asks Codex.
    pub rpc: Arc<RpcClient>,
    /// What there is.
    pub catalogs: Arc<CatalogCache>,
    /// What the loaded threads of this connection were told.
    pub applied: Arc<AppliedConfigs>,
    /// Which Codex it is, once it has said so.
    pub upstream: watch::Receiver<Option<UpstreamInfo>>,
    /// What is said of all threads of this process.
    pub launch: Arc<LaunchCarriers>,
    /// The Codex of the host, for another one of the same kind.
    pub codex: CodexCommand,
    /// What the host calls itself, once it has said so.
    pub host: Arc<OnceLock<String>>,
}

impl Context {
    pub(super) async fn upstream(&self) -> Result<UpstreamInfo, LoadoutError> {
        wait_for_upstream(self.upstream.clone()).await
    }
}
