//! How a running proxy is, for people.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// One running proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Status {
    /// Which codex-loadout it is.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// How long it runs.
    pub uptime_seconds: u64,
    /// The Codex behind it.
    pub codex: CodexStatus,
    /// The hosts that are connected to it.
    pub hosts: Vec<HostStatus>,
    /// Loaded threads that have a loadout.
    pub threads: Vec<ThreadStatus>,
    /// Where its state lies.
    pub state_folder: PathBuf,
    /// How much of that there is; `None` where it can't be read.
    pub store: Option<StoreSize>,
}

/// The Codex behind a proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CodexStatus {
    /// Its version, once a host was connected to it.
    pub version: Option<String>,
    /// Its process, if it is one of the proxy's own.
    pub pid: Option<u32>,
    /// How long that runs.
    pub uptime_seconds: Option<u64>,
    /// How often it was started again.
    pub restarts: u64,
}

/// A host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HostStatus {
    /// What it calls itself, once it has said so.
    pub name: Option<String>,
    /// How long it is connected.
    pub connected_seconds: u64,
}

/// A loaded thread that has a loadout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ThreadStatus {
    /// The thread.
    pub thread_id: String,
    /// The digest of its loadout.
    pub digest: String,
}

/// How much lies in a state folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct StoreSize {
    /// Bytes of all files.
    pub bytes: u64,
    /// Threads that have a record.
    pub records: u64,
}
