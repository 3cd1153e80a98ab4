//! What the messages we touch say: one file a subject, each a pure reading of one frame.
//!
//! *Architecture invariant:* no state and no decision here; the router decides.

pub mod announcement;
pub mod catalog;
pub mod initialize;
pub mod thread;
