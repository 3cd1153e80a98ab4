//! One Codex process and its hosts, from the first byte to Codex's exit: the loop that
//! feeds the router and carries out its effects.
//!
//! The loop itself never waits for anything but the next event. Work that takes
//! time (`jobs`, [`request_handlers`]) goes on beside it and comes back as an event.
//!
//! `process` is what hosts share, `host_session` what each has to itself, `subscribers` how all that have a thread
//! open leave it and come back.
//!
//! `opening` and `forks` are what a start, resume or fork becomes, `settling` what
//! is made durable of its answer, `fork_split` how a fork gets another loadout. `turns`
//! is the check before a turn, `servers_reload` that before servers come in, `server_status` what is made of those
//! that Codex starts, `server_tools` what is known of their tools, `rebind`
//! and `reload` what follows where one fails, `update` the host's own wanted, `showing`
//! how a thread is shown another list of skills. `watching` is what those are told who watch, `control` how the control door gets to Codex and the loop, `changes`
//! that what could be selected has changed.

mod changes;
mod connection;
mod control;
mod control_door;
mod effects;
mod fork_split;
mod forks;
mod host_session;
mod jobs;
mod leaving;
mod live_bundles;
mod losing;
mod odd_params;
mod opening;
mod process;
mod questions;
mod rebind;
mod reload;
pub(crate) mod request_handlers;
mod server_status;
mod server_tools;
mod servers_reload;
mod serving;
mod settling;
mod showing;
mod signals;
mod subscribers;
mod thread_locks;
mod turns;
mod update;
mod watching;

pub(crate) use connection::run;
pub(crate) use process::CodexProcess;
pub(crate) use serving::{EndsAfter, Upstreams, serve};
pub(crate) use signals::terminate;
pub(crate) use watching::{METRICS, STATUS};
