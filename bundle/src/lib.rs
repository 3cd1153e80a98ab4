//! A bundle as a value: files in memory, and the digest of them.
//!
//! *Architecture invariant:* nothing here touches a file, a clock or a process.

mod digest;
mod shape;
mod tree;

pub use digest::Digest;
pub use shape::{BundleContent, ShapeError, shape};
pub use tree::{KEPT_AT, PROGRAM_AT, Tree, TreeFile};
