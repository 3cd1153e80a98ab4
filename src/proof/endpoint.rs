//! A model that says "done" to everything but [`SPAWN`], and keeps what it was asked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::CONTENT_TYPE;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A user text to which the model answers by spawning a child; a word behind it is the child's role.
pub(crate) const SPAWN: &str = "Spawn a child.";

/// One thing the model was asked.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    /// The thread it was asked for (header `thread-id`, Codex 0.144 to 0.169).
    pub(crate) thread: String,
    /// The body of the request.
    pub(crate) body: Value,
}

/// The endpoint. It stops when dropped.
#[derive(Debug)]
pub(crate) struct Endpoint {
    address: SocketAddr,
    asked: watch::Receiver<Vec<Asked>>,
    serving: JoinHandle<()>,
}

impl Endpoint {
    /// Opens it on a free port of loopback.
    pub(crate) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sender, asked) = watch::channel(Vec::new());
        let sender = Arc::new(sender);
        let serving = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, sender.clone()));
            }
        });
        Ok(Self {
            address,
            asked,
            serving,
        })
    }

    /// What a Codex is told of it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The first thing it is asked: the turn's own; Codex may ask for a title and the like later.
    pub(super) async fn first(&mut self) -> Option<Value> {
        let asked = self.asked.wait_for(|asked| !asked.is_empty()).await.ok()?;
        Some(asked.first()?.body.clone())
    }

    /// Everything it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.borrow().clone()
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, sender: Arc<watch::Sender<Vec<Asked>>>) {
    let answer = service_fn(move |request| {
        let sender = sender.clone();
        async move { Ok::<_, Infallible>(respond(request, &sender).await) }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    if let Err(error) = served {
        tracing::debug!(%error, "a connection to the proof's endpoint broke");
    }
}

async fn respond(
    request: Request<Incoming>,
    sender: &watch::Sender<Vec<Asked>>,
) -> Response<Full<Bytes>> {
    let asks = request.method() == Method::POST && request.uri().path() == "/v1/responses";
    let thread = request.headers().get("thread-id");
    let thread = thread.and_then(|id| id.to_str().ok()).unwrap_or_default();
    let thread = thread.to_owned();
    let body = request.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let (kind, answer) = if asks {
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        let item = answer_to(&body);
        sender.send_modify(|asked| asked.push(Asked { thread, body }));
        ("text/event-stream", events(&item))
    } else {
        ("application/json", r#"{"data":[],"models":[]}"#.to_owned())
    };
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

/// "done", or the call that spawns a child, once.
fn answer_to(body: &Value) -> Value {
    let last = body["input"].as_array().and_then(|input| input.last());
    let text = last.and_then(|item| item["content"][0]["text"].as_str());
    if let Some(role) = text.and_then(|text| text.strip_prefix(SPAWN)) {
        let mut arguments = json!({ "message": "Look around." });
        if !role.is_empty() {
            arguments["agent_type"] = role.trim().into();
        }
        return json!({ "type": "function_call", "id": "spawn", "call_id": "spawn", "namespace": "multi_agent_v1",
            "name": "spawn_agent", "arguments": arguments.to_string() });
    }
    json!({ "type": "message", "role": "assistant", "id": "done",
        "content": [{ "type": "output_text", "text": "done" }] })
}

/// The events of the shortest answer that Codex 0.144 to 0.169 take.
fn events(item: &Value) -> String {
    let usage = json!({ "input_tokens": 1, "input_tokens_details": null, "output_tokens": 1,
        "output_tokens_details": null, "total_tokens": 2 });
    let events = [
        json!({ "type": "response.created", "response": { "id": "answer" } }),
        json!({ "type": "response.output_item.done", "item": item }),
        json!({ "type": "response.completed", "response": { "id": "answer", "usage": usage } }),
    ];
    let text = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    });
    text.collect()
}
