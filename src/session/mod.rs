//! One host's connection from its first byte to Codex's exit: the loop that
//! feeds the router and carries out its effects.
//!
//! The loop itself never waits for anything but the next event. Work that takes
//! time runs in tasks of its own ([`work`]) and comes back as an event.

mod beginnings;
mod connection;
pub mod rebind;
mod update;
pub mod work;

pub use connection::run;
