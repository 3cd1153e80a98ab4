//! Requests of our own to Codex, on the host's connection.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;

use super::outbox::Outbox;
use crate::wire::Frame;

/// Codex answers what we ask in milliseconds; one that takes this long is stuck.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends requests of our own and gives out their answers.
#[derive(Debug)]
pub struct Asker {
    ids: String,
    next: AtomicU64,
    outbox: Outbox,
    /// `None` once Codex is gone.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Frame>>>>,
}

/// A request of our own came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
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
        /// Codex's words.
        message: String,
    },
    /// Codex answered something that this version can't read.
    #[error("Codex's answer to `{method}` can't be read: {source}")]
    Unreadable {
        /// The request.
        method: &'static str,
        /// Where reading stopped.
        source: serde_json::Error,
    },
}

impl From<AskError> for LoadoutError {
    fn from(error: AskError) -> Self {
        Self::new(ErrorKind::UnsupportedUpstream, error.to_string()).with_hint(
            "Run `codex-loadout --version` to see which Codex is used, and try the request again.",
        )
    }
}

impl Asker {
    /// An asker whose ids begin with `ids`, which no host uses.
    #[must_use]
    pub fn new(ids: String, outbox: Outbox) -> Self {
        Self {
            ids,
            next: AtomicU64::new(1),
            outbox,
            waiting: Mutex::new(Some(HashMap::new())),
        }
    }

    /// Asks Codex and reads its answer.
    ///
    /// # Errors
    /// [`AskError`]: no answer, a refusal, or an answer of another shape.
    pub async fn ask<T>(
        &self,
        method: &'static str,
        params: &serde_json::Value,
    ) -> Result<T, AskError>
    where
        T: DeserializeOwned,
    {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        match self.waiting().as_mut() {
            Some(waiting) => waiting.insert(number, sender),
            None => return Err(AskError::NoAnswer { method }),
        };
        let id = format!("{}{number}", self.ids);
        let request = serde_json::json!({ "id": id, "method": method, "params": params });
        self.outbox.send(Bytes::from(format!("{request}\n")));
        let answer = tokio::time::timeout(PATIENCE, receiver).await;
        let Ok(Ok(answer)) = answer else {
            if let Some(waiting) = self.waiting().as_mut() {
                waiting.remove(&number);
            }
            return Err(AskError::NoAnswer { method });
        };
        read_answer(method, &answer)
    }

    /// Codex answered the request with this number.
    pub fn answered(&self, number: u64, answer: Frame) {
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

fn read_answer<T: DeserializeOwned>(method: &'static str, answer: &Frame) -> Result<T, AskError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Answer<T> {
        Result { result: T },
        Error { error: Refusal },
    }
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
    }
    // Not straight into the untagged enum: its own error would not say where reading stopped.
    let value: serde_json::Value = serde_json::from_slice(answer.bytes())
        .map_err(|source| AskError::Unreadable { method, source })?;
    match serde_json::from_value::<Answer<serde_json::Value>>(value) {
        Ok(Answer::Result { result }) => {
            serde_json::from_value(result).map_err(|source| AskError::Unreadable { method, source })
        }
        Ok(Answer::Error { error }) => Err(AskError::Refused {
            method,
            message: error.message,
        }),
        Err(source) => Err(AskError::Unreadable { method, source }),
    }
}
