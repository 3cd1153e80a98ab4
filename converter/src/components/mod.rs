//! One file for each kind of component.

pub(crate) mod hooks;
pub(crate) mod servers;

#[cfg(test)]
mod on_codex;
mod shell;
