//! What holds on the Codex that is installed: the checks of every supported
//! version, made by this very program in a throwaway home.
//!
//! The table of versions in the README is made of these checks, too.

mod checks;
mod finding;
mod home;
mod host;
pub mod server;

pub use checks::examine;
pub use finding::{Check, Finding};
