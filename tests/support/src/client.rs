//! A host: a client of `codex app-server`, or of the proxy in front of it, over stdio or a WebSocket.

use std::collections::HashMap;
use std::fmt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::Process;
use crate::process::{Input, text_of};

/// How long a request or a notification may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The error object of an answer.
#[derive(Debug, Clone, PartialEq)]
pub struct RpcError {
    /// JSON-RPC's code.
    pub code: i64,
    /// What went wrong.
    pub message: String,
    /// More of it; `null` when there is none.
    pub data: Value,
}

/// Why a request has no result.
#[derive(Debug, Clone, PartialEq)]
pub enum RequestError {
    /// The server answered with an error.
    Refused(RpcError),
    /// The server did not answer in time.
    Timeout(String),
    /// The server went away before it answered.
    Gone(String),
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(error) => {
                write!(f, "error {}: {} {}", error.code, error.message, error.data)
            }
            Self::Timeout(method) => write!(f, "no answer to {method} within {PATIENCE:?}"),
            Self::Gone(stderr) => write!(f, "the server is gone; its stderr:\n{stderr}"),
        }
    }
}

impl std::error::Error for RequestError {}

/// Answers a request of the server: its method and params to a result or an error.
type Answerer = Box<dyn Fn(&str, &Value) -> Result<Value, RpcError> + Send>;

/// A host with one connection. Dropping it kills the server that it has started, or hangs up.
#[derive(Debug)]
pub struct Client {
    server: Server,
    shared: Arc<Shared>,
}

/// Whom it talks to.
#[derive(Debug)]
enum Server {
    Started(Box<Process>),
    /// What carries its lines.
    Connected {
        _carrying: JoinSet<()>,
    },
}

struct Shared {
    input: Input,
    stderr: Arc<Mutex<Vec<u8>>>,
    next_id: AtomicU64,
    /// Who waits for the answer to which id; `None` once the server is gone.
    waiting: Mutex<Option<HashMap<u64, oneshot::Sender<Value>>>>,
    /// Everything that was no answer, in order: notifications, and requests of the server.
    messages: watch::Sender<Vec<Value>>,
    answerer: Mutex<Option<Answerer>>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("messages", &self.messages.borrow().len())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Starts a server, such as `home.command(&codex, &["app-server"])`.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(command: std::process::Command) -> Result<Self> {
        let mut process = Process::spawn(command)?;
        let stdout = process.take_stdout().context("the server has no stdout")?;
        let (input, stderr) = (process.input(), process.stderr_handle());
        Ok(Self::on(
            Server::Started(Box::new(process)),
            input,
            stderr,
            stdout,
        ))
    }

    /// Connects to a server that listens at `unix://PATH` or `ws://IP:PORT`.
    ///
    /// # Errors
    ///
    /// When nobody listens there, or no WebSocket is had.
    #[cfg(unix)]
    pub async fn connect(address: &str) -> Result<Self> {
        let (input, output, carrying) = crate::web_socket::connect(address).await?;
        let server = Server::Connected {
            _carrying: carrying,
        };
        let input = Input::new(Some(input));
        Ok(Self::on(server, input, Arc::default(), output))
    }

    /// A host that speaks WebSocket on the stdio of a process, as one of `codex app-server proxy` does.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    #[cfg(unix)]
    pub async fn on_stdio_of(child: &mut tokio::process::Child) -> Result<Self> {
        let output = child.stdout.take().context("the process has no stdout")?;
        let input = child.stdin.take().context("the process has no stdin")?;
        let stream = tokio::io::join(output, input);
        let lines = crate::web_socket::over(stream, "ws://localhost/").await?;
        let (input, output, carrying) = lines;
        let server = Server::Connected {
            _carrying: carrying,
        };
        let input = Input::new(Some(input));
        Ok(Self::on(server, input, Arc::default(), output))
    }

    fn on(
        server: Server,
        input: Input,
        stderr: Arc<Mutex<Vec<u8>>>,
        output: impl AsyncBufRead + Send + Unpin + 'static,
    ) -> Self {
        let shared = Arc::new(Shared {
            input,
            stderr,
            next_id: AtomicU64::new(1),
            waiting: Mutex::new(Some(HashMap::new())),
            messages: watch::Sender::default(),
            answerer: Mutex::default(),
        });
        tokio::spawn(read(output, Arc::clone(&shared)));
        Self { server, shared }
    }

