//! One host: its connection, the one to Codex that is for it alone, and what is under way between them.

use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::process::CodexProcess;
use super::request_handlers::RequestHandlers;
use crate::connection::{FrameReader, FrameWriter, RpcClient};
use crate::threads::HostId;
use crate::wire::Frame;

/// One end of a connection: a host, or Codex.
#[derive(Debug)]
pub(crate) struct Door {
    /// What comes in.
    pub reader: FrameReader,
    /// What goes out.
    pub writer: FrameWriter,
    /// Ends when everything was written.
    pub written: JoinHandle<()>,
}

/// From which side messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Host,
    Codex,
}

/// Messages that have come in, and where more come from; no messages: none will.
pub(super) struct Arrived {
    pub(super) host: HostId,
    pub(super) side: Side,
    pub(super) reader: FrameReader,
    pub(super) frames: Option<Vec<Frame>>,
}

/// Waits for messages; `None`: the host has left.
pub(super) type Reading = BoxFuture<'static, Option<Arrived>>;

/// A host on Codex.
pub(super) struct HostSession {
    pub(super) id: HostId,
    /// How ids of our own requests begin on its connection to Codex.
    pub(super) own_ids: String,
    pub(super) host: FrameWriter,
    pub(super) host_open: bool,
    pub(super) codex: FrameWriter,
    pub(super) codex_open: bool,
    pub(super) handlers: Arc<RequestHandlers>,
    pub(super) rpc: Arc<RpcClient>,
    /// How much is worked on for it.
    pub(super) jobs: usize,
    /// What is read from it and from Codex ends with it.
    left: CancellationToken,
}

impl HostSession {
    /// A host and its connection to Codex, neither of which is read yet.
    pub(super) fn new(
        id: HostId,
        process: &Arc<CodexProcess>,
        host: FrameWriter,
        codex: FrameWriter,
    ) -> Self {
        let own_ids = format!("codex-loadout/{}/", uuid::Uuid::new_v4().simple());
        let rpc = Arc::new(RpcClient::new(own_ids.clone(), codex.clone()));
        let handlers = RequestHandlers::new(process.clone(), id, rpc.clone(), host.clone());
        Self {
            id,
            own_ids,
            host,
            host_open: true,
            codex,
            codex_open: true,
            handlers: Arc::new(handlers),
            rpc,
            jobs: 0,
            left: CancellationToken::new(),
        }
    }

    /// Waits for messages of one side once the other side takes them.
    pub(super) fn read(&self, side: Side, mut reader: FrameReader) -> Reading {
        let host = self.id;
        let takes = match side {
            Side::Host => self.codex.clone(),
            Side::Codex => self.host.clone(),
        };
        let arrived = async move {
            if !takes.has_room() {
                takes.room().await;
            }
            let frames = reader.next().await;
            Arrived {
                host,
                side,
                reader,
                frames,
            }
        };
        let left = self.left.clone();
        async move { left.run_until_cancelled(arrived).await }.boxed()
    }
}

impl Drop for HostSession {
    fn drop(&mut self) {
        self.left.cancel();
    }
}
