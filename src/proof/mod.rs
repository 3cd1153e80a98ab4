//! Proof: what a model would really see of a loadout.
//!
//! A Codex of our own, on the user's own config, starts a thread with the loadout
//! whose model is an endpoint of ours on loopback. What arrives there is held
//! against the receipt. The thread is ephemeral, and no model is called; but the
//! loadout's MCP servers start for it, as for any thread.

mod compare;
pub(crate) mod endpoint;
mod run;

pub(crate) use run::{Subject, prove};
