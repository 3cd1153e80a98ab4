//! Bundles from anywhere: where they come from, what may be fetched, what is pinned.
//!
//! In reading order: [`source`] says where a bundle comes from, and [`lock`] how a project says it to
//! another machine.
//!
//! *Architecture invariant:* nothing here knows Codex, a thread or the state folder. What is fetched comes back as a
//! value, a tree; nothing of it is ever run.

pub mod lock;
pub mod source;
mod toml_text;

pub use source::{Origin, Source};
