//! Hosts that have a thread open: Codex unloads a thread once the last of them has left it. Each leaves and comes
//! back on its own connection, and hears nothing of it (the router mutes the thread meanwhile).

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::process::Attached;
use super::request_handlers::RequestHandlers;
use crate::connection::RpcError;
use crate::loadouts::INSTRUCTIONS;
use crate::messages::thread;
use crate::threads::HostId;

/// Another host that does not read keeps this one waiting no longer than this: what Codex answers it, it reads later.
const OTHERS_WITHIN: Duration = Duration::from_secs(2);

/// Hosts that had a thread open.
pub(super) type Subscribers = Vec<Arc<Attached>>;

#[derive(Deserialize)]
struct Unsubscribed {
    status: String,
}

impl Unsubscribed {
    /// Whether the host had the thread open. One that went with the host before is `notLoaded` for those that come
    /// after it, and they had it no more than those that are `notSubscribed`.
    fn had_it_open(&self) -> bool {
        self.status == "unsubscribed"
    }
}

impl RequestHandlers {
    /// Has every host leave a thread. Gives those that had it open, this one first.
    pub(super) async fn leave(&self, thread: &str) -> Result<Subscribers, RpcError> {
        let named = json!({ "threadId": thread });
        let itself: Unsubscribed = self.rpc.ask(thread::UNSUBSCRIBE, &named).await?;
        let mut subscribers = match itself.had_it_open() {
            true => self.itself().into_iter().collect(),
            false => Vec::new(),
        };
        subscribers.extend(self.others_leave(thread).await);
        Ok(subscribers)
    }

    /// Has every other host leave a thread. Gives those that had it open.
    pub(super) async fn others_leave(&self, thread: &str) -> Subscribers {
        let named = json!({ "threadId": thread });
        let leaving = self.others().into_iter().map(async |other| {
            let ask = other.rpc.ask::<Unsubscribed>(thread::UNSUBSCRIBE, &named);
            let left = tokio::time::timeout(OTHERS_WITHIN, ask).await;
            let had_not = matches!(left, Ok(Ok(left)) if !left.had_it_open());
            (!had_not).then_some(other)
        });
        join_all(leaving).await.into_iter().flatten().collect()
    }

    /// Has hosts open a thread that was just loaded with these params.
    pub(super) async fn come_back(&self, hosts: &[Arc<Attached>], params: &Map<String, Value>) {
        let params = opening(params);
        let coming = hosts.iter().map(async |host| {
            let open = async {
                let _: Value = host.rpc.ask(thread::RESUME, &params).await?;
                // What Codex has to say about it was said before it answers this.
                host.rpc
                    .ask::<Value>("thread/loaded/list", &json!({}))
                    .await
            };
            match tokio::time::timeout(OTHERS_WITHIN, open).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => {
                    tracing::warn!(%error, "a host has lost a thread");
                    if let Some(thread_id) = params["threadId"].as_str() {
                        host.writer.send(thread::closed(thread_id));
                    }
                }
                Err(_) => tracing::debug!("a host does not read"),
            }
        });
        join_all(coming).await;
    }

    /// Tells hosts that a thread they had open is not loaded any more.
    pub(super) fn tell_closed(&self, hosts: &[Arc<Attached>], thread_id: &str) {
        for host in hosts {
            host.writer.send(thread::closed(thread_id));
        }
    }

    /// This host, where it is through with `initialize`.
    pub(super) fn itself(&self) -> Option<Arc<Attached>> {
        let is_it = |host: &Arc<Attached>| host.id == self.id;
        self.process.attached().into_iter().find(is_it)
    }

    /// All hosts but one.
    pub(super) fn without(hosts: &[Arc<Attached>], id: HostId) -> Subscribers {
        let others = hosts.iter().filter(|host| host.id != id);
        others.cloned().collect()
    }

    fn others(&self) -> Subscribers {
        Self::without(&self.process.attached(), self.id)
    }
}

/// What opens a loaded thread. Should it not be loaded any more, it is with what keeps it to its loadout. The rest may
/// take an API that the host did not ask for.
fn opening(params: &Map<String, Value>) -> Value {
    let kept = ["threadId", "config", INSTRUCTIONS];
    let kept = params
        .iter()
        .filter(|(field, _)| kept.contains(&field.as_str()));
    let kept = kept.map(|(field, value)| (field.clone(), value.clone()));
    kept.chain([("excludeTurns".to_owned(), json!(true))])
        .collect()
}
