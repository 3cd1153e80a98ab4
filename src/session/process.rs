//! What the hosts of one Codex process share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::AbortHandle;

use super::control::ToLoop;
use super::thread_locks::ThreadLocks;
use crate::catalog::CatalogCache;
use crate::connection::{CodexCommand, FrameWriter, RpcClient, UpstreamAddress};
use crate::loadouts::{AppliedConfigs, LaunchCarriers, Loadouts};
use crate::messages::initialize::UpstreamInfo;
use crate::metrics::Metrics;
use crate::threads::HostId;

/// One Codex process, as those who handle requests for its hosts see it.
#[derive(Debug)]
pub(crate) struct CodexProcess {
    pub(super) loadouts: Arc<Loadouts>,
    pub(super) catalogs: Arc<CatalogCache>,
    /// What the loaded threads were told.
    pub(super) applied: Arc<AppliedConfigs>,
    pub(super) locks: ThreadLocks,
    pub(super) getting_ready: Mutex<Option<AbortHandle>>,
    /// What is said of all threads of this process.
    pub(super) launch: Arc<LaunchCarriers>,
    /// How it was started.
    pub(super) codex: CodexCommand,
    /// What is counted, and who is there.
    pub(super) metrics: Metrics,
    /// Whether what somebody left in Codex's archive was brought back: what lies there later is on its way.
    has_brought_back: AtomicBool,
    /// The way from the control door to the loop.
    pub(super) control: ToLoop,
    /// Where Codex listens, and the token that it asks for; `None`: it is on pipes.
    pub(super) address: Mutex<Option<(UpstreamAddress, Option<String>)>>,
    /// The hosts that are through with `initialize`.
    attached: Mutex<BTreeMap<HostId, Arc<Attached>>>,
}

/// A host that is through with `initialize`.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) id: HostId,
    /// Asks Codex on its connection.
    pub(super) rpc: Arc<RpcClient>,
    /// Which Codex it is.
    pub(super) info: UpstreamInfo,
    /// Where it hears what is said past the router.
    pub(super) writer: FrameWriter,
}

impl CodexProcess {
    /// One that no host is connected to yet.
    #[must_use]
    pub(crate) fn new(
        loadouts: Arc<Loadouts>,
        codex: CodexCommand,
        launch: LaunchCarriers,
    ) -> Arc<Self> {
        Arc::new(Self {
            metrics: Metrics::new(loadouts.happenings().clone()),
            loadouts,
            catalogs: Arc::default(),
            applied: Arc::default(),
            locks: ThreadLocks::default(),
            getting_ready: Mutex::default(),
            launch: Arc::new(launch),
            codex,
            has_brought_back: AtomicBool::new(false),
            control: ToLoop::default(),
            address: Mutex::default(),
            attached: Mutex::default(),
        })
    }

    /// Whether this is the first time that it is asked.
    pub(super) fn is_to_bring_back(&self) -> bool {
        !self.has_brought_back.swap(true, Ordering::Relaxed)
    }

    pub(super) fn attach(&self, host: Attached) {
        self.hosts().insert(host.id, Arc::new(host));
    }

    /// A host has left, or Codex has.
    pub(super) fn detach(&self, host: HostId) {
        self.hosts().remove(&host);
    }

    /// The hosts that are through with `initialize`.
    pub(super) fn attached(&self) -> Vec<Arc<Attached>> {
        self.hosts().values().cloned().collect()
    }

    fn hosts(&self) -> std::sync::MutexGuard<'_, BTreeMap<HostId, Arc<Attached>>> {
        self.attached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
