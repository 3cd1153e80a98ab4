//! One host's connection from its first byte to Codex's exit: the loop that
//! feeds the router and carries out its effects.
//!
//! The loop itself never waits for anything but the next event. Work that takes
//! time ([`work`]) goes on beside it and comes back as an event.
//!
//! `opening` and `forks` are what a start, resume or fork becomes, `settling` what
//! is made durable of its answer, `apart` how a fork gets another loadout. `turns`
//! is the check before a turn, `rebind` and `reload` what follows where it fails,
//! `second_look` the check when it has begun, `gatekeeping` what is answered when
//! Codex asks at the gate, `update` the host's own wish.

mod alone;
mod apart;
mod beginnings;
mod connection;
mod forks;
mod gatekeeping;
mod goals;
mod opening;
mod questions;
mod rebind;
mod reload;
mod second_look;
mod settling;
mod turns;
mod update;
pub mod work;

pub use connection::run;