    /// `initialize` and `initialized`; `experimental` asks for the experimental API.
    ///
    /// # Errors
    ///
    /// As [`Self::request`].
    pub async fn initialize(&self, experimental: bool) -> Result<Value, RequestError> {
        let result = self
            .request(
                "initialize",
                json!({"clientInfo": {"name": "lab", "title": "lab", "version": "0"},
                       "capabilities": {"experimentalApi": experimental}}),
            )
            .await?;
        self.notify("initialized", Value::Null).await?;
        Ok(result)
    }

    /// Sends a request and waits for its result; many may be under way at once.
    ///
    /// # Errors
    ///
    /// When the server refuses it, goes away, or takes more than 60 seconds.
    pub async fn request(&self, method: &str, params: Value) -> Result<Value, RequestError> {
        let id = self.shared.next_id.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = oneshot::channel();
        match lock(&self.shared.waiting).as_mut() {
            Some(waiting) => waiting.insert(id, sender),
            None => return Err(self.gone()),
        };
        self.send(&json!({"id": id, "method": method, "params": params}))
            .await?;
        let mut answer = match timeout(PATIENCE, answer).await {
            Ok(answer) => answer.map_err(|_| self.gone())?,
            Err(_) => return Err(RequestError::Timeout(method.to_owned())),
        };
        match answer.get("error") {
            Some(error) => Err(RequestError::Refused(RpcError {
                code: error["code"].as_i64().unwrap_or_default(),
                message: error["message"].as_str().unwrap_or_default().to_owned(),
                data: error["data"].clone(),
            })),
            None => Ok(answer["result"].take()),
        }
    }

    /// Sends a request that has to be refused, and returns the refusal.
    ///
    /// # Errors
    ///
    /// When the server accepts it, or does not answer.
    pub async fn refusal(&self, method: &str, params: Value) -> Result<RpcError> {
        match self.request(method, params).await {
            Err(RequestError::Refused(error)) => Ok(error),
            Err(error) => Err(error.into()),
            Ok(result) => bail!("{method} was to be refused, but gave {result}"),
        }
    }

    /// Sends a notification; params that are null are left out.
    ///
    /// # Errors
    ///
    /// When the server is gone.
    pub async fn notify(&self, method: &str, params: Value) -> Result<(), RequestError> {
        let mut message = json!({"method": method});
        if !params.is_null() {
            message["params"] = params;
        }
        self.send(&message).await
    }

    /// Everything the server sent that was no answer to a request, in order: notifications, its own requests, and
    /// answers for which nobody waits, as a second one to the same request.
    #[must_use]
    pub fn messages(&self) -> Vec<Value> {
        self.shared.messages.borrow().clone()
    }

    /// How many of them there are: what [`Self::wait_for`] takes to look at later ones only.
    #[must_use]
    pub fn mark(&self) -> usize {
        self.shared.messages.borrow().len()
    }

    /// The first message after `mark` that fits, which may have come already.
    ///
    /// # Errors
    ///
    /// When none comes within 60 seconds or before the server goes away.
    pub async fn wait_for(&self, mark: usize, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        self.wait_within(PATIENCE, mark, fits).await
    }

    /// As [`Self::wait_for`], with a patience of the caller's, to show that something does not come.
    ///
    /// # Errors
    ///
    /// When none comes in that time or before the server goes away.
    pub async fn wait_within(
        &self,
        patience: Duration,
        mark: usize,
        fits: impl Fn(&Value) -> bool,
    ) -> Result<Value> {
        let mut messages = self.shared.messages.subscribe();
        let search = async {
            let mut next = mark;
            loop {
                {
                    let messages = messages.borrow_and_update();
                    if let Some(found) = messages.iter().skip(next).find(|message| fits(message)) {
                        return Ok(found.clone());
                    }
                    next = next.max(messages.len());
                }
                if lock(&self.shared.waiting).is_none() && self.mark() == next {
                    return Err(self.gone().into());
                }
                messages.changed().await?;
            }
        };
        match timeout(patience, search).await {
            Ok(found) => found,
            Err(_) => {
                let methods: Vec<_> = self
                    .messages()
                    .iter()
                    .skip(mark)
                    .map(|message| message["method"].clone())
                    .collect();
                bail!(
                    "no such message within {patience:?}; there were {}",
                    Value::from(methods)
                )
            }
        }
    }

    /// Sets who answers the server's requests (approvals and the like). Without, they are refused.
    pub fn on_request(
        &self,
        answerer: impl Fn(&str, &Value) -> Result<Value, RpcError> + Send + 'static,
    ) {
        *lock(&self.shared.answerer) = Some(Box::new(answerer));
    }

