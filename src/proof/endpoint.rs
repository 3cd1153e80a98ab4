//! A model that says "done" to everything, and keeps what it was asked.

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

/// The endpoint. It stops when dropped.
#[derive(Debug)]
pub(super) struct Endpoint {
    address: SocketAddr,
    asked: watch::Receiver<Option<Value>>,
    serving: JoinHandle<()>,
}

impl Endpoint {
    /// Opens it on a free port of loopback.
    pub(super) async fn open() -> std::io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let (sender, asked) = watch::channel(None);
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
    pub(super) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// The first thing it is asked.
    pub(super) async fn asked(&mut self) -> Option<Value> {
        let asked = self.asked.wait_for(Option::is_some).await;
        asked.ok().and_then(|body| body.clone())
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(stream: TcpStream, sender: Arc<watch::Sender<Option<Value>>>) {
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
    sender: &watch::Sender<Option<Value>>,
) -> Response<Full<Bytes>> {
    let asks = request.method() == Method::POST && request.uri().path() == "/v1/responses";
    let body = request.into_body().collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    let (kind, answer) = if asks {
        if let Ok(body) = serde_json::from_slice(&body) {
            // The first is the turn's own; Codex may ask for a title and the like later.
            sender.send_if_modified(|asked| {
                let first = asked.is_none();
                if first {
                    *asked = Some(body);
                }
                first
            });
        }
        ("text/event-stream", done())
    } else {
        ("application/json", r#"{"data":[],"models":[]}"#.to_owned())
    };
    let mut response = Response::new(Full::new(Bytes::from(answer)));
    response
        .headers_mut()
        .insert(CONTENT_TYPE, hyper::header::HeaderValue::from_static(kind));
    response
}

/// The events of the shortest answer that Codex 0.144 to 0.169 take.
fn done() -> String {
    let usage = json!({ "input_tokens": 1, "input_tokens_details": null, "output_tokens": 1,
        "output_tokens_details": null, "total_tokens": 2 });
    let message = json!({ "type": "message", "role": "assistant", "id": "proof",
        "content": [{ "type": "output_text", "text": "done" }] });
    let events = [
        json!({ "type": "response.created", "response": { "id": "proof" } }),
        json!({ "type": "response.output_item.done", "item": message }),
        json!({ "type": "response.completed", "response": { "id": "proof", "usage": usage } }),
    ];
    let text = events.iter().map(|event| {
        let kind = event["type"].as_str().unwrap_or_default();
        format!("event: {kind}\ndata: {event}\n\n")
    });
    text.collect()
}
