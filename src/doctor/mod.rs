//! What holds on the Codex that is installed: the checks of every supported
//! version, made by this very program in a throwaway home.

mod checks;

pub use checks::{Check, Finding, examine};
