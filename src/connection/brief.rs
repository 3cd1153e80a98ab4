//! A Codex of our own for a moment: for what no host's Codex is to be bothered with.

use std::ffi::OsString;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde_json::json;
use tokio::process::Child;

use super::child::{Upstream, UpstreamCommand};
use super::door::Door;
use super::frame_writer::FrameWriter;
use super::rpc_client::RpcClient;
use crate::messages::initialize::{self, UpstreamInfo};
use crate::wire::{Frame, FrameKind};

const OWN_IDS: &str = "codex-loadout/";

/// A Codex that was asked to initialize. It is killed if this is dropped.
#[derive(Debug)]
pub struct BriefCodex {
    child: Child,
    introduced: Introduced,
}

/// A connection to a Codex that knows who asks.
#[derive(Debug)]
pub struct Introduced {
    writer: FrameWriter,
    rpc: Arc<RpcClient>,
    info: UpstreamInfo,
    said: Arc<Mutex<Vec<Frame>>>,
}

impl Introduced {
    /// Tells a Codex who asks.
    ///
    /// # Errors
    /// `unsupportedUpstream` if it says nothing that can be understood.
    pub async fn to(codex: Door) -> Result<Self, LoadoutError> {
        let Door {
            mut reader, writer, ..
        } = codex;
        let rpc = Arc::new(RpcClient::new(OWN_IDS.to_owned(), writer.clone()));
        let said = Arc::<Mutex<Vec<Frame>>>::default();
        let (answers, heard) = (rpc.clone(), said.clone());
        tokio::spawn(async move {
            while let Some(batch) = reader.next().await {
                for frame in batch {
                    match frame.kind() {
                        FrameKind::Response => hand_in(&answers, frame),
                        FrameKind::Notification => heard
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(frame),
                        FrameKind::Request | FrameKind::Malformed => {}
                    }
                }
            }
            answers.upstream_gone();
        });
        let client = json!({ "name": "codex-loadout", "title": "codex-loadout", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "clientInfo": client, "capabilities": { "experimentalApi": true } });
        let answer: initialize::Answer = rpc.ask(initialize::METHOD, &hello).await?;
        let info = answer.info().ok_or_else(|| {
            LoadoutError::new(
                ErrorKind::UnsupportedUpstream,
                "Codex does not say which version it is",
            )
            .with_hint("Use Codex 0.144.1 or newer.")
        })?;
        writer.send(Bytes::from_static(b"{\"method\":\"initialized\"}"));
        Ok(Self {
            writer,
            rpc,
            info,
            said,
        })
    }

    /// Which Codex it is.
    #[must_use]
    pub fn info(&self) -> &UpstreamInfo {
        &self.info
    }

    /// Asks it.
    #[must_use]
    pub fn rpc(&self) -> &Arc<RpcClient> {
        &self.rpc
    }

    /// Ends the connection.
    pub fn close(&self) {
        self.writer.close();
    }
}

impl BriefCodex {
    /// Starts it and waits until it is ready.
    ///
    /// # Errors
    /// `unsupportedUpstream` if it can't be started, or says nothing that can be understood.
    pub async fn start(
        command: &UpstreamCommand,
        arguments: &[OsString],
    ) -> Result<Self, LoadoutError> {
        let Upstream {
            child,
            stdin,
            stdout,
        } = command.start(arguments)?;
        let introduced = Introduced::to(Door::of_lines(stdout, stdin)).await?;
        Ok(Self { child, introduced })
    }

    /// Asks it.
    #[must_use]
    pub fn rpc(&self) -> &Arc<RpcClient> {
        &self.introduced.rpc
    }

    /// Which Codex it is.
    #[must_use]
    pub fn info(&self) -> &UpstreamInfo {
        self.introduced.info()
    }

    /// The notifications it has sent so far.
    #[must_use]
    pub fn said(&self) -> Vec<Frame> {
        let said = &self.introduced.said;
        said.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends it as a host does: by closing its stdin.
    pub async fn end(mut self) {
        self.introduced.close();
        if let Err(error) = self.child.wait().await {
            tracing::debug!(%error, "Codex's end can't be waited for");
        }
    }
}

fn hand_in(answers: &RpcClient, frame: Frame) {
    let id: String = serde_json::from_str(frame.id_json()).unwrap_or_default();
    if let Some(Ok(number)) = id.strip_prefix(OWN_IDS).map(str::parse) {
        answers.answered(number, frame);
    }
}
