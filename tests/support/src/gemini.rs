//! The pinned Gemini CLI, and the model that it talks to.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Result, ensure};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::http::{read_request, write_response};
use crate::npm::Pinned;

/// The Gemini CLI, installed on first use.
///
/// # Errors
/// When npm is missing or fails.
pub fn gemini() -> Result<PathBuf> {
    Pinned {
        name: "gemini",
        version: "0.61.0",
        size: "100 MB",
        executable,
    }
    .install()
}

fn executable(folder: &Path) -> Result<PathBuf> {
    let path = folder.join("node_modules/.bin/gemini");
    ensure!(path.is_file(), "npm made no {}", path.display());
    Ok(path)
}

/// A loopback endpoint that answers each request for a text with "done". It stops when dropped.
#[derive(Debug)]
pub struct GeminiModel {
    url: String,
    requests: Arc<Mutex<Vec<Value>>>,
    accepting: JoinHandle<()>,
}

impl GeminiModel {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        let accepting = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, seen.clone()));
            }
        });
        Ok(Self {
            url,
            requests,
            accepting,
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What it was asked so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<Value> {
        let requests = self.requests.lock();
        requests.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for GeminiModel {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn serve(mut connection: TcpStream, seen: Arc<Mutex<Vec<Value>>>) -> Result<()> {
    let (reader, mut writer) = connection.split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = read_request(&mut reader).await? {
        if let Ok(body) = serde_json::from_slice(&request.body) {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.push(body);
        }
        let answer = json!({
            "candidates": [{ "content": { "role": "model", "parts": [{ "text": "done" }] }, "finishReason": "STOP" }],
            "usageMetadata": { "promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2 },
        });
        let (kind, body) = match request.path.contains("alt=sse") {
            true => ("text/event-stream", format!("data: {answer}\n\n")),
            false => ("application/json", answer.to_string()),
        };
        write_response(&mut writer, "200 OK", kind, body.as_bytes()).await?;
    }
    Ok(())
}
