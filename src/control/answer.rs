//! From a frame to the table and back.

use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use jsonrpsee::RpcModule;
use tokio::sync::watch;

use super::context::Context;
use super::table::table;
use crate::messages::initialize::UpstreamInfo;
use crate::wire::{Frame, RawObject, answer_frame};

/// A host that asks before it has sent `initialize` is told so after this long: its answer may be under way.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// Answers our own methods.
#[derive(Debug)]
pub(crate) struct Control {
    table: RpcModule<Context>,
}

impl Control {
    /// The methods, in this context.
    #[must_use]
    pub(crate) fn new(context: Context) -> Self {
        Self {
            table: table(context),
        }
    }

    /// The answer to a request frame for one of our methods.
    pub(crate) async fn answer(&self, request: &Frame) -> Bytes {
        let text = std::str::from_utf8(request.bytes()).unwrap_or_default();
        let params = RawObject::parse(text, "message")
            .ok()
            .and_then(|message| message.get("params").map(str::to_owned));
        let (member, json) = self.call(request.method(), params.as_deref()).await;
        answer_frame(&request.id(), member, &json)
    }

    /// Calls a method; gives `result` or `error`, and its JSON.
    pub(crate) async fn call(&self, method: &str, params: Option<&str>) -> (&'static str, String) {
        // The table wants the header and an id of its own kind; neither leaves this function.
        let method = serde_json::Value::from(method);
        let params = params.unwrap_or("{}");
        let request = format!(r#"{{"jsonrpc":"2.0","id":0,"method":{method},"params":{params}}}"#);
        let answer = self.table.raw_json_request(&request, 1).await;
        let text = match &answer {
            Ok((answer, _)) => answer.get(),
            Err(_) => "",
        };
        let mut message = RawObject::parse(text, "answer").unwrap_or_default();
        if let Some(result) = message.remove("result") {
            return ("result", result.into_owned());
        }
        let error = message.remove("error").map(std::borrow::Cow::into_owned);
        (
            "error",
            error.unwrap_or_else(|| {
                r#"{"code":-32600,"message":"the request can't be read"}"#.to_owned()
            }),
        )
    }

    /// Waits for Codex's answer to `initialize`.
    ///
    /// # Errors
    /// `invalidSelection` if the host never sent it, `unsupportedUpstream` if it could not be read.
    pub(crate) async fn wait_for_upstream(
        upstream: watch::Receiver<Option<UpstreamInfo>>,
    ) -> Result<UpstreamInfo, LoadoutError> {
        wait_for_upstream(upstream).await
    }
}

pub(super) async fn wait_for_upstream(
    mut upstream: watch::Receiver<Option<UpstreamInfo>>,
) -> Result<UpstreamInfo, LoadoutError> {
    let found = tokio::time::timeout(HANDSHAKE, upstream.wait_for(Option::is_some)).await;
    match found {
        Ok(Ok(info)) => info.clone().ok_or_else(not_initialized),
        Ok(Err(_)) | Err(_) => Err(not_initialized()),
    }
}

fn not_initialized() -> LoadoutError {
    LoadoutError::new(
        ErrorKind::UnsupportedUpstream,
        "Codex has not said which version it is: its answer to `initialize` is missing",
    )
    .with_hint("Send `initialize` and wait for its answer before anything else.")
}
