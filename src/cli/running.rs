//! The codex-loadouts that run on the same state folder, asked at their control sockets.

use std::path::Path;
use std::time::Duration;

use codex_loadout_protocol::audit::CLI;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use futures_util::{SinkExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio_util::codec::{Framed, LinesCodec};

use crate::connection::control_sockets;
use crate::control::INITIALIZE;

/// A question is answered in milliseconds; what asks Codex, or binds threads anew, takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// One that runs.
pub(super) struct Running {
    lines: Framed<UnixStream, LinesCodec>,
}

/// All that run on a state folder and answer.
pub(super) async fn running(state_home: &Path) -> Vec<Running> {
    let mut found = Vec::new();
    for stream in control_sockets(state_home).await {
        let mut one = Running {
            lines: Framed::new(stream, LinesCodec::new()),
        };
        let hello = json!({ "clientInfo": { "name": CLI } });
        match one.ask::<Value>(INITIALIZE, &hello).await {
            Ok(_) => found.push(one),
            Err(error) => tracing::debug!(%error, "a codex-loadout does not answer"),
        }
    }
    found
}

impl Running {
    /// Calls a method.
    ///
    /// # Errors
    /// The refusal, or `unsupportedUpstream` if there is no answer that can be read.
    pub(super) async fn ask<T: DeserializeOwned>(
        &mut self,
        method: &str,
        params: &Value,
    ) -> Result<T, LoadoutError> {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let asked = async {
            self.lines.send(request.to_string()).await.ok()?;
            self.lines.next().await?.ok()
        };
        let answer = tokio::time::timeout(PATIENCE, asked).await.ok().flatten();
        let mut answer: Value =
            serde_json::from_str(&answer.ok_or_else(silent)?).map_err(|_| silent())?;
        if let Some(error) = answer.get_mut("error") {
            let message = error["message"].as_str().unwrap_or_default().to_owned();
            let untyped = LoadoutError::new(ErrorKind::UnsupportedUpstream, message);
            return Err(serde_json::from_value(error["data"].take()).unwrap_or(untyped));
        }
        serde_json::from_value(answer["result"].take()).map_err(|_| silent())
    }
}

fn silent() -> LoadoutError {
    let message = "a codex-loadout that runs does not answer at its control socket";
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
        .with_hint("It may be of another version, or have just ended: try again.")
}
