//! What belongs to one host: what it asked for, and its requests that are under way.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use codex_loadout_protocol::ErrorKind;

use super::Router;
use super::draining::Draining;
use super::effect::Effect;
use super::request::Request;
use crate::threads::{HostId, Threads};
use crate::wire::{Frame, Id};

/// One host on one Codex.
#[derive(Debug)]
pub(crate) struct Host<P> {
    /// Which it is.
    pub(super) id: HostId,
    /// How the JSON text of our own ids begins.
    pub(super) own_ids: String,
    /// Whether it has said `initialize`.
    pub(super) greeted: bool,
    /// Whether it asked for experimental API.
    pub(super) experimental: bool,
    /// Whether a start of it that says nothing may get a loadout all the same.
    pub(super) may_be_chosen: bool,
    /// Whether it is to get loadouts also if it asks for no experimental API.
    pub(super) may_be_carried: bool,
    /// Whether only we asked for it: what comes of it is kept from the host.
    pub(super) hides_experimental: bool,
    /// Whether it lets Codex say when turns begin and end.
    pub(super) hears_turns: bool,
    /// Whether it lets Codex say how servers start.
    pub(super) hears_servers: bool,
    /// Whether it has used a method or field of ours: others get no notification of ours.
    pub(super) uses_extension: bool,
    /// Its `initialize`, until Codex has answered.
    pub(super) initialize: Option<Id>,
    /// How many requests were claimed.
    pub(super) claimed: u64,
    /// How many claimed requests are worked on and may still go to Codex.
    pub(super) worked_on: usize,
    /// What it has sent and Codex does not get yet.
    pub(super) held: Held,
    /// Claimed requests that Codex has.
    pub(super) forwarded: HashMap<Id, Request<P>>,
    /// Claimed requests that have no answer yet, and how many bytes are kept of each.
    pub(super) under_way: HashMap<Id, usize>,
    /// Requests that begin a turn and that Codex has not answered yet, with their thread.
    pub(super) beginning: HashMap<Id, String>,
    /// Threads with a loadout that have a turn under way, as far as it has heard: Codex tells each host at a moment of
    /// its own.
    pub(super) in_turn: BTreeSet<String>,
    /// Its questions for servers that Codex has not answered yet, with their thread.
    pub(super) listing: HashMap<Id, Option<String>>,
    /// What is kept so that it can be told when Codex ends and it goes on; `None` where it ends with Codex.
    pub(super) outlives: Option<Outlives>,
}

/// How much of what a host has sent waits.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) frames: usize,
    pub(super) bytes: usize,
}

impl Held {
    pub(super) fn add(&mut self, bytes: usize) {
        self.frames += 1;
        self.bytes += bytes;
    }

    pub(super) fn remove(&mut self, bytes: usize) {
        self.frames -= 1;
        self.bytes -= bytes;
    }
}

/// What a host has to be told when Codex ends and it goes on.
#[derive(Debug, Default)]
pub(super) struct Outlives {
    /// Its requests without an answer, and whether they open a thread.
    pub(super) unanswered: HashMap<Id, bool>,
    /// The threads that it has open.
    pub(super) open: BTreeSet<String>,
    /// How it introduced itself.
    pub(super) greeting: Option<Greeting>,
}

/// How a host introduced itself.
#[derive(Debug, Clone)]
pub(crate) struct Greeting {
    /// Its `initialize`.
    pub by_host: Frame,
    /// As it went to Codex.
    pub sent: Bytes,
}

/// All hosts of a Codex process, and what waits for threads that any of them may have a turn on.
#[derive(Debug)]
pub(crate) struct Hosts<P> {
    all: Vec<Host<P>>,
    /// Requests that wait until threads are at rest, the oldest first.
    draining: Vec<Draining<P>>,
    /// The kinds of requests that were refused, until somebody counts them.
    refused: Vec<ErrorKind>,
}

impl<P> Default for Hosts<P> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            draining: Vec::new(),
            refused: Vec::new(),
        }
    }
}

