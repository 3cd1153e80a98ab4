//! The model: a loopback endpoint that speaks just enough of the Responses API for Codex to work.
//!
//! It answers every turn with "done". Two user texts make it do more:
//! `CALL <namespace|-> <tool> <json arguments>` calls that tool first, so
//! `CALL multi_agent_v1 spawn_agent {"message":"x"}` spawns a child; `HOLD` keeps the turn open
//! until [`Model::release`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use serde_json::{Value, json};
use tokio::io::BufReader;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::Seen;
use crate::http::{HttpRequest, read_request, write_response};

/// How long [`Model::wait_for`] and [`Model::wait_for_thread`] wait.
const PATIENCE: Duration = Duration::from_secs(30);

/// One `POST /v1/responses`, in the order of arrival.
#[derive(Debug)]
pub struct Request {
    /// The thread it was made for, of the header `thread-id`.
    ///
    /// Not `session-id` and not the body's `prompt_cache_key`: for a spawned child both name the
    /// root of its tree (measured on 0.150.1 to 0.169.0; on 0.144.1 the key is still the child's).
    pub thread: Option<String>,
    /// The thread that spawned it, of the header `x-codex-parent-thread-id`.
    pub parent: Option<String>,
    /// What Codex sent.
    pub body: Value,
}

impl Request {
    /// What it showed the model.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen::of(&self.body)
    }
}

/// The endpoint. It stops when dropped.
#[derive(Debug)]
pub struct Model {
    url: String,
    state: Arc<State>,
    accepting: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    requests: Mutex<Vec<Arc<Request>>>,
    arrived: watch::Sender<usize>,
    /// How often [`Model::release`] was called.
    released: watch::Sender<usize>,
}

impl State {
    fn requests(&self) -> MutexGuard<'_, Vec<Arc<Request>>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Model {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    ///
    /// When no port can be had.
    pub async fn start() -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .context("no loopback port for the model")?;
        let url = format!("http://{}/v1", listener.local_addr()?);
        let state = Arc::new(State {
            requests: Mutex::default(),
            arrived: watch::Sender::new(0),
            released: watch::Sender::new(0),
        });
        let accepting = tokio::spawn(accept(listener, Arc::clone(&state)));
        Ok(Self {
            url,
            state,
            accepting,
        })
    }

    /// Its `base_url` for a model provider.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// All requests so far.
    #[must_use]
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.state.requests().clone()
    }

    /// All requests since this was last asked: what is taken is known no more.
    #[must_use]
    pub fn take_requests(&self) -> Vec<Arc<Request>> {
        std::mem::take(&mut *self.state.requests())
    }

    /// The last request that fits.
    #[must_use]
    pub fn last_for(&self, fits: impl Fn(&Request) -> bool) -> Option<Arc<Request>> {
        self.state
            .requests()
            .iter()
            .rev()
            .find(|request| fits(request))
            .cloned()
    }

    /// What the model was shown last in a thread.
    ///
    /// # Errors
    ///
    /// When the thread never asked the model.
    pub fn seen(&self, thread: &str) -> Result<Seen> {
        self.last_for(|request| request.thread.as_deref() == Some(thread))
            .map(|request| request.seen())
            .with_context(|| format!("thread {thread} never asked the model"))
    }

    /// Waits until there were `count` requests, and returns them all.
    ///
    /// # Errors
    ///
    /// When they do not come within 30 seconds.
    pub async fn wait_for(&self, count: usize) -> Result<Vec<Arc<Request>>> {
        self.wait_until(|requests| requests.len() >= count)
            .await
            .with_context(|| format!("waiting for {count} model requests"))
    }

    /// Waits for the first request of a thread, as of a spawned child that nobody else waits for.
    ///
    /// # Errors
    ///
    /// When it does not come within 30 seconds.
    pub async fn wait_for_thread(&self, thread: &str) -> Result<Seen> {
        self.wait_until(|requests| {
            requests
                .iter()
                .any(|request| request.thread.as_deref() == Some(thread))
        })
        .await
        .with_context(|| format!("waiting for a model request of thread {thread}"))?;
        self.seen(thread)
    }

    /// Lets every turn that a `HOLD` keeps open go on.
    pub fn release(&self) {
        self.state.released.send_modify(|count| *count += 1);
    }

    async fn wait_until(
        &self,
        enough: impl Fn(&[Arc<Request>]) -> bool,
    ) -> Result<Vec<Arc<Request>>> {
        let mut arrived = self.state.arrived.subscribe();
        let wait = arrived.wait_for(|_| enough(&self.state.requests()));
        match timeout(PATIENCE, wait).await {
            Ok(result) => drop(result?),
            Err(_) => {
                return Err(anyhow!(
                    "only {} came within {PATIENCE:?}",
                    self.requests().len()
                ));
            }
        }
        Ok(self.requests())
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        // A connection that breaks is Codex gone, which a test sees elsewhere.
        tokio::spawn(async move { drop(serve(stream, &state).await) });
    }
}

