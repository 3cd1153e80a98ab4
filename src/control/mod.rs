//! Our own methods: one table, behind every door.
//!
//! The table is jsonrpsee's; a frame of the host's is brought to it in memory.
//! It never sees a proxied frame: it refuses messages without the `jsonrpc`
//! header, and would take a request of Codex's for a notification.

mod answer;
mod audit;
mod bindings;
mod bundles;
mod capabilities;
mod context;
mod events;
mod http;
mod lines;
mod paging;
mod params;
mod profiles;
mod proving;
mod server;
mod table;
mod threads;

pub(crate) use answer::Control;
pub(crate) use context::{CodexConnection, Context, HostConnection, ReachesCodex, UpdatesThreads};
pub(crate) use http::HttpAccess;
pub(crate) use lines::INITIALIZE;
pub(crate) use server::ControlServer;
pub(crate) use threads::{is_loaded, known_to_codex};