    /// Runs a turn with this user text to its end and returns the `turn` of `turn/completed`.
    ///
    /// # Errors
    ///
    /// When it is refused, or ends otherwise than completed.
    pub async fn turn(&self, thread: &str, text: &str) -> Result<Value> {
        let mark = self.mark();
        let input = json!([{"type": "text", "text": text}]);
        let started = self
            .request("turn/start", json!({"threadId": thread, "input": input}))
            .await?;
        let id = &started["turn"]["id"];
        ensure!(id.is_string(), "turn/start gave no turn id: {started}");
        let mut completed = self
            .wait_for(mark, |message| {
                message["method"] == "turn/completed" && &message["params"]["turn"]["id"] == id
            })
            .await
            .with_context(|| format!("waiting for the end of the turn {text:?} of {thread}"))?;
        let turn = completed["params"]["turn"].take();
        ensure!(
            turn["status"] == "completed",
            "the turn {text:?} of {thread} did not complete: {turn}"
        );
        Ok(turn)
    }

    /// The process id of a server that it has started, while it runs.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        match &self.server {
            Server::Started(process) => process.id(),
            Server::Connected { .. } => None,
        }
    }

    /// What the server wrote to stderr so far.
    #[must_use]
    pub fn stderr(&self) -> String {
        text_of(&self.shared.stderr)
    }

    /// Hangs up and waits for the server to end.
    ///
    /// # Errors
    ///
    /// When it does not end within 10 seconds; it is killed then.
    pub async fn shutdown(self) -> Result<ExitStatus> {
        self.started()?.shutdown().await
    }

    /// Kills the server without warning and waits until it is gone.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub async fn kill9(self) -> Result<ExitStatus> {
        self.started()?.kill9().await
    }

    /// Waits until the server has ended by itself.
    ///
    /// # Errors
    ///
    /// When it has not by then.
    pub async fn ended_within(self, patience: Duration) -> Result<ExitStatus> {
        self.started()?.ended_within(patience).await
    }

    fn started(self) -> Result<Process> {
        match self.server {
            Server::Started(process) => Ok(*process),
            Server::Connected { .. } => bail!("it has started no server"),
        }
    }

    async fn send(&self, message: &Value) -> Result<(), RequestError> {
        self.shared
            .input
            .send(format!("{message}\n").as_bytes())
            .await
            .map_err(|_| self.gone())
    }

    fn gone(&self) -> RequestError {
        RequestError::Gone(text_of(&self.shared.stderr))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(mut stdout: impl AsyncBufRead + Unpin, shared: Arc<Shared>) {
    let mut line = Vec::new();
    while let Ok(1..) = stdout.read_until(b'\n', &mut line).await {
        // A line that is not JSON is kept as text, so that a test that waits shows it.
        let message =
            serde_json::from_slice(&line).unwrap_or_else(|_| json!(String::from_utf8_lossy(&line)));
        line.clear();
        if message.get("method").is_none()
            && let Some(id) = message["id"].as_u64()
            && let Some(waiter) = lock(&shared.waiting)
                .as_mut()
                .and_then(|waiting| waiting.remove(&id))
        {
            // Nobody listens any more when the request ran into its timeout.
            drop(waiter.send(message));
            continue;
        }
        if message.get("method").is_some() && message.get("id").is_some() {
            let answer = answer_to(&message, &shared);
            if shared
                .input
                .send(format!("{answer}\n").as_bytes())
                .await
                .is_err()
            {
                break;
            }
        }
        shared
            .messages
            .send_modify(|messages| messages.push(message));
    }
    *lock(&shared.waiting) = None;
    // Wakes those who wait for a message that cannot come any more.
    shared.messages.send_modify(|_| ());
}

fn answer_to(request: &Value, shared: &Shared) -> Value {
    let method = request["method"].as_str().unwrap_or_default();
    let answer = match lock(&shared.answerer).as_ref() {
        Some(answerer) => answerer(method, &request["params"]),
        None => Err(RpcError {
            code: -32601,
            message: format!("the lab has no answer to {method}"),
            data: Value::Null,
        }),
    };
    match answer {
        Ok(result) => json!({"id": request["id"], "result": result}),
        Err(error) => {
            json!({"id": request["id"], "error": {"code": error.code, "message": error.message, "data": error.data}})
        }
    }
}
