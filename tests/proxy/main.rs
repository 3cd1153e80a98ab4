//! The proxy in front of the real Codex, and in front of a false one for faults.

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets tests do it, but not what tests call"
)]

mod audit;
mod claude;
mod command_line;
mod convert;
mod crash;
mod drift;
mod drop_in;
mod faults;
mod frames;
mod gate;
mod goals;
mod independence;
mod load;
mod manifests;
mod methods;
mod persistence;
mod proof;
mod roles;
mod selection;
mod stage;
mod tampering;
