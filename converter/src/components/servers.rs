//! Placeholder, until the real one is merged.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::context::Context;
use crate::options::Options;
use crate::report::Account;
use crate::source::Plugin;

/// MCP servers of a plugin, converted.
#[derive(Debug, Default)]
pub(crate) struct ConvertedServers {
    /// By the name they run under.
    pub(crate) servers: Map<String, Value>,
    /// One for each server.
    pub(crate) accounts: Vec<Account>,
}

pub(crate) fn names(_plugin: &Plugin, _options: &Options) -> BTreeMap<String, String> {
    BTreeMap::new()
}

pub(crate) fn convert(_context: &Context<'_>) -> ConvertedServers {
    ConvertedServers::default()
}
