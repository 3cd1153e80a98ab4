//! One host: its connection, the one to Codex that is for it alone, and what is under way between them.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::process::CodexProcess;
use super::request_handlers::RequestHandlers;
use crate::connection::{FrameReader, FrameWriter, RpcClient};
use crate::metrics::Sender;
use crate::threads::HostId;
use crate::wire::Frame;

/// From which side messages come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Host,
    Codex,
}

impl From<Side> for Sender {
    fn from(side: Side) -> Self {
        match side {
            Side::Host => Self::Host,
            Side::Codex => Self::Codex,
        }
    }
}

/// Messages that have come in, and where more come from; no messages: none will.
pub(super) struct Arrived {
    pub(super) host: HostId,
    pub(super) side: Side,
    /// Of which of the host's connections to Codex, where they come from there.
    pub(super) connection: u32,
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
    pub(super) host_written: Option<JoinHandle<()>>,
    pub(super) host_open: bool,
    pub(super) codex: FrameWriter,
    pub(super) codex_open: bool,
    /// Which of its connections to Codex this one is.
    pub(super) connection: u32,
    /// What it has said while Codex was away.
    pub(super) away: Option<Away>,
    pub(super) handlers: Arc<RequestHandlers>,
    pub(super) rpc: Arc<RpcClient>,
    /// How much is worked on for it.
    pub(super) jobs: usize,
    /// What is read from it and from Codex ends with it.
    left: CancellationToken,
}

/// What waits until a host is connected to Codex again.
#[derive(Default)]
pub(super) struct Away {
    /// Whether the loop has seen that its connection has ended.
    pub(super) is_known: bool,
    /// What goes to Codex then, first.
    pub(super) to_codex: Vec<Bytes>,
    /// What came from the host, and is not looked at before.
    pub(super) arrived: Option<Arrived>,
}

impl HostSession {
    /// A host and its connection to Codex, neither of which is read yet.
    pub(super) fn new(
        id: HostId,
        process: &Arc<CodexProcess>,
        host: FrameWriter,
        host_written: JoinHandle<()>,
        codex: FrameWriter,
    ) -> Self {
        let own_ids = format!("codex-loadout/{}/", uuid::Uuid::new_v4().simple());
        let (rpc, handlers) = handlers(process, id, &own_ids, &host, &codex);
        Self {
            id,
            own_ids,
            host,
            host_written: Some(host_written),
            host_open: true,
            codex,
            codex_open: true,
            connection: 0,
            away: None,
            handlers,
            rpc,
            jobs: 0,
            left: CancellationToken::new(),
        }
    }

    /// Its connection to Codex has ended, or Codex has.
    pub(super) fn lose_codex(&mut self) {
        self.codex_open = false;
        self.rpc.upstream_gone();
        self.away.get_or_insert_default();
    }

    /// It has another connection to Codex.
    pub(super) fn has_codex(&mut self, process: &Arc<CodexProcess>, codex: FrameWriter) {
        (self.rpc, self.handlers) = handlers(process, self.id, &self.own_ids, &self.host, &codex);
        self.codex = codex;
        self.codex_open = true;
        self.connection += 1;
    }

    /// Queues for Codex, or for when it is there.
    pub(super) fn queue_for_codex(&mut self, frame: Bytes) {
        match &mut self.away {
            Some(away) => away.to_codex.push(frame),
            None => self.codex.queue(frame),
        }
    }

    /// Waits for messages of one side once the other side takes them.
    pub(super) fn read(&self, side: Side, mut reader: FrameReader) -> Reading {
        let (host, connection) = (self.id, self.connection);
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
                connection,
                reader,
                frames,
            }
        };
        let left = self.left.clone();
        async move { left.run_until_cancelled(arrived).await }.boxed()
    }
}

fn handlers(
    process: &Arc<CodexProcess>,
    id: HostId,
    own_ids: &str,
    host: &FrameWriter,
    codex: &FrameWriter,
) -> (Arc<RpcClient>, Arc<RequestHandlers>) {
    let rpc = Arc::new(RpcClient::new(own_ids.to_owned(), codex.clone()));
    let handlers = RequestHandlers::new(process.clone(), id, rpc.clone(), host.clone());
    (rpc, Arc::new(handlers))
}

impl Drop for HostSession {
    fn drop(&mut self) {
        self.left.cancel();
    }
}
