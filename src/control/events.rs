//! The audit as server-sent events: what has happened since, and then what happens. The id of an event is that of its
//! entry, so that who comes back with `Last-Event-ID` misses nothing.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use codex_loadout_protocol::audit::CapabilityAuditListParams;
use codex_loadout_protocol::method::MAX_LIMIT;
use futures_util::Stream;
use futures_util::stream::unfold;
use hyper::body::Frame;
use tokio::time::Instant;

use crate::loadouts::Loadouts;

/// How often it is looked for new entries.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Something is said at least this often, so that both sides see whether the other is there.
const SAY_EVERY: Duration = Duration::from_secs(15);

struct Following {
    loadouts: Arc<Loadouts>,
    wanted: CapabilityAuditListParams,
    waiting: VecDeque<Bytes>,
    said: Instant,
}

/// Entries that are wanted, behind the cursor, for ever.
pub(super) fn follow(
    loadouts: Arc<Loadouts>,
    wanted: CapabilityAuditListParams,
) -> impl Stream<Item = Result<Frame<Bytes>, Infallible>> {
    let wanted = CapabilityAuditListParams {
        limit: Some(MAX_LIMIT),
        ..wanted
    };
    // A word at once: who listens knows that it has begun.
    let waiting = VecDeque::from([Bytes::from_static(b": the audit\n\n")]);
    let following = Following {
        loadouts,
        wanted,
        waiting,
        said: Instant::now(),
    };
    unfold(following, |mut following| async move {
        let next = following.next().await;
        Some((Ok(Frame::data(next)), following))
    })
}

impl Following {
    async fn next(&mut self) -> Bytes {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.said = Instant::now();
                return event;
            }
            match self.loadouts.audit(&self.wanted).await {
                Ok(page) => {
                    let events = page.data.iter().filter_map(|entry| {
                        let json = serde_json::to_string(entry).ok()?;
                        Some(Bytes::from(format!("id: {}\ndata: {json}\n\n", entry.id)))
                    });
                    self.waiting.extend(events);
                    if let Some(last) = page.data.last() {
                        self.wanted.cursor = Some(last.id.clone());
                    }
                }
                Err(error) => tracing::debug!(%error, "the audit can't be read now"),
            }
            if self.waiting.is_empty() {
                if self.said.elapsed() >= SAY_EVERY {
                    self.waiting.push_back(Bytes::from_static(b":\n\n"));
                } else {
                    tokio::time::sleep(LOOK_EVERY).await;
                }
            }
        }
    }
}
