//! JSON-RPC 2.0 on a stream, an object a line. Requests of one connection are answered one after the other.
//!
//! `initialize` says who asks, for the audit; whoever does not send it is `control`.

use std::sync::Arc;

use codex_loadout_protocol::{ErrorKind, LoadoutError};
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::codec::{Framed, LinesCodec};

use super::server::{ControlServer, LONGEST_REQUEST};

/// Says who asks.
pub(crate) const INITIALIZE: &str = "initialize";

/// A request, or a notification if it has no id.
#[derive(Debug, Deserialize)]
pub(super) struct Request {
    #[serde(default)]
    id: Option<Box<RawValue>>,
    method: String,
    #[serde(default)]
    params: Option<Box<RawValue>>,
}

/// Answers lines until the client leaves, or sends one that is too long.
pub(super) async fn serve<S>(stream: S, server: Arc<ControlServer>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut lines = Framed::new(stream, LinesCodec::new_with_max_length(LONGEST_REQUEST));
    let mut actor = None;
    while let Some(line) = lines.next().await {
        let Ok(line) = line else {
            let _ = lines.send(too_long()).await;
            return;
        };
        if line.trim().is_empty() {
            continue;
        }
        if let Some(answer) = answer(&line, &mut actor, &server).await
            && lines.send(answer).await.is_err()
        {
            return;
        }
    }
}

/// The answer to one message; a notification has none.
pub(super) async fn answer(
    text: &str,
    actor: &mut Option<Arc<str>>,
    server: &ControlServer,
) -> Option<String> {
    let request: Request = match serde_json::from_str(text) {
        Ok(request) => request,
        Err(_) => return Some(unreadable()),
    };
    let Request { id, method, params } = request;
    let params = params.as_deref().map(RawValue::get);
    let (member, json) = match method.as_str() {
        INITIALIZE => ("result", introduced(params, actor)),
        method => server.call(actor.clone(), method, params).await,
    };
    let id = id?;
    Some(format!(
        r#"{{"jsonrpc":"2.0","id":{id},"{member}":{json}}}"#
    ))
}

/// Whoever asks has said his name.
fn introduced(params: Option<&str>, actor: &mut Option<Arc<str>>) -> String {
    let params: Value = serde_json::from_str(params.unwrap_or("{}")).unwrap_or_default();
    if let Some(name) = params["clientInfo"]["name"].as_str() {
        *actor = Some(name.into());
    }
    let version = env!("CARGO_PKG_VERSION");
    let info = json!({ "name": "codex-loadout", "version": version });
    json!({ "serverInfo": info, "pid": std::process::id() }).to_string()
}

fn unreadable() -> String {
    let error = LoadoutError::new(
        ErrorKind::InvalidSelection,
        "this is no JSON-RPC request: an object with `id`, `method` and `params`",
    )
    .with_hint("Send one object at a time; lists of requests are not taken.");
    refusal(&error)
}

fn too_long() -> String {
    let message = format!("a request has at most {LONGEST_REQUEST} bytes");
    let error = LoadoutError::new(ErrorKind::InvalidSelection, message)
        .with_hint("Name a profile, or fewer capabilities.");
    refusal(&error)
}

fn refusal(error: &LoadoutError) -> String {
    json!({ "jsonrpc": "2.0", "id": null, "error": error.to_json_rpc() }).to_string()
}
