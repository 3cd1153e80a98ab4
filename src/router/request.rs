//! A request of the host's that is claimed, from then on until its answer.

use crate::messages::thread;
use crate::threads::HostId;
use crate::wire::Frame;

/// Which request was claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// `thread/start` with a selection.
    Start,
    /// `thread/resume`: the thread may have a loadout.
    Resume,
    /// `thread/fork`: the source may have a loadout.
    Fork,
    /// A request that gives a thread with a loadout something to read, or changes where it runs.
    Turn,
    /// A request after which Codex gives loaded threads the servers of its config of now.
    ServersReload,
    /// `thread/capability/update`.
    Update,
    /// A method of our own that changes nothing.
    Own,
}

impl RequestKind {
    /// What it is called in the metrics.
    #[must_use]
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Resume => "resume",
            Self::Fork => "fork",
            Self::Turn => "turn",
            Self::ServersReload => "serversReload",
            Self::Update => "update",
            Self::Own => "own",
        }
    }

    /// Whether its answer makes a thread known to the host.
    pub(super) fn makes_a_thread(self) -> bool {
        matches!(self, Self::Start | Self::Fork)
    }
}

/// Who asked for what a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AskedBy {
    /// The host that it is of.
    Host,
    /// A client of the control door, where it has this number.
    ControlDoor(u64),
    /// Nobody: it is ours, and goes neither to Codex nor to a host.
    Nobody,
}

/// A claimed request. It is in one place at a time: with the router, or, as part of an [`Effect`](super::Effect),
/// with whoever works on it; what it carries goes with it, and ends with it.
#[derive(Debug)]
pub(crate) struct Request<P> {
    /// Which it is.
    pub kind: RequestKind,
    /// As the host sent it.
    pub frame: Frame,
    /// What those who work on it keep with it; nothing to the router.
    pub payload: P,
    /// Whose it is.
    pub(super) host: HostId,
    /// Counts the requests of one host.
    pub(super) number: u64,
    /// The thread on which the host's frames wait until this one goes on.
    pub(super) holds: Option<String>,
    /// Threads that sort behind this may be the one it makes; empty where Codex is not to be waited for.
    pub(super) mark: String,
    /// The threads that are bound anew for it.
    pub(super) rebinds: Vec<String>,
    /// The thread that Codex's answer names.
    pub(super) answered: Option<String>,
    /// How many of the frames that wait on that thread came before the answer.
    pub(super) before_answer: usize,
    /// Who asked.
    pub(super) asked_by: AskedBy,
}

impl<P> Request<P> {
    /// Whose it is.
    #[must_use]
    pub(crate) fn host(&self) -> HostId {
        self.host
    }

    /// Its number at the control door, if it came by that.
    #[must_use]
    pub(crate) fn control_number(&self) -> Option<u64> {
        match self.asked_by {
            AskedBy::ControlDoor(number) => Some(number),
            AskedBy::Host | AskedBy::Nobody => None,
        }
    }

    /// Codex has answered it, with this.
    pub(crate) fn has_answer(&mut self, answer: &Frame) {
        self.answered = thread::named_in_result(answer);
    }

    /// The thread that Codex's answer names, once it is there.
    #[must_use]
    pub(crate) fn answered_thread(&self) -> Option<String> {
        self.answered.clone()
    }
}

impl<P: Default> Request<P> {
    pub(super) fn new(
        host: HostId,
        number: u64,
        kind: RequestKind,
        frame: Frame,
        holds: Option<String>,
        asked_by: AskedBy,
    ) -> Self {
        Self {
            host,
            kind,
            frame,
            payload: P::default(),
            number,
            holds,
            mark: String::new(),
            rebinds: Vec::new(),
            answered: None,
            before_answer: 0,
            asked_by,
        }
    }
}
