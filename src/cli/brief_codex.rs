//! A Codex of our own for a moment: for verbs that have to ask what there is.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use bytes::Bytes;
use codex_loadout_protocol::LoadoutError;
use serde_json::json;
use tokio::process::Child;
use tokio::sync::watch;

use crate::connection::{Asker, Inbox, Outbox, Upstream, UpstreamCommand, write_frames};
use crate::control::Control;
use crate::interceptors::initialize::{self, UpstreamInfo};
use crate::loadouts::Loadouts;
use crate::wire::{Frame, FrameKind};

const OWN_IDS: &str = "codex-loadout/";

/// A Codex that was asked to initialize, and our methods in front of it.
pub(super) struct BriefCodex {
    child: Child,
    outbox: Outbox,
    control: Control,
}

impl BriefCodex {
    /// Starts it and waits until it is ready.
    pub(super) async fn start(codex: Option<PathBuf>, loadouts: Arc<Loadouts>) -> Result<Self> {
        let Upstream {
            child,
            stdin,
            stdout,
        } = UpstreamCommand::find(codex)?.start(&["app-server".into()])?;
        let (outbox, _) = write_frames(stdin);
        let asker = Arc::new(Asker::new(OWN_IDS.to_owned(), outbox.clone()));
        let (upstream, watching) = watch::channel(None);
        let mut inbox = Inbox::new(stdout);
        let answers = asker.clone();
        tokio::spawn(async move {
            while let Some(batch) = inbox.next().await {
                for frame in batch
                    .into_iter()
                    .filter(|frame| frame.kind() == FrameKind::Response)
                {
                    hand_in(&answers, &upstream, frame);
                }
            }
            answers.upstream_gone();
        });
        let client = json!({ "name": "codex-loadout", "title": "codex-loadout", "version": env!("CARGO_PKG_VERSION") });
        let hello = json!({ "id": OWN_IDS, "method": initialize::METHOD,
            "params": { "clientInfo": client, "capabilities": { "experimentalApi": true } } });
        outbox.send(Bytes::from(format!("{hello}\n")));
        Control::wait_for_upstream(watching.clone())
            .await
            .context("Codex did not start")?;
        outbox.send(Bytes::from_static(b"{\"method\":\"initialized\"}\n"));
        let control = Control::new(loadouts, asker, Arc::default(), Arc::default(), watching);
        Ok(Self {
            child,
            outbox,
            control,
        })
    }

    /// Calls one of our methods.
    pub(super) async fn call(
        &self,
        method: &str,
        params: &serde_json::Value,
    ) -> Result<serde_json::Value> {
        let (member, json) = self.control.call(method, Some(&params.to_string())).await;
        let value: serde_json::Value = serde_json::from_str(&json)?;
        if member == "result" {
            return Ok(value);
        }
        // Our errors keep their kind, so that the hint and the candidates are shown.
        match value
            .get("data")
            .cloned()
            .map(serde_json::from_value::<LoadoutError>)
        {
            Some(Ok(error)) => Err(error.into()),
            _ => Err(anyhow!(
                "{}",
                value["message"].as_str().unwrap_or("the method failed")
            )),
        }
    }

    /// Ends it as a host does: by closing its stdin.
    pub(super) async fn end(mut self) -> Result<()> {
        self.outbox.close();
        self.child.wait().await?;
        Ok(())
    }
}

fn hand_in(answers: &Asker, upstream: &watch::Sender<Option<UpstreamInfo>>, frame: Frame) {
    let id: String = serde_json::from_str(frame.id_json()).unwrap_or_default();
    match id.strip_prefix(OWN_IDS) {
        Some("") => {
            upstream.send_replace(initialize::upstream_info(&frame));
        }
        Some(number) => {
            if let Ok(number) = number.parse() {
                answers.answered(number, frame);
            }
        }
        None => {}
    }
}