async fn serve(mut stream: TcpStream, state: &State) -> Result<()> {
    let (reader, mut writer) = stream.split();
    let mut reader = BufReader::new(reader);
    while let Some(request) = read_request(&mut reader).await? {
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/v1/responses") => {
                let events = respond(request, state).await?;
                write_response(
                    &mut writer,
                    "200 OK",
                    "text/event-stream",
                    events.as_bytes(),
                )
                .await?;
            }
            ("GET", _) => {
                let empty = br#"{"data":[],"models":[]}"#;
                write_response(&mut writer, "200 OK", "application/json", empty).await?;
            }
            _ => write_response(&mut writer, "404 Not Found", "application/json", b"{}").await?,
        }
    }
    Ok(())
}

/// Keeps the request and makes the answer to it.
async fn respond(mut request: HttpRequest, state: &State) -> Result<String> {
    let body: Value =
        serde_json::from_slice(&request.body).context("a model request that is not JSON")?;
    let text = last_user_text(&body).unwrap_or_default().to_owned();
    let mut released = state.released.subscribe();
    let already = *released.borrow_and_update();
    let number = {
        let mut requests = state.requests();
        requests.push(Arc::new(Request {
            thread: request.headers.remove("thread-id"),
            parent: request.headers.remove("x-codex-parent-thread-id"),
            body,
        }));
        requests.len()
    };
    state.arrived.send_replace(number);
    if text == "HOLD" {
        released.wait_for(|count| *count > already).await?;
    }
    let item = tool_call(&text, number).unwrap_or_else(|| {
        json!({"type": "message", "role": "assistant", "id": format!("message-{number}"),
               "content": [{"type": "output_text", "text": "done"}]})
    });
    let id = format!("response-{number}");
    let usage = json!({"input_tokens": 1, "input_tokens_details": null, "output_tokens": 1,
                       "output_tokens_details": null, "total_tokens": 2});
    let events = [
        json!({"type": "response.created", "response": {"id": id}}),
        json!({"type": "response.output_item.done", "item": item}),
        json!({"type": "response.completed", "response": {"id": id, "usage": usage}}),
    ];
    Ok(events
        .iter()
        .map(|event| {
            format!(
                "event: {}\ndata: {event}\n\n",
                event["type"].as_str().unwrap_or_default()
            )
        })
        .collect())
}

/// The user's text that has no answer yet; injected skill bodies and the like are passed over.
fn last_user_text(body: &Value) -> Option<&str> {
    body["input"]
        .as_array()?
        .iter()
        .rev()
        .take_while(|item| matches!(item["role"].as_str(), Some("user" | "developer")))
        .filter(|item| item["role"] == "user")
        .filter_map(|item| item["content"][0]["text"].as_str())
        .find(|text| !text.starts_with('<'))
}

fn tool_call(text: &str, number: usize) -> Option<Value> {
    let mut words = text.strip_prefix("CALL ")?.splitn(3, ' ');
    let (namespace, tool, arguments) = (words.next()?, words.next()?, words.next()?);
    let mut item = json!({"type": "function_call", "id": format!("function-{number}"),
                          "call_id": format!("call-{number}"), "name": tool, "arguments": arguments});
    if namespace != "-" {
        item["namespace"] = json!(namespace);
    }
    Some(item)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": [{"text": text}]})
    }

    #[test]
    fn only_an_unanswered_call_is_made() {
        let call = user("CALL - update_plan {\"a\": 1}");
        let answered =
            json!({"input": [call, {"type": "function_call_output", "call_id": "call-1"}]});
        assert_eq!(last_user_text(&answered), None);
        let with_skill = json!({"input": [user("old"), {"type": "message", "role": "assistant"}, call, user("<skill>…")]});
        let text = last_user_text(&with_skill).unwrap();
        let item = tool_call(text, 7).unwrap();
        assert_eq!(item["name"], "update_plan");
        assert_eq!(item["arguments"], "{\"a\": 1}");
        assert_eq!(item.get("namespace"), None);
        assert_eq!(
            tool_call("CALL mcp__x y {}", 1).unwrap()["namespace"],
            "mcp__x"
        );
        assert_eq!(tool_call("please CALL", 1), None);
    }
}
