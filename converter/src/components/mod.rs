//! One file for each kind of component.

pub(crate) mod hooks;
pub(crate) mod servers;

mod shell;
