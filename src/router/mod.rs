//! Which frame goes where, and when: a pure machine from events to effects.
//!
//! # Ordering
//! Frames keep their order in both directions, with two exceptions, each for one
//! thread only; all other threads flow meanwhile.
//!
//! 1. **The host's gate.** While a claimed request on a thread (resume, fork) is
//!    being prepared, the host's later frames on that thread wait behind it. The
//!    gate opens when the request goes to Codex: from there on, Codex orders. One
//!    that gives the thread another loadout keeps it closed until that is in effect.
//! 2. **The reveal gate.** What Codex says about a thread that the host has not
//!    seen yet waits until that thread's loadout is on disk. Codex may speak of a
//!    new thread before it answers the request that made it; so while such a
//!    request is on its way, frames on threads younger than the request wait too.
//!
//! # Turns
//! What a turn of a thread with a loadout shows of skills, we have written ourselves. Left to look at is what
//! its input names: the request waits at the host's gate for that. Where something has to be told to Codex
//! anew, the threads concerned are unloaded and loaded again; of what Codex says about that, the host hears
//! nothing.
//!
//! *Architecture invariant:* no await, lock, clock or IO. Slow work leaves as an
//! [`Effect`] with a [`Ticket`] and comes back through `on_prepared`,
//! `on_settled` or `on_adopted`.
//! A fork that has to be set apart from its source takes that way twice: Codex is
//! through with making it (`on_made`), then it has its own root (`on_settled`); what
//! Codex says of it in between, the host does not hear.

mod draining;
mod effect;
mod from_codex;
mod gates;
mod refusals;
mod routing;

pub use effect::{Effect, Prepared, Rebound, RequestKind, Settled, Ticket};
pub(crate) use refusals::internal_error;
pub use routing::Router;

#[cfg(test)]
mod tests;
