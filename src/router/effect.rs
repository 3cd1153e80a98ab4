//! What the router wants done.

use std::time::Duration;

use bytes::Bytes;

use super::request::Request;
use crate::messages::initialize::UpstreamInfo;
use crate::wire::Frame;

/// What the router wants done. Effects are carried out in order. Most are a message on its way, so what is large and rare
/// is in a box.
#[derive(Debug)]
pub(crate) enum Effect<P> {
    /// Send to the host.
    ToHost(Bytes),
    /// Answer a request that came by the control door.
    ToControl {
        /// Its number there.
        number: u64,
        /// The answer.
        answer: Bytes,
    },
    /// Send to Codex.
    ToUpstream(Bytes),
    /// Work out what to do with a claimed request; report with `on_prepared`.
    Prepare(Box<Request<P>>),
    /// Codex answered a claimed request: make it durable, edit the answer; report with `on_settled`, or with
    /// `on_made`.
    Settle {
        /// The request.
        request: Box<Request<P>>,
        /// Codex's answer.
        response: Frame,
    },
    /// Give a fork that Codex has made a root of its own; report with `on_settled`.
    Split(Box<Request<P>>),
    /// Load threads again with the config they are to have now; report with `on_rebound`.
    Rebind(Box<Request<P>>),
    /// A request that was to wait for a re-bind is refused: what was kept for it goes.
    Abandoned(Box<Request<P>>),
    /// Say with `on_late` that the request of this number has waited this long.
    Late {
        /// The request's number.
        number: u64,
        /// How long from now.
        after: Duration,
    },
    /// The host asked for other settings of a thread with a loadout.
    SettingsAsked {
        /// The thread.
        thread: String,
        /// The request.
        frame: Frame,
    },
    /// Codex told how far a server of a thread with a loadout has come.
    ServerStatus {
        /// The thread.
        thread: String,
        /// The notification.
        frame: Frame,
    },
    /// Codex told the host which servers there are, for this thread or for all.
    ServersListed {
        /// The thread.
        thread: Option<String>,
        /// The answer.
        answer: Frame,
    },
    /// A turn of a thread with a loadout has ended.
    TurnEnded {
        /// The thread.
        thread: String,
    },
    /// Codex told which settings a thread with a loadout has.
    Settings {
        /// The thread.
        thread: String,
        /// The notification.
        frame: Frame,
    },
    /// A thread with a loadout spawned others: make theirs durable; report with `on_adopted`.
    Adopt {
        /// The spawning thread.
        parent: String,
        /// The spawned ones.
        children: Vec<String>,
    },
    /// A thread is gone for good: so is its record.
    Forget {
        /// The thread.
        thread: String,
    },
    /// Codex answered a request of our own.
    Answered {
        /// The number the request was sent under.
        number: u64,
        /// Codex's answer.
        response: Frame,
    },
    /// What Codex has to offer may have changed, and no file may show it.
    CatalogMayHaveChanged,
    /// Codex answered the host's `initialize`.
    Connected(UpstreamInfo),
}

/// What becomes of a claimed request.
#[derive(Debug)]
pub(crate) enum Prepared {
    /// It goes to Codex like this, and Codex's answer to the host as it comes: nothing of ours is in play.
    Pass(Bytes),
    /// It goes to Codex like this, and its answer is ours to settle.
    Forward {
        /// The request as Codex gets it.
        request: Bytes,
        /// A UUID v7 made just now: threads that Codex makes from here on sort behind it.
        mark: String,
        /// Whether what the host sends on the thread waits until the answer is settled.
        holds: bool,
    },
    /// The host gets this answer; Codex gets nothing.
    Reply(Bytes),
    /// These loaded threads have to be bound anew first.
    Rebind {
        /// The threads.
        threads: Vec<String>,
        /// Whether the request waits until they are at rest; otherwise it is refused where one is not.
        patient: bool,
    },
}

/// What a thread is to the host once its request is settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    /// A thread with a loadout.
    Loadout,
    /// A thread without one.
    Native,
    /// No thread at all: Codex made it, and it is gone again.
    Hidden,
}

/// Threads were re-bound, or not.
#[derive(Debug)]
pub(crate) struct Rebound {
    /// What becomes of the request that waited for it.
    pub then: Prepared,
    /// Threads that have a loadout now.
    pub bound: Vec<String>,
    /// Threads that have a loadout no longer.
    pub dropped: Vec<String>,
    /// What the host is told about it.
    pub notices: Vec<Bytes>,
}

impl Rebound {
    /// Nothing but what becomes of the request.
    #[must_use]
    pub(crate) fn only(then: Prepared) -> Self {
        Self {
            then,
            bound: Vec::new(),
            dropped: Vec::new(),
            notices: Vec::new(),
        }
    }
}
