//! What the methods work on.

use std::fmt::Debug;
use std::sync::{Arc, OnceLock};

use codex_loadout_protocol::LoadoutError;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde_json::value::RawValue;
use tokio::sync::watch;

use super::answer::wait_for_upstream;
use crate::catalog::CatalogCache;
use crate::connection::{CodexCommand, Introduced, RpcClient};
use crate::loadouts::{AppliedConfigs, LaunchCarriers, Loadouts};
use crate::messages::initialize::UpstreamInfo;

/// What the methods work on.
#[derive(Debug)]
pub(crate) struct Context {
    /// The loadouts of the user.
    pub loadouts: Arc<Loadouts>,
    /// The way to Codex.
    pub upstream: Arc<dyn ReachesCodex>,
    /// Gives threads another loadout, where that is no request of a host's, which the router claims.
    pub updates: Option<Arc<dyn UpdatesThreads>>,
    /// What there is.
    pub catalogs: Arc<CatalogCache>,
    /// What the loaded threads of this Codex were told.
    pub applied: Arc<AppliedConfigs>,
    /// What is said of all threads of this process.
    pub launch: Arc<LaunchCarriers>,
    /// The Codex of the host, for another one of the same kind.
    pub codex: CodexCommand,
    /// What the host calls itself, once it has said so.
    pub host: Arc<OnceLock<String>>,
}

/// A way to Codex.
pub(crate) trait ReachesCodex: Debug + Send + Sync {
    /// A connection to it on which somebody has introduced himself.
    fn connection(&self) -> BoxFuture<'_, Result<CodexConnection, LoadoutError>>;
}

/// Whoever gives threads that live another loadout.
pub(crate) trait UpdatesThreads: Debug + Send + Sync {
    /// Answers `thread/capability/update` with these params.
    fn update(&self, params: String) -> BoxFuture<'_, Result<Box<RawValue>, LoadoutError>>;
}

/// A connection to Codex. One of our own ends with this.
#[derive(Debug)]
pub(crate) struct CodexConnection {
    /// Asks it.
    pub rpc: Arc<RpcClient>,
    /// Which Codex it is.
    pub info: UpstreamInfo,
    own: Option<Introduced>,
}

impl CodexConnection {
    /// That of a host.
    #[must_use]
    pub(crate) fn of_host(rpc: Arc<RpcClient>, info: UpstreamInfo) -> Self {
        Self {
            rpc,
            info,
            own: None,
        }
    }

    /// One of our own.
    #[must_use]
    pub(crate) fn own(codex: Introduced) -> Self {
        Self {
            rpc: codex.rpc().clone(),
            info: codex.info().clone(),
            own: Some(codex),
        }
    }
}

impl Drop for CodexConnection {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            own.close();
        }
    }
}

/// The connection of one host, once it is through with `initialize`.
#[derive(Debug)]
pub(crate) struct HostConnection {
    /// Asks Codex.
    pub rpc: Arc<RpcClient>,
    /// Which Codex it is, once it has said so.
    pub upstream: watch::Receiver<Option<UpstreamInfo>>,
}

impl ReachesCodex for HostConnection {
    fn connection(&self) -> BoxFuture<'_, Result<CodexConnection, LoadoutError>> {
        async {
            let info = wait_for_upstream(self.upstream.clone()).await?;
            Ok(CodexConnection::of_host(self.rpc.clone(), info))
        }
        .boxed()
    }
}
