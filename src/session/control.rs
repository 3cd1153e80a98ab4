//! The control door of one Codex process: how its methods reach Codex, and how another loadout for a thread gets to
//! the loop.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use codex_loadout_protocol::method::THREAD_CAPABILITY_UPDATE;
use codex_loadout_protocol::{ErrorKind, LoadoutError};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use super::process::CodexProcess;
use crate::connection::{Introduced, UpstreamAddress, connect};
use crate::control::{CodexConnection, Context, ControlServer, ReachesCodex, UpdatesThreads};
use crate::records::actor;
use crate::threads::HostId;
use crate::wire::Frame;

/// Requests that wait for the loop to take them.
const WAITING: usize = 64;

/// Another loadout for a thread, asked for at the control door.
#[derive(Debug)]
pub(super) struct ControlRequest {
    params: String,
    actor: Option<Arc<str>>,
    answer: oneshot::Sender<Frame>,
}

/// The way from the control door to the loop.
#[derive(Debug)]
pub(super) struct ToLoop {
    sender: mpsc::Sender<ControlRequest>,
    /// Until the loop has it.
    receiver: Mutex<Option<mpsc::Receiver<ControlRequest>>>,
}

impl Default for ToLoop {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel(WAITING);
        Self {
            sender,
            receiver: Mutex::new(Some(receiver)),
        }
    }
}

impl ToLoop {
    /// What comes, for the loop.
    pub(super) fn requests(&self) -> ControlRequests {
        let mut receiver = self.receiver.lock().unwrap_or_else(PoisonError::into_inner);
        ControlRequests {
            coming: receiver.take(),
            under_way: HashMap::new(),
            count: 0,
        }
    }
}

/// What comes by the control door, and waits for its answer.
#[derive(Debug)]
pub(super) struct ControlRequests {
    coming: Option<mpsc::Receiver<ControlRequest>>,
    under_way: HashMap<u64, UnderWay>,
    count: u64,
}

#[derive(Debug)]
struct UnderWay {
    host: HostId,
    actor: Option<Arc<str>>,
    answer: oneshot::Sender<Frame>,
}

impl ControlRequests {
    /// The next one. Nothing is lost if the future is dropped before it is ready.
    pub(super) async fn next(&mut self) -> ControlRequest {
        let next = match &mut self.coming {
            Some(coming) => coming.recv().await,
            None => None,
        };
        match next {
            Some(request) => request,
            None => std::future::pending().await,
        }
    }

    /// Gives it to a host: what goes to the router. Without a host, it is answered that there is none.
    pub(super) fn begin(
        &mut self,
        request: ControlRequest,
        host: Option<HostId>,
    ) -> Option<(HostId, u64, Frame)> {
        let ControlRequest {
            params,
            actor,
            answer,
        } = request;
        self.count += 1;
        let number = self.count;
        let id = json!(format!("codex-loadout/control/{number}"));
        let Some(host) = host else {
            let error = no_host().to_json_rpc();
            let refused = json!({ "id": id, "error": error }).to_string();
            let _ = answer.send(Frame::new(Bytes::from(refused)));
            return None;
        };
        let method = THREAD_CAPABILITY_UPDATE;
        let frame = format!(r#"{{"id":{id},"method":"{method}","params":{params}}}"#);
        let under_way = UnderWay {
            host,
            actor,
            answer,
        };
        self.under_way.insert(number, under_way);
        Some((host, number, Frame::new(Bytes::from(frame))))
    }

    /// Who asked for it.
    pub(super) fn actor(&self, number: u64) -> Option<Arc<str>> {
        self.under_way.get(&number)?.actor.clone()
    }

    /// Its answer is there.
    pub(super) fn answer(&mut self, number: u64, answer: Bytes) {
        if let Some(asked) = self.under_way.remove(&number) {
            // Whoever asked may have left.
            let _ = asked.answer.send(Frame::new(answer));
        }
    }

    /// A host has left, or its Codex has: what it was given has no answer any more.
    pub(super) fn lose(&mut self, host: HostId) {
        self.under_way.retain(|_, asked| asked.host != host);
    }
}

fn no_host() -> LoadoutError {
    let message = "no host here has a connection to Codex on which threads can be given loadouts";
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message).with_hint(
        "A thread gets another loadout through a host that has sent `initialize` with `capabilities.experimentalApi: true`. Send it again when one has, or resume the thread with `capabilitySelection`.",
    )
}

