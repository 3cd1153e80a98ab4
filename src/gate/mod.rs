//! The gate: Codex asks us before it asks the model.
//!
//! A check before a turn is a moment too early: what a turn shows of skills Codex
//! settles afterwards, from what it knows of the disk then. So each turn of a
//! thread that newcomers are to be kept out of waits for a hook of ours. That is
//! this same program ([`ask`]); it names the turn at the [`Door`] of the proxy, and
//! the proxy looks in Codex's session file at what the turn shows ([`shown`]), lets
//! it go on or ends it.
//!
//! Whatever the hook meets ends the turn: where nobody can be asked, nobody knows. Only
//! where it can't be run at all does Codex go on; then the look that is taken at a turn's
//! beginning is all there is, and it is logged.

#[cfg(unix)]
mod ask;
#[cfg(unix)]
mod door;
mod question;
mod shown;

#[cfg(unix)]
pub use ask::ask;
#[cfg(unix)]
pub use door::Door;
pub use question::{Question, Verdict};
pub use shown::{Shown, shown};

/// The verb under which this program is the hook.
pub const VERB: &str = "loadout-gate";
