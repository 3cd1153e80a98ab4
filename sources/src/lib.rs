//! Bundles from anywhere: where they come from, what may be fetched, what is pinned.
//!
//! In reading order: [`source`] says where a bundle comes from, [`lock`] how a project says it to another machine,
//! [`policy`] what an administrator and a user let happen, and [`signature`] who signed something.
//!
//! *Architecture invariant:* nothing here knows Codex, a thread or the state folder. What is fetched comes back as a
//! value, a tree; nothing of it is ever run.

pub mod lock;
pub mod policy;
pub mod signature;
pub mod source;
mod toml_text;

pub use source::{Origin, Source};
