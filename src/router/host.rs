//! What belongs to one host: what it asked for, and its requests that are under way.

use std::collections::HashMap;

use super::draining::Draining;
use super::request::Request;
use crate::wire::Id;

/// One host on one Codex.
#[derive(Debug)]
pub struct Host<P> {
    /// How the JSON text of our own ids begins.
    pub(super) own_ids: String,
    /// Whether it asked for experimental API.
    pub(super) experimental: bool,
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
    /// Requests that begin a turn and that Codex has not answered yet, with their thread.
    pub(super) beginning: HashMap<Id, String>,
}

impl<P> Host<P> {
    /// A new host. `own_ids` begins every id of our own requests, and nothing a host would ever use.
    #[must_use]
    pub fn new(own_ids: &str) -> Self {
        Self {
            own_ids: format!("\"{own_ids}"),
            experimental: false,
            hears_turns: true,
            hears_servers: true,
            uses_extension: false,
            initialize: None,
            claimed: 0,
            worked_on: 0,
            draining: Vec::new(),
            forwarded: HashMap::new(),
            beginning: HashMap::new(),
        }
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
