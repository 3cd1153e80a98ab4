//! Who is there: the Codex, and the hosts on it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::status::{CodexStatus, HostStatus};
use crate::threads::HostId;

/// Who is there at the moment.
#[derive(Debug, Default)]
pub(crate) struct Presence(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    codex: Codex,
    hosts: BTreeMap<HostId, Host>,
}

#[derive(Debug, Default)]
struct Codex {
    pid: Option<u32>,
    since: Option<Instant>,
    version: Option<String>,
}

#[derive(Debug)]
struct Host {
    since: Instant,
    name: Option<String>,
}

impl Presence {
    /// A Codex of ours runs now.
    pub(crate) fn codex_started(&self, pid: Option<u32>) {
        self.inner().codex = Codex {
            pid,
            since: Some(Instant::now()),
            version: None,
        };
    }

    /// Codex has said which one it is.
    pub(crate) fn codex_is(&self, version: String) {
        self.inner().codex.version = Some(version);
    }

    /// A host is connected to Codex.
    pub(crate) fn host_came(&self, host: HostId) {
        let since = Instant::now();
        self.inner().hosts.insert(host, Host { since, name: None });
    }

    /// A host has said who it is.
    pub(crate) fn host_is(&self, host: HostId, name: &str) {
        if let Some(host) = self.inner().hosts.get_mut(&host) {
            host.name = Some(name.to_owned());
        }
    }

    /// A host has left.
    pub(crate) fn host_left(&self, host: HostId) {
        self.inner().hosts.remove(&host);
    }

    /// How many hosts are connected.
    pub(crate) fn host_count(&self) -> usize {
        self.inner().hosts.len()
    }

    /// The Codex, which was started again this often.
    pub(crate) fn codex(&self, restarts: u64) -> CodexStatus {
        let Codex {
            pid,
            since,
            version,
        } = &self.inner().codex;
        CodexStatus {
            version: version.clone(),
            pid: *pid,
            uptime_seconds: since.map(|since| since.elapsed().as_secs()),
            restarts,
        }
    }

    /// The hosts, those that came first, first.
    pub(crate) fn hosts(&self) -> Vec<HostStatus> {
        let status = |host: &Host| HostStatus {
            name: host.name.clone(),
            connected_seconds: host.since.elapsed().as_secs(),
        };
        self.inner().hosts.values().map(status).collect()
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
