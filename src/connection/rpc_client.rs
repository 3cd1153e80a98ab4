//! Requests of our own to Codex, on the host's connection.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::frame_writer::FrameWriter;
use crate::wire::Frame;

/// Codex answers what we ask in milliseconds; one that takes this long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// One that is stuck is not waited for as long again with each question, until it answers one.
const PATIENCE_WITH_STUCK: Duration = Duration::from_secs(5);

/// Codex's answer where its own queue is full (0.144 to 0.169): "Server overloaded; retry later."
const OVERLOADED: i64 = -32001;
/// How long to wait before asking an overloaded Codex again; twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_millis(10);

/// Sends requests of our own and gives out their answers.
#[derive(Debug)]
pub struct RpcClient {
    ids: String,
    next: AtomicU64,
    /// Whether Codex gave no answer to the last request that was waited for.
    is_stuck: AtomicBool,
    writer: FrameWriter,
    /// `None` once Codex is gone.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Frame>>>>,
}

/// A request of our own came to nothing. Clones are for others who wait for the same answer.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RpcError {
    /// Codex ended, or does not answer.
    #[error("Codex gave no answer to `{method}`")]
    NoAnswer {
        /// The request.
        method: &'static str,
    },
    /// Codex refused.
    #[error("Codex refused `{method}`: {message}")]
    Refused {
        /// The request.
        method: &'static str,
        /// JSON-RPC's code.
        code: i64,
        /// Codex's words.
        message: String,
    },
    /// The plugins that Codex named could not be read.
    #[error("the installed plugins can't be read: {0}")]
    Plugins(String),
    /// Codex answered something that this version can't read.
    #[error("Codex's answer to `{method}` can't be read: {source}")]
    Unreadable {
        /// The request.
        method: &'static str,
        /// Where reading stopped.
        source: Arc<serde_json::Error>,
    },
}

impl RpcError {
    fn unreadable(method: &'static str) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Unreadable {
            method,
            source: Arc::new(source),
        }
    }
}

impl From<RpcError> for LoadoutError {
    fn from(error: RpcError) -> Self {
        Self::new(ErrorKind::UnsupportedUpstream, error.to_string()).with_hint(
            "Run `codex-loadout version` to see which Codex is used, and try the request again.",
        )
    }
}

impl RpcClient {
    /// A client whose ids begin with `ids`, which no host uses.
    #[must_use]
    pub fn new(ids: String, writer: FrameWriter) -> Self {
        Self {
            ids,
            next: AtomicU64::new(1),
            is_stuck: AtomicBool::new(false),
            writer,
            waiting: Mutex::new(Some(HashMap::new())),
        }
    }

    /// Asks Codex and reads its answer; one that is overloaded is asked again for a while.
    ///
    /// # Errors
    /// [`RpcError`]: no answer, a refusal, or an answer of another shape.
    pub async fn ask<T>(
        &self,
        method: &'static str,
        params: &serde_json::Value,
    ) -> Result<T, RpcError>
    where
        T: DeserializeOwned,
    {
        let begin = tokio::time::Instant::now();
        let mut wait = AGAIN_AFTER;
        loop {
            match self.ask_once(method, params).await {
                Err(RpcError::Refused {
                    code: OVERLOADED, ..
                }) if begin.elapsed() + wait < PATIENCE => {
                    tokio::time::sleep(wait).await;
                    wait *= 2;
                }
                answer => return answer,
            }
        }
    }

    async fn ask_once<T>(
        &self,
        method: &'static str,
        params: &serde_json::Value,
    ) -> Result<T, RpcError>
    where
        T: DeserializeOwned,
    {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        match self.waiting().as_mut() {
            Some(waiting) => waiting.insert(number, sender),
            None => return Err(RpcError::NoAnswer { method }),
        };
        let id = format!("{}{number}", self.ids);
        let request = serde_json::json!({ "id": id, "method": method, "params": params });
        self.writer.send(Bytes::from(request.to_string()));
        let patience = match self.is_stuck.load(Ordering::Relaxed) {
            true => PATIENCE_WITH_STUCK,
            false => PATIENCE,
        };
        let answer = tokio::time::timeout(patience, receiver).await;
        let Ok(Ok(answer)) = answer else {
            self.is_stuck.store(true, Ordering::Relaxed);
            if let Some(waiting) = self.waiting().as_mut() {
                waiting.remove(&number);
            }
            return Err(RpcError::NoAnswer { method });
        };
        read_answer(method, &answer)
    }