impl<P> Hosts<P> {
    /// One more.
    pub(crate) fn add(&mut self, host: Host<P>) {
        self.all.push(host);
    }

    /// Takes events that are about one host through the router. Nothing happens where it has left.
    pub(crate) fn route<A, T>(
        &mut self,
        host: HostId,
        threads: &mut Threads<A>,
        effects: &mut Vec<(HostId, Effect<P>)>,
        events: impl FnOnce(&mut Router<'_, P, A>) -> T,
    ) -> Option<T> {
        let at = self.all.iter().position(|known| known.id == host)?;
        let mut host = self.all.swap_remove(at);
        let outcome = events(&mut Router {
            host: &mut host,
            others: &mut self.all,
            draining: &mut self.draining,
            refused: &mut self.refused,
            threads,
            effects,
        });
        self.all.push(host);
        Some(outcome)
    }

    /// The kinds of requests that the router itself has refused since this was last asked.
    pub(crate) fn newly_refused(&mut self) -> impl Iterator<Item = ErrorKind> {
        self.refused.drain(..)
    }

    /// Whether any host has used a method or field of ours.
    pub(crate) fn any_uses_extension(&self) -> bool {
        self.all.iter().any(|host| host.uses_extension)
    }

    /// Whether a thread of this host's can be given a loadout: that takes an API that was asked of Codex on its connection.
    pub(crate) fn can_have_loadouts(&self, host: HostId) -> bool {
        let mut hosts = self.all.iter();
        hosts.any(|it| it.id == host && it.greeted && (it.experimental || it.hides_experimental))
    }

    /// How a host that outlives Codex introduced itself, if it has.
    pub(crate) fn greeting(&self, host: HostId) -> Option<Greeting> {
        let host = self.all.iter().find(|known| known.id == host)?;
        host.outlives.as_ref()?.greeting.clone()
    }

    /// A host has left, and nothing of it is under way.
    pub(crate) fn remove<A>(&mut self, host: HostId, threads: &mut Threads<A>) {
        let Some(at) = self.all.iter().position(|known| known.id == host) else {
            return;
        };
        let host = self.all.swap_remove(at);
        for thread in host.beginning.into_values() {
            threads.change(&thread, |it| it.turns.answered(None));
        }
    }
}

impl<P> Host<P> {
    /// A new host. `own_ids` begins every id of our own requests, and nothing a host would ever use.
    #[must_use]
    pub(crate) fn new(id: HostId, own_ids: &str) -> Self {
        Self {
            id,
            own_ids: format!("\"{own_ids}"),
            greeted: false,
            experimental: false,
            may_be_chosen: false,
            may_be_carried: false,
            hides_experimental: false,
            hears_turns: true,
            hears_servers: true,
            uses_extension: false,
            initialize: None,
            claimed: 0,
            worked_on: 0,
            held: Held::default(),
            forwarded: HashMap::new(),
            under_way: HashMap::new(),
            beginning: HashMap::new(),
            in_turn: BTreeSet::new(),
            listing: HashMap::new(),
            outlives: None,
        }
    }

    /// It goes on when Codex ends: it is told then what has become of its requests and threads.
    #[must_use]
    pub(crate) fn that_outlives_codex(mut self) -> Self {
        self.outlives = Some(Outlives::default());
        self
    }

    /// Whether a loadout may come by another way than the field, which takes the experimental API of Codex. It counts
    /// for an `initialize` that is yet to come.
    pub(crate) fn set_may_be_carried(&mut self, may_be: bool) {
        self.may_be_carried = may_be;
    }

    /// Whether a start that says nothing may get a loadout all the same: by the launch line, the environment or a
    /// binding.
    pub(crate) fn set_may_be_chosen(&mut self, may_be: bool) {
        self.may_be_chosen = may_be;
    }

    /// The number of a request of our own.
    pub(super) fn own_number(&self, id_json: &str) -> Option<u64> {
        id_json
            .strip_prefix(self.own_ids.as_str())?
            .strip_suffix('"')?
            .parse()
            .ok()
    }
}