impl CodexProcess {
    /// Our methods, for clients of the control door.
    #[must_use]
    pub(crate) fn control_server(self: &Arc<Self>) -> Arc<ControlServer> {
        let of_process = Arc::new(OfProcess(self.clone()));
        ControlServer::new(Context {
            loadouts: self.loadouts.clone(),
            upstream: of_process.clone(),
            updates: Some(of_process),
            catalogs: self.catalogs.clone(),
            applied: self.applied.clone(),
            launch: self.launch.clone(),
            codex: self.codex.clone(),
            host: Arc::default(),
        })
    }

    /// Where Codex can be connected to; `None`: it is on pipes, and has one connection.
    pub(super) fn listens_at(&self, address: UpstreamAddress, token: Option<String>) {
        let mut place = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        *place = Some((address, token));
    }

    fn address(&self) -> Option<(UpstreamAddress, Option<String>)> {
        let place = self.address.lock().unwrap_or_else(PoisonError::into_inner);
        place.clone()
    }
}

/// The Codex of a process: on a connection of our own where it takes several, else on the one of the host.
#[derive(Debug)]
pub(super) struct OfProcess(pub(super) Arc<CodexProcess>);

impl ReachesCodex for OfProcess {
    fn connection(&self) -> BoxFuture<'_, Result<CodexConnection, LoadoutError>> {
        async {
            if let Some((address, token)) = self.0.address() {
                let codex = connect(&address, token.as_deref()).await?;
                return Ok(CodexConnection::own(Introduced::to(codex).await?));
            }
            let attached = self.0.attached();
            let host = attached.first().ok_or_else(no_connection)?;
            Ok(CodexConnection::of_host(
                host.rpc.clone(),
                host.info.clone(),
            ))
        }
        .boxed()
    }
}

impl UpdatesThreads for OfProcess {
    fn update(&self, params: String) -> BoxFuture<'_, Result<Box<RawValue>, LoadoutError>> {
        async {
            let (answer, answered) = oneshot::channel();
            let request = ControlRequest {
                params,
                actor: actor(),
                answer,
            };
            self.0
                .control
                .sender
                .send(request)
                .await
                .map_err(|_| gone())?;
            read_answer(&answered.await.map_err(|_| gone())?)
        }
        .boxed()
    }
}

fn read_answer(answer: &Frame) -> Result<Box<RawValue>, LoadoutError> {
    #[derive(Deserialize)]
    struct Answer {
        result: Option<Box<RawValue>>,
        error: Option<Refusal>,
    }
    #[derive(Deserialize)]
    struct Refusal {
        message: String,
        data: Option<Value>,
    }
    let Ok(Answer { result, error }) = serde_json::from_slice(answer.bytes()) else {
        return Err(gone());
    };
    let Some(Refusal { message, data }) = error else {
        return result.ok_or_else(gone);
    };
    let typed = data.and_then(|data| serde_json::from_value(data).ok());
    let untyped = || {
        LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
            .with_hint("Its log on stderr says more.")
    };
    Err(typed.unwrap_or_else(untyped))
}

fn no_connection() -> LoadoutError {
    let message =
        "no host has introduced itself to this Codex yet, and it takes one connection alone";
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
        .with_hint("Ask again once the host has sent `initialize`.")
}

fn gone() -> LoadoutError {
    let message = "Codex ended, or the host left, before it was done";
    LoadoutError::new(ErrorKind::UnsupportedUpstream, message)
        .with_hint("`thread/capability/read` tells what the thread has now; send the request again if it is not that.")
}
