//! Bundles from anywhere: where they come from, what may be fetched, what is pinned.
//!
//! In reading order: [`source`] says where a bundle comes from.
//!
//! *Architecture invariant:* nothing here knows Codex, a thread or the state folder. What is fetched comes back as a
//! value, a tree; nothing of it is ever run.

pub mod source;

pub use source::{Origin, Source};
