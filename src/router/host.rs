//! What belongs to one host: what it asked for, and its requests that are under way.

use std::collections::HashMap;

use super::draining::Draining;
use super::request::Request;
use crate::wire::Id;

/// One host on one Codex.
#[derive(Debug)]
pub(crate) struct Host<P> {
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
    /// Requests that wait until threads are at rest, the oldest first.
    pub(super) draining: Vec<Draining<P>>,
    /// Claimed requests that Codex has.
    pub(super) forwarded: HashMap<Id, Request<P>>,
    /// Claimed requests that have no answer yet, and how many bytes are kept of each.
    pub(super) under_way: HashMap<Id, usize>,
    /// Requests that begin a turn and that Codex has not answered yet, with their thread.
    pub(super) beginning: HashMap<Id, String>,
    /// Its questions for servers that Codex has not answered yet, with their thread.
    pub(super) listing: HashMap<Id, Option<String>>,
}

impl<P> Host<P> {
    /// A new host. `own_ids` begins every id of our own requests, and nothing a host would ever use.
    #[must_use]
    pub(crate) fn new(own_ids: &str) -> Self {
        Self {
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
            draining: Vec::new(),
            forwarded: HashMap::new(),
            under_way: HashMap::new(),
            beginning: HashMap::new(),
            listing: HashMap::new(),
        }
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