    /// Tells Codex something that has no answer.
    pub fn say(&self, notification: Bytes) {
        self.writer.send(notification);
    }

    /// Codex answered the request with this number.
    pub fn answered(&self, number: u64, answer: Frame) {
        self.is_stuck.store(false, Ordering::Relaxed);
        let sender = self
            .waiting()
            .as_mut()
            .and_then(|waiting| waiting.remove(&number));
        if let Some(sender) = sender {
            // Whoever asked may have given up.
            let _ = sender.send(answer);
        }
    }

    /// Codex is gone: nobody waits any longer.
    pub fn upstream_gone(&self) {
        self.waiting().take();
    }

    /// A panic elsewhere leaves the map as it was: every change to it is one call.
    fn waiting(&self) -> std::sync::MutexGuard<'_, Option<HashMap<u64, oneshot::Sender<Frame>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read_answer<T: DeserializeOwned>(method: &'static str, answer: &Frame) -> Result<T, RpcError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer<T> {
        Result { result: T },
        Error { error: Refusal },
    }
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        code: i64,
        message: String,
    }
    // Not straight into the untagged enum: its own error would not say where reading stopped.
    let value: serde_json::Value =
        serde_json::from_slice(answer.bytes()).map_err(RpcError::unreadable(method))?;
    match serde_json::from_value::<Answer<serde_json::Value>>(value) {
        Ok(Answer::Result { result }) => {
            serde_json::from_value(result).map_err(RpcError::unreadable(method))
        }
        Ok(Answer::Error { error }) => Err(RpcError::Refused {
            method,
            code: error.code,
            message: error.message,
        }),
        Err(source) => Err(RpcError::unreadable(method)(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::{FrameReader, write_lines};

    #[tokio::test(start_paused = true)]
    async fn an_overloaded_codex_is_asked_again_and_a_refusal_is_one() {
        let (near, far) = tokio::io::duplex(4096);
        let (writer, _) = write_lines(near);
        let rpc = std::sync::Arc::new(RpcClient::new("own/".to_owned(), writer));
        let answering = rpc.clone();
        tokio::spawn(async move {
            let mut reader = FrameReader::lines(far);
            let mut number = 0;
            while let Some(frames) = reader.next().await {
                for _ in frames {
                    number += 1;
                    let answer = match number {
                        1 | 2 => {
                            r#"{"id":0,"error":{"code":-32001,"message":"Server overloaded; retry later."}}"#
                        }
                        3 => r#"{"id":0,"result":{"asked":3}}"#,
                        _ => r#"{"id":0,"error":{"code":-32600,"message":"no"}}"#,
                    };
                    answering.answered(number, Frame::new(Bytes::from_static(answer.as_bytes())));
                }
            }
        });
        let params = serde_json::json!({});
        let answer: serde_json::Value = rpc.ask("some/method", &params).await.unwrap();
        assert_eq!(answer["asked"], 3);
        let refused = rpc.ask::<serde_json::Value>("some/method", &params).await;
        assert!(matches!(
            refused,
            Err(RpcError::Refused { code: -32600, .. })
        ));
    }

    #[tokio::test(start_paused = true)]
    async fn a_codex_that_is_stuck_is_not_waited_for_again_and_again() {
        let (near, _far) = tokio::io::duplex(4096);
        let (writer, _) = write_lines(near);
        let rpc = RpcClient::new("own/".to_owned(), writer);
        let params = serde_json::json!({});
        let waited = async || {
            let begin = tokio::time::Instant::now();
            let answer = rpc.ask::<serde_json::Value>("some/method", &params).await;
            assert!(matches!(answer, Err(RpcError::NoAnswer { .. })));
            begin.elapsed().as_secs()
        };
        assert_eq!((waited().await, waited().await), (30, 5));
        // It answers after all, if late.
        rpc.answered(1, Frame::new(Bytes::from_static(b"{\"id\":1}")));
        assert_eq!(waited().await, 30);
    }
}
