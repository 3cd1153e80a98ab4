//! The command line: the drop-in for `codex app-server`, and verbs of our own.

mod app_server;
mod arguments;
mod audit;
mod convert;
mod gc;
mod hand_over;
mod invocation;
mod run;
mod schema;
mod selection_file;
mod table;
mod terminal;
mod verbs;

pub use run::main;
