//! One host's connection from its first byte to Codex's exit: the loop that
//! feeds the router and carries out its effects.
//!
//! The loop itself never waits for anything but the next event. Work that takes
//! time ([`work`]) goes on beside it and comes back as an event.
//!
//! `opening` and `forks` are what a start, resume or fork becomes, `settling` what
//! is made durable of its answer, `apart` how a fork gets another loadout. `turns`
//! is the check before a turn, `servers_reload` that before servers come in, `server_status` what is made of those
//! that Codex starts, `rebind`
//! and `reload` what follows where one fails, `update` the host's own wish, `showing`
//! how a thread is shown another list of skills.

mod alone;
mod apart;
mod connection;
mod forks;
mod odd_params;
mod opening;
mod questions;
mod rebind;
mod reload;
mod server_status;
mod servers_reload;
mod settling;
mod showing;
mod turns;
mod update;
pub mod work;

pub use connection::run;
