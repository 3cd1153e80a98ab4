//! The command line: the drop-in for `codex app-server`, and verbs of our own.

mod app_server;
mod arguments;
mod audit;
mod convert;
mod hand_over;
mod invocation;
mod profiles;
mod run;
mod table;
mod verbs;

pub use run::main;
